"""A supervisor and a worker that dies as it is told to, without a process, a disk or a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from flows.engines.groups import Group, SharedGroups
from flows.engines.supervisor import MAX_ATTEMPTS, Supervisor
from flows.errors import StorageFatal, TimedOut, WorkerCrashed, WorkerStopped
from flows.model.identity import Ingredients
from flows.model.pair import Input, Job, Outcome, Pair
from flows.model.sheet import SheetJob
from flows.records.record import Output, Record
from flows.records.store import read_record
from flows.storage.opening import open_storage
from flows.worker.api import Worker
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

Call = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass
class ScriptedWorker:
    """Tells every pair with the call after its own, as workers do, and raises what its script says.

    Args:
        script: called with the names of a call's pairs, of those ahead, and how many calls there were.
    """

    script: Callable[[tuple[str, ...], tuple[str, ...], int], Exception | None] = lambda *_: None
    device: str = "cpu"
    calls: list[Call] = field(default_factory=list)
    behind: tuple[str, ...] = ()

    def describe(self) -> str:
        return self.device

    def check_weights(self, settings: StyleSettings) -> str:
        return ""

    def run_pairs(self, jobs: Sequence[Job], ahead: Sequence[Job]) -> tuple[Outcome, ...]:
        names = tuple(job.pair.name for job in jobs)
        following = tuple(job.pair.name for job in ahead)
        self.calls.append((names, following))
        if error := self.script(names, following, len(self.calls)):
            self.behind = ()
            raise error
        told, self.behind = self.behind, names
        if not ahead:
            told, self.behind = (*told, *names), ()
        return tuple(Outcome(name, "done") for name in told)

    def make_sheet(self, job: SheetJob) -> bool:
        return True

    def stop(self) -> None:
        pass

    def close(self, grace_s: float = 5.0) -> None:
        pass


@pytest.fixture
def jobs(memory_root: str) -> list[Job]:
    picture = Input(f"{memory_root}/in.png")
    settings = StyleSettings(size=64), PictureSettings()
    return [Job(Pair(name, picture, picture, *settings), f"{memory_root}/out", "id") for name in "abcd"]


def supervise(
    worker: Worker, jobs: Sequence[Job], *, enough: Callable[[], bool] = lambda: False
) -> tuple[list[tuple[str, str]], list[str]]:
    notes: list[str] = []
    groups: list[Group] = [[job] for job in jobs]
    outcomes = Supervisor(worker, notes.append, enough).outcomes(SharedGroups(iter(groups)).take)
    return [(outcome.name, outcome.kind or outcome.status) for outcome in outcomes], notes


def test_every_pair_is_told_once_and_the_next_is_read_ahead(jobs: list[Job]) -> None:
    worker = ScriptedWorker()
    told, notes = supervise(worker, jobs)
    assert told == [(name, "done") for name in "abcd"]
    assert worker.calls == [(("a",), ("b",)), (("b",), ("c",)), (("c",), ("d",)), (("d",), ())]
    assert notes == []


def test_a_death_has_all_pairs_in_hand_tried_alone_and_no_other(jobs: list[Job]) -> None:
    """Of `b` the outcome of `a` is not told yet, and `c` was read: each may be to blame."""
    worker = ScriptedWorker(lambda names, ahead, call: WorkerCrashed("it died") if call == 2 else None)
    told, notes = supervise(worker, jobs)
    assert told == [(name, "done") for name in "abcd"]
    assert worker.calls[2:] == [(("a",), ()), (("b",), ()), (("c",), ()), (("d",), ())]
    assert notes == [f"a, b, c: it died; attempt 1 of {MAX_ATTEMPTS}; each goes on alone"]


def test_a_pair_whose_record_is_written_is_told_at_once_and_not_held_against_a_death(jobs: list[Job]) -> None:
    told: list[str] = []

    def writes_ahead_and_dies(names: tuple[str, ...], ahead: tuple[str, ...], call: int) -> Exception | None:
        if call == 2:  # while `b` is computed, the record of `a` gets written
            assert supervisor.has_ended(Outcome("a", "done"))
            assert not supervisor.has_ended(Outcome("a", "done")), "it is news once"
            told.append("a")
            return WorkerCrashed("it died")
        return None

    worker = ScriptedWorker(writes_ahead_and_dies)
    supervisor = Supervisor(worker, print, lambda: False)
    groups: list[Group] = [[job] for job in jobs]
    told += [outcome.name for outcome in supervisor.outcomes(SharedGroups(iter(groups)).take)]
    assert told == ["a", "b", "c", "d"]
    assert worker.calls[2:] == [(("b",), ()), (("c",), ()), (("d",), ())], "`a` is not tried again"


def test_a_pair_that_kills_every_worker_is_recorded_and_the_others_are_done(jobs: list[Job]) -> None:
    def deadly(names: tuple[str, ...], ahead: tuple[str, ...], call: int) -> Exception | None:
        return WorkerCrashed("it died") if "b" in names else None

    told, notes = supervise(ScriptedWorker(deadly, device="cuda:1"), jobs)
    assert sorted(told) == [("a", "done"), ("b", "crashed"), ("c", "done"), ("d", "done")]
    record = read_record(open_storage(jobs[1].output), "b.json")
    assert record is not None
    assert record.failure is not None
    assert (record.failure.attempts, record.identity) == (MAX_ATTEMPTS, "id")
    assert record.device == "cuda:1"
    assert "given up after 3 attempts" in record.failure.message
    assert len(notes) == MAX_ATTEMPTS


def test_a_pair_that_missed_its_timeout_is_not_tried_again(jobs: list[Job]) -> None:
    def late(names: tuple[str, ...], ahead: tuple[str, ...], call: int) -> Exception | None:
        return TimedOut("too long", "b") if "b" in names else None

    worker = ScriptedWorker(late)
    told, _ = supervise(worker, jobs)
    assert ("b", "timeout") in told
    assert [names for names, _ in worker.calls].count(("b",)) == 1


def test_what_keeps_a_worker_from_starting_is_fatal_for_the_pairs_in_hand(jobs: list[Job]) -> None:
    groups = SharedGroups(iter([[job] for job in jobs]))
    worker = ScriptedWorker(lambda *_: StorageFatal("no weights"))
    first = next(Supervisor(worker, print, lambda: False).outcomes(groups.take))
    assert (first.name, first.kind, first.fatal) == ("a", "storage_fatal", True)


def test_a_stop_gives_back_the_pairs_in_hand_and_begins_no_other(jobs: list[Job]) -> None:
    worker = ScriptedWorker(lambda names, ahead, call: WorkerStopped("stopped") if call == 2 else None)
    assert supervise(worker, jobs)[0] == [("a", "stopped"), ("b", "stopped")]
    assert len(worker.calls) == 2


def test_when_there_is_enough_the_pairs_in_hand_end_and_no_other_begins(jobs: list[Job]) -> None:
    worker = ScriptedWorker()
    told, _ = supervise(worker, jobs, enough=lambda: len(worker.calls) >= 2)
    assert told == [("a", "done"), ("b", "done")]
    assert worker.calls[-1] == ((), ())


def test_when_there_is_enough_a_death_begins_nothing_that_was_only_read(jobs: list[Job]) -> None:
    worker = ScriptedWorker(lambda names, ahead, call: WorkerCrashed("it died") if call == 2 else None)
    told, _ = supervise(worker, jobs, enough=lambda: len(worker.calls) >= 2)
    assert told == [("a", "done"), ("b", "done")]
    assert worker.calls[1] == (("b",), ("c",)), "it was being read"
    assert worker.calls[2:] == [(("a",), ()), (("b",), ())]


@pytest.mark.parametrize(("identity", "stays"), [("", True), ("another", False)])
def test_a_picture_stays_where_nobody_knows_what_the_pair_that_kills_its_workers_is_made_of(
    jobs: list[Job], identity: str, stays: bool
) -> None:
    storage = open_storage(jobs[0].output)
    storage.write("a.png", b"a picture")
    done = record_of(b"a picture")
    storage.write("a.json", done.to_bytes())
    worker = ScriptedWorker(lambda *_: WorkerCrashed("it died"))
    assert supervise(worker, [replace(jobs[0], identity=identity)])[0] == [("a", "crashed")]
    found = read_record(storage, "a.json")
    assert found is not None
    assert (found == done, storage.stat("a.png") is not None) == (stays, stays)


def record_of(picture: bytes) -> Record:
    output = Output(name="a.png", size_bytes=len(picture), sha256="", width=1, height=1, format="png")
    made_of = Ingredients("c", "s", "", "w", {})
    return Record(status="done", name="a", identity="then", ingredients=made_of, output=output)


def test_two_supervisors_share_the_groups_and_make_each_pair_once(jobs: list[Job]) -> None:
    groups = SharedGroups(iter([[job] for job in jobs]))
    workers = ScriptedWorker(), ScriptedWorker()
    running = [Supervisor(worker, print, lambda: False).outcomes(groups.take) for worker in workers]
    told = [outcome.name for outcomes in running for outcome in outcomes]
    assert sorted(told) == ["a", "b", "c", "d"]
