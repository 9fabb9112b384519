"""Stores that do not know `If-None-Match: *` on a PUT: found out by their refusal, said once, remembered."""

from __future__ import annotations

import logging
import multiprocessing

_log = logging.getLogger(__name__)
_unaware: set[tuple[str, str]] = set()


def knows_conditions(endpoint: str, bucket: str) -> bool:
    """Whether this process has no reason yet to believe that the store refuses conditional PUTs."""
    return (endpoint, bucket) not in _unaware


def note_unaware(endpoint: str, bucket: str) -> None:
    """From now on send this store plain PUTs; said once, by the process that started a run's workers."""
    if knows_conditions(endpoint, bucket):
        _unaware.add((endpoint, bucket))
        level = logging.INFO if multiprocessing.parent_process() else logging.WARNING
        _log.log(
            level,
            "s3://%s: the store does not know If-None-Match; it is asked before a lock or a new record is "
            "written, so two runs that begin at the same moment may both work",
            bucket,
        )
