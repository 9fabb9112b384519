"""All planted bugs: each module of this folder may bring a tuple `MUTANTS`."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import mutants
from mutants.mutant import Mutant

ROOT = Path(__file__).parent.parent.parent


def all_mutants() -> tuple[Mutant, ...]:
    """The mutants of every area, by area and in its order."""
    names = sorted(module.name for module in pkgutil.iter_modules(mutants.__path__) if module.name[0] != "_")
    areas = [importlib.import_module(f"mutants.{name}") for name in names]
    return tuple(mutant for area in areas for mutant in getattr(area, "MUTANTS", ()))


def chosen(words: list[str]) -> tuple[Mutant, ...]:
    """The mutants whose names contain one of the words; all of them if there is no word."""
    return tuple(m for m in all_mutants() if not words or any(word in m.name for word in words))


def misfit(mutant: Mutant) -> str:
    """Why the mutant fits this tree no longer; empty if it does."""
    path = ROOT / mutant.file
    if not path.is_file():
        return f"there is no {mutant.file}"
    found = path.read_text(encoding="utf-8").count(mutant.before)
    if found != 1:
        return f"{mutant.before!r} occurs {found} times in {mutant.file}"
    if mutant.before == mutant.after:
        return "it changes nothing"
    missing = [test for test in mutant.tests if not _exists(test)]
    return (
        f"there is no {' and no '.join(missing)}" if missing else "" if mutant.tests else "no test is named"
    )


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / file
    return path.is_file() and (not name or f"def {name.split('[')[0]}(" in path.read_text(encoding="utf-8"))
