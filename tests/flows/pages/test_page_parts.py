from __future__ import annotations

from collections.abc import Iterator

import pytest

import flows.errors
import stylize_core.errors
from flows.model.shard import Shard
from flows.pages.entries import Entry, Shown, thinned
from flows.pages.failures import grouped
from flows.pages.figures import figures
from flows.pages.grid import grid_of
from flows.pages.previews import previews_of
from flows.pages.remedies import REMEDIES
from flows.pages.timeline import BUCKETS, timeline
from flows.pages.wording import short_names
from flows.records.trace import TraceRow
from stylize_core.errors import StylizeError


def kinds_of(base: type[Exception]) -> Iterator[str]:
    yield vars(base).get("kind", "")
    for child in base.__subclasses__():
        yield from kinds_of(child)


def test_every_kind_of_failure_that_costs_a_pair_has_a_remedy() -> None:
    never_a_pairs_own = {"", "error", "manifest", "arguments", "already_running", "stopped"}
    kinds = {*kinds_of(flows.errors.BatchError), *kinds_of(stylize_core.errors.StylizeError)}
    kinds |= {"unfinished", "internal", "bad_name", "bad_line"}
    assert kinds - never_a_pairs_own - REMEDIES.keys() == set()
    assert StylizeError.kind in never_a_pairs_own


def test_variants_of_a_sweep_stand_in_columns_of_their_own_beside_one_another() -> None:
    content, waves, sand = Shown("/c.jpg"), Shown("/waves.jpg"), Shown("/sand.jpg")
    entries = [
        Entry(f"{style.uri}{size}", "done", content=content, styles=(style,), settings=(("size", size),))
        for size in ("64", "128")
        for style in (waves, sand)
    ]
    grid = grid_of(entries)
    assert [(one.name, one.variant) for one in grid.columns] == [
        ("waves", "size 64"), ("waves", "size 128"), ("sand", "size 64"), ("sand", "size 128"),
    ]  # fmt: skip
    assert grid.places == ((0, 0), (0, 2), (0, 1), (0, 3))
    assert grid.full


def test_pairs_that_nothing_tells_apart_but_their_names_have_places_of_their_own() -> None:
    entries = [Entry(name, "done", content=Shown("/c.jpg"), styles=(Shown("/s.jpg"),)) for name in "abc"]
    assert len(set(grid_of(entries).places)) == 3


def test_pairs_without_a_content_or_a_style_have_a_place_and_a_loose_grid_is_a_list() -> None:
    entries = [
        Entry("texture", "done", styles=(Shown("/s.jpg"),)),
        Entry("dream", "done", content=Shown("/c.jpg")),
    ]
    grid = grid_of(entries)
    assert {one.name for one in grid.rows} == {"no content", "c"}
    assert {one.name for one in grid.columns} == {"s", "no style"}
    loose = [
        Entry(str(n), "done", content=Shown(f"/{n}.jpg"), styles=(Shown(f"/s{n}.jpg"),)) for n in range(9)
    ]
    assert not grid_of(loose).full


def test_what_no_pair_could_be_made_of_has_a_row_by_its_name() -> None:
    refused = [Entry(f"list.csv:{line}", "failed", "bad_line", "names no picture") for line in (2, 7)]
    grid = grid_of(refused)
    assert [one.name for one in grid.rows] == ["list.csv:2", "list.csv:7"]
    assert [one.name for one in grid.columns] == ["no style"]


def test_failures_of_one_picture_are_one_thing_to_mend() -> None:
    def failed(name: str, content: str, message: str, kind: str = "bad_image") -> Entry:
        return Entry(name, "failed", kind, message, Shown(content), (Shown("/waves.jpg"),))

    entries = [
        *(failed(f"a{n}", "/a.jpg", "/a.jpg: cut off") for n in range(3)),
        failed("b", "/b.jpg", "/b.jpg: no picture"),
        *(failed(f"c{n}", f"/c{n}.jpg", "/waves.jpg: cut off") for n in range(5)),
        failed("d", "/d.jpg", "gone", "crashed"),
    ]
    names = short_names(["/waves.jpg", *(entry.content.uri for entry in entries if entry.content)])
    first, second = grouped(entries, names)
    assert (first.kind, first.count, second.kind) == ("bad_image", 9, "crashed")
    assert [(group.about, group.count) for group in first.groups] == [("waves", 5), ("a", 3), ("b", 1)]


def row(worker: int, second: float, seconds: float = 1.0, state: str = "done") -> TraceRow:
    started = f"2026-11-28T22:00:{second:06.3f}+00:00"
    return TraceRow(f"p{second}", worker, "cuda:0", started, seconds, None, 10, state)


def test_a_workers_time_is_counted_once_however_many_pairs_share_it() -> None:
    batch = [row(0, 0.0, 4.0), row(0, 0.0, 4.0), row(0, 5.0, 5.0, "failed")]
    found = timeline({Shard(): batch})
    assert found is not None
    (lane,) = found.lanes
    assert (lane.pairs, lane.busy_s, found.seconds) == (3, 9.0, 10.0)
    assert lane.bars == [(0, 96, 10), (120, 120, 10)]
    assert lane.failures == [BUCKETS - 1]
    assert found.busy == pytest.approx(0.9)


def test_workers_of_all_shards_have_a_line_and_nothing_is_drawn_of_nothing() -> None:
    found = timeline({Shard(1, 2): [row(0, 3.0)], Shard(0, 2): [row(1, 1.0), row(0, 0.0)]})
    assert found is not None
    assert [lane.name for lane in found.lanes] == [
        "shard 0/2, worker 0", "shard 0/2, worker 1", "shard 1/2, worker 0",
    ]  # fmt: skip
    assert timeline({}) is None
    assert timeline({Shard(): [TraceRow("p", 0, "", "", None, None, None, "failed")]}) is None


def test_figures_of_a_report_that_no_run_wrote_are_left_out() -> None:
    for broken in (
        {},
        {"done": "many", "seconds": None},
        {"done": True, "seconds": -1},
        {"seconds": float("nan")},
    ):
        assert figures(broken, [], cost_per_hour=2.0) == []


@pytest.mark.parametrize("page", [
    b"", b"<html>", b'<script type="application/json" id="pictures">[]</script>',
    b'<script type="application/json" id="pictures">{"px":"a","of":{"a":"UklGRabc"}}</script>',
    b'<script type="application/json" id="pictures">{"px":96,"of":[1]}</script>',
])  # fmt: skip
def test_pictures_of_something_else_are_not_taken_over(page: bytes) -> None:
    assert previews_of(page) == (0, {})


def test_a_curve_shows_how_low_the_loss_came_and_not_what_was_tried_on_the_way() -> None:
    curve = thinned([100.0 / (1 + at) if at % 7 else 1e6 for at in range(200)])
    assert len(curve) <= 42
    assert max(curve[1:-1]) < 101
