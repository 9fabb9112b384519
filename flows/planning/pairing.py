"""From pictures to pairs: who meets whom, under which settings, under which name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flows.errors import Problem
from flows.manifest.model import Entry, Manifest, PairEntry
from flows.manifest.paths import one_spelling
from flows.manifest.preview import previewed
from flows.manifest.settings import build, settings_key
from flows.model.blend import Blend
from flows.model.names import DEFAULT_TEMPLATE, SHEET, NamedPicture, fill_name, template_fields, with_sweep
from flows.model.sweep import Layer, TooManyVariants, Variant, variants
from flows.planning.candidates import Candidate, ResolvedSettings, resolved_settings
from flows.planning.conflicts import settle_names
from flows.planning.inputs import Found, stem
from flows.planning.naming import named, told_apart
from flows.records.report import Failed
from flows.text import safe_text
from stylize_core.errors import SettingsError
from stylize_core.settings.needs import lacking

NOTHING = Found("", "", Entry("", None, {}, 0))
"""Stands where a content or a style would, if there is none."""


@dataclass(slots=True)
class Pairing:
    """Every pair of a manifest in the order in which to make them; what is wrong; what a user should know.

    Attributes:
        refused: pairs that have no name that could be used.
    """

    candidates: list[Candidate] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: list[Failed] = field(default_factory=list)


def pair_up(manifest: Manifest, contents: Sequence[Found], styles: Sequence[Found]) -> Pairing:
    """Each content with each style, and the explicit pairs; pairs of one style and settings stand together.

    Contents are made alone in a manifest without styles, and styles in one without contents; a pattern that
    finds nothing makes nothing.

    A picture of an explicit pair that is also listed, once, under contents or styles keeps its name and its
    settings.
    """
    result, resolved = Pairing(), _SettingsOfManifest(manifest)
    contents, styles = told_apart(contents, manifest.name), told_apart(styles, manifest.name)
    called = [(one, named(one)) for one in contents or ([] if manifest.contents else [NOTHING])]
    for style in styles or ([NOTHING] if contents and not manifest.styles else []):
        for settings, variant in resolved.of((style.entry.settings, style.entry.sweep)):
            for content, content_called in called:
                names = _names(manifest, content_called, named(style), variant)
                lines = tuple(filter(None, (content.entry.line, style.entry.line)))
                candidate = Candidate(names[0], content.uri, style.uri, settings, lines, variant, names[1])
                found = bool(content.searched or style.searched)
                result.candidates.append(replace(candidate, blend=style.entry.blend, from_search=found))
    explicit = _ExplicitPairs(manifest, resolved, _by_uri(contents), _by_uri(styles))
    for entry in manifest.pairs:
        try:
            result.candidates += explicit.candidates(entry, result.warnings)
        except (SettingsError, TooManyVariants) as error:
            result.problems.append(Problem(_below(entry.where, "settings"), str(error), entry.line))
        except _Lacking as error:
            result.problems.append(Problem(entry.where, str(error), entry.line))
    settled = settle_names(result.candidates)
    result.problems += settled.problems
    result.refused += settled.refused
    result.warnings += settled.warnings
    result.candidates = _grouped(settled.candidates)
    return result


def _below(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _names(
    manifest: Manifest, content: NamedPicture | None, style: NamedPicture | None, variant: Variant | None
) -> tuple[str, str]:
    """The name of a variant by the template, and that of its sheet."""
    pictures = content, style
    if variant is None:
        return fill_name(manifest.name, *pictures), ""
    name = fill_name(manifest.name, *pictures, sweep=variant.label)
    return name, fill_name(manifest.name, *pictures, sweep=SHEET) if _has_sheet(manifest, variant) else ""


def _has_sheet(manifest: Manifest, variant: Variant) -> bool:
    return manifest.sheet and any(len(labels) > 1 for _, labels in variant.axes)


class _SettingsOfManifest:
    """The settings of pairs, resolved once for equal values."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._known: dict[str, ResolvedSettings] = {}

    def of(self, *layers: Layer) -> Iterator[tuple[ResolvedSettings, Variant | None]]:
        """The settings of every variant of the manifest's own with `layers` over them."""
        for settings, variant in variants((self._manifest.settings, self._manifest.sweep), *layers):
            key = settings_key(settings)
            if key not in self._known:
                wanted = previewed(settings) if self._manifest.preview else settings
                self._known[key] = resolved_settings(build(wanted))
            yield self._known[key], variant


