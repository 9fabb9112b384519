"""Every bug of `tests/mutants` is noticed by a test that is named for it; at full length only."""

from __future__ import annotations

import pytest
from intensity import LONG
from mutants.__main__ import main


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.skipif(not LONG, reason="takes a test run per bug: `make mutants`, or STYLIZE_FAULTS=long")
def test_every_planted_bug_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    code = main([])
    told = capsys.readouterr().out
    assert code == 0, told
