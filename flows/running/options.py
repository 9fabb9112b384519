"""What a run is told when it is started, by a command or by a deployment, over what its manifest says."""

from __future__ import annotations

from dataclasses import replace

from flows.errors import BadArguments
from flows.manifest.model import Manifest, batch_of


def with_batch(manifest: Manifest, given: str | None) -> Manifest:
    """The manifest with another `batch`, written as in a manifest: `auto` or a number; None leaves its own.

    Raises:
        BadArguments: it is neither.
    """
    if given is None:
        return manifest
    try:
        return replace(manifest, batch=batch_of(given))
    except ValueError as error:
        raise BadArguments(f"--batch: {given[:80]!r} is not accepted; it must be {error}") from None
