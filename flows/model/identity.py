"""What a picture is made of, and the hash that says whether a picture on disk is still that one.

Knows no torch: a plan with nothing to do must not load it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

from flows.model.blend import spelled
from flows.model.pair import Pair
from flows.model.recipe_changes import changed_by_recipe
from flows.model.regions import spelled_regions
from stylize_core.architecture import PACKAGED, PACKAGED_BLOCKS, PUBLISHED
from stylize_core.errors import BadWeights
from stylize_core.settings.fields import every_value
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.schedule import SHARING_HALF
from stylize_core.settings.sketch import sketch_of
from stylize_core.settings.style import StyleSettings

ALGORITHM_VERSION = 4
"""Raised whenever the same inputs would give another picture under some settings; see `algorithm_of`."""

_OF_THE_PENALTY = 2  # which a relative loss has always counted so
CHANGES: Mapping[int, str] = {
    _OF_THE_PENALTY: "the penalty for pixels outside 0..1 counts in units of the loss",
    3: "a style with fewer pixels than it is measured in is enlarged",
    4: "each of many sizes keeps a tenth of the steps",
}
"""What a version has changed."""

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Ingredients:
    """Everything that decides how a picture looks, and nothing else.

    Attributes:
        content: sha256 of the content's bytes, hex; empty if there is none.
        style: sha256 of the style's bytes; the shares and digests of a blend, as `spelled` puts them; empty
            if there is none.
        init: sha256 of the picture to start from; empty if there is none.
        weights: what `weights_digest` says.
        settings: what `canonical_settings` says.
        algorithm: what `algorithm_of` says.
        regions: masks and styles of the content's regions, as `spelled_regions` puts them; empty if there are
            none, and then no part of the identity.
    """

    content: str
    style: str
    init: str
    weights: str
    settings: dict[str, Any]
    algorithm: int = 1
    regions: str = ""


def identity(ingredients: Ingredients) -> str:
    """The sha256 of the ingredients' canonical JSON, 64 hex digits.

    Canonical: sorted keys, no spaces, ASCII, floats in their shortest exact spelling.
    """
    # Not `asdict`: it copies deeply, and a plan asks for a hundred thousand of these.
    parts = {name: getattr(ingredients, name) for name in Ingredients.__slots__}
    if not ingredients.regions:
        del parts["regions"]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def canonical_settings(style: StyleSettings, picture: PictureSettings) -> dict[str, Any]:
    """Every setting that has a part in the identity, by name."""
    return style.canonical() | picture.canonical()


def effective_settings(style: StyleSettings, picture: PictureSettings) -> dict[str, Any]:
    """Every setting by name with the value that is in force, whether it has a part in the identity or not.

    The weights are the file's facts; None for those that come with the encoder.
    """
    every = every_value(style) | every_value(picture)
    weights = None if style.weights is None else asdict(style.weights)
    return every | canonical_settings(style, picture) | {"weights": weights}


def algorithm_of(settings: StyleSettings, *, enlarges: bool = True, long_edge: int | None = None) -> int:
    """The oldest algorithm that makes the same pictures under these settings as `ALGORITHM_VERSION`.

    Args:
        enlarges: whether a style may have to be enlarged.
        long_edge: of the picture, px, where it is known; else what the settings say or let expect.

    An identity takes it that both may be, for a plan does not look into pictures; `identity_today` knows
    what a record knows.
    """
    if len(settings.stages(long_edge or settings.picture_size.expected_px)) > 1 + SHARING_HALF:
        return 4
    if enlarges and settings.uses_style:
        return 3
    compares = settings.uses_content or settings.uses_style
    return 2 if compares and settings.range_weight and settings.loss != "relative" else 1


def ingredients_of(
    pair: Pair,
    content_sha256: str,
    style_sha256: str,
    init_sha256: str,
    *,
    others: Mapping[str, str] | None = None,
) -> Ingredients:
    """What `pair` is made of, given the digests of its bytes; `init_sha256` is empty without `init`.

    `others` are those of the pair's other pictures, by role.
    """
    style, regions = spelled_styles(pair, style_sha256, others or {})
    return Ingredients(
        content=content_sha256,
        style=style,
        init=init_sha256,
        weights=weights_digest(pair.style_settings),
        settings=canonical_settings(pair.style_settings, pair.picture_settings),
        algorithm=algorithm_of(pair.style_settings),
        regions=regions,
    )


def spelled_styles(pair: Pair, style_sha256: str, others: Mapping[str, str]) -> tuple[str, str]:
    """What `Ingredients` has under `style` and `regions`; each empty while a digest of its pictures is."""
    if not pair.blend and not pair.regions:  # as of nearly all of a hundred thousand pairs
        return style_sha256, ""
    blend = [others.get(f"style[{at}]", "") for at in range(1, len(pair.blend))]
    return spelled(pair.blend, [style_sha256, *blend]), spelled_regions(pair.regions, others)


def weights_digest(settings: StyleSettings) -> str:
    """What stands for the weights in an identity: those of the network, and of `slim` that begins for it.

    Raises:
        BadWeights: the installation lacks the built-in weights.
    """
    digest = network_digest(settings)
    return f"{digest}+{network_digest(sketch_of(settings))}" if settings.init == "slim" else digest


def network_digest(settings: StyleSettings) -> str:
    """What stands for the weights of the network that the settings name.

    A staged file counts with its convention, because the same weights see other colours under another one.
    Published weights count by the digits that their file name promises, as they may not be downloaded yet.

    Raises:
        BadWeights: the installation lacks the built-in weights.
    """
    if settings.weights is not None:
        return f"{settings.weights.sha256}:{settings.weights.convention}"
    if settings.encoder in PUBLISHED:
        return "published:" + PUBLISHED[settings.encoder].sha256_prefix
    deep = any(int(layer[4]) > PACKAGED_BLOCKS for layer in settings.layers)
    return "+".join(map(_packaged_digest, PACKAGED if deep else PACKAGED[:1]))


@cache
def _packaged_digest(name: str) -> str:
    file = resources.files("stylize_core").joinpath(f"networks/pretrained/{name}.safetensors")
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise BadWeights(f"the built-in weights {file} cannot be read; install stylize again") from error


def differences(old: Ingredients, new: Ingredients) -> str:
    """Why a picture made of `old` is not the one that `new` asks for, in words; empty if it is.

    >>> old = Ingredients("a", "b", "", "w", {"steps": 100})
    >>> differences(old, Ingredients("c", "b", "", "w", {"steps": 200}))
    'content changed; settings: steps 100 -> 200'
    """
    return "; ".join(_differences(old, new))


def _differences(old: Ingredients, new: Ingredients) -> Iterator[str]:
    for name in ("content", "style", "init", "weights", "regions"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after and not (name == "weights" and _share_a_file(before, after)):
            yield f"{name} changed"
    number, by_recipe = changed_by_recipe(old.settings, new.settings)
    if by_recipe:
        changed = ", ".join(_changed_settings(old.settings, new.settings, sorted(by_recipe)))
        yield f"default recipe changed (`recipe: {number}` keeps the old one): {changed}"
    others = sorted((old.settings.keys() | new.settings.keys()) - by_recipe)
    if settings := list(_changed_settings(old.settings, new.settings, others)):
        yield "settings: " + ", ".join(settings)
    if old.algorithm != new.algorithm:
        since = "; ".join(_changes_between(old, new))
        yield f"algorithm {old.algorithm} -> {new.algorithm}" + (f" ({since})" if since else "")


def _share_a_file(old: str, new: str) -> bool:
    """Whether one has the other's weights and at most a further block, which its layers tell of."""
    return old.startswith(f"{new}+") or new.startswith(f"{old}+")


def _changes_between(old: Ingredients, new: Ingredients) -> Iterator[str]:
    for version, what in CHANGES.items():
        concerned = version != _OF_THE_PENALTY or new.settings.get("loss") != "relative"
        if concerned and old.algorithm < version <= new.algorithm:
            yield what


def _changed_settings(old: Mapping[str, Any], new: Mapping[str, Any], keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        before, after = _spelled(old.get(key, _ABSENT)), _spelled(new.get(key, _ABSENT))
        if before != after:
            yield f"{_spelled(key)} {before} -> {after}"


def _spelled(value: object) -> str:
    """A setting's value as one word or JSON; control characters of a foreign record come out escaped."""
    if value is _ABSENT:
        return "unset"
    if isinstance(value, Mapping) and len(value) > 1 and len(set(map(repr, value.values()))) == 1:
        value = list(value)  # layers of equal weight
    text = json.dumps(value, sort_keys=True)
    return text[1:-1] if isinstance(value, str) else text
