"""Which version of each picture is there now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flows.errors import StorageError
from flows.model.pair import Input
from flows.planning.threads import LOCAL_THREADS, REMOTE_THREADS, in_threads
from flows.storage.location import is_remote
from flows.storage.opening import digest_of_file, stat_uri
from flows.text import safe_text


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
