"""Whether a manifest tells just now what it names: who deletes what it does not name has to know."""

from __future__ import annotations

from pathlib import Path

from flows.manifest.model import Entry, Manifest
from flows.planning.listing import has_picture_suffix
from flows.planning.plan import Plan
from flows.storage.globs import entries_of, literal, split_pattern
from flows.storage.location import is_remote

_UNREADABLE = ("denied", "bad_line")


def doubt_about(plan: Plan, manifest: Manifest) -> str:
    """Why nobody can tell what a manifest names, so that nothing is deleted; empty if it can be told."""
    if plan.counts["planned"] == 0:
        return "the manifest names no pair at all, so everything would go; delete the output if that is meant"
    unread = [one.name for one in plan.refused if one.kind in _UNREADABLE]
    if unread:
        what = f"{len(unread)} inputs, such as {unread[0]}," if len(unread) > 1 else unread[0]
        return f"{what} cannot be read, so nobody knows which pairs it names; let it be read, or `exclude` it"
    if away := _away(plan):
        return f"{away} is not there, and if it is a folder nobody knows which pairs it names; bring it back"
    if empty := _empty(manifest):
        return (
            f"{empty} is empty or not there, and if its disk is away nobody knows which pairs it names; "
            "bring it back, or take it out of the manifest"
        )
    if manifest.source.startswith("<"):
        return "results are known by their manifest's path; give the manifest as a file"
    return ""


def _away(plan: Plan) -> str:
    """What the plan took for a picture, as nothing is there, and may be a folder; empty if nothing is."""
    for pair in (one.pair for one in plan.pairs):
        for given in (pair.content, pair.style, pair.init, *pair.others.values()):
            if given and not given.token and not given.sha256 and not has_picture_suffix(given.uri):
                return given.uri
    return ""


def _empty(manifest: Manifest) -> str:
    """A local folder that is searched and holds nothing, as a mount point does; empty if there is none.

    Without `allow_empty` there is no plan of it.
    """
    entries = (*manifest.contents, *manifest.styles)
    folders = (_searched(entry) for entry in entries if not entry.listed and not entry.blend)
    return next((one for one in folders if one and not entries_of(one, unreadable=lambda _: None)), "")


def _searched(entry: Entry) -> str:
    """The local folder below which all is that an entry may find; empty if it names a single picture."""
    if is_remote(entry.image):
        return ""
    path = literal(entry.image)
    if path is None:
        return split_pattern(entry.image)[0] or "/"
    return path if path.endswith("/") or Path(path).is_dir() else ""
