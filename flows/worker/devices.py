"""Which devices this machine has, and how many worker processes go on them."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from flows.model.synonyms import meant_value
from stylize_core.errors import DeviceUnavailable, SettingsError
from stylize_core.settings.picture_size import SMALL_PX

PAIRS_PER_CPU_WORKER = 4
MOST_CPU_WORKERS = 8  # each has half a gigabyte of PyTorch
PROBE_TIMEOUT_S = 180.0  # the first CUDA call of a machine can take minutes
DEVICES_OF_AMD = (Path("/dev/kfd"), Path("/dev/dxg"))  # of a Linux, and of one inside Windows
VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")  # ROCm obeys the second, or the first without it
# Asked in a process of its own: the parent stays free of torch and of a CUDA context, which costs GPU memory.
PROBE = """
import json, torch
cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(json.dumps({"cuda": cuda, "mps": int(torch.backends.mps.is_available())}))
"""


def slots(device: str, workers: int | None = None, *, cpu_workers: int = 1) -> tuple[str, ...]:
    """Name the device of every worker process, such as `("cuda:0", "cuda:1")`.

    `auto` takes all CUDA devices, else the Apple GPU, else the CPU; `cuda` takes all CUDA devices; any other
    name is that device. Each gets one worker, the CPU `cpu_workers`; `workers` asks for another number, dealt
    out in turn.

    Raises:
        DeviceUnavailable: the machine does not have the device, or torch cannot tell.
        SettingsError: `workers` is below 1, or the name is none of a device.
    """
    if workers is not None and workers < 1:
        raise SettingsError("workers", workers, "it must be 1 or more, or left out for one per device")
    found = _devices(device)
    usual = cpu_workers if found == ("cpu",) else len(found)
    return tuple(islice(cycle(found), workers or usual))


def pin(device: str) -> str:
    """Let this process see that CUDA device alone; the name that torch has for it here, usually `cuda:0`.

    A process that sees several makes a context, half a gigabyte, on the first of them with the first memory
    that it pins, whichever one it computes on. What the user has restricted stays so: the number of a slot is
    a place in that list, whose entries may be numbers or the UUIDs of cards and of their parts (MIG).

    To be called before anything asks the driver, which reads the list once.
    """
    kind, _, number = device.partition(":")
    if kind != "cuda" or not number:
        return device
    pinned = {name: _entry(name, int(number)) for name in VISIBLE if name in os.environ}
    if not all(pinned.values()):
        return device  # torch will say that there is no such device
    os.environ.update({VISIBLE[0]: number} | pinned)
    return "cuda:0"


def _entry(variable: str, place: int) -> str:
    """What stands at that place of a list of devices; empty if it is shorter."""
    entries = os.environ[variable].split(",")
    return entries[place].strip() if place < len(entries) else ""


def cpu_workers(sizes_px: Sequence[int]) -> int:
    """How many processes are fastest on a CPU for pairs of these sizes.

    A small picture gains nothing from a second thread, so where all are small each core gets a process, if
    there are pairs enough to pay for its start.
    """
    if not sizes_px or max(sizes_px) > SMALL_PX:
        return 1
    return max(1, min(usable_cores(), MOST_CPU_WORKERS, len(sizes_px) // PAIRS_PER_CPU_WORKER))


def usable_cores() -> int:
    """The cores that this process may use; `OMP_NUM_THREADS` says it where the system does not know."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    said = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(here, int(said))) if said.isdecimal() else here


def _devices(device: str) -> tuple[str, ...]:
    if device == "cpu":
        return ("cpu",)
    kind, _, index = device.partition(":")
    if not re.fullmatch(r"auto|mps|cuda(:\d+)?", device):
        meant = meant_value(kind[:80], ("auto", "cpu", "mps", "cuda"))
        near = f"; did you mean {meant}?" if meant else ""
        raise SettingsError("device", device, f"it must be auto, cpu, mps, cuda or cuda:0, cuda:1, ...{near}")
    present = _probe()
    cuda = tuple(f"cuda:{number}" for number in range(present["cuda"]))
    mps = ("mps",) * present["mps"]
    wanted = {"auto": cuda or mps or ("cpu",), "cuda": cuda, "mps": mps}[kind]
    if index:
        wanted = tuple(name for name in cuda if name == device)
    if not wanted:
        here = ", ".join((*cuda, *mps, "cpu"))
        raise DeviceUnavailable(f"there is no device {device!r} on this machine; it has {here}")
    return wanted


def _probe() -> dict[str, int]:
    if lacks_drivers():
        return {"cuda": 0, "mps": 0}
    try:
        answer = subprocess.run(  # noqa: S603 - our own text
            [sys.executable, "-P", "-c", PROBE], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S
        )
        counts: dict[str, int] = json.loads(answer.stdout)
    except subprocess.TimeoutExpired as error:
        raise DeviceUnavailable(f"torch did not list the devices within {PROBE_TIMEOUT_S:g} s") from error
    except ValueError as error:
        words = answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"]
        raise DeviceUnavailable(f"torch could not list the devices: {words[-1]}") from error
    return counts


def lacks_drivers() -> bool:
    """Whether this is a Linux without a driver for GPUs, so that torch need not be loaded to find none."""
    if sys.platform != "linux" or any(map(Path.exists, DEVICES_OF_AMD)):
        return False
    try:
        ctypes.CDLL("libcuda.so.1")  # NVIDIA's driver brings it; it does nothing until it is told to
    except OSError:
        return True
    return False
