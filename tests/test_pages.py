"""What stands on any page: its commands exist with their options, and its manifests are accepted.

The pages that show a way from top to bottom are executed: README.md, the tutorial and the cookbook by
`test_docs_site.py`, the library's by `test_library_docs.py`, the fleet's by `test_fleet_docs.py`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from commands import ROOT

from benchmarks.__main__ import ALONE, NAMES, argument_parser
from flows.cli.app import app
from flows.manifest.load import load_manifest

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
SPAN = re.compile(r"`([^`\n]+)`")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$|^((?:    [^\n]+\n)+)", re.MULTILINE | re.DOTALL)
TOOL = re.compile(r"(?:\.venv/bin/)?python (?:-m )?((?:docs|benchmarks|training|artwork)[\w./]*)(?: (.*))?")
PLACEHOLDER = re.compile(r"\bCOMMAND\b|\.\.\.|…")
PAIR = "version: 1\noutput: out\npairs:\n  - content: a.jpg\n    style: b.jpg\n"


def words_of(page: Path) -> Iterator[str]:
    """Every line that stands in a block, and whatever stands between backticks."""
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        yield from ((match[2] or "") + (match[3] or "")).splitlines()
    yield from SPAN.findall(text)


def said(program: str) -> list[tuple[str, str]]:
    """The pages' commands that begin so, with the name of the page."""
    found = ((page.name, line.strip()) for page in PAGES for line in words_of(page))
    return [(page, line) for page, line in found if re.match(program, line)]


def of_command(line: str) -> list[str]:
    """The words of a command without comments and without what another program is told of it."""
    try:
        return shlex.split(re.split(r" [|>&]| 2>", line)[0], comments=True)
    except ValueError:  # no closing quotation: a part of a line
        return []


def test_every_command_and_option_of_stylize_exists() -> None:
    group: Any = typer.main.get_command(app)
    of_all = {name for one in group.params for name in one.opts} | {"--help", "--install-completion"}
    lines = said(r"stylize [a-z-]")
    assert len(lines) > 150
    for page, line in lines:
        _, *words = of_command(line) or [""]
        name = next((word for word in words if not word.startswith("-")), None)
        if name is None or PLACEHOLDER.search(name) or not name.isalpha():
            assert {word for word in words if word.startswith("-")} <= of_all, f"{page}: {line}"
            continue
        assert name in group.commands, f"{page}: {line}"
        options = {option for one in group.commands[name].params for option in one.opts}
        asked = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert asked <= options | of_all, f"{page}: {line}"


def test_every_tool_of_the_checkout_exists_and_takes_what_it_is_told() -> None:
    lines = said("python ")
    tools = [(page, line, match[1], match[2]) for page, line in lines if (match := TOOL.match(line))]
    assert len(tools) > 35
    for page, line, module, words in tools:
        if module == "benchmarks" and words:
            takes_it(PLACEHOLDER.sub("", words))
        file = ROOT / (module if module.endswith(".py") else module.replace(".", "/"))
        assert file.is_file() or file.with_suffix(".py").is_file() or (file / "__main__.py").is_file(), (
            f"{page}: {line}"
        )


def takes_it(words: str) -> None:
    name, *options = of_command(words)
    assert name in {*NAMES, *ALONE}, words
    if name not in ALONE:
        argument_parser().parse_args([name, *options])


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    lines = said("make [a-z0-9-]+$|make [a-z0-9-]+ +[A-Z#]")
    assert len(lines) > 15
    assert {line.split()[1] for _, line in lines} <= targets


@pytest.mark.parametrize("page", ["manifest", "presets"])
def test_a_manifest_of_a_reference_is_accepted(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    (manifest,) = (match[2] for match in BLOCK.finditer(text) if match[1] == "yaml")
    assert load_manifest("/jobs/m.yaml", text=manifest).contents


def test_what_the_guide_shows_beside_its_figures_is_accepted() -> None:
    """The first block stands above all figures; one shows all that a region may say."""
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    gallery = (ROOT / "manifests" / "gallery.yaml").read_text(encoding="utf-8")
    first, *others = (match[2] for match in BLOCK.finditer(guide) if match[1] == "yaml")
    assert first in gallery
    (regions,) = (block for block in others if block.startswith("    regions:"))
    (pair,) = load_manifest("/jobs/m.yaml", text=PAIR + regions).pairs
    assert len(pair.regions) == 3


def test_settings_and_sweeps_between_backticks_are_accepted() -> None:
    lines = said(r"(settings|sweep): \{.*\}$")
    assert len(lines) > 4
    for page, line in lines:
        assert load_manifest("/jobs/m.yaml", text=f"{PAIR}    {line}\n").pairs, page
