"""Slots on machines that this one pretends to be: the probe finds a stand-in where torch should be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT

from flows.worker import devices
from flows.worker.devices import MOST_CPU_WORKERS, cpu_workers, slots, usable_cores
from stylize_core.errors import DeviceUnavailable, SettingsError
from stylize_core.settings.picture_size import SMALL_PX

TORCH = """
class cuda:
    is_available = staticmethod(lambda: {cuda} > 0)
    device_count = staticmethod(lambda: {cuda})
class backends:
    class mps:
        is_available = staticmethod(lambda: {mps})
"""


def _machine(folder: Path, monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False) -> None:
    (folder / "torch.py").write_text(TORCH.format(cuda=cuda, mps=mps))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(devices, "lacks_drivers", lambda: False)


@pytest.mark.parametrize(
    ("device", "workers", "expected"),
    [
        ("auto", None, ("cuda:0", "cuda:1")),
        ("cuda", None, ("cuda:0", "cuda:1")),
        ("cuda:1", None, ("cuda:1",)),
        ("cpu", None, ("cpu",)),
        ("auto", 1, ("cuda:0",)),
        ("auto", 3, ("cuda:0", "cuda:1", "cuda:0")),
        ("cpu", 2, ("cpu", "cpu")),
    ],
)
def test_a_machine_with_two_gpus(
    device: str,
    workers: int | None,
    expected: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _machine(tmp_path, monkeypatch, cuda=2)
    assert slots(device, workers) == expected


@pytest.mark.parametrize(
    ("sizes", "cores", "expected"),
    [
        ([64] * 16, 4, 4),
        ([64] * 9, 4, 2),
        ([64] * 3, 4, 1),
        ([64] * 15 + [SMALL_PX + 1], 4, 1),
        ([64] * 1000, 64, MOST_CPU_WORKERS),
        ([], 4, 1),
    ],
)
def test_small_pictures_get_a_cpu_worker_for_each_core(
    sizes: list[int], cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    assert cpu_workers(sizes) == expected
    assert slots("cpu", cpu_workers=cpu_workers(sizes)) == ("cpu",) * expected
    assert slots("cpu", 3, cpu_workers=expected) == ("cpu",) * 3


def test_who_limits_threads_limits_cpu_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert (usable_cores(), cpu_workers([64] * 100)) == (1, 1)


def test_gpus_get_one_worker_each_however_small_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(tmp_path, monkeypatch, cuda=2)
    assert slots("auto", cpu_workers=4) == ("cuda:0", "cuda:1")


def test_auto_takes_the_apple_gpu_before_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(tmp_path, monkeypatch, mps=True)
    assert slots("auto") == ("mps",)
    _machine(tmp_path, monkeypatch)
    assert slots("auto") == ("cpu",)


@pytest.mark.parametrize("device", ["cuda:2", "mps"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(tmp_path, monkeypatch, cuda=2)
    with pytest.raises(DeviceUnavailable, match=f"no device '{device}'.* it has cuda:0, cuda:1, cpu"):
        slots(device)


def test_a_torch_that_does_not_load_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(devices, "lacks_drivers", lambda: False)
    with pytest.raises(DeviceUnavailable, match="could not list the devices: ImportError: libcudart"):
        slots("auto")


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps:1"])
def test_a_name_that_is_no_device_is_refused(device: str) -> None:
    with pytest.raises(SettingsError, match="device"):
        slots(device)


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_workers_than_one_are_refused(workers: int) -> None:
    with pytest.raises(SettingsError, match="workers"):
        slots("cpu", workers)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bring their GPU's driver")
def test_a_linux_without_a_driver_loads_no_torch_to_find_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    (tmp_path / "torch.py").write_text("raise ImportError('asked')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(devices, "DEVICES_OF_AMD", (tmp_path / "kfd",))
    monkeypatch.setattr("ctypes.CDLL", load)
    assert slots("auto") == ("cpu",)
    with pytest.raises(DeviceUnavailable, match="no device 'cuda' on this machine; it has cpu"):
        slots("cuda")
    (tmp_path / "kfd").touch()
    with pytest.raises(DeviceUnavailable, match="asked"):
        slots("auto")
    monkeypatch.setattr(devices, "DEVICES_OF_AMD", ())
    monkeypatch.setattr("ctypes.CDLL", lambda name: None)
    with pytest.raises(DeviceUnavailable, match="asked"):
        slots("auto")


@pytest.mark.slow
def test_without_a_driver_the_real_torch_finds_no_gpu_either(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = devices.lacks_drivers()
    monkeypatch.setattr(devices, "lacks_drivers", lambda: False)
    assert not lacking or slots("auto") == ("cpu",)


@pytest.mark.slow
def test_the_real_torch_answers_and_the_parent_stays_free_of_it() -> None:
    code = (
        "import sys, flows.worker.devices as d; d.lacks_drivers = bool;"
        "print(len(d.slots('auto')), 'torch' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    count, loaded = answer.stdout.split()
    assert int(count) >= 1
    assert loaded == "False"


@pytest.mark.parametrize(
    ("device", "before", "after", "name"),
    [
        ("cuda:1", {}, {"CUDA_VISIBLE_DEVICES": "1"}, "cuda:0"),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "4,6"}, {"CUDA_VISIBLE_DEVICES": "6"}, "cuda:0"),
        (
            "cuda:0",
            {"CUDA_VISIBLE_DEVICES": "MIG-1, MIG-2"},
            {"CUDA_VISIBLE_DEVICES": "MIG-1"},
            "cuda:0",
        ),
        (
            "cuda:1",
            {"HIP_VISIBLE_DEVICES": "2,3"},
            {"HIP_VISIBLE_DEVICES": "3", "CUDA_VISIBLE_DEVICES": "1"},
            "cuda:0",
        ),
        ("cuda:2", {"CUDA_VISIBLE_DEVICES": "4,6"}, {"CUDA_VISIBLE_DEVICES": "4,6"}, "cuda:2"),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": ""}, {"CUDA_VISIBLE_DEVICES": ""}, "cuda:0"),
        ("cpu", {}, {}, "cpu"),
        ("mps", {}, {}, "mps"),
        ("cuda", {}, {}, "cuda"),
    ],
)
def test_a_process_is_pinned_to_one_entry_of_what_it_may_see(
    device: str, before: dict[str, str], after: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = dict(before)
    monkeypatch.setattr("flows.worker.devices.os.environ", environment)
    assert devices.pin(device) == name
    assert environment == after
