"""Sweeps read from the tree of a manifest: values held against settings, variants against themselves."""

from __future__ import annotations

from collections.abc import Mapping

from flows.errors import Problem
from flows.manifest.settings import SETTINGS, SettingsBuilder
from flows.manifest.values import NOT_SETTINGS, known_entries, read_value, value_error_text
from flows.manifest.yaml_tree import Items, Node, Refused, Table
from flows.model.sweep import Layer, TooManyVariants, Variant, variants
from stylize_core.errors import SettingsError


def read_sweep(
    node: Node, settings: Mapping[str, object], folder: str, problems: list[Problem]
) -> dict[str, tuple[object, ...]]:
    """The values of each setting at `node`; none of `settings`, which stand beside it, may be among them."""
    found: dict[str, tuple[object, ...]] = {}
    entries = known_entries(node, SETTINGS, problems, hints=NOT_SETTINGS)
    if isinstance(node, Table) and not node.entries:
        problems.append(
            Problem(node.where, "nothing is swept; name a setting or leave the key out", node.line)
        )
    for key, child in entries.items():
        if key in settings:
            message = f"`{key}` stands under `settings:` as well; leave it out of one of them"
            problems.append(Problem(child.where, message, child.line))
        try:
            found[key] = _values(key, child, folder, problems)
        except Refused as refused:
            problems.append(refused.problem)
    return found


def check_variants(
    layers: tuple[Layer, ...],
    own: Mapping[str, Node],
    default: Node,
    builder: SettingsBuilder,
    problems: list[Problem],
) -> None:
    """Hold every variant of the settings in `layers` against itself; each place is named once.

    Args:
        layers: the last one is that of the entry in question.
        own: its `settings` and `sweep` as nodes.
        default: where to complain about what is wrong with all of it.
        problems: what is wrong is added here.
    """
    told: set[str] = set()
    try:
        for settings, variant in variants(*layers):
            try:
                builder.build(settings)
            except SettingsError as error:
                problem = _contradiction(error, variant, own, default)
                if problem.where not in told:
                    problems.append(problem)
                told.add(problem.where)
    except TooManyVariants as error:
        problems.append(Problem(default.where, str(error), default.line))


def _values(key: str, node: Node, folder: str, problems: list[Problem]) -> tuple[object, ...]:
    if not isinstance(node, Items):
        raise Refused(node, f"this must be a list of the values that `{key}` takes, one after another")
    if not node.items:
        raise Refused(node, "this list is empty; add a value or leave the key out")
    found: list[object] = []
    for item in node.items:
        try:
            value = read_value(SETTINGS[key], item, folder, problems)
        except Refused as refused:
            problems.append(refused.problem)
            continue
        if value in found:
            problems.append(Problem(item.where, "this value stands twice in the list", item.line))
        found.append(value)
    return tuple(found)


def _contradiction(
    error: SettingsError, variant: Variant | None, own: Mapping[str, Node], default: Node
) -> Problem:
    """The complaint where the setting in question stands, or with the entry if it stands elsewhere."""
    key = error.key.partition(".")[0]
    settings, sweep = own.get("settings"), own.get("sweep")
    in_variant = f" (in the variant {variant.label})" if variant and len(variant.axes) > 1 else ""
    if isinstance(sweep, Table) and key in sweep.entries and variant is not None:
        values = sweep.entries[key][1]
        at = variant.at[[name for name, _ in variant.axes].index(key)]
        node = values.items[at] if isinstance(values, Items) else values
        return Problem(node.where, value_error_text(error) + in_variant, node.line)
    if isinstance(settings, Table) and key in settings.entries:
        line, child = settings.entries[key]
        where = f" (in the variant {variant.label})" if variant else ""
        return Problem(child.where, value_error_text(error) + where, line)
    shown = f"in the variant {variant.label}, {error}" if variant else str(error)
    return Problem(default.where, f"together with the settings above it, {shown}", default.line)
