"""What a run leaves beside its report: a page and a trace, neither of which can make it fail."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from small_batch import Audience, manifest, run_inside, small_batch

from flows.manifest.load import load_manifest
from flows.model.shard import Shard
from flows.pages.gathering import planned_entries
from flows.pages.previews import previews_of
from flows.planning.plan import make_plan
from flows.planning.selecting import without_failed
from flows.storage.opening import open_storage

MINE = b"mine\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path, photos=2, paintings=1)
    return tmp_path


def trace(home: Path, name: str = "trace.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((home / "out" / name).read_text(encoding="utf-8"))))


def pairs(home: Path) -> list[dict[str, Any]]:
    text = (home / "out/report.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'id="data">(.*?)</script>', text, re.DOTALL)
    return list(json.loads(data)["pairs"])


def test_a_run_ends_with_a_page_and_a_trace_of_its_pairs(home: Path) -> None:
    (home / "photos/p1.png").write_bytes(b"no picture")
    assert run_inside(manifest(home), Audience()).exit_code == 3
    rows = {row["pair"]: row for row in trace(home)}
    assert {name: row["state"] for name, row in rows.items()} == {"p0__s0": "done", "p1__s0": "failed"}
    made = rows["p0__s0"]
    assert (made["worker"], made["evaluations"], made["kind"]) == ("0", "5", "")
    assert made["device"].startswith("cpu")
    assert float(made["seconds"]) > 0
    assert rows["p1__s0"]["kind"] == "bad_image"
    assert {pair["name"]: pair["state"] for pair in pairs(home)} == {"p0__s0": 0, "p1__s0": 1}
    assert len(previews_of((home / "out/report.html").read_bytes())[1]) == 3, "photo, painting and result"


def test_a_run_with_nothing_to_do_leaves_both_and_one_with_more_draws_what_is_new(home: Path) -> None:
    run_inside(manifest(home, "contents: [photos/p0.png]\nstyles: ['paintings/*']"), Audience())
    before = {name: (home / "out" / name).read_bytes() for name in ("report.html", "trace.csv")}
    run_inside(manifest(home, "contents: [photos/p0.png]\nstyles: ['paintings/*']"), Audience())
    assert {name: (home / "out" / name).read_bytes() for name in before} == before
    run_inside(manifest(home), Audience())
    assert [row["pair"] for row in trace(home)] == ["p1__s0"]
    assert {pair["name"] for pair in pairs(home)} == {"p0__s0", "p1__s0"}
    after = (home / "out/report.html").read_bytes()
    first, both = previews_of(before["report.html"])[1], previews_of(after)[1]
    assert first.items() <= both.items()


def test_what_is_not_tried_again_keeps_its_place_on_the_page(home: Path) -> None:
    (home / "photos/p1.png").write_bytes(b"no picture")
    path = manifest(home)
    run_inside(path, Audience())
    plan = without_failed(make_plan(load_manifest(path)))
    (refused, made) = planned_entries(plan, open_storage(plan.output)).entries
    assert (made.name, refused.name, refused.kind) == ("p0__s0", "p1__s0", "bad_image")
    assert refused.content is not None
    assert refused.content.uri.endswith("p1.png")


def test_a_page_that_cannot_have_all_counts_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = partial(planned_entries, most=1)
    monkeypatch.setattr("flows.running.looking.page.planned_entries", small)
    run_inside(manifest(home), Audience())
    text = (home / "out/report.html").read_text(encoding="utf-8")
    assert "All 2 pictures made." in text
    assert "1 further pair not on this page" in text


def test_a_manifest_may_do_without_a_page(home: Path) -> None:
    run_inside(manifest(home, "html: false\ncontents: ['photos/*']\nstyles: ['paintings/*']"), Audience())
    assert not (home / "out/report.html").exists()
    assert len(trace(home)) == 2


def test_a_shard_leaves_its_own_trace_and_no_page(home: Path) -> None:
    for index in range(2):
        run_inside(manifest(home), Audience(), shard=Shard(index, 2))
    rows = [row for index in range(2) for row in _rows(home, f"trace-{index}-of-2.csv")]
    assert sorted(row["pair"] for row in rows) == ["p0__s0", "p1__s0"]
    assert not list((home / "out").glob("*.html"))


def _rows(home: Path, name: str) -> list[dict[str, str]]:
    return trace(home, name) if (home / "out" / name).exists() else []


def test_somebody_elses_files_of_these_names_are_kept_and_told(home: Path) -> None:
    (home / "out").mkdir()
    for name in ("report.html", "trace.csv"):
        (home / "out" / name).write_bytes(MINE)
    audience = Audience()
    assert run_inside(manifest(home), audience).exit_code == 0
    assert {(home / "out" / name).read_bytes() for name in ("report.html", "trace.csv")} == {MINE}
    told = sorted(note.rpartition("/")[2] for note in audience.notes)
    assert told == [
        "report.html is no page of stylize, so none is written",
        "trace.csv is no trace of stylize, so none is written",
    ]


def test_no_run_fails_because_its_page_does(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError("a fault of the page")

    monkeypatch.setattr("flows.pages.report.render", broken)
    audience = Audience()
    assert run_inside(manifest(home), audience).exit_code == 0
    assert audience.notes == ["the page report.html was not made: a fault of the page"]
    assert not (home / "out/report.html").exists()


def test_neither_is_taken_for_an_input(home: Path) -> None:
    run_inside(manifest(home), Audience())
    again = manifest(home, "allow_empty: true\ncontents: ['out/*', 'photos/*']\nstyles: ['paintings/*']")
    plan = make_plan(load_manifest(again))
    assert (plan.counts["planned"], plan.counts["done"], plan.refused) == (2, 2, ())
    (home / "out/trace.csv").write_bytes(MINE)
    assert make_plan(load_manifest(again)).counts["planned"] == 3, "what is not ours is somebody's input"
