"""The files of `deploy/` as their platforms take them: what they say is run by the command under test."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import ROOT
from object_store import ObjectStore
from small_batch import FAST, draw, worker_inside
from typer.testing import CliRunner, Result

from flows.cli.app import app
from flows.engines.local import LocalEngine
from flows.records import exit_codes
from flows.running import run

DEPLOY = ROOT / "deploy"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
IMAGE = f"registry.example.com/stylize:{VERSION}"
"""What every file calls the image."""
EXAMPLE = "s3://bucket/manifests/today.yaml"
"""What every file calls the manifest."""
CODES: dict[str, int] = {name: code for name, code in vars(exit_codes).items() if name.isupper()}
"""The exit codes of the program, by name."""
PAIRS = ("p0__s0", "p0__s4", "p1__s0", "p1__s4")
"""The pairs of `batch_in`: two in each half of them."""
_COMMAND = "import sys; sys.argv[0] = 'stylize'; from flows.cli.app import main; main()"


def from_yaml(name: str) -> Any:
    """A YAML file of `deploy/`."""
    return yaml.safe_load((DEPLOY / name).read_text())


def from_json(name: str) -> Any:
    """A JSON file of `deploy/`."""
    return json.loads((DEPLOY / name).read_text())


def batch_in(store: ObjectStore, home: Path) -> str:
    """Put the pictures of `PAIRS` into the store, and a manifest with output in `stylised/`; its URI."""
    for name in ("photos/p0", "photos/p1", "paintings/s0", "paintings/s4"):
        store.put(f"{name}.png", draw(home / f"{name}.png", len(name) + int(name[-1])).read_bytes())
    store.put(
        EXAMPLE.removeprefix("s3://bucket/"),
        f"version: 1\noutput: {store.root}/stylised/today\nsettings: {{{FAST}}}\ndevice: cpu\n"
        f"contents: ['{store.root}/photos/*']\nstyles: ['{store.root}/paintings/*']\n".encode(),
    )
    return EXAMPLE.replace("s3://bucket", store.root)


def put_stylize_into(folder: Path) -> Path:
    """A program `stylize` in that folder, which runs this checkout; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "stylize"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -c "{_COMMAND}" "$@"\n')
    program.chmod(0o755)
    return folder


def run_words(words: list[str], **environment: str) -> Result:
    """What the image does with these words, for its entrypoint runs them as they are.

    The command and its worker are in this process: what is asked is how it reads words and variables. The
    program itself is run by `tests/test_container.py`, and by the tests of scripts.
    """
    assert words[0] == "stylize", f"{words[0]} is not in the image"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "LocalEngine", partial(LocalEngine, make_worker=worker_inside))
        return CliRunner().invoke(app, words[1:], env=environment)


def told_of_ends(platform: str) -> dict[str, str]:
    """What docs/fleet.md says becomes of a task that ends so: exit code, or a word, to that column's text."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs/fleet.md").read_text().splitlines()
        if line.startswith("|")
    ]
    (head,) = (row for row in rows if row[0] == "how it ended")
    wide = rows[rows.index(head) + 2 :]
    table = wide[: next((n for n, row in enumerate(wide) if len(row) != len(head)), None)]
    column = head.index(platform)
    return {re.sub(r"[^0-9a-z].*", "", row[0]): row[column] for row in table}
