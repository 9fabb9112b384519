"""Which of the files that an entry finds this program has made, for whichever manifest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from flows.planning.threads import LOCAL_THREADS, REMOTE_THREADS, in_threads
from flows.records.ownership import HIDDEN, SIDECAR, carries_facts, is_recorded, read_beginning
from flows.records.report import REPORT_NAME, page_shard
from flows.records.trace import is_trace, trace_shard
from flows.storage.location import is_remote


def made_by_us(uris: Collection[str], output: str, *, listed: frozenset[str]) -> set[str]:
    """Those that are results, films, contact sheets, records, reports, traces or pages.

    In an object store, looking into a picture costs requests. It is done only in the output and where
    records or reports of ours lie.

    Args:
        listed: what lies beside those of an object store, as far as it is known.
    """
    sidecars = {uri for uri in uris if uri.endswith(SIDECAR) or _is_hidden(uri)}
    sidecars |= {uri for uri in uris if _is_about_a_run(uri, output, listed)}
    pictures = [uri for uri in uris if uri not in sidecars]
    local = [uri for uri in pictures if not is_remote(uri)]
    remote = [uri for uri in pictures if is_remote(uri)]
    return sidecars | _local(local) | (_remote(remote, output, listed) if remote else set())


def _is_hidden(uri: str) -> bool:
    """Whether it is a lock or a checkpoint, which no picture is called like."""
    return uri.rpartition("/")[2].startswith(HIDDEN)


def _is_about_a_run(uri: str, output: str, listed: frozenset[str]) -> bool:
    """Whether it is a trace or a page: a local file says so, an object lies in an output."""
    folder, _, name = uri.rpartition("/")
    if trace_shard(name) is None and page_shard(name) is None:
        return False
    if is_remote(uri):
        return folder == output or f"{folder}/{REPORT_NAME}" in listed
    return carries_facts(uri) or is_trace(read_beginning(uri))


def _local(pictures: Sequence[str]) -> set[str]:
    return _those(pictures, lambda uri: carries_facts(uri) or is_recorded(uri), LOCAL_THREADS)


def _remote(pictures: Sequence[str], output: str, listed: frozenset[str]) -> set[str]:
    recorded = _those(pictures, lambda uri: is_recorded(uri, listed=listed), REMOTE_THREADS)
    reports = (uri for uri in listed if uri.endswith("/report.json"))
    folders = {output, *(uri.rpartition("/")[0] for uri in (*recorded, *reports))}
    unsure = [uri for uri in pictures if uri not in recorded and _lies_below(uri, folders)]
    return recorded | _those(unsure, carries_facts, REMOTE_THREADS)


def _those(uris: Sequence[str], holds: Callable[[str], bool], threads: int) -> set[str]:
    return {uri for uri, found in zip(uris, in_threads(holds, uris, threads=threads), strict=True) if found}


def _lies_below(uri: str, folders: Collection[str]) -> bool:
    while "/" in (uri := uri.rpartition("/")[0]):
        if uri in folders:
            return True
    return False
