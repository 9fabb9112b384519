"""`stylize shards`: a division, what it follows from, and the lines that start it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_batch import draw, small_batch
from typer.testing import CliRunner, Result

from flows.cli.app import app


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A batch of 60 pairs in the working folder of the commands."""
    small_batch(tmp_path, photos=30)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shards(*options: str, manifest: str = "m.yaml") -> Result:
    return CliRunner().invoke(app, ["shards", manifest, *options])


def facts(*options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shards(*options, "--json").stdout)
    return found


def reported(home: Path, name: str, **numbers: float) -> None:
    (home / "out").mkdir(exist_ok=True)
    (home / "out" / name).write_text(json.dumps({"finished_at": "2026", **numbers}))


def test_a_given_time_of_a_pair_gives_shards_their_time_and_the_whole_its_price(home: Path) -> None:
    # 60 pairs of 5 minutes are 300 minutes: 17 shards are the nearest to 17.5 minutes each
    lines = shards("--slots", "1", "--seconds-per-pair", "300", "--cost-per-hour", "1.2").stdout.splitlines()
    assert lines == [
        "60 pairs to do",
        "300 s of a device per pair (given)",
        "17 shards of 17m39s",
        "about 5h on 1 slot",
        "about 6.00 at 1.2 per hour and slot",
        "one after the other, 0 to 16:  stylize run m.yaml --shard 0/17",
        "in a job array of 17 tasks, 0 to 16:  stylize run m.yaml --shard auto/17",
    ]


def test_the_time_of_a_pair_is_that_of_the_last_run_over_all_its_shards(home: Path) -> None:
    reported(home, "report-0-of-2.json", done=4, device_seconds=100.0)
    reported(home, "report-1-of-2.json", done=6, device_seconds=400.0)
    found = facts("--slots", "2", "--devices-per-slot", "4")
    assert (found["seconds_per_pair"], found["measured_by"]) == (50.0, "the last report")
    assert (found["pairs"], found["slots"], found["shards"]) == (60, 2, 6)
    assert found["minutes_per_shard"] == 60 * 50 / 4 / 60 / 6
    assert found["wall_s"] == 3 * found["minutes_per_shard"] * 60
    assert (found["cost"], found["pilot"]) == (None, "")


def test_where_nothing_was_measured_a_pilot_is_proposed(home: Path) -> None:
    found = facts("--slots", "3", "--cost-per-hour", "1")
    assert (found["shards"], found["measured_by"]) == (24, "nothing: a guess")
    assert (found["minutes_per_shard"], found["wall_s"], found["cost"]) == (None, None, None)
    assert found["pilot"] == "stylize run m.yaml --shard 0/3"
    assert "run a pilot, stylize run m.yaml --shard 0/3, and ask again" in shards("--slots", "3").stdout
    assert not (home / "out").exists(), "the command changes nothing"


@pytest.mark.slow
def test_what_the_pilot_took_is_what_the_command_goes_by(home: Path) -> None:
    pilot = facts("--slots", "3")["pilot"].split()
    assert CliRunner().invoke(app, pilot[1:]).exit_code == 0
    found = facts("--slots", "3")
    report = json.loads((home / "out/report-0-of-3.json").read_bytes())
    assert found["seconds_per_pair"] == report["device_seconds"] / report["done"]
    assert found["pairs"] == 60 - report["done"], "what the pilot made is done"


def test_a_manifest_with_spaces_is_quoted_and_one_with_nothing_to_do_starts_nothing(home: Path) -> None:
    (home / "m.yaml").rename(home / "my m.yaml")
    assert "stylize run 'my m.yaml' --shard auto/8" in shards("--slots", "1", manifest="my m.yaml").stdout
    empty = "version: 1\noutput: out\nallow_empty: true\ncontents: ['none/*']\nstyles: ['paintings/*']\n"
    (home / "empty.yaml").write_text(empty)
    assert shards("--slots", "1", manifest="empty.yaml").stdout == "0 pairs to do\n"


def test_it_says_what_bounds_a_division(home: Path) -> None:
    assert "60 shards of 5m, one for each pair" in shards("--slots", "9", "--seconds-per-pair", "300").stdout
    assert "16 shards of 3m45s, 8 for each slot" in shards("--slots", "2", "--seconds-per-pair", "60").stdout
    assert "2 shards of 30s, 1 for each slot" in shards("--slots", "2", "--seconds-per-pair", "1").stdout
    for number in range(30, 1001):
        draw(home / f"photos/p{number}.png", number, width=8, height=8)
    assert (
        "2000 shards of 20m1s, the most there are"
        in shards("--slots", "1", "--seconds-per-pair", "1200").stdout
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--slots", "0"], "--slots: 0 is not accepted"),
        (["--slots", "1", "--devices-per-slot", "-1"], "--devices-per-slot: -1 is not accepted"),
        (["--slots", "1", "--seconds-per-pair", "nan"], "--seconds-per-pair: nan is not accepted"),
        (["--slots", "1", "--cost-per-hour", "0"], "--cost-per-hour: 0 is not accepted"),
        (["--slots", "many"], "Invalid value for '--slots'"),
        ([], "Missing option '--slots'"),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_read(
    home: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.setattr("flows.cli.shards.make_plan", None)
    result = shards(*options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
