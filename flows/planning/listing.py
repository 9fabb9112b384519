"""The files that one folder or pattern of a manifest finds, and what it passes over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from flows.manifest.paths import one_spelling
from flows.planning.left_out import LeftOut
from flows.storage.globs import (
    entries_of,
    find_files,
    is_folder,
    literal_start,
    loosened,
    part_matches,
    path_matches,
    split_pattern,
)
from flows.storage.location import is_remote
from flows.storage.opening import open_storage

_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".jif")
PICTURE_SUFFIXES = frozenset(
    {*_JPEG, ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".heic", ".heif", ".avif"}
)
"""What is taken from a folder that is named without a pattern. Content alone decides when a file is read."""

_RAW = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef"),
    *(".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".sr2", ".srf", ".srw", ".x3f"),
)
_FOREIGN = (
    *(
        ".apng",
        ".bpg",
        ".dds",
        ".exr",
        ".fits",
        ".hdr",
        ".hif",
        ".ico",
        ".j2k",
        ".jp2",
        ".jpf",
        ".jpx",
        ".jxl",
    ),
    *(".jxl", ".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".psb", ".psd", ".qoi", ".svg", ".tga", ".xcf"),
)
OTHER_PICTURES = frozenset({*_RAW, *_FOREIGN})
"""Suffixes of pictures that no folder takes."""


@dataclass(slots=True)
class Listing:
    """What an entry of a manifest finds.

    Attributes:
        searched: the folder, or the prefix, that all matches lie below.
        matches: URI and token, the latter where the listing told it, in the order of the URIs.
        left_out: what was passed over.
        unreadable: folders that could not be listed.
        all_uris: for an object store, everything below the prefix.
    """

    searched: str
    matches: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    unreadable: list[OSError] = field(default_factory=list)
    all_uris: frozenset[str] = frozenset()


def list_entry(image: str, *, whole_folder: bool) -> Listing:
    """Everything that a pattern fits, or all pictures of a folder.

    Args:
        image: absolute path or URI, as a pattern.
        whole_folder: it is a folder, whose pictures are told by their suffixes.

    Raises:
        StorageError: a bucket cannot be listed.
    """
    pattern = image.rstrip("/") + "/*" if whole_folder else image
    folder, parts = split_pattern(pattern)
    if is_remote(pattern):
        found = _list_store(folder, parts, whole_folder=whole_folder)
    else:
        found = _list_folder(one_spelling(folder or "/"), parts, whole_folder=whole_folder)
    if whole_folder:
        others = [uri for uri in found.matches if not has_picture_suffix(uri)]
        found.left_out += (LeftOut(uri, "passed over") for uri in others if may_be_a_picture(uri))
        found.matches = {uri: token for uri, token in found.matches.items() if has_picture_suffix(uri)}
    return found


def has_picture_suffix(uri: str) -> bool:
    """Whether a folder's entry takes a file of that name."""
    return PurePosixPath(uri).suffix.lower() in PICTURE_SUFFIXES


def may_be_a_picture(uri: str) -> bool:
    """Whether a file of that name may well be a picture: by its suffix, or because it has none.

    >>> [may_be_a_picture(name) for name in ("a.NEF", "a", "a.jpg_medium", "a.txt", "._a.jpg")]
    [True, True, True, False, False]
    """
    path = PurePosixPath(uri)
    suffix = path.suffix.lower()
    if path.name.startswith("."):
        return False
    return not suffix or suffix in PICTURE_SUFFIXES | OTHER_PICTURES or suffix.startswith(_JPEG)


def is_excluded(uri: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns fits the file or a folder that it lies in; a relative one at any depth.

    >>> is_excluded("/in/@eaDir/a.jpg", ["@eaDir"]), is_excluded("/in/a.jpg", ["/elsewhere/**"])
    (True, False)
    """
    names = _names(uri)
    return any(_excludes(pattern, names) for pattern in patterns)


def _excludes(pattern: str, names: Sequence[str]) -> bool:
    rooted = pattern.startswith("/") or is_remote(pattern)
    parts = tuple(_names(pattern.rstrip("/")) if rooted else pattern.rstrip("/").split("/"))
    starts = (0,) if rooted else range(len(names))
    return any(path_matches(ending, names[at:]) for at in starts for ending in (parts, (*parts, "**")))


def _names(uri: str) -> list[str]:
    return uri.split("://", 1)[1].split("/") if is_remote(uri) else uri.strip("/").split("/")


def _list_folder(folder: str, parts: Sequence[str], *, whole_folder: bool) -> Listing:
    found = Listing(folder)
    unreadable: dict[str, OSError] = {}  # `**` looks into a folder more than once
    paths = sorted(
        set(find_files(folder, parts, unreadable=lambda e: unreadable.update({str(e.filename): e})))
    )
    found.unreadable += unreadable.values()
    found.matches = dict.fromkeys(paths, "")
    if whole_folder:
        inside = (e for e in entries_of(folder, unreadable=lambda _: None) if part_matches("*", e.name))
        found.left_out += (LeftOut(e.path, "not searched") for e in inside if is_folder(e))
        return found
    near = {
        path
        for last in loosened(parts[-1])
        if parts[-1] != "**"
        for path in find_files(folder, (*parts[:-1], last), unreadable=lambda _: None)
    }
    found.left_out += _passed_over(sorted(near - found.matches.keys()))
    return found


def _list_store(folder: str, parts: Sequence[str], *, whole_folder: bool) -> Listing:
    found, names = Listing(folder), {}
    for item in open_storage(folder).list(literal_start(parts[0])):
        names[f"{folder}/{item.name}"] = item.name.split("/")
        if path_matches(parts, names[f"{folder}/{item.name}"]):
            found.matches[f"{folder}/{item.name}"] = item.stat.token
    found.all_uris = frozenset(names)
    if whole_folder:
        inside = dict.fromkeys(f"{folder}/{first}" for first, *rest in names.values() if first and rest)
        found.left_out += (LeftOut(uri, "not searched") for uri in inside)
    near = [(*parts[:-1], last) for last in loosened(parts[-1])]
    found.left_out += _passed_over(
        uri
        for uri, path in names.items()
        if uri not in found.matches
        and path[-1]
        and any(path_matches(p, [n for n in path if n]) for p in near)
    )
    return found


def _passed_over(uris: Iterable[str]) -> Iterator[LeftOut]:
    return (LeftOut(uri, "passed over") for uri in uris if may_be_a_picture(uri))
