"""What a process that computes asks of OpenMP, PyTorch and the C library before PyTorch is first imported."""

from __future__ import annotations

import ctypes
import os

WANTED = {
    # OpenMP's threads wait for one another by spinning, by default so long that on a busy machine, or in a
    # container with fewer processors than it sees, torch becomes tens of times slower. To sleep at once costs
    # an evaluation a third on a quiet machine: work comes in pieces of some microseconds. So many rounds of
    # spinning are about as long (`python -m benchmarks waiting`).
    "GOMP_SPINCOUNT": "1000",
    # Features are large and are made anew at every step; in large pages the kernel hands them over sooner.
    "THP_MEM_ALLOC_ENABLE": "1",
}

# malloc.h: free memory goes back to the system beyond so many bytes at the end of the heap, and blocks of so
# many bytes have pages of their own, which go back at once.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEEP_BYTES = 2**30
# Where memory is short: vectors of large pictures are beyond this, features of tiles below it.
KEEP_IN_TILES_BYTES = 2**26


def prepare_for_torch() -> None:
    """Set what the user has not set; call it before torch is imported."""
    for name, value in _wanted().items():
        os.environ.setdefault(name, value)
    keep_memory()


def _wanted() -> dict[str, str]:
    """The variables; none that would overrule the user's own word on waiting."""
    waits = "OMP_WAIT_POLICY" in os.environ
    return {name: value for name, value in WANTED.items() if not (waits and name == "GOMP_SPINCOUNT")}


def keep_memory(*, in_tiles: bool = False) -> None:
    """Have glibc keep what is freed for the next step, which needs as much.

    Not the large blocks of pictures that are made in tiles: tiles would take the places of vectors. Nor what
    was kept until then.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and not any(name.startswith("MALLOC_") for name in os.environ):
        size = KEEP_IN_TILES_BYTES if in_tiles else KEEP_BYTES
        mallopt(M_TRIM_THRESHOLD, size)
        mallopt(M_MMAP_THRESHOLD, size)
    if in_tiles:
        give_back_memory()


def give_back_memory() -> None:
    """Have glibc give back what lies free within its heap, such as vectors of the size before."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
