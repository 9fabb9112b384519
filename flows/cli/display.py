"""What a person sees of a run: live rows on a terminal, plain lines in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Column, Table
from rich.text import Text

from flows.cli.counts import Counts, name_of, rounded
from flows.model.estimate import Prospect
from flows.model.events import PairProgress, Watcher
from flows.model.forecast import InFlight
from flows.model.pair import Outcome
from flows.text import safe_text

LINE_EVERY_S = 30.0
ROWS_SHOWN = 16
BAR_WIDTH = 20


class Display(Watcher, Protocol):
    """A listener of a run that shows what it hears until its block ends."""

    def __enter__(self) -> Self:
        """Be ready to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show no more."""


# Why so many: all that a listener hears.
class LineDisplay:
    """One line per pair and per event, for logs: no colours, no cursor movements.

    How far the run is gets a line every half minute, at the next thing that is heard.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(stderr=True, no_color=True, highlight=False, soft_wrap=True)
        self._counts, self._clock, self._ended = Counts(clock), clock, 0
        self._said_at = clock()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def phase(self, text: str) -> None:
        """One line for each."""
        if text:
            self.note(text)

    def foresee(self, prospect: Prospect) -> None:
        """One line: how much there is to do, and how long it will take."""
        self._counts.foresee(prospect)
        self._said_at = self._clock()
        pairs, workers = len(prospect.pairs), prospect.workers
        line = f"{pairs} pair{'s' * (pairs > 1)} on {workers} worker{'s' * (workers > 1)}"
        left = self._counts.forecast.seconds_left
        self.note(f"{line}, about {rounded(left)} by {prospect.source}" if left is not None else line)

    def expect(self, pairs: int) -> None:
        """So many pairs are to do."""
        self._counts.expected = pairs

    def pair_progress(self, progress: PairProgress) -> None:
        """A log has no use for every step, but for one now and then."""
        self._counts.progress(progress)
        self._say_now_and_then()

    def pair_ended(self, outcome: Outcome) -> None:
        """One line: which of how many, how it ended, how long it took. None for a pair that never began."""
        if outcome.status == "stopped" and not outcome.seconds:
            return
        self._counts.ended(outcome)
        with self._lock:
            self._ended += outcome.status != "stopped"
            of = self._counts.expected
            self.note(
                (f"[{self._ended}/{of}] " if of and outcome.status != "stopped" else "") + _line(outcome)
            )
        if self._counts.left:
            self._say_now_and_then()

    def note(self, text: str) -> None:
        """One line, whatever the text holds."""
        self._console.print(safe_text(text), markup=False)

    def _say_now_and_then(self) -> None:
        with self._lock:
            if self._clock() - self._said_at < LINE_EVERY_S:
                return
            self._said_at = self._clock()
        counts = self._counts
        parts = [f"{counts.share:.0%} of the work", counts.pairs(), counts.time_left()]
        for number, row in counts.rows():
            size = f" at {row.width}x{row.height} px" if row.width else ""
            worker = f"worker {number}: " if number else ""
            parts.append(f"{worker}{row.name} step {row.step} of {row.steps}{size}, loss {row.loss:.4g}")
        self.note("; ".join(part for part in parts if part))


# Why so many: all that a listener hears.
class LiveDisplay:
    """A bar over all work with a row for each worker under it; failures and events scroll above."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._counts, self._phase = console, Counts(clock), ""
        self._spinner = Spinner("dots")
        self._live = Live(console=console, transient=True, refresh_per_second=4, get_renderable=self.drawn)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def phase(self, text: str) -> None:
        """Show what the run is at."""
        self._phase = safe_text(text, 200)
        self._live.start()
        self._live.refresh()

    def foresee(self, prospect: Prospect) -> None:
        """Show from now on how much of that is done."""
        self._counts.foresee(prospect)

    def expect(self, pairs: int) -> None:
        """So many pairs are to do."""
        self._counts.expected = pairs
        self._live.start()

    def pair_progress(self, progress: PairProgress) -> None:
        """Move the row of its worker, and the bar."""
        self._counts.progress(progress)

    def pair_ended(self, outcome: Outcome) -> None:
        """Count a pair that is done or failed; only failures leave a line."""
        self._counts.ended(outcome)
        if outcome.status == "failed":
            self.note(_line(outcome))

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(safe_text(text), markup=False, highlight=False)

    def drawn(self) -> RenderableType:
        """All that is shown now."""
        if self._phase:
            self._spinner.update(text=Text(self._phase, no_wrap=True, overflow="ellipsis"))
            return self._spinner
        return Group(self._overall(), self._workers()) if self._counts.expected else Text("")

    def _overall(self) -> RenderableType:
        counts, line = self._counts, Table.grid(padding=(0, 1, 0, 0))
        bar = ProgressBar(total=1.0, completed=counts.share, width=BAR_WIDTH)
        words = ", ".join(part for part in (counts.pairs(), counts.time_left()) if part)
        line.add_row(bar, Text(f"{counts.share:4.0%}"), Text(words, no_wrap=True, overflow="ellipsis"))
        return line

    def _workers(self) -> RenderableType:
        name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        figures = (Column(no_wrap=True, justify="right") for _ in range(4))
        rows = Table.grid(name, *figures, padding=(0, 2, 0, 0), expand=True)
        for number, row in islice(self._counts.rows(), ROWS_SHOWN):
            rows.add_row(Text(f"{number} {name_of(row.name)}".lstrip()), *map(Text, _figures(row)))
        return rows


def _figures(row: InFlight) -> tuple[str, str, str, str]:
    """Step, size, loss and time of a pair."""
    size = f"{row.width}x{row.height}" if row.width else ""
    left = "" if row.left_s is None else f"{rounded(row.left_s)} left"
    return f"step {row.step}/{row.steps}", size, f"loss {row.loss:.3g}", left


def choose_display(console: Console) -> Display:
    """Live rows where a person watches, lines where a log is kept."""
    return LiveDisplay(console) if console.is_terminal else LineDisplay()


def _line(outcome: Outcome) -> str:
    if outcome.status == "failed":
        return f"{outcome.name}: failed: {outcome.kind}: {outcome.message}"
    meanwhile = ", another run had made it meanwhile" if outcome.double_work else ""
    return f"{outcome.name}: {outcome.status} in {outcome.seconds:.1f} s{meanwhile}"
