"""A fleet whose shards are made in the test's own process: how a night is divided, counted and told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from small_batch import Audience, draw, manifest, report, run_inside, small_batch, tree

from flows.errors import BadArguments
from flows.fleet.run import Fleet, run_fleet
from flows.fleet.submissions import Ended
from flows.manifest.load import load_manifest
from flows.model.shard import Shard
from flows.records.report import Report
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage


@dataclass
class Pool:
    """Makes shards at once, instead of a work pool; some it loses.

    Attributes:
        submitted: the shards that it was asked for, in order.
        loses: which of them nobody makes.
        makes_lost: whether those are made all the same, and lost at their end.
        shown: the numbers of pairs that the fleet told after each shard.
    """

    path: Path
    submitted: list[Shard] = field(default_factory=list)
    loses: Callable[[Shard], bool] = lambda shard: False
    makes_lost: bool = False
    notes: list[str] = field(default_factory=list)
    shown: list[tuple[int, int]] = field(default_factory=list)

    def submit(self, shards: Iterable[Shard]) -> Iterator[Ended]:
        for shard in shards:
            self.submitted.append(shard)
            if self.loses(shard):
                if self.makes_lost:
                    run_inside(self.path, Audience(), shard=shard)
                yield Ended(shard, "Crashed", "out of memory", attempts=3, lost=True)
                continue
            ended = run_inside(self.path, Audience(), shard=shard)
            state = "Completed" if ended.exit_code == 0 else "PartialFailure"
            yield Ended(shard, state, ended.sentence(), attempts=1, lost=False)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def show(self, ended: int, expected: int) -> None:
        self.shown.append((ended, expected))

    def night(self, *, slots: int = 2, shards: int | None = 3, skip_failed: bool = False) -> Report:
        self.submitted.clear()
        self.notes.clear()
        return run_fleet(Fleet(load_manifest(str(self.path)), slots, shards, skip_failed), self.submit, self)


def test_all_shards_with_something_to_do_are_submitted_and_counted_from_records(tmp_path: Path) -> None:
    pool = Pool(small_batch(tmp_path, photos=3, paintings=2))
    night = pool.night()
    assert (night.done, night.done_before, night.failed, night.left, night.exit_code) == (6, 0, 0, 0, 0)
    assert {shard.count for shard in pool.submitted} == {3}
    assert pool.shown[-1] == (6, 6)
    assert report(tmp_path)["done"] == 6, "the fleet's report is that of the whole"
    shards = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("report-*.json")]
    assert night.device_seconds == pytest.approx(sum(shard["device_seconds"] for shard in shards))
    assert night.machine_seconds == pytest.approx(sum(shard["seconds"] for shard in shards))
    again = pool.night()
    assert pool.submitted == []
    assert (again.done, again.done_before, again.exit_code) == (0, 6, 0)


def test_new_pictures_alone_are_asked_for_and_only_their_shards(tmp_path: Path) -> None:
    pool = Pool(small_batch(tmp_path, photos=2, paintings=2))
    pool.night()
    before = tree(tmp_path / "out")
    draw(tmp_path / "photos/new.png", 40)
    night = pool.night(shards=50)
    assert (night.done, night.done_before) == (2, 4)
    assert len(pool.submitted) == 2
    after = tree(tmp_path / "out")
    assert {name: after[name] for name in before} == before


def test_a_shard_that_was_lost_is_left_and_the_reason_is_told(tmp_path: Path) -> None:
    pool = Pool(small_batch(tmp_path, photos=3, paintings=2))
    pool.night(shards=1)  # to see how the pairs are divided, nothing depends on it
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    pool.loses = lambda shard: shard == pool.submitted[0]
    night = pool.night()
    assert night.left > 0
    assert night.done + night.left == 6
    assert (night.end, night.exit_code) == ("stopped", 4)
    assert f"shard {pool.submitted[0]} was lost 3 times (out of memory)" in night.sentence()


def test_what_was_made_counts_although_its_flow_run_crashed(tmp_path: Path) -> None:
    pool = Pool(small_batch(tmp_path, photos=3, paintings=2), loses=lambda shard: True, makes_lost=True)
    night = pool.night()
    assert (night.done, night.left, night.end, night.exit_code) == (6, 0, "finished", 0)
    assert any("Crashed: out of memory" in note for note in pool.notes)


def test_failures_of_tonight_count_and_those_that_nobody_tried_again_do_not(tmp_path: Path) -> None:
    pool = Pool(small_batch(tmp_path, photos=3, paintings=1))
    (tmp_path / "photos/p1.png").write_text("no photo")
    night = pool.night()
    assert (night.done, night.failed, night.left, night.exit_code) == (2, 1, 0, 3)
    assert [one.kind for one in night.failures] == ["bad_image"]
    pool.loses = lambda shard: True
    second = pool.night()
    assert (second.failed, second.left, second.exit_code) == (0, 1, 4), "an old failure is no new one"
    skipped = pool.night(skip_failed=True)
    assert (skipped.failed, skipped.left, skipped.exit_code) == (1, 0, 3)
    assert pool.submitted == []


def test_a_finished_picture_whose_input_is_gone_fails_tonight_and_stays(tmp_path: Path) -> None:
    entries = "contents: [photos/p0.png, photos/p1.png]\nstyles: ['paintings/*']"
    small_batch(tmp_path, photos=2, paintings=2)
    pool = Pool(manifest(tmp_path, entries))
    assert pool.night().exit_code == 0
    made = tree(tmp_path / "out")
    (tmp_path / "photos/p1.png").unlink()
    night = pool.night()
    assert (night.done_before, night.failed, night.left, night.exit_code) == (2, 2, 0, 3)
    assert [(one.name, one.kind) for one in sorted(night.failures, key=lambda one: one.name)] == [
        ("p1__s0", "not_found"), ("p1__s1", "not_found")
    ]  # fmt: skip
    assert tree(tmp_path / "out") == made


def test_the_division_of_those_at_work_is_kept(tmp_path: Path) -> None:
    pool = Pool(small_batch(tmp_path, photos=3, paintings=2))
    free = next(index for index in range(7) if not any(Shard(index, 7).holds(name) for name in names(pool)))
    with hold_output(open_storage(str(tmp_path / "out")), Shard(free, 7)):
        assert pool.night(shards=None).done == 6
    assert {shard.count for shard in pool.submitted} == {7}


def test_where_nothing_was_measured_a_pilot_goes_first_and_the_next_night_needs_none(tmp_path: Path) -> None:
    pool = Pool(small_batch(tmp_path, photos=10, paintings=2))
    night = pool.night(slots=1, shards=None)
    assert night.done == 20
    assert any("goes first, as a pilot" in note for note in pool.notes)
    draw(tmp_path / "photos/new.png", 40)
    assert pool.night(slots=1, shards=None).done == 2
    assert not any("pilot" in note for note in pool.notes)


def test_contact_sheets_are_drawn_once_all_shards_have_ended(tmp_path: Path) -> None:
    small_batch(tmp_path, photos=1, paintings=1)
    sweep = "sweep: {style_weight: [50, 100, 200]}"
    pool = Pool(manifest(tmp_path, f"contents: ['photos/*']\nstyles: ['paintings/*']\n{sweep}"))
    assert pool.night().done == 3
    assert len(list((tmp_path / "out").rglob("*sheet*"))) == 1


@pytest.mark.parametrize("shards", [0, -3, 2001])
def test_a_division_that_cannot_be_is_refused_by_its_name(shards: int, tmp_path: Path) -> None:
    pool = Pool(small_batch(tmp_path))
    with pytest.raises(BadArguments, match=f"shards: {shards} is not accepted; it must be from 1 to 2000"):
        pool.night(shards=shards)
    assert pool.submitted == []


def test_an_empty_night_submits_nothing_and_is_a_good_one(tmp_path: Path) -> None:
    small_batch(tmp_path)
    pool = Pool(manifest(tmp_path, "contents: ['photos/*.tif']\nstyles: ['paintings/*']\nallow_empty: true"))
    assert (pool.night().exit_code, pool.submitted) == (0, [])


def names(pool: Pool) -> list[str]:
    """All pairs of the pool's manifest."""
    return [f"p{photo}__s{painting}" for photo in range(3) for painting in range(2)]
