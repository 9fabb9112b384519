"""The device asked for, or a refusal that says why."""

from __future__ import annotations

import pickle

import pytest
import torch

from stylize_core.device import choose_device, describe_device, finest, is_out_of_memory
from stylize_core.errors import DeviceUnavailable

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


@without_cuda
def test_auto_without_a_gpu_is_what_is_left() -> None:
    expected = "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto") == torch.device(expected)


@without_cuda
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_an_absent_gpu_is_refused_and_never_replaced(name: str) -> None:
    message = (
        f"device '{name}' is not available: torch sees no CUDA device .*CUDA_VISIBLE_DEVICES.*use `auto`"
    )
    with pytest.raises(DeviceUnavailable, match=message):
        choose_device(name)


def test_a_gpu_beyond_those_there_are_is_refused_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceUnavailable, match=r"'cuda:2' is not available: torch sees 2 CUDA device"):
        choose_device("cuda:2")
    assert choose_device("cuda:1") == torch.device("cuda:1")


def test_auto_takes_the_first_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda:0")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has an Apple GPU")
def test_an_absent_apple_gpu_is_refused() -> None:
    with pytest.raises(DeviceUnavailable, match="'mps' is not available: torch sees no Apple GPU"):
        choose_device("mps")


@pytest.mark.parametrize("name", ["", "gpu", "GPU", "cuda:", "cuda:-1", "cuda:x", "cpu:", "cuda:9999999999"])
def test_an_unknown_device_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        choose_device(name)
    assert f"device {name!r} is unknown; use auto, cpu, cuda, cuda:<n> or mps" in str(caught.value)


@pytest.mark.parametrize("name", ["meta", "xpu", "xla"])
def test_devices_that_were_never_tried_are_refused(name: str) -> None:
    with pytest.raises(DeviceUnavailable, match=f"stylize does not run on {name}"):
        choose_device(name)


def test_the_refusal_travels_between_processes() -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        choose_device("meta")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_records_name_the_cpu_with_its_threads() -> None:
    assert describe_device(torch.device("cpu")) == f"cpu ({torch.get_num_threads()} threads)"
    assert describe_device(torch.device("mps")) == "mps"


def test_a_pinned_gpu_is_called_as_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert describe_device(torch.device("cuda:0")) == "cuda:0 (card 0)"
    assert describe_device(torch.device("cuda:0"), called="cuda:3") == "cuda:3 (card 0)"


@pytest.mark.parametrize(
    "words",
    [
        "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: can't allocate memory",
        "MPS backend out of memory (MPS allocated: 17.20 GB, max allowed: 18.13 GB)",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
        "could not create a primitive",
    ],
)
def test_memory_that_ends_is_known_by_whoever_says_it(words: str) -> None:
    assert is_out_of_memory(RuntimeError(words))
    assert not is_out_of_memory(ValueError(words))


def test_other_faults_of_a_device_are_no_lack_of_memory() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    for words in (
        "CUDNN_STATUS_NOT_SUPPORTED",
        "CUDA error: device-side assert triggered",
        "could not create a primitive descriptor for a convolution forward propagation primitive",
        "shape mismatch",
    ):
        assert not is_out_of_memory(RuntimeError(words))


def test_apples_gpus_have_no_float64() -> None:
    kinds = {device: finest(torch.device(device)) for device in ("cpu", "cuda", "mps")}
    assert kinds == {"cpu": torch.float64, "cuda": torch.float64, "mps": torch.float32}
