"""What a run is told when it is started, by a command or by a deployment, over what its manifest says."""

from __future__ import annotations

from dataclasses import replace

from flows.errors import BadArguments
from flows.manifest.model import Manifest, batch_of
from flows.model import durations


def wait_of(text: str | None) -> float:
    """How many seconds to wait for another run, written as a length of time; none for None.

    Raises:
        BadArguments: it is no length of time.
    """
    try:
        return 0.0 if text is None else durations.seconds(text)
    except ValueError as error:
        raise BadArguments(f"--wait: {str(text)[:80]!r} is not accepted; it must be {error}") from None


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
