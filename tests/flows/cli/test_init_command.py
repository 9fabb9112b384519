"""`stylize init`: from folders of pictures to a manifest that can be planned."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_batch import draw
from typer.testing import CliRunner, Result

from flows.cli.app import app
from flows.manifest.load import load_manifest
from flows.planning.plan import make_plan


def init(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["init", *arguments])


def names(manifest: str = "manifest.yaml") -> list[str]:
    return sorted(one.pair.name for one in make_plan(load_manifest(manifest)).pairs)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


@pytest.mark.parametrize(
    ("styles", "arguments"),
    [("styles", ["."]), ("Paintings", ["holiday", "Paintings"]), ("looks", [".", "--styles", "looks"])],
)
def test_folders_become_a_manifest_of_every_photograph_in_every_style(
    home: Path, styles: str, arguments: list[str]
) -> None:
    for at, name in enumerate(("holiday/a.png", "holiday/sea/b.PNG", f"{styles}/wave.png")):
        draw(home / name, at)
    (home / "holiday/notes.txt").write_text("no picture")
    made = init(*arguments)
    assert made.exit_code == 0, made.stderr
    told = "manifest.yaml: 2 photographs, 1 styles; `stylize plan manifest.yaml` says what it would make\n"
    assert made.stdout == told
    assert names() == ["a__wave", "b__wave"]
    text = (home / "manifest.yaml").read_text()
    assert "# 2 pictures in 2 folders to stylise." in text
    assert "# 1 picture in 1 folder whose style is taken." in text


def test_awkward_folders_are_named_so_that_no_letter_is_a_patterns(home: Path) -> None:
    draw(home / "my [old] photos, #1/a.png", 1)
    draw(home / "$art/styles/wave.png", 2)
    made = init("my [old] photos, #1", "$art", "-o", "sub.yaml")
    assert made.exit_code == 0, made.stderr
    assert names("sub.yaml") == ["a__wave"]


def test_many_folders_become_patterns_and_results_are_no_pictures(home: Path) -> None:
    for at in range(14):
        draw(home / f"photos/{at}/p{at}.png", at)
    draw(home / "photos/0/q.jpg", 20)
    draw(home / "styles/wave.png", 21)
    (home / "manifests").mkdir()
    assert init("photos", "styles", "-o", "manifests/m.yaml").exit_code == 0
    text = (home / "manifests/m.yaml").read_text()
    assert '  - "../photos/**/*.png"   # 14\n  - "../photos/**/*.jpg"   # 1\n' in text
    assert len(names("manifests/m.yaml")) == 15


def test_a_manifest_that_is_there_is_not_replaced(home: Path) -> None:
    draw(home / "photos/a.png", 1)
    draw(home / "styles/b.png", 2)
    (home / "manifest.yaml").write_text("mine")
    refused = init(".")
    assert (refused.exit_code, (home / "manifest.yaml").read_text()) == (2, "mine")
    assert refused.stderr == "manifest.yaml is there already; name another file with -o\n"
    printed = init(".", "-o", "-")
    assert load_manifest("m.yaml", text=printed.stdout).contents


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["photos"], "no folder is called styles or paintings"),
        (["styles"], "all pictures there are styles; name the folder of the photographs as well"),
        (["empty"], "empty holds no pictures"),
        (["nope"], "nope does not exist; name a folder with pictures"),
        (["photos/a.png"], "photos/a.png is a file; name its folder"),
        (["s3://bucket/photos"], "only folders of this machine can be looked through"),
    ],
)
def test_what_nobody_can_guess_is_asked_for(home: Path, given: list[str], words: str) -> None:
    draw(home / "photos/a.png", 1)
    draw(home / "styles/b.png", 2)
    (home / "empty").mkdir()
    refused = init(*given)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert not (home / "manifest.yaml").exists()
