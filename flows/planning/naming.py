"""Names of pictures that patterns and lists found: two files that would share one get names of their own.

A name must not depend on what else there is more than it has to, or a new file would rename old results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from flows.model.names import NamedPicture, name_key, template_fields, with_hash
from flows.planning.inputs import Found, stem


def told_apart(pictures: Sequence[Found], template: str) -> list[Found]:
    """The pictures, those of a pattern or a list renamed where several would have one name in `template`.

    They take the first of these that tells all of them apart: the suffix (`IMG_1.jpg`), the folders
    (`100CANON/IMG_1`), both, or digits that depend on the path alone. A picture that the manifest names in
    full keeps its name.
    """
    by_folder = "folder" in template_fields(template)
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in pictures:
        groups.setdefault((name_key(one.folder) if by_folder else "", name_key(one.name)), []).append(one)
    taken = {name_key(one.name) for one in pictures}
    names: dict[tuple[str, str], str] = {}
    for group in groups.values():
        if len({one.uri for one in group}) > 1:
            names |= _names_apart([one for one in group if one.searched], taken)
    return [
        replace(one, name=new) if one.searched and (new := names.get((one.uri, one.name))) else one
        for one in pictures
    ]


def named(picture: Found) -> NamedPicture | None:
    """What a template can say of it; None where it stands for no picture."""
    if not picture.name:
        return None
    return NamedPicture(picture.name, picture.folder, stem(picture.uri))


def _names_apart(alike: Sequence[Found], taken: set[str]) -> dict[tuple[str, str], str]:
    """By URI and name, new names of pictures that were found under one name."""
    ways: tuple[Callable[[Found], str], ...] = (
        lambda one: one.name + _suffix(one),
        lambda one: "/".join(filter(None, (one.folder, one.name))),
        lambda one: "/".join(filter(None, (one.folder, one.name))) + _suffix(one),
        lambda one: with_hash(one.name, one.uri.removeprefix(one.searched)),
    )
    for way in ways:
        names = {(one.uri, one.name): way(one) for one in alike}
        keys = {name_key(name) for name in names.values()}
        if len(keys) == len(names) and keys.isdisjoint(taken):
            return names
    return {(one.uri, one.name): with_hash(one.name, one.uri) for one in alike}


def _suffix(picture: Found) -> str:
    return PurePosixPath(picture.uri).suffix
