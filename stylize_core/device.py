"""Which device does the work; never another one than asked for."""

from __future__ import annotations

import torch

from stylize_core.errors import DeviceUnavailable


def choose_device(name: str) -> torch.device:
    """The device of that name.

    Args:
        name: `auto` (CUDA, else MPS, else CPU), `cpu`, `cuda`, `cuda:<n>` or `mps`.

    Raises:
        DeviceUnavailable: the name is unknown, or there is no such device here.
    """
    if name == "auto":
        return torch.device(_best())
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceUnavailable(
            f"device {name!r} is unknown; use auto, cpu, cuda, cuda:<n> or mps"
        ) from error
    if reason := _missing(device):
        raise DeviceUnavailable(
            f"device {name!r} is not available: {reason}; use `auto` or `cpu` to go without"
        )
    return device


def describe_device(device: torch.device) -> str:
    """The device as records name it, such as `cuda:0 (NVIDIA H100 80GB HBM3)`."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch says so by type, as for GPUs, or in words only, as for the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _missing(device: torch.device) -> str:
    """Why the device cannot be used; empty if it can."""
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if count == 0:
            return "torch sees no CUDA device (no GPU, no driver, or CUDA_VISIBLE_DEVICES hides it)"
        return f"torch sees {count} CUDA device(s)" if (device.index or 0) >= count else ""
    if device.type == "mps":
        return "" if torch.backends.mps.is_available() else "torch sees no Apple GPU"
    return "" if device.type == "cpu" else f"stylize does not run on {device.type}"
