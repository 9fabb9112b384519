"""What a person sees of a run: one live bar on a terminal, plain lines in a log."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flows.model.events import Listener, PairProgress
from flows.model.pair import Outcome
from flows.text import safe_text


class Display(Listener, Protocol):
    """A listener of a run that shows what it hears until its block ends."""

    def __enter__(self) -> Self:
        """Be ready to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show no more."""


class LineDisplay:
    """One line per pair and per event, for logs: no colours, no cursor movements."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, no_color=True, highlight=False, soft_wrap=True)
        self._total, self._ended = 0, 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def expect(self, pairs: int) -> None:
        """So many pairs are to do."""
        self._total = pairs

    def pair_progress(self, progress: PairProgress) -> None:
        """A log has no use for every step."""

    def pair_ended(self, outcome: Outcome) -> None:
        """One line: which of how many, how it ended, how long it took. None for a pair that never began."""
        if outcome.status == "stopped" and not outcome.seconds:
            return
        with self._lock:
            self._ended += outcome.status != "stopped"
            count = f"[{self._ended}/{self._total}] " if self._total and outcome.status != "stopped" else ""
            self.note(count + _line(outcome))

    def note(self, text: str) -> None:
        """One line, whatever the text holds."""
        self._console.print(safe_text(text), markup=False)


class BarDisplay:
    """A bar over all pairs with the pair in flight under it; failures and events scroll above."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
        )
        self._all = self._bar.add_task("pairs", total=None, detail="")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def expect(self, pairs: int) -> None:
        """Begin to show: so many pairs are to do."""
        self._bar.update(self._all, total=pairs)
        self._bar.start()

    def pair_progress(self, progress: PairProgress) -> None:
        """Show the pair in flight beside the bar."""
        detail = f"{progress.pair} step {progress.step} loss {progress.loss:.4g}"
        self._bar.update(self._all, detail=escape(safe_text(detail, 100)))

    def pair_ended(self, outcome: Outcome) -> None:
        """Move the bar by a pair that is done or failed; only failures leave a line."""
        if outcome.status != "stopped":
            self._bar.advance(self._all)
        if outcome.status == "failed":
            self.note(_line(outcome))

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(safe_text(text), markup=False, highlight=False)


def choose_display(console: Console) -> Display:
    """A bar where a person watches, lines where a log is kept."""
    return BarDisplay(console) if console.is_terminal else LineDisplay()


def _line(outcome: Outcome) -> str:
    if outcome.status == "failed":
        return f"{outcome.name}: failed: {outcome.kind}: {outcome.message}"
    meanwhile = ", another run had made it meanwhile" if outcome.double_work else ""
    return f"{outcome.name}: {outcome.status} in {outcome.seconds:.1f} s{meanwhile}"
