"""One pair as `stylize one` is told it: a manifest that stands in no file, checked as any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.errors import BadArguments, Problem
from flows.manifest.check import check_manifest
from flows.manifest.model import Manifest
from flows.manifest.paths import folder_of
from flows.manifest.yaml_tree import Items, Node, Table, Text, read_yaml
from flows.storage.location import absolute_path
from stylize_core.errors import SettingsError
from stylize_core.settings.picture import format_of

NO_LINE = 0


def single_pair(content: str, style: str | None, *, output: Path, settings: Sequence[str]) -> Manifest:
    """The manifest of one pair, whose paths start at the working folder.

    Args:
        style: None for a mode that needs one picture only, which is `content` then, whatever its role.
        output: the picture to make; its suffix says the format.
        settings: each `key=value`, the value as in a manifest.

    Raises:
        SettingsError: the output's suffix is unknown, or a setting is not `key=value`.
        BadArguments: a setting is not accepted; the text has all problems.
    """
    if output.parts[:1] == ("s3:",):
        raise SettingsError("output", str(output), "it must be a local file; `stylize run` writes to S3")
    kind = format_of(str(output), key="output")
    alone = "style" if "mode=texture" in settings else "content"  # the only picture of a texture is its style
    pictures = {"content": content, "style": style} if style else {alone: content}
    problems: list[Problem] = []
    given = _settings({"format": kind}, settings, problems)
    pair = _table("", {key: _text(key, text) for key, text in {**pictures, "name": output.stem}.items()})
    root = _table("", {
        "version": _text("version", "1"),
        "output": _text("output", absolute_path(str(output.parent))),
        "foreign_files": _text("foreign_files", "replace"),  # the user has named this very file
        "settings": _table("settings", given),
        "pairs": Items([pair], "pairs", NO_LINE),
    })  # fmt: skip
    here = folder_of(absolute_path("stylize-one"))
    manifest = check_manifest(root, "stylize one", folder=here, problems=problems)
    if problems:
        raise BadArguments("\n".join(map(str, problems)))
    return manifest


def _settings(fixed: Mapping[str, str], settings: Sequence[str], problems: list[Problem]) -> dict[str, Node]:
    found: dict[str, Node] = {key: _text(f"settings.{key}", value) for key, value in fixed.items()}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise SettingsError("--set", setting, "write it as key=value, such as size=512")
        if key in found:
            why = "the output's suffix says it" if key in fixed else "it is set twice"
            raise SettingsError("--set", setting, why)
        where = f"settings.{key}"
        node = read_yaml(value.encode("utf-8", "surrogatepass"), problems, where=where) if value else None
        found[key] = _text(where, "") if node is None else _without_lines(node)
    return found


def _text(where: str, text: str) -> Text:
    return Text(text, where, NO_LINE, plain=True)


def _table(where: str, entries: Mapping[str, Node]) -> Table:
    return Table({key: (NO_LINE, node) for key, node in entries.items()}, where, NO_LINE)


def _without_lines(node: Node) -> Node:
    """The node as it would stand in no file."""
    if isinstance(node, Text):
        return Text(node.text, node.where, NO_LINE, node.plain)
    if isinstance(node, Items):
        return Items([_without_lines(item) for item in node.items], node.where, NO_LINE)
    return _table(node.where, {key: _without_lines(child) for key, (_, child) in node.entries.items()})
