"""What people name when they want to look at results: a manifest, or the output itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flows.errors import BadArguments
from flows.manifest.load import STDIN, load_manifest
from flows.model.shard import WHOLE, Shard
from flows.pages.gathering import Gathered, planned_entries, recorded_entries
from flows.planning.plan import Plan, make_plan
from flows.storage.base import Storage
from flows.storage.location import absolute_path, is_remote
from flows.storage.opening import open_storage

_MANIFESTS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Target:
    """The results that somebody wants to look at.

    Attributes:
        title: the manifest's or the folder's name.
        plan: None where the output was named, and nobody knows what is still to do.
    """

    title: str
    storage: Storage
    gathered: Gathered
    plan: Plan | None = None


def find_target(named: str, *, shard: Shard = WHOLE) -> Target:
    """The results of a manifest, or of an output by its records alone.

    Args:
        named: path or `s3://` URI of a manifest or of an output; `-` for a manifest on standard input.

    Raises:
        BadArguments: there is no such file or folder, or a shard of an output.
        ManifestError: the manifest is not valid.
        StorageError: the output cannot be read.
    """
    if _is_output(named):
        if shard != WHOLE:
            raise BadArguments(f"--shard: {named} is an output; name its manifest to see a part of it")
        storage = open_storage(absolute_path(named.rstrip("/")))
        gathered = recorded_entries(storage)
        if not gathered.entries:
            raise BadArguments(f"{named} holds no record; name an output of stylize, or a manifest")
        return Target(PurePosixPath(storage.root).name or storage.root, storage, gathered)
    manifest = load_manifest(named)
    plan = make_plan(manifest, shard=shard)
    storage = open_storage(plan.output)
    return Target(PurePosixPath(manifest.source).name, storage, planned_entries(plan, storage), plan)


def _is_output(named: str) -> bool:
    """Whether it is a folder; in an object store, where that cannot be seen, whether it is no manifest."""
    if named == STDIN:
        return False
    if is_remote(named):
        return not named.endswith(_MANIFESTS)
    if not Path(named).exists():
        raise BadArguments(f"{named} does not exist; name a manifest, or the folder of an output")
    return Path(named).is_dir()
