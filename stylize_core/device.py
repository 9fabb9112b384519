"""Which device does the work; never another one than asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from stylize_core.errors import DeviceUnavailable

Precision = Literal["fp32", "tf32", "bf16"]

# The CPU's allocator, an Apple GPU's, and the libraries that allocate on CUDA devices for themselves.
OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUSOLVER_STATUS_ALLOC_FAILED",
    "CUFFT_ALLOC_FAILED",
)
# oneDNN says so where a workspace found no room. With "descriptor" it is about what it cannot do at all.
NO_PRIMITIVE = re.compile(r"could not create a primitive(?! descriptor)")

# In smaller pictures rounding averages out less and the time matters less (docs/performance.md).
SMALLEST_IN_BF16 = 256


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


def choose_precision(name: Literal["auto"] | Precision, device: torch.device, *, size: int) -> Precision:
    """The number format that the network computes in.

    Args:
        name: a precision, or `auto`: bf16 where it is multiplied faster and pictures are not small, else
            fp32.
        device: where the network computes.
        size: long edge of the pictures, px.

    Raises:
        DeviceUnavailable: `tf32` on anything but a CUDA device, which alone has it.
    """
    if name == "auto":
        return "bf16" if size >= SMALLEST_IN_BF16 and _multiplies_bf16(device) else "fp32"
    if name == "tf32" and device.type != "cuda":
        raise DeviceUnavailable(
            f"precision 'tf32' needs a CUDA device, and this is {device}; use `auto`, `fp32` or `bf16`"
        )
    return name


@contextmanager
def convolutions_in(precision: Precision) -> Iterator[None]:
    """Let CUDA round float32 to TF32 inside, or keep it from that; the flag is the whole process's."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


def _multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 faster than float32; no where torch cannot tell.

    Intel's AVX512-BF16 does not: without AMX, PyTorch gets half as much of it as of float32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    capabilities = _of_the_processor()
    intel = str(capabilities.get("cpu_name", "")).startswith("Intel")
    return bool(capabilities.get("amx_bf16") or (capabilities.get("avx512_bf16") and not intel))


def multiplied_in(dtype: torch.dtype, device: torch.device | str) -> torch.dtype:
    """The number format in which a device multiplies numbers of another, for the same products or finer ones.

    A processor without instructions for bfloat16 takes ten times as long and more for its products as for the
    same numbers in float32 (docs/performance.md).
    """
    if dtype != torch.bfloat16 or torch.device(device).type != "cpu":
        return dtype
    has_bf16 = any(known and "bf16" in name for name, known in _of_the_processor().items())
    return dtype if has_bf16 else torch.float32


def _of_the_processor() -> Mapping[str, object]:
    """What the CPU has, by torch's names; empty where torch cannot tell."""
    known: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return known


@contextmanager
def threads_for(device: torch.device, *, small: bool) -> Iterator[None]:
    """Compute with one CPU thread where a second gains a small picture nothing; elsewhere as torch is set."""
    before = torch.get_num_threads()
    if device.type == "cpu" and small:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe_device(device: torch.device, *, called: str = "") -> str:
    """The device as records name it, such as `cuda:0 (NVIDIA H100 80GB HBM3)`.

    `called` is its name on the machine, where this process has another one for it.
    """
    if device.type == "cuda":
        return f"{called or device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch says so: by type where its own allocator of a GPU refused, else in words only."""
    if not isinstance(error, RuntimeError):
        return False
    said = str(error)
    by_words = any(words in said for words in OUT_OF_MEMORY) or NO_PRIMITIVE.search(said) is not None
    return by_words or isinstance(error, torch.OutOfMemoryError)


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


def finest(device: torch.device) -> torch.dtype:
    """The finest floating type of a device: float64, but float32 on Apple's GPUs, which have no other."""
    return torch.float32 if device.type == "mps" else torch.float64


def exact(values: Tensor) -> Tensor:
    """The values in float64; those of Apple's GPUs, which have no such type, on the CPU."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def wide(values: Tensor) -> Tensor:
    """The values in float32, or in what is finer; those are not copied."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
