from __future__ import annotations

import io
import re

from rich.console import Console

from flows.cli.display import BarDisplay, LineDisplay, choose_display
from flows.model.events import PairProgress
from flows.model.pair import Outcome

HOSTILE = "a\nb\x1b[2J\x07\r[red]c[/red]\u202e"
_COLOURS_AND_CURSOR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def lines() -> tuple[LineDisplay, io.StringIO]:
    text = io.StringIO()
    return LineDisplay(Console(file=text, no_color=True, highlight=False, soft_wrap=True)), text


def bar(width: int = 120) -> tuple[BarDisplay, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=width)
    return BarDisplay(console), text


def seen(text: io.StringIO) -> str:
    """What a terminal would show, less the bar's own colours and movements."""
    return _COLOURS_AND_CURSOR.sub("", text.getvalue())


def test_a_log_has_one_line_per_pair() -> None:
    display, text = lines()
    with display:
        display.expect(2)
        display.pair_progress(PairProgress("a", 1, 0.5))
        display.pair_ended(Outcome("a", "done", seconds=1.26))
        display.pair_ended(Outcome("b", "failed", "bad_image", "b.png is no picture"))
    assert text.getvalue() == "[1/2] a: done in 1.3 s\n[2/2] b: failed: bad_image: b.png is no picture\n"


def test_a_pair_that_another_run_made_as_well_says_so() -> None:
    display, text = lines()
    display.pair_ended(Outcome("a", "skipped", seconds=1.26, double_work=True))
    assert text.getvalue() == "a: skipped in 1.3 s, another run had made it meanwhile\n"


def test_a_pair_that_was_given_up_at_a_stop_says_so() -> None:
    display, text = lines()
    display.pair_ended(Outcome("a", "stopped", seconds=0.1))
    assert text.getvalue() == "a: stopped in 0.1 s\n"


def test_pairs_that_a_stop_left_unbegun_take_no_lines() -> None:
    display, text = lines()
    display.pair_ended(Outcome("a", "stopped"))
    assert text.getvalue() == ""


def test_a_long_line_in_a_log_stays_one_line() -> None:
    display, text = lines()
    display.note("word " * 100)
    assert text.getvalue().count("\n") == 1


def test_hostile_names_neither_break_lines_nor_colour_nor_move_anything_in_a_log() -> None:
    display, text = lines()
    display.pair_ended(Outcome(HOSTILE, "failed", HOSTILE, HOSTILE))
    assert text.getvalue().count("\n") == 1
    assert text.getvalue().strip().isprintable()
    assert text.getvalue().count("[red]c[/red]") == 3


def test_hostile_names_neither_break_nor_colour_the_bar() -> None:
    display, text = bar()
    with display:
        display.expect(1)
        display.pair_progress(PairProgress(HOSTILE, 3, 0.25))
        display._bar.refresh()
        display.pair_ended(Outcome(HOSTILE, "failed", "bad_image", HOSTILE))
    shown = seen(text).replace("\r", "").replace("\n", "")
    assert shown.isprintable()
    assert "[red]c[/red]" in shown
    assert "\x1b[2J" not in text.getvalue()
    assert "\x07" not in text.getvalue()


def test_the_bar_shows_the_pair_in_flight_and_how_many_are_done() -> None:
    display, text = bar()
    with display:
        display.expect(3)
        display.pair_ended(Outcome("a", "done"))
        display.pair_progress(PairProgress("waves", 42, 1.25))
        display._bar.refresh()
    assert "1/3" in seen(text)
    assert "waves step 42 loss 1.25" in seen(text)


def test_the_bar_lets_done_pairs_pass_in_silence_and_tells_failures() -> None:
    display, text = bar()
    with display:
        display.expect(2)
        display.pair_ended(Outcome("good", "done"))
        display.pair_ended(Outcome("bad", "failed", "bad_image", "bad.png is no picture"))
    assert "good" not in seen(text)
    assert "bad: failed: bad_image: bad.png is no picture" in seen(text)


def test_a_person_gets_a_bar_and_a_log_gets_lines() -> None:
    assert isinstance(choose_display(Console(file=io.StringIO(), force_terminal=True)), BarDisplay)
    assert isinstance(choose_display(Console(file=io.StringIO())), LineDisplay)
