from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from closed_folders import close
from object_store import ObjectStore
from stub_output import BROKEN, HOSTILE, LARGE, Made, leave_output

from flows.manifest.load import load_manifest
from flows.model.shard import Shard
from flows.pages.gathering import planned_entries, recorded_entries
from flows.pages.previews import Bounds, edge_for, previews_of
from flows.pages.report import Asked, report_page
from flows.pages.targets import find_target
from flows.planning.plan import make_plan
from flows.storage.base import Storage

ALL = Bounds(10_000)


@dataclass(frozen=True)
class Page:
    text: str

    @property
    def data(self) -> dict[str, Any]:
        return dict(json.loads(self.block("data")))

    def block(self, name: str) -> str:
        (found,) = re.findall(
            f'<script type="application/json" id="{name}">(.*?)</script>', self.text, re.DOTALL
        )
        return str(found)

    @property
    def pictures(self) -> Mapping[str, str]:
        return previews_of(self.text.encode())[1]

    def pair(self, name: str) -> dict[str, Any]:
        (found,) = [pair for pair in self.data["pairs"] if pair["name"] == name]
        return dict(found)


def page_of(made: Made, asked: Asked | None = None) -> Page:
    gathered = planned_entries(make_plan(load_manifest(made.manifest)), made.storage)
    page = report_page(gathered, made.storage, asked or Asked("m.yaml", ALL))
    assert page is not None
    return Page(page.decode())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Four contents in three styles: one content is broken, one pair too large, one record damaged."""
    return leave_output(tmp_path_factory.mktemp("made"), contents=4, styles=3, too_large_for=1)


@pytest.fixture(scope="module")
def page(made: Made) -> Page:
    return page_of(made)


def test_every_pair_is_there_with_its_state_and_place(page: Page) -> None:
    data = page.data
    assert len(data["pairs"]) == 12
    assert {one["name"] for one in data["rows"]} == {"c003", BROKEN, LARGE, HOSTILE}
    assert [one["name"] for one in data["columns"]] == ["s000", "s001", "s002"]
    assert sorted(pair["state"] for pair in data["pairs"]) == [0] * 7 + [1] * 5
    places = {(pair["row"], pair["column"]) for pair in data["pairs"]}
    assert places == {(row, column) for row in range(4) for column in range(3)}
    assert "7 of 12 pictures made, 5 failed." in page.text


def test_a_pair_says_how_it_was_made(page: Page) -> None:
    pair = page.pair("c003__s001")
    texts = page.data["texts"]
    assert page.data["settings"][pair["settings"]] == {"size": "240"}
    assert texts[pair["device"]] == "cuda:0 (a GPU)"
    assert [texts[number] for number in pair["decisions"]] == [
        "computed in bf16, as the device is fastest so"
    ]
    assert (pair["curve"][0], pair["curve"][-1]) == (90.0, 1.488)
    assert pair["timings"] == {"read": "0.05 s", "targets": "0.2 s", "optimise": "2.5 s", "encode": "0.03 s"}
    assert (pair["memory"], pair["batch"], pair["evaluations"]) == (2 * 2**30, 4, 120)
    assert (pair["file"], pair["record"]) == ("c003__s001.png", "c003__s001.json")


def test_failures_come_before_the_pictures_grouped_by_kind_and_input_with_what_to_do(page: Page) -> None:
    failures = page.text[page.text.index("What failed") : page.text.index('id="pictures-heading"')]
    kinds = re.findall(r'class="tag">(\w+)<.*?class="number">([^<]+)<', failures)
    assert kinds == [("bad_image", "3 pairs"), ("out_of_memory", "1 pair"), ("unreadable_record", "1 pair")]
    groups = re.findall(r"<h3>(\w+)", failures)
    assert groups[0] == BROKEN
    assert failures.count("this is an HTML page") == 1, "one content, three pairs, one message"
    assert failures.count("What to do.") == 3
    assert "<code>size</code>" in failures


def test_a_record_that_nobody_can_read_is_listed_and_not_hidden(made: Made, page: Page) -> None:
    (damaged,) = [pair for pair in page.data["pairs"] if "it is cut short" in pair.get("message", "")]
    assert damaged["state"] == 1
    assert made.storage.uri(damaged["record"]) in damaged["message"]


def test_contents_and_styles_stand_in_the_margins_and_what_was_never_decoded_does_not(page: Page) -> None:
    data = page.data
    assert all(column["picture"] in page.pictures for column in data["columns"])
    with_picture = {row["name"] for row in data["rows"] if "picture" in row}
    assert with_picture == {"c003", LARGE, HOSTILE}
    assert all(pair["picture"] in page.pictures for pair in data["pairs"] if pair["state"] == 0)


def test_no_name_becomes_html(page: Page) -> None:
    assert HOSTILE in {row["name"] for row in page.data["rows"]}
    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    blocks = re.findall(r"<script[^>]*>", page.text)
    assert len(blocks) == 4, "facts, data, pictures and the script itself"


def test_hostile_names_in_failures_and_notes_are_escaped(made: Made) -> None:
    gathered = planned_entries(made.plan, made.storage)
    hostile = replace(gathered.entries[0], name=HOSTILE, state="failed", kind=HOSTILE, message=HOSTILE)
    page = report_page(
        replace(gathered, entries=(hostile,), notes=(HOSTILE,)), made.storage, Asked(HOSTILE, ALL)
    )
    assert page is not None
    assert b"<script>alert" not in page
    assert page.count(b"&lt;script&gt;alert(1)&lt;img src=x") >= 5


def test_the_page_names_no_place_outside_and_forbids_every_one(page: Page) -> None:
    text = page.text.replace("http://www.w3.org/2000/svg", "a name, and no place")
    assert not re.findall(r"(?:https?|wss?|ftp)://", text)
    assert not re.findall(r"""(?:src|href|action|data|poster)=["']?//""", text)
    assert not re.findall(r"@import|url\(|fetch\(|XMLHttpRequest|sendBeacon", text)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page.text)
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["script-src"].startswith("'sha256-")


