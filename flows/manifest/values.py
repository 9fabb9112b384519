"""Settings read from the tree of a manifest: every value typed and held against its own description."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from flows.errors import Problem
from flows.manifest.model import TOP_KEYS
from flows.manifest.paths import absolute
from flows.manifest.settings import (
    INIT_WORDS,
    SETTINGS,
    WEIGHTS_KEYS,
    Setting,
    SettingsBuilder,
    accepted,
)
from flows.manifest.yaml_tree import Items, Node, Refused, Table, Text, shown
from flows.model.sweep import Layer, add_up
from flows.model.synonyms import meant_key, meant_value
from stylize_core.errors import SettingsError
from stylize_core.settings.fields import Crop
from stylize_core.settings.layers import Layers
from stylize_core.settings.picture_size import Size
from stylize_core.settings.weights_file import WeightsFile

_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,29})")
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]{0,29})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")


NOT_SETTINGS: Mapping[str, str] = {
    **{key: f"`{key}` is not a setting; it stands at the manifest's top level" for key in TOP_KEYS},
    "blend": "`blend` is not a setting; it stands in an entry of `styles` or in the `style` of a pair",
    "regions": "`regions` is not a setting; it stands in an entry of `pairs`",
}
"""What to do with keys of a manifest that were taken for settings."""
NOT_AT_TOP: Mapping[str, str] = {
    **{key: f"this is a setting; put it under `settings:` as `{key}`" for key in SETTINGS},
    **{
        key: f"this is said when a run is started: `stylize run --{key.replace('_', '-')}`"
        for key in ("workers", "max_time", "max_cost", "cost_per_hour", "skip_failed", "shard", "wait")
    },
    "regions": "regions stand in an entry of `pairs`, for its content",
    "blend": "a blend stands in an entry of `styles`, or in the `style` of a pair",
}
"""What to do with keys that stand at the top level of a manifest and belong elsewhere."""


def read_settings(node: Node, folder: str, problems: list[Problem]) -> dict[str, object]:
    """The settings that stand at `node`, each of its type and within its range; paths start at `folder`."""
    found: dict[str, object] = {}
    for key, child in known_entries(node, SETTINGS, problems, hints=NOT_SETTINGS).items():
        try:
            found[key] = read_value(SETTINGS[key], child, folder, problems)
        except Refused as refused:
            problems.append(refused.problem)
    return found


def known_entries(
    node: Node, known: Iterable[str], problems: list[Problem], *, hints: Mapping[str, str] | None = None
) -> dict[str, Node]:
    """The entries of the mapping at `node` whose keys are `known`; every other key becomes a problem."""
    if not isinstance(node, Table):
        problems.append(Problem(node.where, "this must be a mapping, lines of `key: value`", node.line))
        return {}
    found = {}
    for key, (line, child) in node.entries.items():
        if key in known:
            found[key] = child
        else:
            problems.append(Problem(child.where, _unknown(key, known, hints or {}), line))
    return found


def _unknown(key: str, known: Iterable[str], hints: Mapping[str, str]) -> str:
    if key in hints:
        return hints[key]
    found, elsewhere = _advice(key[:80], tuple(known), tuple(hints))
    return f"{found}; {hints[elsewhere]}" if elsewhere else found


@lru_cache(maxsize=1024)  # one mistake in a generated manifest stands there a hundred thousand times
def _advice(key: str, known: tuple[str, ...], hinted: tuple[str, ...]) -> tuple[str, str]:
    """What is said of an unknown key, and which key of another place it means, if it means one."""
    if meant := meant_key(key, known):
        return f"unknown key; it is called `{meant}` here", ""
    if meant := meant_key(key, hinted):
        return f"unknown key; it is called `{meant}` here", meant
    if near := difflib.get_close_matches(key, known, n=1):
        return f"unknown key; did you mean `{near[0]}`?", ""
    if near := difflib.get_close_matches(key, hinted, n=1, cutoff=0.75):
        return f"unknown key; did you mean `{near[0]}`", near[0]
    return "unknown key; accepted are " + ", ".join(known), ""


def read_value(setting: Setting, node: Node, folder: str, problems: list[Problem]) -> object:
    """The value at `node` as `setting` wants it; unknown keys inside it become problems.

    Raises:
        Refused: if it is not what `setting` accepts.
    """
    if setting.kind == Layers:
        return _layers(setting, node)
    if setting.kind == Crop:
        return _crop(setting, node)
    if setting.kind == WeightsFile | None:
        return _weights(setting, node, folder, problems)
    if not isinstance(node, Text):
        raise Refused(node, f"this must be {accepted(setting)}")
    if setting.key == "init":
        return _init(setting, node, folder)
    if get_origin(setting.kind) is Literal:
        return _choice(setting, node)
    if setting.kind in (int, float):
        return _number(setting, node)
    if setting.kind == Size:
        return "original" if node.text == "original" else _number(replace(setting, kind=int), node)
    if setting.kind is bool:
        return _flag(setting, node)
    return node.text


def refusal(setting: Setting, node: Text) -> Refused:
    """That the text at `node` is not what `setting` accepts; quotes are blamed where they are to blame."""
    why = "" if node.plain or setting.kind not in (int, float, bool) else " without quotes"
    near = did_you_mean(node.text, setting.words) if node.plain else ""
    return Refused(node, f"{shown(node.text)} is not accepted; it must be {accepted(setting)}{why}{near}")


def did_you_mean(text: str, words: Sequence[str]) -> str:
    """The end of a refusal: which of some words was meant; empty if none comes near."""
    meant = meant_value(text[:80], words)
    return f"; did you mean `{meant}`?" if meant and meant != text else ""


def _number(setting: Setting, node: Text) -> int | float:
    form = _WHOLE if setting.kind is int else _NUMBER
    if not node.plain or not form.fullmatch(node.text):
        raise refusal(setting, node)
    value: int | float = setting.kind(node.text) + 0  # so that -0.0 is spelled like 0.0 in identities
    limits = setting.limits
    low = value >= limits["ge"] if "ge" in limits else value > limits.get("gt", -float("inf"))
    if not low or value > limits.get("le", 1.7e308):
        raise refusal(setting, node)
    return value


def _flag(setting: Setting, node: Text) -> bool:
    if not node.plain or node.text not in ("true", "false"):
        raise refusal(setting, node)
    return node.text == "true"


def _choice(setting: Setting, node: Text) -> object:
    for choice in get_args(setting.kind):
        if str(choice) == node.text and (node.plain or isinstance(choice, str)):
            return choice
    raise refusal(setting, node)


def _init(setting: Setting, node: Text, folder: str) -> str:
    if node.text in INIT_WORDS:
        return node.text
    if not set(node.text) & set("./"):  # a word, and a wrong one
        raise refusal(setting, node)
    return path_at(node, folder)


def path_at(node: Text, folder: str) -> str:
    """The absolute path or URI of the one picture named at `node`."""
    try:
        return absolute(node.text, folder, kind="picture")
    except ValueError as error:
        raise Refused(node, f"{shown(node.text)} is not accepted; {error}") from None


def _layers(setting: Setting, node: Node) -> tuple[str, ...] | dict[str, float]:
    if isinstance(node, Table):
        return {name: _layer_weight(child) for name, (_, child) in node.entries.items()}
    if not isinstance(node, Items):
        raise Refused(node, f"this must be {accepted(setting)}")
    return tuple(_layer_name(child) for child in node.items)


def _crop(setting: Setting, node: Node) -> tuple[int | float, ...]:
    if not isinstance(node, Items) or len(node.items) != 4:
        raise Refused(node, f"this must be {accepted(setting)}")
    share = replace(setting, kind=float)
    return tuple(_share(share, child) for child in node.items)


def _share(share: Setting, node: Node) -> int | float:
    if not isinstance(node, Text):
        raise Refused(node, f"this must be {accepted(share)}")
    return _number(share, node)


def _layer_weight(node: Node) -> float:
    weight = Setting("weight", float, None, "", {"gt": 0}, True)
    if not isinstance(node, Text):
        raise Refused(node, f"this must be {accepted(weight)}")
    return float(_number(weight, node))


def _layer_name(node: Node) -> str:
    if not isinstance(node, Text):
        raise Refused(node, "this must be the name of a layer, such as relu3_1")
    return node.text


def _weights(setting: Setting, node: Node, folder: str, problems: list[Problem]) -> WeightsFile | None:
    if isinstance(node, Text):
        if node.plain and node.text in ("null", "~"):
            return None
        raise refusal(setting, node)
    entries = known_entries(node, WEIGHTS_KEYS, problems)
    if missing := [key for key, known in WEIGHTS_KEYS.items() if known.required and key not in entries]:
        raise Refused(node, f"{' and '.join(missing)} must be given")
    found: dict[str, Any] = {
        key: read_value(WEIGHTS_KEYS[key], child, folder, problems) for key, child in entries.items()
    }
    file = entries["file"]
    assert isinstance(file, Text)  # noqa: S101  `read_value` has refused anything else
    try:
        return WeightsFile(**found | {"file": path_at(file, folder)})
    except SettingsError as error:
        raise Refused(entries[error.key.rpartition(".")[2]], value_error_text(error)) from None


def value_error_text(error: SettingsError) -> str:
    """The refusal of a value without its key, for where the key is said already."""
    return f"{shown(str(error.value))} is not accepted; {error.expected}"


def check_together(
    layers: Sequence[Layer], node: Node, builder: SettingsBuilder, problems: list[Problem]
) -> dict[str, object]:
    """The layers over one another, less what contradicts the rest; contradictions become problems at `node`.

    Args:
        layers: without sweeps; the last one stands at `node`.
    """
    together, own = add_up(*layers)[0], layers[-1][0]
    while True:
        try:
            builder.build(together)
        except SettingsError as error:
            key = error.key.partition(".")[0]
            problems.append(_contradiction(key, error, own, node))
            if key not in together:  # nothing that could be taken back
                return together
            del together[key]
        else:
            return together


def _contradiction(key: str, error: SettingsError, own: Mapping[str, object], node: Node) -> Problem:
    if key in own and isinstance(node, Table):
        line, child = node.entries[key]
        return Problem(child.where, value_error_text(error), line)
    return Problem(node.where, f"together with the settings above it, {error}", node.line)
