"""From pictures to pairs: who meets whom, under which settings, under which name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.errors import Problem
from flows.identity import canonical_settings, weights_digest
from flows.inputs import Found, one_spelling, stem
from flows.manifest import Manifest, PairEntry, check_name, fill_name, resolve_settings
from flows.records import safe_text
from stylize_core.errors import SettingsError
from stylize_core.settings import PictureSettings, StyleSettings


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """Settings that many pairs share, with their share in the identity worked out once.

    Attributes:
        init: URI of the picture to start from, if there is one.
    """

    style: StyleSettings
    picture: PictureSettings
    init: str | None
    canonical: dict[str, Any]
    weights: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A pair whose pictures have not been looked at yet; `lines` are its places in the manifest."""

    name: str
    content: str
    style: str
    recipe: Recipe
    lines: tuple[int, ...]

    def __str__(self) -> str:
        plural = "s" if len(self.lines) > 1 else ""
        lines = " and ".join(str(line) for line in self.lines)
        return safe_text(f"{self.content} in the style of {self.style} (line{plural} {lines})")


@dataclass(slots=True)
class Pairing:
    """Every pair of a manifest in the order in which to make them; what is wrong; what a user should know."""

    drafts: list[Draft] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def pair_up(manifest: Manifest, contents: Sequence[Found], styles: Sequence[Found]) -> Pairing:
    """Each content with each style, and the explicit pairs; pairs of one style and recipe stand together.

    A picture of an explicit pair that is also listed, once, under contents or styles keeps its name and its
    settings.
    """
    result, recipes = Pairing(), _Recipes(manifest)
    for style in styles:
        recipe = recipes.of(style.entry.settings)
        for content in contents:
            name = fill_name(manifest.name, content.name, style.name)
            lines = (content.entry.line, style.entry.line)
            result.drafts.append(Draft(name, content.uri, style.uri, recipe, lines))
    explicit = _Explicit(manifest, recipes, _by_uri(contents), _by_uri(styles))
    for index, entry in enumerate(manifest.pairs):
        try:
            result.drafts.append(explicit.draft(entry, f"pairs[{index}]", result.warnings))
        except SettingsError as error:
            result.problems.append(Problem(f"pairs[{index}].settings", str(error), entry.line))
    result.problems += name_problems(result.drafts)
    result.drafts = _grouped(result.drafts)
    return result


class _Recipes:
    """Recipes by settings objects, which the manifest shares between equal settings."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._known: dict[int, Recipe] = {}  # by id; each recipe keeps its settings, and so their ids, alive

    def of(self, *layers: Mapping[str, object]) -> Recipe:
        style, picture, init = resolve_settings(self._manifest, *layers)
        if id(style) not in self._known:
            canonical = canonical_settings(style, picture)
            self._known[id(style)] = Recipe(style, picture, init, canonical, weights_digest(style))
        return self._known[id(style)]


@dataclass(frozen=True, slots=True)
class _Explicit:
    """Makes drafts of the manifest's explicit pairs."""

    manifest: Manifest
    recipes: _Recipes
    contents: Mapping[str, list[Found]]
    styles: Mapping[str, list[Found]]

    def draft(self, entry: PairEntry, where: str, warnings: list[str]) -> Draft:
        content, style = one_spelling(entry.content), one_spelling(entry.style)
        as_content, as_style = self.contents.get(content, []), self.styles.get(style, [])
        if len(as_style) > 1 and not entry.name:
            warnings.append(
                f"{where} (line {entry.line}): {safe_text(style)} stands under styles {len(as_style)} times; "
                "this pair takes the settings of none of them"
            )
        name = entry.name or fill_name(self.manifest.name, _name(content, as_content), _name(style, as_style))
        settings = as_style[0].entry.settings if len(as_style) == 1 else {}
        return Draft(name, content, style, self.recipes.of(settings, entry.settings), (entry.line,))


def _by_uri(found: Iterable[Found]) -> dict[str, list[Found]]:
    result: dict[str, list[Found]] = {}
    for item in found:
        result.setdefault(item.uri, []).append(item)
    return result


def _name(uri: str, found: Sequence[Found]) -> str:
    return found[0].name if len(found) == 1 else stem(uri)


def _grouped(drafts: list[Draft]) -> list[Draft]:
    """By style, then recipe, then content, each in the order of its first appearance.

    A worker that goes through them in this order prepares each style once.
    """
    styles = {uri: i for i, uri in enumerate(dict.fromkeys(d.style for d in drafts))}
    recipes = {key: i for i, key in enumerate(dict.fromkeys(id(d.recipe) for d in drafts))}
    contents = {uri: i for i, uri in enumerate(dict.fromkeys(d.content for d in drafts))}
    return sorted(drafts, key=lambda d: (styles[d.style], recipes[id(d.recipe)], contents[d.content]))


def name_problems(drafts: Sequence[Draft]) -> Iterator[Problem]:
    """Names that leave the output, and names that would lie on top of one another on some file system.

    Two names are one where they agree in Unicode form C without regard to case.
    """
    taken: dict[str, Draft] = {}
    for draft in drafts:
        if wrong := check_name(draft.name):
            yield Problem(
                "name", f"{safe_text(draft.name)!r} cannot be used: {wrong}: {draft}", draft.lines[0]
            )
        first = taken.setdefault(name_key(draft.name), draft)
        if first is not draft:
            yield _collision(first, draft)
    for draft in drafts:
        if "/" in draft.name and (other := _file_in_the_way(draft, taken)):
            yield Problem(
                "name",
                f"{safe_text(draft.name)!r} needs a folder where {safe_text(other.name)!r} has a file: "
                f"{draft}; {other}; rename one of them",
                draft.lines[-1],
            )


def name_key(name: str) -> str:
    """The same for all names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _collision(first: Draft, second: Draft) -> Problem:
    names = dict.fromkeys(repr(safe_text(draft.name)) for draft in (first, second))
    said = " and ".join(names) + (
        " are one name where case does not count" if len(names) > 1 else " is taken"
    )
    advice = "give one of the pictures or the pair a name of its own"
    return Problem("name", f"{said}: {first}; {second}; {advice}", second.lines[-1])


def _file_in_the_way(draft: Draft, taken: Mapping[str, Draft]) -> Draft | None:
    """The pair that has a picture or a record where `draft` needs a folder."""
    parts = draft.name.split("/")
    for depth in range(1, len(parts)):
        folder = name_key("/".join(parts[:depth]))
        stem_of, dot, suffix = folder.rpartition(".")
        other = taken.get(stem_of)
        if other is not None and dot + suffix in (".json", other.recipe.picture.suffix):
            return other
    return None
