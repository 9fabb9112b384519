"""What was shown of a pair before a run ended, as its checkpoint holds it beside the optimisation's state.

Frames of a film are kept without loss, so that the film of a pair that was gone on with has the bytes of an
undisturbed one's; snapshots lie in the output already, and their digests say whether they still do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch

from flows.records.record import Extra
from stylize_core.optim.state import Saved, UnfitState

_FRAMES, _ENDS, _SNAPSHOTS = "shown.frames", "shown.ends", "shown.snapshots"


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that was shown up to a step.

    Attributes:
        frames: of the film, as `packed_frame` makes them.
        snapshots: that were written.
    """

    frames: Sequence[bytes] = ()
    snapshots: Sequence[Extra] = ()


def with_shown(saved: Saved, shown: Shown) -> Saved:
    """The saved state with what was shown beside it."""
    data = torch.frombuffer(bytearray(b"".join(shown.frames) or b"\0"), dtype=torch.uint8)
    facts = {
        _ENDS: list(accumulate(map(len, shown.frames))),
        _SNAPSHOTS: [[one.name, one.size_bytes, one.sha256] for one in shown.snapshots],
    }
    return replace(saved, tensors={**saved.tensors, _FRAMES: data}, facts={**saved.facts, **facts})


def parted(saved: Saved) -> tuple[Saved, Shown]:
    """The state alone, and what had been shown; nothing if nobody watched.

    Raises:
        UnfitState: what had been shown cannot be told.
    """
    if _FRAMES not in saved.tensors:
        return saved, Shown()
    try:
        data = saved.tensors[_FRAMES].numpy().tobytes()
        bounds = [0, *map(int, saved.facts[_ENDS])]
        frames = [data[start:end] for start, end in pairwise(bounds)]
        found = [
            Extra(name=name, size_bytes=size, sha256=sha256) for name, size, sha256 in saved.facts[_SNAPSHOTS]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UnfitState("what was shown of the pair cannot be told") from error
    tensors = {path: value for path, value in saved.tensors.items() if path != _FRAMES}
    facts = {path: value for path, value in saved.facts.items() if path not in (_ENDS, _SNAPSHOTS)}
    return replace(saved, tensors=tensors, facts=facts), Shown(frames, found)
