"""What can be told at once of the objects that a list names, instead of asking for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from flows.errors import BucketUnusable, StorageError
from flows.planning.threads import REMOTE_THREADS, in_threads
from flows.storage.location import bucket_of, is_remote
from flows.storage.opening import open_storage, split_uri, stat_uri

WORTH_LISTING = 64
"""How many objects of one folder are looked for in its listing, whose page of a thousand is one request."""


@dataclass(slots=True)
class Objects:
    """What is known of them.

    Attributes:
        tokens: by URI, the versions that listings told; the other objects are asked for one by one.
        unusable: by bucket, why nothing in it can be read.
    """

    tokens: dict[str, str] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)


def survey(uris: Iterable[str]) -> Objects:
    """What buckets and listings tell of these pictures; those on this machine are passed over.

    Raises:
        StorageError: only where every bucket would fail as well.
    """
    found = Objects()
    buckets: dict[str, str] = {}
    folders: dict[str, int] = {}
    for uri in filter(is_remote, uris):
        buckets.setdefault(bucket_of(uri), uri)
        folder = split_uri(uri)[0]
        folders[folder] = folders.get(folder, 0) + 1
    for bucket, why in zip(
        buckets, in_threads(_why_unusable, buckets.values(), threads=REMOTE_THREADS), strict=True
    ):
        if why:
            found.unusable[bucket] = why
    large = [
        (folder, count)
        for folder, count in folders.items()
        if count >= WORTH_LISTING and bucket_of(folder) not in found.unusable
    ]
    for tokens in in_threads(_listed, large, threads=REMOTE_THREADS):
        found.tokens |= tokens
    return found


def _why_unusable(uri: str) -> str:
    try:
        stat_uri(uri)
    except BucketUnusable as error:
        return str(error)
    except StorageError as error:
        if error.fatal:
            raise
    return ""


def _listed(folder: tuple[str, int]) -> Mapping[str, str]:
    """Versions by URI of what lies in a folder; no more than is worth it for so many that are looked for."""
    root, count = folder
    storage = open_storage(root)
    try:
        return {storage.uri(one.name): one.stat.token for one in islice(storage.list(), 2 * count + 1000)}
    except StorageError:  # who may not list may still read; asking for each tells what is the matter
        return {}
