"""Words of pages: settings that differ from what is usual, short names of pictures, amounts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from flows.records.failed import as_recorded
from stylize_core.errors import StylizeError
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

_GROUND = ("encoder", "mode", "recipe", "size", "megapixels", "steps")
"""Settings that others follow from: a setting differs if it is not what it would be beside these."""

_LONGEST = 120

Settings = tuple[tuple[str, str], ...]
"""Settings by key with their values in words."""


def differing(settings: Mapping[str, Any]) -> Settings:
    """The settings that are not what they are if nobody says anything.

    Args:
        settings: all that are in force, as records have them.

    >>> differing(as_recorded(StyleSettings(style_weight=10.0), PictureSettings()))
    (('style_weight', '10'),)
    """
    ground = tuple(
        (key, settings[key]) for key in _GROUND if isinstance(settings.get(key), str | int | float)
    )
    beside, alone = _usual(ground), _usual(())
    return tuple(
        (key, in_words(value))
        for key, value in sorted(settings.items())
        if value != (alone if key in _GROUND else beside).get(key)
    )


@lru_cache(64)
def _usual(ground: tuple[tuple[str, Any], ...]) -> Mapping[str, Any]:
    """Every setting as it is beside these; plain defaults where no such settings exist any more."""
    try:
        return as_recorded(StyleSettings(**dict(ground)), PictureSettings())
    except (StylizeError, TypeError, ValueError):
        return _usual(())


def in_words(value: Any) -> str:
    """A setting's value on a line.

    >>> in_words(10.0), in_words(["relu1_1", "relu2_1"]), in_words({"relu1_1": 0.5})
    ('10', 'relu1_1, relu2_1', 'relu1_1: 0.5')
    """
    if isinstance(value, Mapping):
        if "file" in value:  # weights
            return in_words(value["file"])
        text = ", ".join(f"{key}: {in_words(item)}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(map(in_words, value))
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def short_names(uris: Iterable[str]) -> dict[str, str]:
    """For each place the shortest ending of it, without its suffix, that no other one has.

    >>> short_names(["/a/sea.jpg", "/b/sea.jpg", "/b/hill.jpg"])
    {'/a/sea.jpg': 'a/sea', '/b/sea.jpg': 'b/sea', '/b/hill.jpg': 'hill'}
    """
    every = list(dict.fromkeys(uris))
    waiting, length = every, 1
    found: dict[str, str] = {}
    while waiting:
        named = {uri: _ending(uri, length) for uri in waiting}
        counts = Counter(named.values())
        longest = max(map(_parts_of, waiting))
        done = {uri: name for uri, name in named.items() if counts[name] == 1 or length >= longest}
        found |= done
        waiting = [uri for uri in waiting if uri not in done]
        length += 1
    return {uri: found[uri] for uri in every}


def _ending(uri: str, length: int) -> str:
    path = PurePosixPath(uri)
    return "/".join((*path.parts[-length:-1], path.stem or uri))


def _parts_of(uri: str) -> int:
    return len(PurePosixPath(uri).parts)


def length_of_time(seconds: float) -> str:
    """A length of time as people say it, to two units.

    >>> length_of_time(0.42), length_of_time(75), length_of_time(7265), length_of_time(200000)
    ('0.42 s', '1 min 15 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    at = next(at for at, (_, size) in enumerate(units) if whole >= size)
    parts = []
    for unit, size in units[at : at + 2]:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def amount_of_bytes(count: float) -> str:
    """Bytes as people say them.

    >>> amount_of_bytes(900), amount_of_bytes(2_500_000), amount_of_bytes(3.1e9)
    ('900 B', '2.5 MB', '3.1 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"


def counted(number: int, word: str) -> str:
    """A number with its word, grouped in thousands.

    >>> counted(1, "pair"), counted(12000, "pair")
    ('1 pair', '12,000 pairs')
    """
    return f"{number:,} {word}{'s' * (number != 1)}"
