"""The library as README, its page and a notebook show it: executed, with fewer pixels and steps."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT
from small_batch import draw

from stylize_core import Picture, open_picture

BLOCK = re.compile(r"(?ms)^```python\n(.*?)^```$")
SMALLER = (re.compile(r"\bsize=\d+"), "size=48, steps=4"), (re.compile(r", steps=100"), "")
NOTEBOOK = ROOT / "docs" / "library.ipynb"


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def smaller(code: str) -> str:
    for pattern, instead in SMALLER:
        code = pattern.sub(instead, code)
    return code


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photograph and a painting, beside the project's own pictures; work goes on in it."""
    home = tmp_path / "docs"
    home.mkdir()
    (tmp_path / "manifests").symlink_to(ROOT / "manifests")
    draw(home / "photo.jpg", 1)
    draw(home / "painting.jpg", 12)
    monkeypatch.chdir(home)
    return home


def test_three_lines_of_the_readme_are_a_script(here: Path) -> None:
    (script,) = blocks("README.md")
    assert len(script.replace("\n\n", "\n").splitlines()) == 3
    assert script == blocks("docs/library.md")[0]
    (here / "script.py").write_text(smaller(script))
    command = [sys.executable, "-W", "error", "script.py"]
    ended = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=120
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert open_picture("made.png").rgb.shape == (3, 36, 48)


def test_the_page_runs_from_top_to_bottom(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for code in blocks("docs/library.md"):
        code = code.replace('preset="draft"', 'preset="draft", size=48')
        exec(compile(smaller(code), "docs/library.md", "exec"), names)
    said = capsys.readouterr().out
    assert "4 of 4, loss" in said
    assert "sise: 512 is not accepted; there is no such setting; did you mean size?" in said
    assert "torch.Size([2, 3, 48, 64])" in said
    assert open_picture("print.tif").source_mode == "RGB;16"
    assert isinstance(names["texture"], Picture)


def test_the_notebook_runs_from_top_to_bottom(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile(smaller("".join(cell["source"])), "docs/library.ipynb", "exec"), names)
    assert "4 of 4, loss" in capsys.readouterr().out
    assert open_picture("town_in_ink.png").rgb.shape[2] == 48


def test_the_notebook_holds_no_output_of_anybodys_machine() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert {tuple(cell["outputs"]) for cell in cells if cell["cell_type"] == "code"} == {()}
