"""Plant a bug in a copy of the tree, run tests there, and say which of them noticed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mutants.catalogue import ROOT
from mutants.mutant import Mutant

LEFT_OUT = (
    ".git",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "out",
    "*.egg-info",
    ".coverage*",
    ".*_cache",
    ".hypothesis",
)
PATIENCE_S = 1800
_PASSED, _FAILED = 0, 1
_OURS = ("PYTHON", "PYTEST", "COV", "PREFECT")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: the test that failed under it, or why none can be said to have."""

    mutant: Mutant
    killer: str = ""
    trouble: str = ""

    def __str__(self) -> str:
        return self.killer or self.trouble or "SURVIVED"


@contextmanager
def copy_of_the_tree() -> Iterator[Path]:
    """A folder with the sources as they are, committed or not; gone after the block."""
    with TemporaryDirectory(prefix="stylize-mutants-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
        yield tree


def unharmed(mutants: tuple[Mutant, ...]) -> str:
    """Why the tests can say nothing about mutants: they fail without any, or find other code; else empty."""
    with copy_of_the_tree() as tree:
        if elsewhere := _imported_from_elsewhere(tree):
            return f"the copy's tests would import {elsewhere}"
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        code, said = _pytest(tree, tests)
        return "" if code == _PASSED else f"without any mutant the tests end with {code}:\n{said}"


def plant(mutant: Mutant) -> Verdict:
    """Run the mutant's tests in a copy of the tree that has it."""
    with copy_of_the_tree() as tree:
        path = tree / mutant.file
        path.write_text(
            path.read_text(encoding="utf-8").replace(mutant.before, mutant.after), encoding="utf-8"
        )
        code, said = _pytest(tree, list(mutant.tests))
    if code == _PASSED:
        return Verdict(mutant)
    # A module that cannot be imported is noticed by anything: that shows nothing about a test.
    failed = re.search(r"^FAILED (\S+)", said, re.MULTILINE)
    if code != _FAILED or not failed:
        return Verdict(mutant, trouble=f"NO VERDICT, pytest ended with {code}: {said.strip()[-300:]}")
    return Verdict(mutant, killer=failed[1])


def _pytest(tree: Path, tests: list[str]) -> tuple[int, str]:
    """Its exit code and what it printed; it stops at the first test that fails."""
    options = ["-x", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider", "-p", "no:randomly"]
    return _python(tree, "-m", "pytest", *options, *tests)


def _imported_from_elsewhere(tree: Path) -> str:
    code = "import flows, stylize_core; print(flows.__path__[0], stylize_core.__path__[0], sep='\\n')"
    _, said = _python(tree, "-c", code)
    return ", ".join(line for line in said.splitlines() if not Path(line).is_relative_to(tree))


def _python(tree: Path, *arguments: str) -> tuple[int, str]:
    """A Python that finds the copy's packages first; what it starts in turn inherits that."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environment |= {"PYTHONPATH": f"{tree}{os.pathsep}{tree / 'tests'}"}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.returncode, done.stdout + done.stderr
