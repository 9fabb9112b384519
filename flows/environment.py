"""What PyTorch reads from the environment when it is first imported, for bulk work on shared machines."""

from __future__ import annotations

import os

WANTED = {
    # OpenMP's threads wait for one another by spinning, which on a busy machine, or in a container with fewer
    # processors than it sees, makes torch tens of times slower.
    "OMP_WAIT_POLICY": "PASSIVE",
    # Features are large and are made anew at every step; in large pages the kernel hands them over sooner.
    "THP_MEM_ALLOC_ENABLE": "1",
}


def prepare_for_torch() -> None:
    """Set what the user has not set; call it before torch is imported."""
    for name, value in WANTED.items():
        os.environ.setdefault(name, value)
