"""The text file for Prometheus: what stands in it, when it is written, and that it is in nobody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from small_batch import Audience, report, small_batch

from flows.errors import BadArguments
from flows.manifest.load import load_manifest
from flows.model.pair import Outcome
from flows.model.shard import WHOLE, Shard
from flows.records.report import Report, RunFacts, Tally, summed_up
from flows.running import metrics
from flows.running.metrics import metrics_file, published
from flows.running.run import run_shard

DONE = Outcome("a", "done")
DOUBLED = Outcome("d", "skipped", double_work=True)
BAD = Outcome("b", "failed", "bad_image", "b.png is no picture")


def report_of(*outcomes: Outcome, manifest: str = "m.yaml") -> Report:
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome)
    facts = RunFacts(
        manifest=manifest,
        output="/out",
        shard="1/4",
        planned=9,
        done_before=4,
        end="stopped",
        reason="SIGTERM",
        devices=("cuda:0", "cuda:1"),
        warnings=(),
        storage_retries=3,
        seconds=2.5,
        started_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    return summed_up(facts, tally)


def read(path: Path) -> dict[str, float]:
    """The numbers in the file by their names; those of kinds and states by these too."""
    found = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge"), family.name
        for sample in family.samples:
            word = sample.labels.get("kind") or sample.labels.get("state")
            found[f"{sample.name} {word}" if word else sample.name] = sample.value
    return found


def state(path: Path) -> str:
    (found,) = [
        name for name, value in read(path).items() if name.startswith("stylize_run_state") and value == 1
    ]
    return found.split()[1]


def until(what: Callable[[], object]) -> None:
    """Wait for something that another thread brings about; the test's own timeout ends a wait in vain."""
    while not what():
        time.sleep(0.005)


def test_the_numbers_are_those_of_the_report(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    with published(path, lambda: report_of(DONE, DOUBLED, BAD), print):
        pass
    found = read(path)
    assert found.pop("stylize_run_update_timestamp_seconds") > 1.7e9
    assert {name: value for name, value in found.items() if not name.startswith("stylize_run_state")} == {
        "stylize_pairs_planned": 9,
        "stylize_pairs_done_before": 4,
        "stylize_pairs_done_total": 2,
        "stylize_double_work_total": 1,
        "stylize_pairs_failed_total bad_image": 1,
        "stylize_pairs_left": 2,
        "stylize_storage_retries_total": 3,
        "stylize_device_seconds_total": 5.0,
        "stylize_run_duration_seconds": 2.5,
        "stylize_run_start_timestamp_seconds": datetime(2026, 1, 2, tzinfo=UTC).timestamp(),
    }
    assert state(path) == "stopped"


def test_every_number_names_the_run_that_it_is_of_whatever_that_is_called(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    with published(path, lambda: report_of(DONE, BAD, manifest='a "b"\\\n\udcff'), print):
        pass
    for family in text_string_to_metric_families(path.read_text()):
        for sample in family.samples:
            assert sample.labels["manifest"] == 'a "b"\\\\n\\udcff'
            assert (sample.labels["output"], sample.labels["shard"]) == ("/out", "1/4")


def test_the_file_is_written_at_once_and_again_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "EVERY_S", 0.01)
    path, outcomes = tmp_path / "m.prom", [DONE]
    with published(path, lambda: report_of(*outcomes), print):
        until(path.exists)
        assert state(path) == "running"
        outcomes.append(DONE)
        until(lambda: read(path)["stylize_pairs_done_total"] == 2)
        assert state(path) == "running"
    assert state(path) == "stopped"
    assert [file.name for file in tmp_path.iterdir()] == ["m.prom"]


def test_a_run_that_an_error_breaks_off_has_not_ended_well(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    finished = replace(report_of(), end="finished")
    with pytest.raises(ZeroDivisionError), published(path, lambda: finished, print):
        raise ZeroDivisionError
    assert state(path) == "broken_off"


@pytest.mark.parametrize("place", ["absent/m.prom", "folder.prom", "nul\0.prom"])
def test_a_file_that_cannot_be_written_is_noted_once_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(metrics, "EVERY_S", 0.01)
    (tmp_path / "folder.prom").mkdir()
    notes: list[str] = []
    asked: list[Report] = []

    def ask() -> Report:
        asked.append(report_of())
        return asked[-1]

    with published(tmp_path / place, ask, notes.append):
        until(lambda: len(asked) > 3)
    (note,) = notes
    assert note.startswith(f"the metrics in {tmp_path / place} could not be written: ")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.prom"]


def test_a_file_that_takes_for_ever_holds_up_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LAST_WRITE_S", 0.05)
    release, notes = threading.Event(), list[str]()

    def hang() -> Report:
        release.wait()
        return report_of()

    with published(tmp_path / "m.prom", hang, notes.append):
        pass
    assert [note.split(": ")[1] for note in notes] == ["it takes too long; the run goes on"]
    release.set()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "metrics"])


def test_without_a_file_nobody_is_asked() -> None:
    def never() -> Report:
        raise AssertionError

    with published(None, never, print):
        pass


def test_shards_on_one_machine_have_files_of_their_own() -> None:
    assert metrics_file("/m/stylize.prom", WHOLE) == Path("/m/stylize.prom")
    assert metrics_file("/m/stylize.prom", Shard(1, 4)) == Path("/m/stylize-1-of-4.prom")
    assert metrics_file(None, WHOLE) is None


@pytest.mark.parametrize("name", ["m.yaml", "", ".prom", "folder/", "m.prom.bak"])
def test_a_file_that_nobody_would_read_is_refused(name: str) -> None:
    with pytest.raises(BadArguments, match=r"--metrics: .* is not accepted; .* ends in \.prom"):
        metrics_file(name, WHOLE)


@pytest.mark.slow
def test_a_run_leaves_the_counts_of_its_report(tmp_path: Path) -> None:
    path = small_batch(tmp_path)
    (tmp_path / "photos/p1.png").write_text("no photo")
    run_shard(load_manifest(path), device="cpu", workers=1, metrics=tmp_path / "m.prom", listener=Audience())
    facts, found = report(tmp_path), read(tmp_path / "m.prom")
    assert found["stylize_pairs_done_total"] == facts["done"] == 2
    assert found["stylize_pairs_failed_total bad_image"] == facts["failed"] == 2
    assert (found["stylize_pairs_planned"], found["stylize_pairs_left"]) == (4, 0)
    assert found["stylize_device_seconds_total"] >= facts["device_seconds"] == facts["seconds"] > 0
    assert state(tmp_path / "m.prom") == "finished"
