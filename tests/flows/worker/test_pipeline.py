"""Pairs one after another: read ahead, computed, written behind; each keeps its own errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import worker_here as worker
from small_batch import draw, manifest, record, small_batch, tree

from flows.manifest.load import load_manifest
from flows.model.pair import Job, Outcome
from flows.planning.plan import make_plan
from flows.worker import link
from stylize_core.settings.picture_size import SMALL_PX


@pytest.fixture(autouse=True)
def _device() -> None:
    worker.start("cpu")


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Three photos in one style."""
    plan = make_plan(load_manifest(small_batch(tmp_path, photos=3, paintings=1)))
    return [Job(p.pair, plan.output, p.identity) for p in plan.todo]


def read_ahead() -> None:
    """Wait until the pairs ahead are in memory."""
    for future in worker.worker._pipeline._ahead.values():
        future.result()


def names(outcomes: tuple[Outcome, ...]) -> list[tuple[str, str]]:
    return [(outcome.name, outcome.status) for outcome in outcomes]


def test_a_pair_is_told_with_the_call_after_its_own_and_the_last_call_tells_all(jobs: list[Job]) -> None:
    first, second, third = jobs
    assert worker.run_pairs([first], [second]) == ()
    assert names(worker.run_pairs([second], [third])) == [("p0__s0", "done")]
    assert names(worker.run_pairs([third])) == [("p1__s0", "done"), ("p2__s0", "done")]


def test_an_end_is_told_ahead_of_the_answer_as_soon_as_the_record_is_written(
    tmp_path: Path, jobs: list[Job]
) -> None:
    told: list[tuple[str, bool]] = []
    link.connect(
        lambda _: None,
        lambda: False,
        lambda ended: told.append((ended.name, (tmp_path / f"out/{ended.name}.json").exists())),
    )
    try:
        assert worker.run_pairs([jobs[0]], [jobs[1]]) == ()
        for future in worker.worker._pipeline._behind:
            future.result()
        assert told == [("p0__s0", True)]
        worker.run_pairs([jobs[1]])
        assert told == [("p0__s0", True), ("p1__s0", True)]
    finally:
        link.connect(lambda _: None, lambda: False)


def test_the_pictures_are_those_of_pairs_made_alone(tmp_path: Path, jobs: list[Job]) -> None:
    for number, job in enumerate(jobs):
        worker.run_pairs([job], jobs[number + 1 : number + 2])
    alone = make_plan(load_manifest(manifest(tmp_path, output="alone")))
    for planned in alone.todo:
        worker.start("cpu")
        worker.run_pair(Job(planned.pair, alone.output, planned.identity))
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")


def test_a_small_picture_has_the_same_bytes_whatever_threads_there_are(
    tmp_path: Path, jobs: list[Job]
) -> None:
    before = torch.get_num_threads()
    made = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            worker.start("cpu")
            worker.run_pair(jobs[0])
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        made.append((tmp_path / "out/p0__s0.png").read_bytes())
        assert record(tmp_path, "p0__s0").device == "cpu (1 threads)"
        (tmp_path / "out/p0__s0.json").unlink()
    assert made[0] == made[1]


def test_a_larger_picture_is_computed_by_all_threads(tmp_path: Path) -> None:
    small_batch(tmp_path, photos=1, paintings=1)
    plan = make_plan(
        load_manifest(manifest(tmp_path, settings=f"encoder: slim, size: {SMALL_PX + 8}, steps: 1"))
    )
    (planned,) = plan.todo
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        worker.start("cpu")
        worker.run_pair(Job(planned.pair, plan.output, planned.identity))
    finally:
        torch.set_num_threads(before)
    assert record(tmp_path, "p0__s0").device == "cpu (3 threads)"


def test_the_next_pair_is_read_while_this_one_is_computed(tmp_path: Path, jobs: list[Job]) -> None:
    worker.run_pairs(jobs[:1], jobs[1:2])
    read_ahead()
    (tmp_path / "photos/p1.png").unlink()
    assert names(worker.run_pairs(jobs[1:2]))[-1] == ("p1__s0", "done")


def test_a_picture_that_cannot_be_read_ahead_is_its_own_pairs_failure(
    tmp_path: Path, jobs: list[Job]
) -> None:
    (tmp_path / "photos/p1.png").write_bytes(b"no photo")
    ended = []
    for number, job in enumerate(jobs):
        ended += names(worker.run_pairs([job], jobs[number + 1 : number + 2]))
    assert ended == [("p0__s0", "done"), ("p1__s0", "failed"), ("p2__s0", "done")]
    told = record(tmp_path, "p1__s0").failure
    assert told is not None
    assert (told.kind, told.phase, told.attempts) == ("bad_image", "read", 1)


def test_a_picture_that_cannot_be_written_behind_is_its_own_pairs_failure(
    tmp_path: Path, jobs: list[Job]
) -> None:
    (tmp_path / "out/p0__s0.png").mkdir(parents=True)
    assert worker.run_pairs(jobs[:1], jobs[1:2]) == ()
    ended = worker.run_pairs(jobs[1:2])
    assert names(ended) == [("p0__s0", "failed"), ("p1__s0", "done")]
    told = record(tmp_path, "p0__s0").failure
    assert told is not None
    assert told.phase == "write"


def test_a_pair_that_was_finished_meanwhile_is_skipped_and_keeps_its_files(
    tmp_path: Path, jobs: list[Job]
) -> None:
    worker.run_pair(jobs[1])
    before = tree(tmp_path / "out")
    worker.run_pairs(jobs[:1], jobs[1:2])
    assert names(worker.run_pairs(jobs[1:2])) == [("p0__s0", "done"), ("p1__s0", "skipped")]
    assert before.items() <= tree(tmp_path / "out").items()


def test_a_photo_that_changes_after_it_was_read_is_recorded_as_it_was_used(
    tmp_path: Path, jobs: list[Job]
) -> None:
    worker.run_pairs(jobs[:1], jobs[1:2])
    read_ahead()
    draw(tmp_path / "photos/p1.png", 9)
    worker.run_pairs(jobs[1:2])
    assert {p.pair.name: p.reason for p in make_plan(load_manifest(tmp_path / "m.yaml")).todo} == {
        "p1__s0": "content changed",
        "p2__s0": "new",
    }
