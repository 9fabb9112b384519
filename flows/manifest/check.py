"""The walk through a manifest's tree that finds everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from glob import escape

from flows.errors import Problem
from flows.manifest.blend_section import read_blend
from flows.manifest.list_section import read_list
from flows.manifest.model import (
    BLEND_KEYS,
    CONTENT_KEYS,
    FOREIGN_FILES,
    PAIR_KEYS,
    REQUIRED,
    STYLE_KEYS,
    TOP_KEYS,
    Entry,
    Manifest,
    PairEntry,
)
from flows.manifest.needs import first_lack
from flows.manifest.paths import is_pattern
from flows.manifest.region_section import read_regions
from flows.manifest.s3_section import read_access
from flows.manifest.scalars import ScalarReader
from flows.manifest.settings import SettingsBuilder
from flows.manifest.sweep_section import check_variants, read_sweep
from flows.manifest.values import NOT_AT_TOP, check_together, known_entries, read_settings
from flows.manifest.yaml_tree import Items, Node, Table
from flows.model.blend import Blend
from flows.model.names import DEFAULT_TEMPLATE, template_fields
from flows.model.regions import Regions
from flows.model.sweep import Layer, Sweep

Base = tuple[Layer, ...] | None
"""The settings that an entry's own lie over; None where they cannot be judged."""


def check_manifest(root: Node, source: str, *, folder: str, problems: list[Problem]) -> Manifest:
    """The manifest whose tree is `root`; it is valid only if no problem was added to `problems`.

    Args:
        source: what messages call it.
        folder: where its relative paths start.
    """
    return _Checker(source, problems, ScalarReader(folder, problems)).manifest(root)


