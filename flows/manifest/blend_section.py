"""A blend of styles as it stands in a manifest: pictures with their weights."""

from __future__ import annotations

from flows.errors import Problem
from flows.manifest.paths import one_spelling
from flows.manifest.settings import Setting
from flows.manifest.values import path_at, read_value
from flows.manifest.yaml_tree import Node, Refused, Table, Text
from flows.model.blend import Blend, shares_of

WEIGHT = Setting("weight", float, None, "", {"ge": 0.0, "le": 1e15}, True)


def read_blend(node: Node, folder: str, problems: list[Problem]) -> Blend[str]:
    """The pictures at `node` that have a weight; a single part where only one has, none where it is wrong."""
    if not isinstance(node, Table) or not node.entries:
        example = "`{a.jpg: 2, b.jpg: 1}`"
        problems.append(Problem(node.where, f"this must map pictures to weights, as in {example}", node.line))
        return ()
    weights: dict[str, float] = {}
    for path, (line, child) in node.entries.items():
        try:
            picture = one_spelling(path_at(Text(path, child.where, line, plain=False), folder))
            weight = read_value(WEIGHT, child, folder, problems)
        except Refused as refused:
            problems.append(refused.problem)
            continue
        if picture in weights:
            problems.append(Problem(child.where, "this picture stands twice in the blend", line))
        assert isinstance(weight, float)  # noqa: S101  the setting's kind
        weights[picture] = weight
    if len(weights) == len(node.entries) and not any(weights.values()):
        problems.append(Problem(node.where, "at least one weight must be above 0", node.line))
    return shares_of(weights) if any(weights.values()) else ()
