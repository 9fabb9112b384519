"""Sweeps: settings that take several values, and the variants of a pair that come of them.

A sweep maps settings to the values that they take; a pair is made once for every combination. Layers of
settings and sweeps lie over one another: whoever speaks last of a setting, with one value or with several,
decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import PurePosixPath

from stylize_core.settings.weights_file import WeightsFile

Sweep = Mapping[str, tuple[object, ...]]
Layer = tuple[Mapping[str, object], Sweep]
Axes = tuple[tuple[str, tuple[str, ...]], ...]

MAX_VARIANTS = 1000
LONGEST_LABEL = 40
"""Characters of one value in a file name; whatever is longer is numbered."""

_RIVALS = {"size": "megapixels", "megapixels": "size"}
"""Two ways of saying one thing: whoever speaks last of either decides."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBERED = re.compile(r"v[0-9]+", re.IGNORECASE)


class TooManyVariants(ValueError):
    """A sweep asks for more variants of one pair than anybody can look at."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One combination of a sweep.

    Attributes:
        axes: every swept setting with the labels of its values, in the manifest's order.
        at: which value each of them has here.
        shown: the values in words, as `axes` has the labels.
    """

    axes: Axes
    at: tuple[int, ...]
    shown: Axes = ()

    @property
    def label(self) -> str:
        """What tells this variant from the others in file names, such as `style_weight=10,size=256`."""
        return ",".join(f"{key}={labels[at]}" for (key, labels), at in zip(self.axes, self.at, strict=True))


def variants(*layers: Layer) -> Iterator[tuple[dict[str, object], Variant | None]]:
    """The settings of every variant, in the order of the product; without a sweep one, which is no variant.

    Raises:
        TooManyVariants: before the first one.
    """
    fixed, axes = add_up(*layers)
    if not axes:
        yield fixed, None
        return
    if (count := math.prod(map(len, axes.values()))) > MAX_VARIANTS:
        raise TooManyVariants(
            f"{' x '.join(axes)} make {count} variants of each pair; {MAX_VARIANTS} are accepted"
        )
    named = tuple((key, labels(values)) for key, values in axes.items())
    shown = tuple((key, shown_values(values)) for key, values in axes.items())
    for at in product(*(range(len(values)) for values in axes.values())):
        chosen = {key: values[i] for (key, values), i in zip(axes.items(), at, strict=True)}
        yield fixed | chosen, Variant(named, at, shown)


def add_up(*layers: Layer) -> tuple[dict[str, object], dict[str, tuple[object, ...]]]:
    """The settings with one value and those with several, the layers laid over one another."""
    fixed, axes = dict[str, object](), dict[str, tuple[object, ...]]()
    for settings, sweep in layers:
        for key in _RIVALS.keys() & {*settings, *sweep}:
            fixed.pop(_RIVALS[key], None)
            axes.pop(_RIVALS[key], None)
        for key, value in settings.items():
            axes.pop(key, None)
            fixed[key] = value
        for key, values in sweep.items():
            fixed.pop(key, None)
            axes[key] = values
    return fixed, axes


def labels(values: Sequence[object]) -> tuple[str, ...]:
    """A label for each value, fit for a file name and different from the others even without regard to case.

    A value's label depends on itself and those before it, so that adding values renames nothing.

    >>> labels([1.0, 0.5, ("relu1_1", "relu2_1"), {"relu1_1": 2.0}])
    ('1', '0.5', 'relu1_1-relu2_1', 'v4')
    """
    found: dict[str, str] = {}
    for number, value in enumerate(values, start=1):
        label = _label(value)
        if not label or label.casefold() in found:
            label = f"v{number}"
        found[label.casefold()] = label
    return tuple(found.values())


def shown_values(values: Sequence[object]) -> tuple[str, ...]:
    """What people are to read instead of the labels, which must fit into file names.

    >>> shown_values([("relu1_1", "relu2_1"), {"relu1_1": 2.0, "relu2_1": 1.0}])
    ('relu1_1, relu2_1', 'relu1_1: 2, relu2_1: 1 (v2)')
    """
    return tuple(_shown(value, label) for value, label in zip(values, labels(values), strict=True))


def _shown(value: object, label: str) -> str:
    if _NUMBERED.fullmatch(label):
        return f"{_words(value)} ({label})"
    return _words(value) if value and isinstance(value, tuple) else label


def _words(value: object) -> str:
    """Any value as a line of text; of a picture's path the file and its folder."""
    if isinstance(value, WeightsFile):
        return _words(value.file)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_words(item)}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(_words, value))
    if isinstance(value, str):
        return "/".join(PurePosixPath(value).parts[-2:])
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _label(value: object) -> str:
    """The value in words; empty where they would not do as part of a file name."""
    if isinstance(value, bool) or value is None:
        words = str(value).lower()
    elif isinstance(value, float):
        words = repr(value).removesuffix(".0").replace("+", "")
    elif isinstance(value, tuple):
        words = "-".join(map(str, value)) or "default"
    elif isinstance(value, str):
        words = (value if "/" not in value else PurePosixPath(value).stem).replace(":", "x")
    else:
        words = str(value) if isinstance(value, int) else ""
    plain = _PLAIN.fullmatch(words) and not _NUMBERED.fullmatch(words) and len(words) <= LONGEST_LABEL
    return words if plain else ""
