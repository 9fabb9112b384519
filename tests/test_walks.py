"""The walks of docs/architecture.md, held against the source and against a real run."""

from __future__ import annotations

import ast
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest
from commands import ROOT
from small_batch import manifest, small_batch

from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan
from flows.worker.main import DeviceWorker

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
Walk = list[tuple[str, str]]


def walks() -> dict[str, Walk]:
    """File and function of every step, by the walk's title."""
    found: dict[str, Walk] = {}
    for section in re.split(r"(?m)^### ", PAGE)[1:]:
        title, _, text = section.partition("\n")
        rows = re.findall(r"(?m)^\| `([\w/.]+\.py)` \| (.+?) \|$", text)
        found[title] = [(file, name) for file, names in rows for name in re.findall(r"`([\w.]+)`", names)]
    return found


WALKS = walks()
each_walk = pytest.mark.parametrize("title", WALKS)


def defined(file: str) -> set[str]:
    tree, names = ast.parse((ROOT / file).read_text()), set[str]()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return names


def test_there_are_three_walks() -> None:
    assert list(WALKS) == ["The bytes of a content", "`style_weight`", "The death of a worker"]
    assert all(len(walk) > 10 for walk in WALKS.values())


@each_walk
def test_every_function_of_a_walk_is_there(title: str) -> None:
    assert not [(file, name) for file, name in WALKS[title] if name not in defined(file)]


@each_walk
def test_no_function_is_passed_twice_and_no_file_is_returned_to(title: str) -> None:
    walk = WALKS[title]
    assert len(set(walk)) == len(walk)
    files = [file for at, (file, _) in enumerate(walk) if at == 0 or walk[at - 1][0] != file]
    assert len(set(files)) == len(files)


@contextmanager
def first_calls(into: list[CodeType]) -> Iterator[None]:
    """Which of our functions this thread, and those that begin meanwhile, call in the block, each once."""
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code not in seen and code.co_filename.startswith(str(ROOT)):
            seen.add(code)
            into.append(code)

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Every function that making one pair reaches, in the order of the first calls."""
    home, found = tmp_path_factory.mktemp("walk"), list[CodeType]()
    small_batch(home, photos=1, paintings=1)
    path = manifest(home, settings="encoder: slim, size: 64, steps: 2, style_weight: 7")
    with first_calls(found):
        plan = make_plan(load_manifest(path))
        worker = DeviceWorker("cpu")
        (outcome,) = worker.run_pairs([Job(one.pair, plan.output, one.identity) for one in plan.todo])
        worker.close()
    assert outcome.status == "done"
    return [(str(Path(code.co_filename).relative_to(ROOT)), code.co_qualname) for code in found]


@pytest.mark.parametrize("title", ["The bytes of a content", "`style_weight`"])
def test_a_real_run_reaches_the_functions_of_a_walk_in_its_order(title: str, called: Walk) -> None:
    steps = set(WALKS[title])
    assert [step for step in called if step in steps] == WALKS[title]
