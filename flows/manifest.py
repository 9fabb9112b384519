"""The manifest: what a run is to make, read from YAML and checked as a whole before anything starts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import ManifestError, Problem
from flows.manifest_names import (
    DEFAULT_TEMPLATE,
    check_name,
    check_template,
    fill_name,
    normalised,
    template_fields,
)
from flows.manifest_paths import Kind, absolute, is_pattern
from flows.manifest_settings import SETTINGS, build, check_together, known_entries, merged, read_settings
from flows.manifest_yaml import MAX_BYTES, Items, Node, Table, Text, read_yaml, shown
from stylize_core.settings import PictureSettings, StyleSettings

__all__ = ["Entry", "Manifest", "PairEntry", "check_name", "fill_name", "load_manifest", "resolve_settings"]

TOP_KEYS = ("version", "output", "name", "device", "settings", "contents", "styles", "pairs")
CONTENT_KEYS = ("image", "name")
STYLE_KEYS = ("image", "name", "settings")
PAIR_KEYS = ("content", "style", "name", "settings")
MAX_PROBLEMS = 50
DEVICE = re.compile(r"auto|cpu|mps|cuda(:(0|[1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A content or a style, or a pattern that stands for several.

    Attributes:
        image: absolute path or `s3://` URI; `*`, `?`, `[..]` and `**` are patterns.
        name: the name to use instead of the file's stem.
        settings: this style's settings; always empty for a content.
        line: where it stands in the manifest.
    """

    image: str
    name: str | None
    settings: Mapping[str, object]
    line: int