def test_the_next_page_takes_its_small_pictures_from_the_one_before(made: Made, page: Page) -> None:
    nothing = Bounds(0)
    first = page_of(made, Asked("m.yaml", nothing))
    assert not first.pictures
    assert "11 pictures have no preview yet" not in page.text
    assert (
        "pictures have no preview yet: `stylize report`"
        in page_of(made, Asked("m", nothing, again="`stylize report`")).text
    )
    second = page_of(made, Asked("m.yaml", nothing, before=page.text.encode()))
    assert second.pictures == page.pictures
    spoiled = page.text.replace('"UklGR', '"><script>UklGR').encode()
    assert not page_of(made, Asked("m.yaml", nothing, before=spoiled)).pictures


def test_a_picture_that_is_not_the_recorded_one_is_not_shown_as_it(tmp_path: Path) -> None:
    made = leave_output(tmp_path, contents=4, styles=1, unreadable=0)
    name = "c003__s000.png"
    made.storage.write(name, made.storage.read(name) + b"x")
    page = page_of(made)
    assert "picture" not in page.pair("c003__s000")
    assert "it is not the file any more that the record speaks of" in page.text


def test_pictures_get_smaller_where_there_are_many() -> None:
    edges = [edge_for(count) for count in (10, 224, 1000, 3000, 10_200, 100_000)]
    assert edges == sorted(edges, reverse=True)
    assert edges[0] > 3 * edges[-1] > 0


def test_a_maker_that_is_told_to_end_leaves_no_page(made: Made) -> None:
    gathered = planned_entries(made.plan, made.storage)
    assert report_page(gathered, made.storage, Asked("m.yaml", Bounds(100, lambda: False))) is None


def test_failed_pairs_stay_on_a_page_that_cannot_have_all(made: Made) -> None:
    gathered = planned_entries(made.plan, made.storage, most=5)
    assert [entry.state for entry in gathered.entries].count("failed") == 4
    assert gathered.counts == {"done": 8, "failed": 4, "todo": 0} or sum(gathered.counts.values()) == 12
    (note,) = gathered.notes
    assert note.startswith("7 further pairs not on this page")


def test_who_was_busy_when_is_drawn_for_each_worker(page: Page) -> None:
    assert re.findall(r"<b>(worker \d)</b>", page.text) == ["worker 0", "worker 1"]
    assert "6 pairs, " in page.text
    assert page.text.count('class="hurt"') >= 2


def test_figures_say_how_fast_it_was_and_what_it_cost(made: Made) -> None:
    page = page_of(made, Asked("m.yaml", Bounds(0), cost_per_hour=3.0))
    found = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page.text))
    assert found["Throughput"] == "1,200 / h"  # 8 pictures in 24 s
    assert found["Duration"] == "24 s"
    assert found["Device-hours"] == "0.0133"
    assert found["Cost"] == "0.02"
    assert found["Peak memory"] == "2.15 GB"


def test_an_output_is_shown_by_its_records_alone_whoever_planned_it(made: Made) -> None:
    target = find_target(made.plan.output)
    assert target.plan is None
    assert len(target.gathered.entries) == 12
    page = report_page(target.gathered, target.storage, Asked(target.title, ALL))
    assert page is not None
    assert len(previews_of(page)[1]) == len(page_of(made).pictures)


def test_what_is_to_do_says_why(tmp_path: Path) -> None:
    made = leave_output(tmp_path, contents=4, styles=1, unreadable=0)
    Path(made.plan.output, "c003__s000.png").unlink()
    made.manifest.write_text(made.manifest.read_text().replace("size: 240", "size: 200"))
    page = page_of(made)
    assert page.pair("c003__s000")["message"] == "settings: size 240 -> 200"
    assert "1 of 4" not in page.text
    assert "2 to do" in page.text


def test_a_page_of_a_shard_has_its_pairs_alone(made: Made) -> None:
    parts = [find_target(str(made.manifest), shard=Shard(index, 3)) for index in range(3)]
    names = [entry.name for part in parts for entry in part.gathered.entries]
    assert len(names) == len(set(names)) == 12


def test_an_output_on_s3_gives_the_same_page(tmp_path: Path, object_store: ObjectStore) -> None:
    made = leave_output(tmp_path, contents=4, styles=2, output=f"{object_store.root}/out")
    page = page_of(made)
    assert page.data["base"] == ""
    local = leave_output(tmp_path, contents=4, styles=2, output="local")
    assert page.pictures == page_of(local).pictures
    assert len(page.pictures) > 4


def test_json_that_is_no_record_is_said_and_not_shown(made: Made, tmp_path: Path) -> None:
    storage: Storage = leave_output(tmp_path, contents=4, styles=1).storage
    storage.write("notes.json", b'{"mine": 1}')
    gathered = recorded_entries(storage)
    assert len(gathered.entries) == 4
    assert gathered.notes == ("1 JSON file in this folder is no record",)


def test_a_folder_that_nobody_may_look_into_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage: Storage = leave_output(tmp_path, contents=4, styles=1).storage
    (Path(storage.root) / "lost+found").mkdir()
    close(Path(storage.root) / "lost+found", monkeypatch)
    gathered = recorded_entries(storage)
    assert len(gathered.entries) == 4
    assert gathered.notes == ("lost+found/ cannot be looked into",)
