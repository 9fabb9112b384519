"""A night whose pictures are named by a list, by the command: a table here, lines of JSON in a bucket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from object_store import ObjectStore
from small_batch import draw, manifest, report, stylize, stylize_here

pytestmark = pytest.mark.slow
CPU = ("--device", "cpu", "--workers", "1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for number in range(2):
        draw(tmp_path / f"feed/photos/p{number}.png", number)
        draw(tmp_path / f"paintings/s{number}.png", 10 + number)
    return tmp_path


def entries(place: str) -> str:
    return f"contents: [{{list: '{place}'}}]\nstyles: ['paintings/*']"


def test_a_night_from_a_table_makes_what_its_good_lines_name_and_fails_for_the_bad_one(home: Path) -> None:
    feed = home / "feed/tonight.csv"
    feed.write_text("id,image,name\n1,photos/p0.png,\n2,https://host/p.png,\n3,photos/p1.png,harbour\n")
    path = manifest(home, entries("feed/tonight.csv"))
    done = stylize("run", path, *CPU)
    assert (done.returncode, done.stdout.partition("\n")[0]) == (
        3,
        "4 of 5 done (4 now, 0 before); 1 failed (bad_line 1)",
    ), done.stderr
    assert {made.stem for made in (home / "out").glob("*.png")} == {
        "p0__s0", "p0__s1", "harbour__s0", "harbour__s1",
    }  # fmt: skip
    (failure,) = report(home)["failures"]
    assert (failure["name"], failure["kind"]) == (f"{feed}:3", "bad_line")
    feed.write_text("id,image,name\n4,photos/p0.png,\n")
    again = stylize("run", path, *CPU)
    assert (again.returncode, again.stdout.partition("\n")[0]) == (0, "2 of 2 done (0 now, 2 before)")


def test_a_night_from_lines_of_json_in_a_bucket(home: Path, object_store: ObjectStore) -> None:
    for number in range(2):
        object_store.put(f"feed/photos/p{number}.png", (home / f"feed/photos/p{number}.png").read_bytes())
    secret = home / "feed/photos/p0.png"
    lines = [
        '{"image": "photos/p0.png", "score": 0.5}',
        '"photos/p1.png"',
        json.dumps({"image": str(secret)}),
    ]
    object_store.put("feed/tonight.jsonl", "\n".join(lines).encode())
    path = manifest(home, entries(f"{object_store.root}/feed/tonight.jsonl"))
    done = stylize_here("run", path, *CPU)
    assert (done.returncode, done.stdout.partition("\n")[0]) == (
        3,
        "4 of 5 done (4 now, 0 before); 1 failed (bad_line 1)",
    ), done.stderr
    (failure,) = report(home)["failures"]
    assert failure["name"] == f"{object_store.root}/feed/tonight.jsonl:3"
    assert "cannot name local files" in failure["message"]


def test_a_list_that_is_not_there_starts_nothing(home: Path) -> None:
    done = stylize("run", manifest(home, entries("feed/gone.csv")), *CPU)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"line 4: contents[0].list: {home}/feed/gone.csv does not exist; correct the path" in done.stderr
    assert not list((home / "out").glob("*.png"))
