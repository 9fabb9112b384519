"""How the fewest evaluations are found that reach a goal."""

from __future__ import annotations

import pytest

from benchmarks.fewest import fewest


@pytest.mark.parametrize(("needed", "found"), [(1, 5), (37, 40), (40, 40), (98, 98), (99, None)])
def test_the_fewest_evaluations_that_reach_a_goal_are_found_in_few_tries(
    needed: int, found: int | None
) -> None:
    tried: list[int] = []

    def reached(steps: int) -> bool:
        tried.append(steps)
        return steps >= needed

    assert fewest([*range(5, 98, 5), 98], reached) == found
    assert len(tried) <= 5
