"""Pairs that are computed together: each as if it were alone, whatever becomes of the others."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import worker_here as worker
from PIL import Image
from small_batch import FAST, Audience, draw, manifest, record, run_inside, small_batch

from flows.engines.groups import GROUP_PAIRS, WINDOW_GROUPS, in_groups
from flows.manifest.load import load_manifest
from flows.model.pair import Job, Outcome
from flows.planning.plan import make_plan
from flows.records.record import Record
from flows.worker.device import Device
from flows.worker.link import Stopwatch
from flows.worker.timeouts import stuck_after_s
from stylize_core.errors import OutOfMemory
from stylize_core.transfer import Stylized, stylize

TEN = "encoder: slim, size: 64, steps: 10"


@pytest.fixture(autouse=True)
def _device() -> None:
    worker.start("cpu", batch=4)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two photos and two paintings."""
    small_batch(tmp_path)
    return tmp_path


def jobs(path: Path) -> list[Job]:
    plan = make_plan(load_manifest(path))
    return [Job(p.pair, plan.output, p.identity) for p in plan.todo]


def statuses(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    return {outcome.name: outcome.status for outcome in outcomes}


def pixels(home: Path, output: str, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    with Image.open(home / output / f"{name}.png") as image:
        return np.asarray(image).astype(int)


@pytest.mark.parametrize(
    "settings", [TEN, TEN + ", recipe: 2, optimizer: adam, init: noise", TEN + ", init: style"]
)
def test_pairs_of_a_batch_are_made_as_if_each_were_alone(home: Path, settings: str) -> None:
    """To one level of 255 after ten steps: convolutions of several pictures round differently on a CPU.

    Adam divides by the gradient, so where there is next to none rounding decides on one of its steps; with a
    fourth block it does so for a few samples of noise.
    """
    together = worker.run_pairs(jobs(manifest(home, settings=settings)))
    assert set(statuses(together).values()) == {"done"}
    told = {name: record(home, name) for name in statuses(together)}
    assert {one.batch for one in told.values()} == {4}
    worker.start("cpu")
    for job in jobs(manifest(home, settings=settings, output="alone")):
        worker.run_pair(job)
        name = job.pair.name
        assert np.abs(pixels(home, "out", name) - pixels(home, "alone", name)).max() <= 1, name
        same_record(told[name], Record.parse((home / f"alone/{name}.json").read_bytes()))


def same_record(one: Record, alone: Record) -> None:
    """Equal but for the batch and for rounding."""
    assert alone.batch == 1
    assert (one.identity, one.ingredients, one.content) == (alone.identity, alone.ingredients, alone.content)
    assert (one.style, one.init, one.seed) == (alone.style, alone.init, alone.seed)
    assert one.optimisation
    assert alone.optimisation
    ours, theirs = one.optimisation, alone.optimisation
    assert (ours.evaluations, ours.stop_reason) == (theirs.evaluations, theirs.stop_reason)
    np.testing.assert_allclose(ours.loss_curve, theirs.loss_curve, rtol=1e-3)
    assert ours.loss_terms == pytest.approx(theirs.loss_terms, rel=1e-3)


def test_a_broken_photo_in_a_batch_costs_nobody_else_anything(home: Path) -> None:
    (home / "photos/p1.png").write_bytes(b"no photo")
    ended = statuses(worker.run_pairs(jobs(home / "m.yaml")))
    assert ended == {"p0__s0": "done", "p1__s0": "failed", "p0__s1": "done", "p1__s1": "failed"}
    assert record(home, "p0__s0").batch == 2


def test_a_row_that_diverges_fails_alone_and_leaves_no_picture(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its best picture is finite, so that only the report keeps it from being written."""

    def losing(*pictures: torch.Tensor, **options: Any) -> Stylized:
        """The real thing, whose last row left the numbers after a while."""
        made = stylize(*pictures, **options)
        made.reports[-1].stop_reason = "diverged"
        return made

    monkeypatch.setattr("flows.worker.optimize.stylize", losing)
    path = manifest(home, "contents: ['photos/*']\nstyles: [paintings/s0.png]")
    ended = worker.run_pairs(jobs(path))
    assert [(one.name, one.status, one.kind) for one in ended] == [
        ("p0__s0", "done", ""), ("p1__s0", "failed", "diverged"),
    ]  # fmt: skip
    assert record(home, "p0__s0").batch == 2
    failure = record(home, "p1__s0").failure
    assert failure is not None
    assert re.search(r"not finite after 5 evaluations .* last finite loss \d", failure.message)
    assert not (home / "out/p1__s0.png").exists()


def test_pictures_of_other_shapes_and_settings_are_not_mixed(home: Path) -> None:
    draw(home / "photos/p1.png", 1, width=48, height=64)
    entries = (
        "contents: ['photos/*']\n"
        "styles: [paintings/s0.png, {image: paintings/s1.png, settings: {style_weight: 7}}]"
    )
    made = worker.run_pairs(jobs(manifest(home, entries)))
    assert set(statuses(made).values()) == {"done"}
    assert {record(home, name).batch for name in statuses(made)} == {1}


def test_pairs_that_are_watched_go_alone_and_say_so(home: Path) -> None:
    ended = worker.run_pairs(jobs(manifest(home, settings=FAST + ", snapshot_every: 2")))
    told = [record(home, name) for name in statuses(ended)]
    assert [one.batch for one in told] == [1] * 4
    said = "computed alone, not in a batch: its snapshots or its film show one picture at a time"
    assert all(said in one.decisions for one in told)
    assert not worker.worker._pipeline._sizer._known, "it would grow with every pair"


def spending(monkeypatch: pytest.MonkeyPatch, *, together: float, alone: float) -> None:
    """Let every optimisation have taken so many seconds already when it is first asked."""

    @contextmanager
    def timed(pair: str, timeout_s: float) -> Iterator[Stopwatch]:
        assert timeout_s == (240.0 if "4 pairs from" in pair else 60.0)
        yield Stopwatch(pair, timeout_s, spent_s=together if "4 pairs from" in pair else alone)

    monkeypatch.setattr("flows.worker.link.timed", timed)


def limited(home: Path) -> list[Job]:
    return [replace(job, timeout_s=60.0) for job in jobs(manifest(home, settings=TEN))]


def test_pairs_with_a_timeout_are_computed_together_and_share_their_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spending(monkeypatch, together=230, alone=1000)
    ended = statuses(worker.run_pairs(limited(home)))
    assert set(ended.values()) == {"done"}
    assert {record(home, name).batch for name in ended} == {4}


@pytest.mark.parametrize(("alone", "status"), [(50, "done"), (70, "failed")])
def test_where_the_time_of_all_is_over_each_is_tried_alone_with_all_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch, alone: float, status: str
) -> None:
    spending(monkeypatch, together=250, alone=alone)
    outcomes = worker.run_pairs(limited(home))
    assert {(one.status, one.kind) for one in outcomes} == {(status, "timeout" if status == "failed" else "")}
    assert {record(home, one.name).batch for one in outcomes} == {1}


def test_pairs_of_different_timeouts_are_not_mixed(home: Path) -> None:
    first, *others = limited(home)
    ended = statuses(worker.run_pairs([replace(first, timeout_s=30.0), *others]))
    assert sorted(record(home, name).batch for name in ended) == [1, 3, 3, 3]


@pytest.mark.parametrize(("room", "batches"), [(3, {2}), (2, {2}), (1, {1})])
def test_a_batch_that_does_not_fit_is_halved(
    home: Path, monkeypatch: pytest.MonkeyPatch, room: int, batches: set[int]
) -> None:
    upload = Device.upload

    def small(device: Device, pictures: list[torch.Tensor]) -> torch.Tensor:
        """A device with room for so many pictures."""
        if len(pictures) > room:
            raise OutOfMemory(f"no room for {len(pictures)} pictures")
        return upload(device, pictures)

    monkeypatch.setattr(Device, "upload", small)
    ended = statuses(worker.run_pairs(jobs(home / "m.yaml")))
    assert set(ended.values()) == {"done"}
    assert {record(home, name).batch for name in ended} == batches


def test_a_batch_that_fails_as_a_whole_fails_pair_by_pair(home: Path) -> None:
    """The first painting is too small for the deepest layer."""
    draw(home / "paintings/s0.png", 10, width=4, height=4)
    ended = statuses(worker.run_pairs(jobs(home / "m.yaml")))
    assert ended == {"p0__s0": "failed", "p1__s0": "failed", "p0__s1": "done", "p1__s1": "done"}


def test_a_batch_whose_rows_stall_in_bf16_is_finished_as_a_batch(home: Path) -> None:
    """Nothing is better than the content where the style does not count."""
    settings = "encoder: slim, size: 64, steps: 30, scales: 1, precision: bf16, style_weight: 0"
    ended = statuses(worker.run_pairs(jobs(manifest(home, settings=settings))))
    assert set(ended.values()) == {"done"}
    told = [record(home, name) for name in ended]
    assert {one.batch for one in told} == {4}
    assert all("fp32 took over after 10 evaluations" in one.decisions[0] for one in told)


def test_weights_that_are_gone_fail_the_pairs_of_a_batch_and_not_the_worker(home: Path) -> None:
    """What no batch expects is told by each pair, as what it is."""
    settings = f"encoder: slim, size: 64, steps: 5, weights: {{file: w.safetensors, sha256: {'ab' * 32}}}"
    outcomes = worker.run_pairs(jobs(manifest(home, settings=settings)))
    assert {(outcome.status, outcome.kind) for outcome in outcomes} == {("failed", "not_found")}
    assert all("w.safetensors" in outcome.message for outcome in outcomes)


def test_pairs_of_a_batch_have_their_times_between_two_reports_one_after_another(home: Path) -> None:
    pair = jobs(home / "m.yaml")[0].pair
    none, one, four = (stuck_after_s([pair] * count, "cpu") for count in (0, 1, 4))
    assert one > none
    assert four - none == pytest.approx(4 * (one - none))


def test_a_worker_gets_groups_of_equal_settings_in_the_plans_order(home: Path) -> None:
    entries = (
        "contents: ['photos/*']\n"
        "styles: [paintings/s0.png, {image: paintings/s1.png, settings: {style_weight: 7}}]"
    )
    given = jobs(manifest(home, entries))
    assert [len(group) for group in in_groups(given, "cpu", 3)] == [2, 2]
    assert [len(group) for group in in_groups(given, "cpu", None)] == [1, 1, 1, 1]
    assert [len(group) for group in in_groups(given, "cuda:0", None)] == [2, 2]
    assert [job for group in in_groups(given, "cpu", 3) for job in group] == given


def alternating(home: Path, count: int) -> list[Job]:
    """Jobs as a sweep over two settings gives them, each with a name of its own."""
    entries = "pairs:" + "".join(
        f"\n  - {{content: photos/p0.png, style: paintings/s0.png, name: n{number:03}, "
        f"settings: {{style_weight: {1 + number % 2}}}}}"
        for number in range(count)
    )
    return sorted(jobs(manifest(home, entries)), key=lambda job: job.pair.name)


def test_pairs_that_are_alike_share_a_group_though_others_stand_between_them(home: Path) -> None:
    given = alternating(home, 12)
    groups = list(in_groups(given, "cpu", 3))
    assert [[job.pair.name for job in group] for group in groups] == [
        ["n000", "n002", "n004"], ["n001", "n003", "n005"], ["n006", "n008", "n010"],
        ["n007", "n009", "n011"],
    ]  # fmt: skip
    assert [job for group in in_groups(given, "cpu", None) for job in group] == given


def test_no_pair_waits_for_more_than_a_window_of_others(home: Path) -> None:
    """And no more are asked for ahead."""
    given = alternating(home, 60)
    odd_one, rest = given[1], [job for job in given if job.pair.style_settings.style_weight == 1]
    asked: list[str] = []

    def coming() -> Iterator[Job]:
        for job in (rest[0], odd_one, *rest[1:]):
            asked.append(job.pair.name)
            yield job

    groups = in_groups(coming(), "cpu", 3)
    assert [job.pair.name for job in next(groups)] == ["n000", "n002", "n004"]
    assert len(asked) <= 2 * WINDOW_GROUPS + 1
    assert [job.pair.name for job in next(groups)] == ["n001"]
    left = [job for group in groups for job in group]
    assert left == rest[3:]


@pytest.mark.parametrize(("size", "most"), [(64, GROUP_PAIRS), (1024, 4), (4096, 1)])
def test_a_gpus_groups_hold_fewer_large_pictures(home: Path, size: int, most: int) -> None:
    (job, *_) = jobs(manifest(home, settings=f"encoder: slim, size: {size}, steps: 5"))
    assert max(len(group) for group in in_groups([job] * 40, "cuda:0", None)) == most


def test_a_run_takes_its_batch_from_the_manifest(home: Path) -> None:
    path = home / "m.yaml"
    path.write_text(path.read_text() + "batch: 2\n")
    assert run_inside(path, Audience()).done == 4
    assert {record(home, f"p{p}__s{s}").batch for p in (0, 1) for s in (0, 1)} == {2}


def test_no_pair_has_a_time_limit_unless_the_manifest_says_so(home: Path) -> None:
    assert {job.timeout_s for job in jobs(home / "m.yaml")} == {math.inf}
