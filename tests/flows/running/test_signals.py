"""A signal that comes before a run can be stopped in good order ends it all the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from small_batch import Audience, run_inside, small_batch, tree

from flows.model.estimate import Prospect

pytestmark = pytest.mark.usefixtures("hearing_hangups")
CHECKING = "checking inputs"
HOW = {
    signal.SIGINT: (KeyboardInterrupt, 130),
    signal.SIGTERM: (SystemExit, 4),
    signal.SIGHUP: (SystemExit, 4),
}


class Told(Audience):
    """Told what the run is at, it sends its process a signal: where that is shown, or in a destructor."""

    def __init__(self, number: signal.Signals, *, destroyed: bool) -> None:
        super().__init__()
        self.number, self.destroyed = number, destroyed

    def phase(self, text: str) -> None:
        if text == CHECKING and self.destroyed:
            _Signals(self.number)  # nobody keeps it
        elif text == CHECKING:
            os.kill(os.getpid(), self.number)

    def foresee(self, prospect: Prospect) -> None:
        """Nothing to be foreseen is told here."""


class _Signals:
    """Sends the signal when it is taken away; what a handler raises then, Python can only print."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", HOW)
def test_what_a_listener_is_told_when_a_signal_comes_does_not_swallow_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    kind, code = HOW[number]
    with pytest.raises(kind) as raised:
        run_inside(small_batch(tmp_path), Told(number, destroyed=False))
    assert getattr(raised.value, "code", 130) == code
    assert tree(tmp_path / "out") == {}
    assert not (tmp_path / "out/.stylize.lock").exists()


@pytest.mark.parametrize("number", HOW)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_lost_in_a_destructor_ends_the_run_before_its_first_pair(
    tmp_path: Path, number: signal.Signals
) -> None:
    ended = run_inside(small_batch(tmp_path), Told(number, destroyed=True))
    assert (ended.exit_code, ended.done, ended.left) == (HOW[number][1], 0, 4)
    assert ended.reason == ("interrupted" if number is signal.SIGINT else number.name)


def test_under_nohup_a_terminal_that_is_closed_ends_nothing(tmp_path: Path) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ended = run_inside(small_batch(tmp_path), Told(signal.SIGHUP, destroyed=False))
    assert (ended.exit_code, ended.done) == (0, 4)
