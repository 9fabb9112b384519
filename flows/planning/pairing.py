"""From pictures to pairs: who meets whom, under which settings, under which name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flows.errors import Problem
from flows.manifest.model import Entry, Manifest, PairEntry
from flows.manifest.needs import lacking
from flows.manifest.paths import one_spelling
from flows.manifest.settings import build, settings_key
from flows.model.blend import Blend
from flows.model.names import DEFAULT_TEMPLATE, SHEET, fill_name, template_fields, with_sweep
from flows.model.sweep import Layer, TooManyVariants, Variant, variants
from flows.planning.candidates import Candidate, ResolvedSettings, resolved_settings
from flows.planning.conflicts import name_problems
from flows.planning.inputs import Found, stem
from flows.text import safe_text
from stylize_core.errors import SettingsError

NOTHING = Found("", "", Entry("", None, {}, 0))
"""Stands where a content or a style would, if there is none."""


@dataclass(slots=True)
class Pairing:
    """Every pair of a manifest in the order in which to make them; what is wrong; what a user should know."""

    candidates: list[Candidate] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def pair_up(manifest: Manifest, contents: Sequence[Found], styles: Sequence[Found]) -> Pairing:
    """Each content with each style, and the explicit pairs; pairs of one style and settings stand together.

    Contents without styles, and styles without contents, are made alone.

    A picture of an explicit pair that is also listed, once, under contents or styles keeps its name and its
    settings.
    """
    result, resolved = Pairing(), _SettingsOfManifest(manifest)
    for style in styles or ([NOTHING] if contents else []):
        for settings, variant in resolved.of((style.entry.settings, style.entry.sweep)):
            for content in contents or [NOTHING]:
                names = _names(manifest, content.name, style.name, variant)
                lines = tuple(filter(None, (content.entry.line, style.entry.line)))
                candidate = Candidate(names[0], content.uri, style.uri, settings, lines, variant, names[1])
                result.candidates.append(replace(candidate, blend=style.entry.blend))
    explicit = _ExplicitPairs(manifest, resolved, _by_uri(contents), _by_uri(styles))
    for entry in manifest.pairs:
        try:
            result.candidates += explicit.candidates(entry, result.warnings)
        except (SettingsError, TooManyVariants) as error:
            result.problems.append(Problem(_below(entry.where, "settings"), str(error), entry.line))
        except _Lacking as error:
            result.problems.append(Problem(entry.where, str(error), entry.line))
    result.problems += name_problems(result.candidates)
    result.candidates = _grouped(result.candidates)
    return result


def _below(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _names(manifest: Manifest, content: str, style: str, variant: Variant | None) -> tuple[str, str]:
    """The name of a variant by the template, and that of its sheet."""
    pictures = content or None, style or None
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
                self._known[key] = resolved_settings(build(settings))
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
        style_name = entry.style_name or _name(style, as_style)
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
                names = _names(self.manifest, _name(content, as_content), style_name, variant)
            name = names[0] if variant or not entry.name else entry.name
            candidate = Candidate(name, content, style, settings, (entry.line,), variant, names[1])
            found.append(replace(candidate, blend=entry.blend, regions=entry.regions))
        return found

    def _check_name(self, entry: PairEntry) -> None:
        template = self.manifest.name
        if entry.name or template == DEFAULT_TEMPLATE:
            return
        for role, there in (("content", entry.content), ("style", entry.style)):
            if not there and role in template_fields(template):
                raise _Lacking(
                    f"the name {template!r} needs a {role}, and this pair has none; give it a `name`"
                )


def _spelled(uri: str) -> str:
    return one_spelling(uri) if uri else ""


def _by_uri(found: Iterable[Found]) -> dict[tuple[str, Blend[str]], list[Found]]:
    result: dict[tuple[str, Blend[str]], list[Found]] = {}
    for item in found:
        result.setdefault((item.uri, item.entry.blend), []).append(item)
    return result


def _name(uri: str, found: Sequence[Found]) -> str:
    if not uri:
        return ""
    return found[0].name if len(found) == 1 else stem(uri)


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
