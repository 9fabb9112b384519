from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace

from rich.console import Console

from flows.cli.display import LINE_EVERY_S, LineDisplay, LiveDisplay, choose_display
from flows.model.estimate import Expected, Prospect
from flows.model.events import PairProgress
from flows.model.observed import Kind
from flows.model.pair import Input, Outcome, Pair
from stylize_core.demand.operations import work_of
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

HOSTILE = "a\nb\x1b[2J\x07\r[red]c[/red]\u202e"
_COLOURS_AND_CURSOR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def prospect(*names: str, seconds: float | None = 10.0, workers: int = 1) -> Prospect:
    settings, picture = StyleSettings(size=512, steps=100), Input("/in.png")
    kind, work = (
        Kind("cpu", "slim", "auto", "lbfgs", small=False),
        work_of(settings, width=512, height=384),
    )
    one = Expected(
        Pair("", picture, picture, settings, PictureSettings()),
        kind, 512, 384, work, seconds, seconds, memory_bytes=1, output_bytes=None,
    )  # fmt: skip
    pairs = tuple(replace(one, pair=replace(one.pair, name=name)) for name in names)
    return Prospect(pairs, workers, source="earlier runs on this machine" if seconds else "")


def lines(clock: Clock | None = None) -> tuple[LineDisplay, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, no_color=True, highlight=False, soft_wrap=True)
    return LineDisplay(console, clock or Clock()), text


def live(width: int = 120, clock: Clock | None = None) -> tuple[LiveDisplay, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=width)
    return LiveDisplay(console, clock or Clock()), text


def drawn(display: LiveDisplay, width: int = 120) -> list[str]:
    """What a terminal of that width shows now, row by row."""
    console = Console(file=io.StringIO(), width=width, legacy_windows=False)
    with console.capture() as shown:
        console.print(display.drawn())
    return [row.rstrip() for row in shown.get().splitlines()]


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


def test_a_log_says_what_goes_on_before_the_first_pair_and_how_long_all_will_take() -> None:
    display, text = lines()
    display.phase("checking inputs")
    display.phase("loading the network slim")
    display.foresee(prospect("a", "b", "c", workers=2))
    display.phase("")
    assert text.getvalue().splitlines() == [
        "checking inputs",
        "loading the network slim",
        "3 pairs on 2 workers, about 15s by earlier runs on this machine",
    ]


def test_a_log_says_now_and_then_how_far_the_run_is() -> None:
    clock = Clock()
    display, text = lines(clock)
    display.expect(3)
    display.foresee(prospect("a", "b", "c"))
    display.pair_ended(Outcome("b", "failed", "bad_image", "no"))
    display.pair_progress(PairProgress("a", 10, 0.75))
    clock.now = LINE_EVERY_S + 1
    display.pair_progress(PairProgress("a", 100, 0.25))
    display.pair_progress(PairProgress("a", 100, 0.25))
    *_, told = text.getvalue().splitlines()
    assert re.fullmatch(
        r"50% of the work; 0 done, 1 failed, 2 left; 30s left; a step 100 of 100 at 512x384 px, loss 0.25",
        told,
    ), told
    assert text.getvalue().count("of the work") == 1


def test_hostile_names_neither_break_lines_nor_colour_nor_move_anything_in_a_log() -> None:
    display, text = lines()
    display.pair_ended(Outcome(HOSTILE, "failed", HOSTILE, HOSTILE))
    assert text.getvalue().count("\n") == 1
    assert text.getvalue().strip().isprintable()
    assert text.getvalue().count("[red]c[/red]") == 3


def test_hostile_names_neither_break_nor_colour_the_rows() -> None:
    display, text = live()
    with display:
        display.phase(HOSTILE)
        display.phase("")
        display.expect(1)
        display.foresee(prospect(HOSTILE))
        display.pair_progress(PairProgress(HOSTILE, 3, 0.25))
        display._live.refresh()
        display.pair_ended(Outcome(HOSTILE, "failed", "bad_image", HOSTILE))
    shown = seen(text).replace("\r", "").replace("\n", "")
    assert shown.isprintable()
    assert "[red]c[/red]" in shown
    assert "\x1b[2J" not in text.getvalue()
    assert "\x07" not in text.getvalue()


def test_each_worker_has_a_row_under_a_bar_over_all_work() -> None:
    for width in (80, 120):
        clock = Clock()
        display, _ = live(width, clock)
        display.expect(4)
        display.foresee(prospect("harbour", "a/very/long/name/of/a/pair/in/many/folders", "c", workers=2))
        display.pair_ended(Outcome("broken", "failed", "bad_image", "no"))
        clock.now = 5.0
        for worker, name in enumerate(("harbour", "a/very/long/name/of/a/pair/in/many/folders")):
            display.pair_progress(PairProgress(name, 50, 0.123456, worker))
        overall, first, second = drawn(display, width)
        assert re.search(r" \d+% 0 done, 1 failed, 3 left, \S+ left$", overall), overall
        assert re.fullmatch(r"1 harbour +step 50/100 +256x192 +loss 0.123 +\d+s left", first), first
        assert second.startswith("2 a/very/long/name")
        assert second.endswith("left")
        assert ("…" in second) == (width == 80)
        assert max(map(len, (overall, first, second))) <= width


def test_before_the_first_pair_the_phase_is_shown_alone() -> None:
    display, _ = live()
    with display:
        display.phase("loading the network vgg19")
        assert [row[2:] for row in drawn(display)] == ["loading the network vgg19"]
        display.phase("")
        assert drawn(display) == [""]


def test_where_the_time_is_unknown_none_is_promised() -> None:
    display, _ = live()
    display.expect(2)
    display.foresee(prospect("a", "b", seconds=None))
    assert drawn(display)[0].endswith("0% 0 done, 2 left")


def test_the_rows_let_done_pairs_pass_in_silence_and_failures_are_told() -> None:
    display, text = live()
    with display:
        display.expect(2)
        display.pair_ended(Outcome("good", "done"))
        display.pair_ended(Outcome("bad", "failed", "bad_image", "bad.png is no picture"))
    assert "good" not in seen(text)
    assert "bad: failed: bad_image: bad.png is no picture" in seen(text)


def test_a_person_gets_rows_and_a_log_gets_lines() -> None:
    assert isinstance(choose_display(Console(file=io.StringIO(), force_terminal=True)), LiveDisplay)
    assert isinstance(choose_display(Console(file=io.StringIO())), LineDisplay)
