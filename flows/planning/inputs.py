"""The pictures that a manifest's entries stand for, and which version of each is there now."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flows.errors import Problem, StorageError
from flows.manifest.model import Entry
from flows.manifest.paths import one_spelling
from flows.model.pair import Input
from flows.planning.threads import in_threads
from flows.records.store import record_at
from flows.storage.globs import find_files, literal, literal_start, path_matches, split_pattern
from flows.storage.location import is_remote, is_text
from flows.storage.opening import digest_of_file, open_storage, stat_uri
from flows.text import safe_text

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp"})
"""What is taken from a folder that is named without a pattern. Content alone decides when a file is read."""

LOCAL_THREADS = min(8, os.cpu_count() or 1)
REMOTE_THREADS = 32


@dataclass(frozen=True, slots=True)
class Found:
    """One picture of an entry.

    Attributes:
        uri: absolute local path or `s3://bucket/key`.
        name: the entry's name, or the file's stem.
        entry: where it comes from.
        token: its version, where a listing has told it.
        within: the local folder that a pattern was searched in; empty for a path as the user gave it.
    """

    uri: str
    name: str
    entry: Entry
    token: str = ""
    within: str = ""


@dataclass(slots=True)
class Expansion:
    """What the entries stand for, in their order and each once; what is wrong; what a user should know."""

    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def expand(entries: Sequence[Entry], *, where: str, output: str) -> Expansion:
    """The pictures behind `entries`.

    Patterns take regular files in the order of their paths; hidden ones and results in this output are left
    out. A plain path is taken as it stands, whether it exists or not: only its own pairs fail. The same
    picture under the same name and settings is taken once.

    Args:
        entries: the manifest's contents, or its styles.
        where: their key in the manifest, for problems.
        output: the manifest's output.

    Raises:
        StorageError: a bucket cannot be listed.
    """
    result, seen = Expansion(), set()
    for index, entry in enumerate(entries):
        for found in _of_entry(entry, f"{where}[{index}]", output, result):
            key = (found.uri, found.name, repr((entry.settings, entry.sweep, entry.blend)))
            if key not in seen:
                seen.add(key)
                result.found.append(found)
    return result


def stem(uri: str) -> str:
    """The name of a picture that was given none: its file's name without the suffix.

    >>> stem("s3://bucket/photos/sea.view.jpg")
    'sea.view'
    """
    return PurePosixPath(uri).stem


def look_up(
    places: Iterable[tuple[str, str]], *, bounds: Mapping[str, str] | None = None
) -> tuple[dict[str, Input], list[str]]:
    """The present version of each picture, and warnings about those that are not there.

    Local pictures are read and hashed, each once. S3 objects are asked for their ETag unless it is given.

    Args:
        places: URI and token of each picture; the token empty if it is not known.
        bounds: the folder that a link in place of the picture must not leave, by its URI.

    Raises:
        StorageError: only where every further picture would fail as well.
    """
    tokens: dict[str, str] = {}
    for uri, token in places:
        tokens[uri] = tokens.get(uri) or token
    remote = any(is_remote(uri) for uri in tokens)
    inputs, warnings = {}, []
    threads = REMOTE_THREADS if remote else LOCAL_THREADS
    wanted = (Input(uri, token, within=(bounds or {}).get(uri, "")) for uri, token in tokens.items())
    for found, warning in in_threads(_present, wanted, threads=threads):
        inputs[found.uri] = found
        if warning:
            warnings.append(safe_text(warning))
    return inputs, warnings


def _of_entry(entry: Entry, where: str, output: str, result: Expansion) -> Iterator[Found]:
    path = literal(entry.image)
    is_folder = path is not None and (path.endswith("/") or _is_local_folder(path))
    is_folder = is_folder and not entry.blend  # whose parts are single pictures
    if path is not None and not is_folder:
        yield Found(one_spelling(path), entry.name or stem(path), entry)
        return
    pattern = entry.image.rstrip("/") + "/*" if is_folder else entry.image
    try:
        matches = _listed(pattern)
    except OSError as error:
        result.problems.append(Problem(where, f"{error.filename}: {error.strerror}", entry.line))
        return
    if is_folder:
        matches = {uri: token for uri, token in matches.items() if _looks_like_a_picture(uri)}
    if not matches:
        result.problems.append(Problem(where, _nothing(entry.image, is_folder), entry.line))
    kept = _without_results(matches, output)
    if len(kept) < len(matches):
        result.warnings.append(
            safe_text(f"{entry.image}: left out {len(matches) - len(kept)} earlier result(s) in the output")
        )
    within = "" if is_remote(pattern) else _searched(pattern)
    for uri in kept:
        if is_text(uri):
            yield Found(uri, entry.name or stem(uri), entry, matches[uri], within)
        else:
            message = f"the file name {safe_text(uri)} is not UTF-8; rename the file"
            result.problems.append(Problem(where, message, entry.line))


def _is_local_folder(path: str) -> bool:
    try:
        return not is_remote(path) and Path(path).is_dir()
    except OSError:  # whatever it is, reading it will tell
        return False


def _listed(pattern: str) -> dict[str, str]:
    """URI and token of everything that matches, in the order of the URIs."""
    folder, parts = split_pattern(pattern)
    if not is_remote(pattern):
        return dict.fromkeys(sorted(set(find_files(_searched(pattern), parts))), "")
    below = open_storage(folder).list(literal_start(parts[0]))
    matching = (item for item in below if path_matches(parts, item.name.split("/")))
    return {f"{folder}/{item.name}": item.stat.token for item in matching}


def _searched(pattern: str) -> str:
    """The folder that all matches of a local pattern lie below."""
    return one_spelling(split_pattern(pattern)[0] or "/")


def _looks_like_a_picture(uri: str) -> bool:
    return PurePosixPath(uri).suffix.lower() in PICTURE_SUFFIXES


def _nothing(image: str, is_folder: bool) -> str:
    shown = safe_text(image)
    if is_folder:
        return f"the folder {shown} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})"
    hint = "; write [[] for a bracket that is part of a name" if "[" in image else ""
    return f"no file matches {shown}; case counts, and hidden files do not{hint}"


def _without_results(matches: dict[str, str], output: str) -> list[str]:
    """The matches without earlier results: a picture below the output with its record beside it is one."""
    below = [uri for uri in matches if uri.startswith(output.rstrip("/") + "/")]
    threads = REMOTE_THREADS if is_remote(output) else LOCAL_THREADS
    results = {
        uri for uri, ours in zip(below, in_threads(_is_result, below, threads=threads), strict=True) if ours
    }
    return [uri for uri in matches if uri not in results]


def _is_result(uri: str) -> bool:
    try:
        record = record_at(uri[: -len(PurePosixPath(uri).suffix) or None] + ".json")
    except StorageError:
        return False
    return record is not None and record.output is not None and uri.endswith("/" + record.output.name)


def _present(wanted: Input) -> tuple[Input, str]:
    """The picture as it is now, and a warning if it is not there to read."""
    if wanted.token:
        return wanted, ""
    uri, within = wanted.uri, wanted.within
    try:
        stat = stat_uri(uri, within=within)
        if stat is None:
            return wanted, f"{uri} does not exist; its pairs will fail"
        digest = "" if is_remote(uri) else digest_of_file(uri, within=within)
        return Input(uri, stat.token, digest, within), ""
    except StorageError as error:
        if error.fatal:
            raise
        return wanted, f"{error}; the pairs of this picture will fail"
