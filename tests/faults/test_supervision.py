"""Workers that hang and pairs that take too long: found out, replaced, and no other pair notices."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from small_batch import (
    Audience,
    manifest,
    pids_of,
    processes_of,
    record,
    run_here,
    run_inside,
    small_batch,
    tree,
)

from flows.engines.local import LocalEngine
from flows.engines.supervisor import MAX_ATTEMPTS
from flows.model.events import PairProgress
from flows.worker import calls as worker_calls
from flows.worker import optimize

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path)
    return tmp_path


class Hypnotist:
    """Stops the only worker of a run whenever the pair makes progress, so many times."""

    def __init__(self, pair: str, times: int) -> None:
        self.pair, self.times = pair, times
        self.victims: list[int] = []
        self.engines: list[LocalEngine] = []
        self.audience = Audience(self._stop)

    def watch(self, engine: LocalEngine) -> None:
        """From now on; a run would usually wait two minutes for a sign of life."""
        self.engines.append(engine)
        for process in processes_of(engine):
            process._silence_s = 3.0

    def _stop(self, progress: PairProgress) -> None:
        if progress.pair == self.pair and len(self.victims) < self.times:
            pids = pids_of(self.engines[0])
            if pids[0] not in self.victims:
                self.victims += pids
                os.kill(pids[0], signal.SIGSTOP)


def start_on_a_device_that_fails_once(latch: Path, *how: Any) -> None:
    """A worker whose driver refuses everything after an error, until another process starts."""
    worker_calls.start(*how)

    def fail(*_: object, **__: object) -> None:
        latch.touch()
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    if not latch.exists():
        vars(optimize)["stylize"] = fail


def test_a_worker_that_lost_its_device_gives_way_to_one_that_has_it(home: Path) -> None:
    def doom(engine: LocalEngine) -> None:
        for child in processes_of(engine):
            assert child._child
            assert child._initializer
            child._discard(child._child)
            how = (home / "failed", *child._initializer.args)
            child._initializer = partial(start_on_a_device_that_fails_once, *how)  # type: ignore[assignment]

    audience = Audience()
    ended = run_here(manifest(home), audience, at_start=doom)
    assert (home / "failed").exists()
    assert (ended.done, ended.failed, ended.exit_code) == (4, 0, 0)
    assert "lost its device" in " ".join(audience.notes)


def test_a_worker_that_falls_silent_is_replaced_and_the_pair_is_made_all_the_same(home: Path) -> None:
    run_inside(manifest(home, output="calm"), Audience())
    spell = Hypnotist("p1__s0", times=1)
    ended = run_here(manifest(home), spell.audience, at_start=spell.watch)
    assert len(spell.victims) == 1
    assert (ended.done, ended.failed, ended.exit_code) == (4, 0, 0)
    (note,) = [note for note in spell.audience.notes if "p1__s0" in note]
    assert "gave no sign of life for 3 s" in note
    assert "attempt 1 of 3" in note
    assert tree(home / "out") == tree(home / "calm")


def test_a_pair_that_silences_every_worker_is_given_up_as_wedged_and_the_others_are_done(home: Path) -> None:
    spell = Hypnotist("p1__s0", times=MAX_ATTEMPTS)
    ended = run_here(manifest(home), spell.audience, at_start=spell.watch)
    assert len(spell.victims) == MAX_ATTEMPTS
    assert (ended.done, ended.failed, ended.exit_code) == (3, 1, 3)
    told = record(home, "p1__s0").failure
    assert told is not None
    assert (told.kind, told.attempts) == ("wedged", MAX_ATTEMPTS)
    assert "given up after 3 attempts" in told.message


def test_a_pair_that_takes_longer_than_its_timeout_fails_and_its_worker_goes_on(home: Path) -> None:
    endless = "{content: photos/p1.png, style: paintings/s0.png, settings: {steps: 10000}}"
    others = [f"{{content: photos/p0.png, style: paintings/s{number}.png}}" for number in range(2)]
    path = manifest(home, f"timeout: 6s\npairs: [{endless}, {', '.join(others)}]")
    pids: set[int] = set()
    engines: list[LocalEngine] = []
    audience = Audience(lambda _: pids.update(pids_of(engines[0])))
    ended = run_here(path, audience, at_start=engines.append)
    assert (ended.done, ended.failures_by_kind, ended.exit_code) == (2, {"timeout": 1}, 3)
    assert len(pids) == 1, "the worker noticed by itself"
    told = record(home, "p1__s0").failure
    assert told is not None
    assert (told.kind, told.attempts) == ("timeout", 1)
    assert "of 10000 steps; the timeout is 6s" in told.message


def test_a_worker_that_does_not_notice_a_timeout_is_killed_and_the_pair_not_tried_again(home: Path) -> None:
    slow = "size: 2560, precision: fp32, scales: 1, steps: 9"  # one report, after the last step
    huge = f"{{content: photos/p1.png, style: paintings/s0.png, settings: {{{slow}}}}}"
    others = [f"{{content: photos/p0.png, style: paintings/s{number}.png}}" for number in range(2)]
    path = manifest(home, f"timeout: 4s\npairs: [{others[0]}, {huge}, {others[1]}]")
    ended = run_here(path, Audience())
    assert (ended.done, ended.failures_by_kind, ended.exit_code) == (2, {"timeout": 1}, 3)
    told = record(home, "p1__s0").failure
    assert told is not None
    assert (told.kind, told.attempts) == ("timeout", 1)
    assert "did not notice the timeout of p1__s0" in told.message


def test_a_timeout_puts_no_picture_out_of_date(home: Path) -> None:
    run_inside(manifest(home), Audience())
    ended = run_inside(
        manifest(home, "timeout: 1d\ncontents: ['photos/*']\nstyles: ['paintings/*']"), Audience()
    )
    assert (ended.done_before, ended.done) == (4, 0)