class _Lacking(Exception):
    """A pair lacks a picture, or its name."""


@dataclass(frozen=True, slots=True)
class _ExplicitPairs:
    """Makes candidates of the manifest's explicit pairs."""

    manifest: Manifest
    resolved: _SettingsOfManifest
    contents: Mapping[tuple[str, Blend[str]], list[Found]]
    styles: Mapping[tuple[str, Blend[str]], list[Found]]

    def candidates(self, entry: PairEntry, warnings: list[str]) -> list[Candidate]:
        content, style = _spelled(entry.content), _spelled(entry.style)
        self._check_name(entry)
        as_content, as_style = self.contents.get((content, ()), []), self.styles.get((style, entry.blend), [])
        named_style = NamedPicture(entry.style_name) if entry.style_name else _named(style, as_style)
        if len(as_style) > 1 and not entry.name:
            warnings.append(
                f"{entry.where} (line {entry.line}): {safe_text(style)} stands under styles "
                f"{len(as_style)} times; this pair takes the settings of none of them"
            )
        below = as_style[0].entry if len(as_style) == 1 else None
        layers = ((below.settings, below.sweep) if below else ({}, {}), (entry.settings, entry.sweep))
        found = []
        for settings, variant in self.resolved.of(*layers):
            if reason := lacking(settings.style, content=bool(content), style=bool(style)):
                raise _Lacking(reason)
            if entry.regions and not settings.style.uses_style:
                why = "mode" if settings.style.style_weight else "style_weight"
                value = getattr(settings.style, why)
                raise _Lacking(f"`{why}: {value}` has no style for `regions`; leave them out")
            if entry.name and variant:
                sheet = with_sweep(entry.name, SHEET) if _has_sheet(self.manifest, variant) else ""
                names = with_sweep(entry.name, variant.label), sheet
            else:
                names = _names(self.manifest, _named(content, as_content), named_style, variant)
            name = names[0] if variant or not entry.name else entry.name
            candidate = Candidate(name, content, style, settings, (entry.line,), variant, names[1])
            found.append(replace(candidate, blend=entry.blend, regions=entry.regions))
        return found

    def _check_name(self, entry: PairEntry) -> None:
        template = self.manifest.name
        if entry.name or template == DEFAULT_TEMPLATE:
            return
        used = template_fields(template)
        roles = (("content", {"content", "stem"}, entry.content), ("style", {"style"}, entry.style))
        for called, fields_of_role, there in roles:
            if not there and fields_of_role & used:
                raise _Lacking(
                    f"the name {template!r} needs a {called}, and this pair has none; give it a `name`"
                )


def _spelled(uri: str) -> str:
    return one_spelling(uri) if uri else ""


def _by_uri(found: Iterable[Found]) -> dict[tuple[str, Blend[str]], list[Found]]:
    result: dict[tuple[str, Blend[str]], list[Found]] = {}
    for item in found:
        result.setdefault((item.uri, item.entry.blend), []).append(item)
    return result


def _named(uri: str, found: Sequence[Found]) -> NamedPicture | None:
    if not uri:
        return None
    return named(found[0]) if len(found) == 1 else NamedPicture(stem(uri), stem=stem(uri))


def _grouped(candidates: list[Candidate]) -> list[Candidate]:
    """By style, then settings, then content, each in the order of its first appearance.

    A worker that goes through them in this order prepares each style once.
    """
    styles = {style: i for i, style in enumerate(dict.fromkeys((d.style, d.blend) for d in candidates))}
    resolved = {key: i for i, key in enumerate(dict.fromkeys(d.settings for d in candidates))}
    contents = {uri: i for i, uri in enumerate(dict.fromkeys(d.content for d in candidates))}
    return sorted(
        candidates, key=lambda d: (styles[d.style, d.blend], resolved[d.settings], contents[d.content])
    )
