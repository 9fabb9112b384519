"""One device as a worker sees it: its memory, its threads, and pictures on their way to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor

from flows.worker.fitting.memory_room import process_room
from stylize_core.device import choose_device, describe_device, threads_for
from stylize_core.settings.picture_size import PictureSize

# What a process holds, as Linux counts it (proc(5)); elsewhere it cannot be counted anew.
_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK = re.compile(r"VmHWM:\s*([0-9]+) kB")
_PEAK_ALONE = "5"  # of what can be forgotten, the peak of the resident set


class Device:
    """A device that is there.

    Args:
        name: `auto`, `cpu`, `cuda:<n>` or `mps`.
        seen_as: torch's name for it, where this process sees that device alone; records keep `name`.

    Raises:
        DeviceUnavailable: there is no such device.
    """

    def __init__(self, name: str, *, seen_as: str = "") -> None:
        self.torch = choose_device(seen_as or name)
        self._called = name if seen_as else ""

    @property
    def kind(self) -> str:
        """`cpu`, `cuda` or `mps`."""
        return self.torch.type

    def describe(self) -> str:
        """The device as records name it."""
        return describe_device(self.torch, called=self._called)

    @contextmanager
    def threads(self, size_px: int) -> Iterator[str]:
        """Compute with as many CPU threads as pay for that size; gives the device as records name it."""
        with threads_for(self.torch, small=PictureSize(size_px).is_small):
            yield self.describe()

    def upload(self, pictures: Sequence[Tensor]) -> Tensor:
        """Pictures [3, H, W] of one shape as a batch [B, 3, H, W] on the device; one alone is not copied."""
        there = [picture.to(self.torch, non_blocking=True) for picture in pictures]
        return there[0][None] if len(there) == 1 else torch.stack(there)

    def peak_memory_bytes(self) -> int | None:
        """Most memory that the device held since `forget_peak`; on a CPU that of this process.

        None where nobody can tell.
        """
        if self.kind == "cpu":
            return _resident_peak_bytes()
        if self.kind != "cuda":
            return None
        return int(torch.cuda.max_memory_allocated(self.torch))

    def forget_peak(self) -> int:
        """Begin to measure the peak anew; what the device holds already, 0 where it cannot tell."""
        if self.kind == "cpu":
            _forget_resident_peak()
        if self.kind != "cuda":
            return 0
        torch.cuda.reset_peak_memory_stats(self.torch)
        return int(torch.cuda.memory_allocated(self.torch))

    def room_bytes(self) -> int | None:
        """What one picture may take; on a CPU all of this process. None where nobody can tell."""
        if self.kind == "cpu":
            return process_room()
        return self.free_bytes() or None

    def free_bytes(self) -> int:
        """What the device has left, torch's own reserve included; 0 where it cannot tell."""
        if self.kind != "cuda":
            return 0
        free, _ = torch.cuda.mem_get_info(self.torch)
        reserve = torch.cuda.memory_reserved(self.torch) - torch.cuda.memory_allocated(self.torch)
        return int(free + reserve)


def _forget_resident_peak() -> None:
    """Begin to measure anew, where that is possible."""
    with suppress(OSError):
        _FORGET.write_text(_PEAK_ALONE)


def _resident_peak_bytes() -> int | None:
    """The most that was held since `_forget_resident_peak`; None where nobody can tell."""
    try:
        found = _PEAK.search(_STATUS.read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
