"""The pictures that a manifest's entries stand for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flows.errors import Problem, StorageError, StorageTransient
from flows.manifest.model import Entry, Manifest, PictureList
from flows.manifest.paths import folder_of, one_spelling
from flows.planning.left_out import LeftOut, counted
from flows.planning.list_rows import BadList
from flows.planning.listing import PICTURE_SUFFIXES, Listing, is_excluded, list_entry
from flows.planning.lists import NamedByList, named_by
from flows.planning.objects import survey
from flows.planning.ours import made_by_us
from flows.records.ownership import SIDECAR
from flows.records.report import Failed
from flows.storage.globs import literal
from flows.storage.location import bucket_of, is_remote, is_text
from flows.text import safe_text


# Why so many: what a pair, its name and its messages take from a picture.
@dataclass(frozen=True, slots=True)
class Found:
    """One picture of an entry.

    Attributes:
        uri: absolute local path or `s3://bucket/key`.
        name: the entry's name, or the file's stem.
        entry: where it comes from.
        token: its version, where a listing has told it.
        searched: the folder or prefix that a pattern was searched in, or that a list lies in; empty for a
            path as the user gave it.
    """

    uri: str
    name: str
    entry: Entry
    token: str = ""
    searched: str = ""

    @property
    def within(self) -> str:
        """The local folder that links must not leave; none where a list may name any path at all."""
        return "" if is_remote(self.searched) or self.entry.listed else self.searched

    @property
    def folder(self) -> str:
        """The folders between the searched one and the picture; empty if there are none."""
        above = self.searched.rstrip("/") + "/"
        if not self.searched or not self.uri.startswith(above):
            return ""
        below = self.uri.removeprefix(above)
        return below.rpartition("/")[0].strip("/")


@dataclass(slots=True)
class Expansion:
    """What the entries stand for, in their order and each once.

    Attributes:
        problems: what is wrong with what the user wrote.
        left_out: what folders, patterns and lists pass over.
        refused: what they found and nobody can use; each costs its own pairs alone.
        warnings: what the user should know although nothing is wrong.
    """

    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    refused: list[Failed] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def expand(manifest: Manifest, entries: Sequence[Entry], *, where: str) -> Expansion:
    """The pictures behind `entries`.

    Patterns take regular files in the order of their paths; hidden ones, excluded ones and what this program
    made are left out. A list names its pictures in its own order, and what it names is judged like what a
    pattern finds. A plain path is taken as it stands, whether it exists or not: only its own pairs fail. The
    same picture under the same name and settings is taken once.

    Args:
        entries: the manifest's contents, or its styles.
        where: their key in the manifest, for problems.

    Raises:
        StorageError: a bucket cannot be listed.
    """
    result, seen = Expansion(), set()
    for index, entry in enumerate(entries):
        for found in _of_entry(manifest, entry, f"{where}[{index}]", result):
            key = (found.uri, found.name, repr((entry.settings, entry.sweep, entry.blend)))
            if key not in seen:
                seen.add(key)
                result.found.append(found)
    taken = {found.uri for found in result.found}
    result.left_out = [item for item in dict.fromkeys(result.left_out) if item.uri not in taken]
    return result


def stem(uri: str) -> str:
    """The name of a picture that was given none: its file's name without the suffix.

    >>> stem("s3://bucket/photos/sea.view.jpg")
    'sea.view'
    """
    return PurePosixPath(uri).stem


def _of_entry(manifest: Manifest, entry: Entry, where: str, result: Expansion) -> Iterator[Found]:
    if entry.listed:
        yield from _of_list(manifest, entry, entry.listed, where, result)
        return
    path = literal(entry.image)
    whole_folder = path is not None and (path.endswith("/") or _is_local_folder(path))
    whole_folder = whole_folder and not entry.blend  # whose parts are single pictures
    if path is not None and not whole_folder:
        yield Found(one_spelling(path), entry.name or stem(path), entry)
        return
    listing = list_entry(entry.image, whole_folder=whole_folder)
    for error in listing.unreadable:
        _unreadable(manifest, error, listing, entry=entry, where=where, result=result)
    chosen = _chosen(manifest, listing, result)
    if not chosen and not manifest.allow_empty and not listing.unreadable:
        result.problems.append(Problem(where, _nothing(entry.image, whole_folder, listing), entry.line))
    for uri in chosen:
        if is_text(uri):
            yield Found(uri, entry.name or stem(uri), entry, listing.matches[uri], listing.searched)
        else:
            result.refused.append(
                Failed(safe_text(uri), "bad_name", "its name is not UTF-8; rename the file")
            )


def _of_list(
    manifest: Manifest, entry: Entry, listed: PictureList, where: str, result: Expansion
) -> Iterator[Found]:
    before = len(result.refused)
    try:
        named = named_by(listed)
    except BadList as error:
        message = f"{safe_text(listed.uri)}: {error}"
        result.problems.append(Problem(f"{where}.{error.key}", message, entry.line))
        return
    except StorageError as error:
        if error.fatal or isinstance(error, StorageTransient):
            raise
        result.problems.append(Problem(f"{where}.list", str(error), entry.line))
        return
    result.refused += named.refused
    if named.again:
        again = counted(named.again, "picture")
        result.warnings.append(f"{safe_text(listed.uri)} names {again} again; each is made once")
    if named.merged:
        merged = counted(named.merged, "record")
        advice = "where they are not meant to be one, close the quote, and double those inside a field"
        result.warnings.append(f"{safe_text(listed.uri)} has {merged} of several lines; {advice}")
    listing = _surveyed(listed, named, result)
    chosen = set(_chosen(manifest, listing, result))
    if not chosen and len(result.refused) == before and not manifest.allow_empty:
        result.problems.append(Problem(f"{where}.list", _empty(listed, listing), entry.line))
    for uri, name in named.pictures:
        if uri in chosen:
            yield Found(uri, name or stem(uri), entry, listing.matches[uri], listing.searched)


def _unreadable(
    manifest: Manifest, error: OSError, listing: Listing, *, entry: Entry, where: str, result: Expansion
) -> None:
    """A folder that the user named is his to mend; one that was found below it costs its own pictures."""
    folder = os.fsdecode(error.filename or listing.searched)
    if one_spelling(folder) == listing.searched:
        result.problems.append(Problem(where, f"{safe_text(folder)}: {error.strerror}", entry.line))
        return
    if is_excluded(folder, manifest.exclude):
        return
    advice = f"the folder cannot be listed: {error.strerror}; let it be read, or `exclude` it"
    result.refused.append(Failed(safe_text(folder), "denied", advice))


def _chosen(manifest: Manifest, listing: Listing, result: Expansion) -> list[str]:
    """The matches that are inputs; the others, and what was passed over, are noted."""
    matches = [uri for uri in listing.matches if not is_excluded(uri, manifest.exclude)]
    result.left_out += (LeftOut(uri, "excluded") for uri in listing.matches.keys() - set(matches))
    output = one_spelling(manifest.output)
    result.left_out += (
        item
        for item in listing.left_out
        if not is_excluded(item.uri, manifest.exclude) and not f"{output}/".startswith(f"{item.uri}/")
    )
    ours = made_by_us(matches, output, listed=listing.all_uris)
    result.left_out += (
        LeftOut(uri, "no picture" if uri.endswith(SIDECAR) else "ours") for uri in matches if uri in ours
    )
    return [uri for uri in matches if uri not in ours]


def _is_local_folder(path: str) -> bool:
    try:
        return not is_remote(path) and Path(path).is_dir()
    except OSError:  # whatever it is, reading it will tell
        return False


def _surveyed(listed: PictureList, named: NamedByList, result: Expansion) -> Listing:
    """What a list names as if it had been found, less what lies in buckets that cannot be used."""
    uris = dict.fromkeys(uri for uri, _ in named.pictures)
    objects = survey(uris)
    for uri in [uri for uri in uris if bucket_of(uri) in objects.unusable]:
        result.refused.append(Failed(safe_text(uri), "bad_line", objects.unusable[bucket_of(uri)]))
        del uris[uri]
    matches = {uri: objects.tokens.get(uri, "") for uri in uris}
    return Listing(folder_of(listed.uri), matches, all_uris=frozenset(objects.tokens))


def _empty(listed: PictureList, listing: Listing) -> str:
    """Why a list has no pictures, and what to do about it."""
    what = (
        "names nothing but results of stylize and what `exclude` leaves out"
        if listing.matches
        else "is empty"
    )
    return f"{safe_text(listed.uri)} {what}; `allow_empty: true` accepts that"


def _nothing(image: str, whole_folder: bool, listing: Listing) -> str:
    """Why an entry has no pictures, and what to do about it."""
    shown = safe_text(image)
    advice = "`allow_empty: true` accepts that"
    if listing.matches:
        return f"{shown} finds nothing but results of stylize and what `exclude` leaves out; {advice}"
    if whole_folder:
        return f"the folder {shown} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))}); {advice}"
    hint = "; write [[] for a bracket that is part of a name" if "[" in image else ""
    near = [item.uri for item in listing.left_out if item.why == "passed over"]
    hint += f"; it passes over {counted(near, 'file')}" if near else ""
    return f"no file matches {shown}; case counts, and hidden files do not{hint}; {advice}"
