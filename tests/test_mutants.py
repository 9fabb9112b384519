"""The planted bugs fit this tree, and what plants them tells a test that bites from one that does not."""

from __future__ import annotations

import pytest
from commands import ROOT
from mutants.catalogue import all_mutants, chosen, misfit
from mutants.mutant import Mutant
from mutants.planting import plant, unharmed

STORED = "tests/flows/model/test_stored_identities.py"


def test_every_mutant_fits_the_tree_and_names_tests_that_exist() -> None:
    assert [f"{mutant.name}: {why}" for mutant in all_mutants() if (why := misfit(mutant))] == []


def test_mutants_have_names_of_their_own_by_which_they_are_chosen() -> None:
    names = [mutant.name for mutant in all_mutants()]
    assert len(set(names)) == len(names)
    assert [mutant.name for mutant in chosen([names[0]])] == [names[0]]
    assert chosen(["no-such-mutant"]) == ()


@pytest.mark.parametrize(
    ("mutant", "why"),
    [
        (Mutant("gone", "flows/gone.py", "a", "b", ("tests/conftest.py",)), "there is no flows/gone.py"),
        (Mutant("absent", "README.md", "no such text", "", ("tests/conftest.py",)), "occurs 0 times"),
        (Mutant("twice", "README.md", "stylize", "", ("tests/conftest.py",)), "times in README.md"),
        (Mutant("untested", "README.md", "# stylize", "", ()), "no test is named"),
        (
            Mutant("missing", "README.md", "# stylize", "", ("tests/conftest.py::test_gone",)),
            "no tests/conftest.py::test_gone",
        ),
    ],
)
def test_a_mutant_that_fits_no_longer_is_told(mutant: Mutant, why: str) -> None:
    assert why in misfit(mutant)


def _of_the_history(after: str) -> Mutant:
    return Mutant(
        "history", "stylize_core/settings/style.py", "history: int = _setting(10,", after, (STORED,)
    )


@pytest.mark.slow
def test_a_planted_bug_is_killed_by_the_test_that_fails_and_the_tree_stays_as_it_is() -> None:
    mutant = _of_the_history("history: int = _setting(12,")
    before = (ROOT / mutant.file).read_bytes()
    assert plant(mutant).killer == f"{STORED}::test_every_pair_has_the_identity_that_is_kept"
    assert (ROOT / mutant.file).read_bytes() == before


@pytest.mark.slow
def test_a_change_that_no_test_notices_survives() -> None:
    verdict = plant(_of_the_history("history: int = _setting( 10,"))
    assert (verdict.killer, str(verdict)) == ("", "SURVIVED")


@pytest.mark.slow
def test_a_change_under_which_nothing_can_be_imported_shows_nothing_about_a_test() -> None:
    assert str(plant(_of_the_history("history: int = nonsense(10,"))).startswith("NO VERDICT")


@pytest.mark.slow
def test_tests_that_fail_by_themselves_judge_no_mutant() -> None:
    assert unharmed((_of_the_history(""),)) == ""
    absent = Mutant("absent", "README.md", "", "", ("tests/no_such_test.py",))
    assert "without any mutant the tests end with" in unharmed((absent,))
