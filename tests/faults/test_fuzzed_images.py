"""Thousands of broken pictures: each is refused by name or understood, soon and in little memory."""

from __future__ import annotations

import pytest
from fuzz_images import LONGEST_S, harvest
from intensity import LONG, say
from processes import needs_proc

MUTANTS = 50_000 if LONG else 5_000


@needs_proc
@pytest.mark.slow
@pytest.mark.timeout(3600 if LONG else 300)
def test_broken_pictures_of_every_format_are_refused_by_name_or_understood() -> None:
    found = harvest(2026, mutants=MUTANTS)
    say(str(found))
    assert found.findings == []
    assert found.tried == MUTANTS
    assert found.slowest_s < LONGEST_S
    # otherwise the mutants would be too broken, or not broken at all, to say anything
    assert found.accepted > MUTANTS / 10
    assert found.refused["bad_image"] > MUTANTS / 2
