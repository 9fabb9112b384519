"""What a shell is offered where somebody presses Tab."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app


def offered(words: str, *, shell: str = "bash") -> list[str]:
    """The answer to the script that `--install-completion` installs; the last word is not ended yet."""
    said = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_STYLIZE_COMPLETE": f"complete_{shell}",
    }
    lines = CliRunner().invoke(app, [], env=said, prog_name="stylize").stdout.splitlines()
    return [line.partition("\t")[0] for line in lines if line]  # fish has a description behind a tab


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    for name in ("night.yaml", "notes.txt", "jobs/day.yml"):
        (tmp_path / name).touch()


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("stylize ini", ["init"]),
        ("stylize run n", ["night.yaml"]),
        ("stylize plan jobs/", ["jobs/day.yml"]),
        ("stylize doctor ni", ["night.yaml"]),
        ("stylize run jo", []),
        ("stylize one a.jpg b.jpg -s conte", ["content_weight=", "content_layers="]),
        ("stylize one a.jpg b.jpg -s format=t", ["format=tiff"]),
        ("stylize weights vgg1", ["vgg19", "vgg16"]),
    ],
)
def test_a_word_that_is_begun_is_completed(shell: str, words: str, expected: list[str]) -> None:
    assert offered(words, shell=shell) == expected


def test_options_are_completed() -> None:
    assert offered("stylize run night.yaml --pre") == ["--preview"]


def test_zsh_is_told_in_its_own_words() -> None:
    assert "encoder=" in " ".join(offered("stylize one a b -s enc", shell="zsh"))