# Why so many: one method for each part of a manifest, all noting into the same list.
@dataclass(slots=True)
class _Checker:
    """Walks the tree of one manifest and notes what is wrong with it."""

    source: str
    problems: list[Problem]
    read: ScalarReader
    encoder_is_known: bool = True
    builder: SettingsBuilder = field(default_factory=SettingsBuilder)

    def manifest(self, root: Node) -> Manifest:
        top = known_entries(root, TOP_KEYS, self.problems, hints=NOT_AT_TOP)
        if isinstance(root, Table):
            self.read.require(root, top, REQUIRED["top"])
            self.something_to_do(root, top)
        self.read.version(top.get("version"))
        settings, sweep, base = self.settings(top, (), root)
        self.contents_suffice(top, base)
        styles = tuple(self.entries(top.get("styles"), STYLE_KEYS, base, alone="contents" not in top))
        # A pair may name a picture that a pattern under `styles` finds, and takes its settings then: only the
        # plan, which looks at the files, can judge what they add up to.
        pair_base = None if any(style.settings or style.sweep for style in styles) else base
        found = Manifest(
            source=self.source,
            folder=self.read.folder,
            output=self.read.path(top.get("output"), "output"),
            name=self.read.template(top.get("name")),
            device=self.read.device(top.get("device")),
            settings=settings,
            contents=tuple(self.entries(top.get("contents"), CONTENT_KEYS, base)),
            styles=styles,
            pairs=tuple(self.pairs(top.get("pairs"), base, pair_base)),
            sweep=sweep,
            sheet=self.read.boolean(top.get("sheet"), default=True),
            html=self.read.boolean(top.get("html"), default=True),
            batch=self.read.batch(top.get("batch")),
            timeout_s=self.read.timeout(top.get("timeout")),
            checkpoint_s=self.read.checkpoint(top.get("checkpoint")),
            exclude=tuple(map(self.read.exclude, self.listed(top.get("exclude")))),
            allow_empty=self.read.boolean(top.get("allow_empty"), default=False),
            replace_foreign=self.read.choice(top.get("foreign_files"), FOREIGN_FILES) == "replace",
            s3=read_access(top["s3"], self.problems) if "s3" in top else {},
        )
        self.names_differ(found, top.get("name", root))
        return found

    def settings(
        self, given: Mapping[str, Node], base: Base, entry: Node
    ) -> tuple[dict[str, object], Sweep, Base]:
        """The settings and the sweep of an entry, and `base` with them over it; judged if there is a base."""
        node, sweep_node, before = given.get("settings"), given.get("sweep"), len(self.problems)
        own = {} if node is None else read_settings(node, self.read.folder, self.problems)
        named = {"encoder", "preset"} & set(node.entries if isinstance(node, Table) else ())
        self.encoder_is_known &= named <= own.keys()
        sweep = {} if sweep_node is None else read_sweep(sweep_node, own, self.read.folder, self.problems)
        if base is None or not self.encoder_is_known:  # whose layers could not be judged
            return own, sweep, base
        layers = (*base, (own, sweep))
        if any(below for _, below in layers):
            if len(self.problems) > before:
                return own, sweep, None
            if node is not None or sweep_node is not None:
                check_variants(layers, given, sweep_node or node or entry, self.builder, self.problems)
            return own, sweep, layers if len(self.problems) == before else None
        if node is None:
            return own, sweep, base
        together = check_together(layers, node, self.builder, self.problems)
        return own, sweep, ((together, {}),)

    def listed(self, node: Node | None) -> list[Node]:
        if node is None:
            return []
        if not isinstance(node, Items):
            self.read.problem(node, "this must be a list, even of one: `- ` before each entry")
            return []
        if not node.items:
            self.read.problem(node, "this list is empty; leave the key out or add an entry")
        return node.items

    def entries(
        self, node: Node | None, keys: Mapping[str, str], base: Base, *, alone: bool = False
    ) -> Iterator[Entry]:
        none = "settings are for styles and pairs; a content has none"
        hints = {"settings": none, "sweep": none}
        for item in self.listed(node):
            if not isinstance(item, Table):
                alone = alone and self.suffices(item, base, content=False, style=True)
                yield Entry(self.read.path(item, "pattern"), None, {}, item.line)
                continue
            given = known_entries(item, keys, self.problems, hints=hints)
            kind = next((key for key in ("list", "blend") if key in given), "content")
            self.read.require(item, given, REQUIRED[kind])
            image, name = self.read.path(given.get("image"), "pattern"), self.read.name(given.get("name"))
            blend, listed = self.blend(given), read_list(given, self.read)
            if blend:
                image = escape(blend[0].picture)
            elif name and is_pattern(image):
                self.read.problem(
                    given["name"], "a pattern stands for several pictures; they cannot share one name"
                )
            settings, sweep, layers = self.settings(given, base, item)
            alone = alone and self.suffices(item, layers, content=False, style=True)
            parts = blend if len(blend) > 1 else ()
            yield Entry(image, name, settings, item.line, sweep, parts, listed)

    def blend(self, given: Mapping[str, Node]) -> Blend[str]:
        """The parts of an entry's blend; none if it has none, or a wrong one."""
        if "blend" not in given:
            return ()
        if "image" in given:
            self.read.problem(given["image"], "an entry has an image or a blend; leave one of them out")
        return read_blend(given["blend"], self.read.folder, self.problems)

    def style(self, node: Node | None) -> tuple[str, str | None, Blend[str]]:
        """The style of a pair: its first picture, the name that it is given, and the parts of a blend."""
        if not isinstance(node, Table):
            return self.read.path(node, "picture"), None, ()
        given = known_entries(node, BLEND_KEYS, self.problems)
        self.read.require(node, given, REQUIRED["blend"])
        blend, name = self.blend(given), self.read.name(given.get("name"))
        return blend[0].picture if blend else "", name, blend if len(blend) > 1 else ()

    def regions(self, node: Node | None) -> Regions[str]:
        return () if node is None else read_regions(node, self.read.folder, self.problems)

    def pairs(self, node: Node | None, base: Base, styled: Base) -> Iterator[PairEntry]:
        """The explicit pairs; `styled` is what lies below the settings of those that have a style."""
        for item in self.listed(node):
            given = known_entries(item, PAIR_KEYS, self.problems)
            there = {role: role in given for role in ("content", "style")}
            if isinstance(item, Table) and not any(there.values()):
                self.read.problem(item, "a pair needs a content, a style or both")
            content = self.read.path(given.get("content"), "picture")
            style, called, blend = self.style(given.get("style"))
            regions = self.regions(given.get("regions"))
            below = styled if there["style"] else base
            name, (settings, sweep, layers) = (
                self.read.name(given.get("name")),
                self.settings(given, below, item),
            )
            if any(there.values()):
                self.suffices(item, layers, **there)
            yield PairEntry(
                content, style, name, settings, item.line, sweep, blend, called, regions, item.where
            )

    def something_to_do(self, root: Node, top: Mapping[str, Node]) -> None:
        if not {"contents", "styles", "pairs"} & top.keys():
            self.read.problem(root, "there is nothing to do; add `contents:` and `styles:`, or `pairs:`")

    def contents_suffice(self, top: Mapping[str, Node], base: Base) -> None:
        """Contents without styles need settings that do without."""
        if "contents" in top and "styles" not in top:
            self.suffices(top["contents"], base, content=True, style=False)

    def suffices(self, node: Node, layers: Base, *, content: bool, style: bool) -> bool:
        """Hold the pictures that there are against settings, as far as these can be judged."""
        if layers is None or (content and style):
            return True
        if reason := first_lack(layers, self.builder, content=content, style=style):
            self.read.problem(node, reason)
        return not reason

    def names_differ(self, found: Manifest, node: Node) -> None:
        if not found.name:
            return
        used = template_fields(found.name)
        for role, fields, entries, others in (
            ("content", {"content", "stem"}, found.contents, found.styles),
            ("style", {"style"}, found.styles, found.contents),
        ):
            several = len(entries) > 1 or any(is_pattern(one.image) or one.listed for one in entries)
            if several and not fields & used:
                self.read.problem(node, f"there are several {role}s; the name must contain {{{role}}}")
            wrong = sorted(fields & used) if others and not entries else []
            if wrong and found.name != DEFAULT_TEMPLATE:
                self.read.problem(node, f"there are no {role}s; the name must not contain {{{wrong[0]}}}")
