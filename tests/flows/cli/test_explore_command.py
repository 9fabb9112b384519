"""`stylize explore`: one pair in many looks, and the settings of each."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import yaml
from PIL import Image
from processes import eventually
from small_batch import (
    Audience,
    draw,
    manifest,
    run_inside,
    stylize,
    stylize_family,
    stylize_here,
    written_at,
)
from typer.testing import CliRunner, Result

from flows.cli.app import app
from flows.records.record import Record

QUICK = ("--size", "48", "-s", "steps=3", "--device", "cpu")
FEW = (*QUICK, "-s", "style_weight=50")
"""Three scales and a row for the colour: four cells."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photograph and a painting in the working folder."""
    draw(tmp_path / "photo.png", 1)
    draw(tmp_path / "painting.png", 2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*options: str) -> Result:
    return CliRunner().invoke(app, ["explore", "photo.png", "painting.png", *options])


def refusal(*options: str) -> tuple[int, list[str]]:
    """The exit code of a command that makes nothing, and the lines that it says."""
    result = command(*options)
    assert result.stdout == ""
    return result.exit_code, result.stderr.splitlines()


@pytest.mark.slow
def test_a_sheet_is_made_and_what_is_printed_makes_the_picture_of_each_cell_again(home: Path) -> None:
    done = stylize("explore", home / "photo.png", home / "painting.png", "-o", home / "looks.png", *QUICK)
    assert done.returncode == 0, done.stderr
    head, _, *lines = done.stdout.splitlines()
    assert head.startswith(f"# {home}/looks.png: ")
    assert list(yaml.safe_load(done.stdout)) == [line.partition(":")[0] for line in lines]
    cells = dict(line.split(": ", 1) for line in lines)
    assert list(cells) == [f"{row}{at}" for row in "ABCD" for at in range(1, 5)]
    with Image.open(home / "looks.png") as sheet:
        assert sheet.width > 4 * 48
    for label in ("A1", "B4", "D2", "D4"):
        pair = f"pairs: [{{content: photo.png, style: painting.png, name: {label}}}]"
        path = manifest(home, pair, settings=cells[label].strip("{}"), output="again")
        assert run_inside(path, Audience()).done == 1
        assert (home / f"again/{label}.png").read_bytes() == (home / f"looks/{label}.png").read_bytes()
    assert "[16/16] " in done.stderr


@pytest.mark.slow
def test_a_second_time_only_what_is_new_is_made(home: Path) -> None:
    first = command(*FEW)
    assert first.exit_code == 0, first.stderr
    assert sorted(path.name for path in home.iterdir()) == [
        "explore",
        "explore.png",
        "painting.png",
        "photo.png",
    ]
    before, sheet = written_at(home / "explore"), (home / "explore.png").stat().st_mtime_ns
    again = command(*FEW)
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert written_at(home / "explore") == before
    assert (home / "explore.png").stat().st_mtime_ns == sheet
    more = command(*FEW, "-s", "seed=5", "-s", "init=noise", "--json")
    assert more.exit_code == 0, more.stderr
    facts = json.loads(more.stdout)
    assert (facts["sheet"], facts["folder"], facts["failed"]) == ("explore.png", "explore", {})
    assert facts["cells"]["A3"] == {
        "style_scale": 2.0, "style_weight": 50.0, "size": 48, "steps": 3, "seed": 5, "init": "noise",
    }  # fmt: skip
    told = Record.parse((home / "explore/A3.json").read_bytes())
    assert told.ingredients is not None
    assert told.ingredients.settings["seed"] == 5
    assert (home / "explore.png").stat().st_mtime_ns != sheet


def test_a_picture_that_is_none_is_told_once_and_leaves_no_sheet(home: Path) -> None:
    (home / "photo.png").write_text("no photo")
    code, said = refusal(*FEW)
    assert code == 3
    assert len([line for line in said if "photo.png" in line]) == 1
    assert said[-1] == "0 of 4 done (0 now, 0 before); 4 failed (bad_image 4)"
    assert not (home / "explore.png").exists()


def test_a_picture_that_is_not_there_is_named_and_nothing_begins(home: Path) -> None:
    (home / "painting.png").unlink()
    told = f"{home}/painting.png does not exist; correct the path"
    assert refusal(*FEW) == (2, [told])
    assert not (home / "explore").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "a.jpg"), "output: 'a.jpg' is not accepted; its name must end in .png"),
        (("-o", "s3://bucket/a.png"), "it must be a local file"),
        (("-o", "photo.png"), "photo.png is an input and would be replaced; name another sheet with -o"),
        (("-s", "stepz=5"), "settings.stepz: unknown key; did you mean `steps`?"),
        (("-s", "steps"), "write it as key=value"),
        (("--size", "64", "-s", "size=64"), "it is set twice"),
        (("--size", "3"), "settings.size: '3' is not accepted"),
        (("-s", "mode=dream"), "leave `mode` out"),
        (("--device", "tpu"), "device: 'tpu'"),
    ],
)
def test_wrong_arguments_get_one_line(home: Path, options: tuple[str, ...], words: str) -> None:
    before = (home / "photo.png").read_bytes()
    code, said = refusal(*options)
    assert code == 2
    (line,) = [line for line in said if line != "checking inputs"]
    assert words in line
    assert (home / "photo.png").read_bytes() == before


def test_somebody_elses_file_is_replaced_only_where_it_is_named(home: Path) -> None:
    draw(home / "explore.png", 9)
    before = (home / "explore.png").read_bytes()
    told = "explore.png is there, and stylize did not make it; move it away, or name the sheet with -o"
    assert refusal(*FEW) == (2, [told])
    assert (home / "explore.png").read_bytes() == before
    assert not (home / "explore").exists()
    assert command(*FEW, "-o", "explore.png").exit_code == 0
    assert (home / "explore.png").read_bytes() != before


@pytest.mark.slow
def test_ctrl_c_ends_it_in_order_and_the_next_time_goes_on(home: Path) -> None:
    pictures = (home / "photo.png", home / "painting.png")
    options = ("-o", home / "e.png", "--device", "cpu", "--size", "64", "-s", "steps=30")
    with stylize_family("explore", *pictures, *options) as program:
        program.wait_for("[1/16]")
        program.signal(signal.SIGINT)
        assert program.end() == 130
        assert program.members("spawn_main") == [], "a worker is left over"
        # Python's own tracker of shared resources ends only when it sees that the program has.
        assert eventually(lambda: not program.members())
    assert not (home / "e.png").exists()
    made = {path: at for path, at in written_at(home / "e").items() if path.endswith(".png")}
    assert 0 < len(made) < 16
    again = stylize_here("explore", *pictures, *options)
    assert again.returncode == 0, again.stderr
    assert (home / "e.png").exists()
    assert made.items() <= written_at(home / "e").items(), "what was done stays"
