"""The regions of a pair as they stand in a manifest: masks, each with its style."""

from __future__ import annotations

from collections.abc import Mapping

from flows.errors import Problem
from flows.manifest.blend_section import read_blend
from flows.manifest.model import BLEND_KEYS, REGION_KEYS
from flows.manifest.paths import one_spelling
from flows.manifest.settings import Setting
from flows.manifest.values import known_entries, path_at, read_value
from flows.manifest.yaml_tree import Items, Node, Refused, Table, Text
from flows.model.blend import Blend, shares_of
from flows.model.regions import Region, Regions

WEIGHT = Setting("weight", float, 1.0, "", {"gt": 0.0, "le": 1e15}, False)


def read_regions(node: Node, folder: str, problems: list[Problem]) -> Regions[str]:
    """The regions at `node`, as far as they are right."""
    if not isinstance(node, Items) or not node.items:
        message = "this must be a list of regions, as in `- {mask: sky.png, style: a.jpg}`"
        problems.append(Problem(node.where, message, node.line))
        return ()
    found = [_region(item, folder, problems) for item in node.items]
    return tuple(region for region in found if region is not None)


def _region(node: Node, folder: str, problems: list[Problem]) -> Region[str] | None:
    given = known_entries(node, REGION_KEYS, problems)
    if isinstance(node, Table) and "mask" not in given:
        problems.append(Problem(node.where, "the key `mask` is missing", node.line))
    try:
        styles = _styles(given["style"], folder, problems) if "style" in given else ()
        _check_style_mask(given, styles)
        weight = read_value(WEIGHT, given["weight"], folder, problems) if "weight" in given else 1.0
        paths = {key: _picture(given[key], folder) for key in ("mask", "style_mask") if key in given}
    except Refused as refused:
        problems.append(refused.problem)
        return None
    assert isinstance(weight, float)  # noqa: S101  the setting's kind
    return Region(paths["mask"], styles, paths.get("style_mask"), weight) if "mask" in paths else None


def _styles(node: Node, folder: str, problems: list[Problem]) -> Blend[str]:
    """One picture or the parts of a blend."""
    if not isinstance(node, Table):
        return shares_of({_picture(node, folder): 1.0})
    given = known_entries(node, BLEND_KEYS, problems)
    if "blend" not in given:
        raise Refused(node, "the key `blend` is missing")
    return read_blend(given["blend"], folder, problems)


def _check_style_mask(given: Mapping[str, Node], styles: Blend[str]) -> None:
    if "style_mask" in given and len(styles) != 1:
        needs = "it belongs to one style picture, and a blend has several" if styles else "it needs a `style`"
        raise Refused(given["style_mask"], f"{needs}; leave it out or name one picture")


def _picture(node: Node, folder: str) -> str:
    if not isinstance(node, Text):
        raise Refused(node, "this must be a path or an s3:// URI")
    return one_spelling(path_at(node, folder))