@dataclass(frozen=True, slots=True)
class PairEntry:
    """An explicit pair: two pictures by absolute path or `s3://` URI, no patterns."""

    content: str
    style: str
    name: str | None
    settings: Mapping[str, object]
    line: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A valid manifest; every path in it is absolute.

    Attributes:
        source: the manifest's file.
        folder: the folder that relative paths start from.
        output: folder or `s3://bucket/prefix` that results go to.
        name: template of the results' names; see `fill_name`.
        settings: the defaults as given, typed and within range.
        device: auto, cpu, mps, cuda or cuda:N.
    """

    source: str
    folder: str
    output: str
    name: str
    contents: tuple[Entry, ...]
    styles: tuple[Entry, ...]
    pairs: tuple[PairEntry, ...]
    settings: Mapping[str, object]
    device: str = "auto"


def load_manifest(path: str | Path, *, text: str | None = None) -> Manifest:
    """Read and check the manifest at `path`, or `text` as if it stood there.

    Raises:
        ManifestError: carrying every problem found, in the order of their lines.
    """
    source = str(Path(path).absolute())
    problems: list[Problem] = []
    data = _read_file(source, problems) if text is None else text.encode("utf-8", "surrogatepass")
    root = None if data is None else read_yaml(data, problems)
    manifest = None if root is None else _Checker(source, problems).manifest(root)
    if manifest is None or problems:
        raise ManifestError(source, _in_order(problems))
    return manifest


def resolve_settings(
    manifest: Manifest, *layers: Mapping[str, object]
) -> tuple[StyleSettings, PictureSettings, str | None]:
    """The manifest's defaults with `layers` over them, first the style's, then the pair's.

    The third value is the absolute path or URI of the picture to start from, if the settings name one.
    """
    return build(merged(manifest.settings, *layers))


def _read_file(source: str, problems: list[Problem]) -> bytes | None:
    try:
        with Path(source).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        problems.append(Problem("", f"the manifest cannot be read: {reason}"))
        return None


def _in_order(problems: list[Problem]) -> list[Problem]:
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    if len(ordered) <= MAX_PROBLEMS:
        return ordered
    return [*ordered[:MAX_PROBLEMS], Problem("", f"and {len(ordered) - MAX_PROBLEMS} more problems")]


@dataclass(slots=True)
class _Checker:
    """Walks the tree of one manifest and notes what is wrong with it."""

    source: str
    problems: list[Problem]
    folder: str = field(init=False)

    def __post_init__(self) -> None:
        self.folder = str(Path(self.source).parent)

    def manifest(self, root: Node) -> Manifest:
        hints = {key: f"this is a setting; put it under `settings:` as `{key}`" for key in SETTINGS}
        top = known_entries(root, TOP_KEYS, self.problems, hints=hints)
        if isinstance(root, Table):
            self.require(root, top, ("version", "output"))
        self.version(top.get("version"))
        settings, base = self.settings(top.get("settings"), merged())
        styles = tuple(self.entries(top.get("styles"), STYLE_KEYS, base))
        found = Manifest(
            source=self.source,
            folder=self.folder,
            output=self.path(top.get("output"), "output"),
            name=self.template(top.get("name")),
            device=self.device(top.get("device")),
            settings=settings,
            contents=tuple(self.entries(top.get("contents"), CONTENT_KEYS, base)),
            styles=styles,
            pairs=tuple(self.pairs(top.get("pairs"), base)),
        )
        self.something_to_do(root, top)
        self.names_differ(found, top.get("name", root))
        return found

    def problem(self, node: Node, message: str) -> None:
        self.problems.append(Problem(node.where, message, node.line))

    def require(self, node: Node, entries: Mapping[str, Node], keys: tuple[str, ...]) -> None:
        for key in keys:
            if key not in entries:
                self.problem(node, f"the key `{key}` is missing")

    def text(self, node: Node | None, expected: str) -> str:
        if isinstance(node, Text) and node.text:
            return node.text
        if node is not None:
            self.problem(node, f"this must be {expected}")
        return ""

    def version(self, node: Node | None) -> None:
        found = self.text(node, "1, the version of the manifest's format")
        if node is not None and found not in ("", "1"):
            self.problem(node, f"version {shown(found)} is not known; this program reads `version: 1`")

    def path(self, node: Node | None, kind: Kind) -> str:
        given = self.text(node, "a path or an s3:// URI")
        if node is None or not given:
            return ""
        try:
            return absolute(given, self.folder, kind=kind)
        except ValueError as error:
            self.problem(node, f"{shown(given)} is not accepted; {error}")
            return ""

    def template(self, node: Node | None) -> str:
        if node is None:
            return DEFAULT_TEMPLATE
        given = normalised(self.text(node, "text such as '{content}__{style}'"))
        if given and (wrong := check_template(given)):
            self.problem(node, f"{shown(given)} is not accepted; {wrong}")
            return ""
        return given

    def device(self, node: Node | None) -> str:
        if node is None:
            return "auto"
        given = self.text(node, "auto, cpu, mps, cuda or cuda:N")
        if given and not DEVICE.fullmatch(given):
            self.problem(node, f"{shown(given)} is not accepted; choose auto, cpu, mps, cuda or cuda:N")
        return given

    def settings(
        self, node: Node | None, base: Mapping[str, object]
    ) -> tuple[dict[str, object], Mapping[str, object]]:
        """The settings at `node`, and what `base` becomes under them."""
        if node is None:
            return {}, base
        own = read_settings(node, self.folder, self.problems)
        if any(problem.where.endswith("settings.encoder") for problem in self.problems):
            return own, base  # layers cannot be judged before the encoder is known
        return own, check_together(base, own, node, self.problems)

    def listed(self, node: Node | None) -> list[Node]:
        if node is None:
            return []
        if not isinstance(node, Items):
            self.problem(node, "this must be a list, even of one: `- ` before each entry")
            return []
        if not node.items:
            self.problem(node, "this list is empty; leave the key out or add an entry")
        return node.items

    def entries(
        self, node: Node | None, keys: tuple[str, ...], base: Mapping[str, object]
    ) -> Iterator[Entry]:
        hints = {"settings": "settings are for styles and pairs; a content has none"}
        for item in self.listed(node):
            if not isinstance(item, Table):
                yield Entry(self.path(item, "pattern"), None, {}, item.line)
                continue
            given = known_entries(item, keys, self.problems, hints=hints)
            self.require(item, given, ("image",))
            image, name = self.path(given.get("image"), "pattern"), self.name(given.get("name"))
            if name and is_pattern(image, self.folder):
                self.problem(
                    given["name"], "a pattern stands for several pictures; they cannot share one name"
                )
            yield Entry(image, name, self.settings(given.get("settings"), base)[0], item.line)

    def pairs(self, node: Node | None, base: Mapping[str, object]) -> Iterator[PairEntry]:
        for item in self.listed(node):
            given = known_entries(item, PAIR_KEYS, self.problems)
            if isinstance(item, Table):
                self.require(item, given, ("content", "style"))
            content, style = (self.path(given.get(key), "picture") for key in ("content", "style"))
            name, (settings, _) = self.name(given.get("name")), self.settings(given.get("settings"), base)
            yield PairEntry(content, style, name, settings, item.line)

    def name(self, node: Node | None) -> str | None:
        given = normalised(self.text(node, "a name"))
        if node is not None and given and (wrong := check_name(given)):
            self.problem(node, f"{shown(given)} is not accepted; {wrong}")
        return given or None

    def something_to_do(self, root: Node, top: Mapping[str, Node]) -> None:
        if "contents" in top and "styles" not in top:
            self.problem(top["contents"], "contents need styles; add `styles:`")
        elif "styles" in top and "contents" not in top:
            self.problem(top["styles"], "styles need contents; add `contents:`")
        elif "contents" not in top and "pairs" not in top and isinstance(root, Table):
            self.problem(root, "there is nothing to do; add `contents:` and `styles:`, or `pairs:`")

    def names_differ(self, found: Manifest, node: Node) -> None:
        if not found.name or not found.contents or not found.styles:
            return
        used = template_fields(found.name)
        for field_name, entries in (("content", found.contents), ("style", found.styles)):
            several = len(entries) > 1 or is_pattern(entries[0].image, found.folder)
            if several and field_name not in used:
                self.problem(node, f"there are several {field_name}s; the name must contain {{{field_name}}}")
