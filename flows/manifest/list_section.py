"""A list of pictures as an entry of `contents` or `styles` names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from flows.manifest.model import LIST_FORMATS, LIST_KEYS, PictureList
from flows.manifest.scalars import ScalarReader
from flows.manifest.yaml_tree import Node

_BY_SUFFIX = {**{f".{name}": name for name in LIST_FORMATS}, ".ndjson": "jsonl"}


def read_list(given: Mapping[str, Node], read: ScalarReader) -> PictureList | None:
    """The list that an entry names, None if it names none; what does not go with it is noted."""
    if "list" not in given:
        for key in LIST_KEYS & given.keys():
            read.problem(given[key], f"`{key}` belongs to a `list`; add one, or leave this out")
        return None
    for key in ("image", "blend"):
        if key in given:
            read.problem(given[key], f"an entry has a list or `{key}`; leave one of them out")
    if "name" in given:
        advice = "its column `name` gives each its own"
        read.problem(
            given["name"], f"a list stands for several pictures; they cannot share one name; {advice}"
        )
    uri = read.path(given["list"], "list")
    return PictureList(uri, _format(uri, given, read), read.text(given.get("column"), "the name of a column"))


def _format(uri: str, given: Mapping[str, Node], read: ScalarReader) -> str:
    if "format" in given:
        return read.choice(given["format"], LIST_FORMATS)
    suffix = PurePosixPath(uri).suffix.lower()
    if uri and suffix not in _BY_SUFFIX:
        known = ", ".join(LIST_FORMATS)
        read.problem(given["list"], f"its name does not say what it is; add `format:`, one of {known}")
    return _BY_SUFFIX.get(suffix, LIST_FORMATS[0])
