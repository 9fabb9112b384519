"""`make gpu` and the roofline: their logic at tiny sizes on a CPU."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
import torch

from benchmarks.evaluation import evaluation_flops
from benchmarks.gpu import clock, command, evaluations
from benchmarks.gpu.command import main, roofline
from benchmarks.gpu.night import Night
from benchmarks.gpu.roofline import CARDS, evaluation_s, terms
from benchmarks.pictures import benchmark_settings, weights_for

TINY = ("--device", "cpu", "--size", "64", "--network", "slim", "--steps", "2", "--pairs", "8")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in a process of its own costs seconds, and is `benchmarks.pipeline`'s, which the tests know."""
    monkeypatch.setattr(clock, "ENOUGH_S", 0.0)

    def night(device: str, *, encoder: str, size: int, steps: int, pairs: int) -> Night:
        return Night(encoder, size, steps, pairs, seconds=36.0, busy=0.75, peak_bytes=2_500_000_000)

    monkeypatch.setattr(command, "night_on", night)


def test_every_figure_is_printed_and_written_in_both_forms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TINY, "--batch", "1", "3", "--out", str(tmp_path / "build/gpu")]) == 0
    text = (tmp_path / "build/gpu.md").read_text()
    assert text in capsys.readouterr().out
    assert re.search(r"(?m)^On cpu \(\d+ threads\), PyTorch .*: [\d.]+ TFLOP/s in fp32\.$", text)
    row = r"(?m)^\| slim \| 64 \| (\d) \| fp32 \| [\d.]+ \| [\d.]+ \| [\d.]+ \| \d+% \|"
    assert re.findall(row, text) == ["1", "3"]
    assert re.findall(r"(?m)^\| slim \| 64 \| (\d) \| one by one \| [\d.]+ \|$", text) == ["1", "3"]
    assert "| slim | 64 | 2 | 8 | 36.0 | 800 | 75% | 2.50 GB |" in text
    assert "Not measured" not in text
    found = json.loads((tmp_path / "build/gpu.json").read_text())
    assert [one["batch"] for one in found["evaluations"]] == [1, 3]
    assert all(one["ratio"] > 0 and one["share"] > 0 for one in found["evaluations"])
    assert found["nights"][0]["pairs_per_hour"] == 800


def test_what_there_is_no_time_for_is_named_and_the_rest_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object, **__: object) -> None:
        time.sleep(60)

    monkeypatch.setattr(command, "evaluations", slow)
    assert main([*TINY, "--batch", "1", "--minutes", "0.02", "--out", str(tmp_path / "gpu")]) == 0
    text = (tmp_path / "gpu.md").read_text()
    assert "| 800 | 75% |" in text
    assert "Not measured, for lack of time: evaluations with slim at 64 px; steps with slim" in text


def test_a_batch_that_does_not_fit_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(evaluations, "chain_on", full)
    (row,) = evaluations.evaluations("slim", sizes=(64,), batches=(4,), device=torch.device("cpu"), file=None)
    assert (row.seconds, row.share, row.ratio) == (None, None, None)
    assert row.plain_s is not None


def test_without_a_gpu_one_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--device", "cuda:9"]) == command.NO_DEVICE
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.startswith("no GPU was measured: device 'cuda:9' is not available")


def test_tests_that_fail_end_the_command_before_it_measures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "TESTS", ("-c", "raise SystemExit(5)"))
    assert main([*TINY, "--tests"]) == 5
    assert "nothing was measured" in capsys.readouterr().out


def test_the_arithmetic_of_the_roofline_is_that_of_the_other_benchmarks() -> None:
    counted = sum(one.flops for one in terms("slim", size=64, batch=2) if one.name == "convolutions")
    weights = weights_for("slim", None)
    layers = benchmark_settings("slim").layers
    assert counted == 2 * evaluation_flops(weights, layers[-1], 64 * 64)


def test_small_pictures_wait_for_launches_and_large_ones_for_the_device() -> None:
    small, large = (evaluation_s("slim", CARDS["h100"], size=size, batch=1) for size in (128, 4096))
    assert small["device"] < small["host"]
    assert large["device"] > large["host"]
    parts = [large[name] for name in ("convolutions", "Gram matrices", "solver")]
    assert sum(parts) == pytest.approx(large["device"])


def test_the_roofline_says_that_it_is_an_estimate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "NETWORKS", ("slim",))
    assert roofline(["--card", "a100"]) == 0
    assert "ESTIMATE, not measured: slim in bf16 on A100 80 GB" in capsys.readouterr().out
