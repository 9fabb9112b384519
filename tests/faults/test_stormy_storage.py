"""Rows 10 to 14 and 16 to 18: whole runs over an S3 store that fails on script, seen from outside."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT
from drawn_images import landscape, saved
from object_store import Fault, ObjectStore
from small_batch import draw, manifest, stylize

from flows.records.record import Record
from flows.records.report import REPORT_NAME

pytestmark = pytest.mark.slow
HASTY = f"{Path(__file__).parent / 'hasty'}{os.pathsep}{ROOT}"
CPU = ("--device", "cpu", "--workers", "1")
PHOTO = saved(landscape(64, 48), "PNG")
ERROR_DOCUMENT = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>"

# what happens to reads of that photo, and how often
READS: dict[str, tuple[Fault, float]] = {
    "busy": ("slow_down", 2),
    "overloaded": ("slow_down", float("inf")),
    "silent": ("hang", 1),
    "cut": ("cut_body", 1),
    "short": ("short_body", 1),
    "shorter": ("short_body", float("inf")),
    "altered": ("wrong_bytes", 1),
    "never-right": ("wrong_bytes", float("inf")),
    "proxied": ("web_page", float("inf")),
    "misled": ("error_document", float("inf")),
    "unproven": ("unproven", float("inf")),
    "dropped": ("drop", 2),
    "closed": ("access_denied", float("inf")),
}


@dataclass
class Voyage:
    """A run through the storm: how it ended, and what the store saw."""

    store: ObjectStore
    done: subprocess.CompletedProcess[str]
    report: dict[str, Any]
    hits: list[tuple[str, str]] = field(default_factory=list)

    def record(self, photo: str) -> Record:
        return Record.parse(self.store.get(f"out/{photo}__s0.json"))

    def failure(self, photo: str) -> tuple[str, str]:
        """Kind and message of a pair that failed; its record and the report tell the same."""
        failure = self.record(photo).failure
        assert failure is not None
        listed = {one["name"]: (one["kind"], one["message"]) for one in self.report["failures"]}
        assert listed[f"{photo}__s0"] == (failure.kind, failure.message)
        assert f"in/{photo}.png" in failure.message
        assert ("PUT", f"out/{photo}__s0.png") not in self.hits, "a picture in spite of the failure"
        return failure.kind, failure.message

    def reads(self, photo: str) -> int:
        return self.hits.count(("GET", f"in/{photo}.png"))


@pytest.fixture(scope="module")
def sea(_object_store: ObjectStore) -> Iterator[ObjectStore]:
    """The store, and an environment that leads there."""
    with pytest.MonkeyPatch.context() as patch:
        _object_store.lead_clients_here(patch)
        yield _object_store
        _object_store.heal()


@pytest.fixture(scope="module")
def voyage(sea: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Voyage:
    """One run in which most pairs meet a fault of their own."""
    home = tmp_path_factory.mktemp("stormy")
    style = draw(home / "s0.png", 10)
    for photo, (fault, times) in READS.items():
        sea.put(f"in/{photo}.png", PHOTO)
        sea.fail("GET", f"in/{photo}.png", fault, times=times)
    for photo in ("calm", "unheaded", "unanswered", "unrecorded"):
        sea.put(f"in/{photo}.png", PHOTO)
    sea.put("in/document.png", ERROR_DOCUMENT)
    sea.fail("HEAD", "in/unheaded.png", "access_denied")
    sea.fail("PUT", "out/unanswered__s0.png", "drop_after")
    sea.fail("PUT", "out/unrecorded__s0.json", "slow_down", times=3)
    names = [*READS, "calm", "unheaded", "unanswered", "unrecorded", "document", "gone"]
    entries = "contents:\n" + "".join(f"  - {sea.root}/in/{name}.png\n" for name in names)
    path = manifest(home, f"{entries}styles: [{style}]", output=f"{sea.root}/out")
    done = stylize("-v", "run", path, *CPU, PYTHONPATH=HASTY)
    return Voyage(sea, done, json.loads(sea.get(f"out/{REPORT_NAME}")), list(sea.hits))


def test_row_10_throttled_reads_are_repeated_said_and_counted(voyage: Voyage) -> None:
    assert voyage.record("busy").status == "done"
    assert voyage.reads("busy") == 3
    assert re.search(r"attempt 1 of GetObject failed: HTTP 503", voyage.done.stderr)
    assert re.search("worked when asked again", voyage.done.stderr), "success is said too"
    assert voyage.report["storage_retries"] > 20


def test_row_10_a_store_that_throttles_for_ever_costs_one_pair_and_bounded_tries(voyage: Voyage) -> None:
    kind, message = voyage.failure("overloaded")
    assert (kind, "SlowDown" in message) == ("storage_transient", True)
    assert voyage.reads("overloaded") == 2 * 3


def test_row_11_an_answer_that_never_comes_is_given_up_and_asked_for_again(voyage: Voyage) -> None:
    assert voyage.record("silent").status == "done"
    assert voyage.reads("silent") == 2
    assert "ReadTimeoutError" in voyage.done.stderr


def test_row_12_short_bodies_are_noticed_whatever_length_they_claim(voyage: Voyage) -> None:
    assert [voyage.record(photo).status for photo in ("cut", "short")] == ["done", "done"]
    assert [voyage.reads(photo) for photo in ("cut", "short")] == [2, 2]
    assert voyage.failure("shorter")[0] == "storage_transient"
    assert "FlexibleChecksumError" in voyage.failure("shorter")[1]


def test_row_13_wrong_bytes_never_become_art(voyage: Voyage) -> None:
    assert (voyage.record("altered").status, voyage.reads("altered")) == ("done", 2)
    assert voyage.failure("never-right")[0] == "storage_transient"
    assert voyage.failure("proxied")[0] == "storage_transient"
    for photo in ("document", "misled"):
        kind, message = voyage.failure(photo)
        assert (kind, "this is an XML document" in message) == ("bad_image", True)
    assert voyage.failure("unproven")[0] == "bad_image", "without any digest, the picture's own tell"


def test_row_14_dropped_connections_are_opened_again(voyage: Voyage) -> None:
    assert voyage.record("dropped").status == "done"
    assert voyage.reads("dropped") == 3


def test_row_16_one_forbidden_key_costs_one_pair_and_is_asked_for_once(voyage: Voyage) -> None:
    kind, message = voyage.failure("closed")
    assert (kind, "AccessDenied" in message) == ("denied", True)
    assert voyage.reads("closed") <= 2, "the plan asks for its version, the worker for its bytes"


def test_row_16_an_object_that_may_be_read_but_not_asked_about_is_as_good_as_any(voyage: Voyage) -> None:
    assert voyage.record("unheaded").status == "done"
    assert voyage.hits.count(("HEAD", "in/unheaded.png")) == 1


def test_row_17_one_missing_key_costs_one_pair_and_is_not_retried(voyage: Voyage) -> None:
    assert voyage.failure("gone")[0] == "not_found"
    assert voyage.reads("gone") <= 2, "the plan asks whether the bucket is there, the worker for the bytes"


def test_row_18_a_write_whose_answer_was_lost_counts_as_written(voyage: Voyage) -> None:
    for photo in ("unanswered", "unrecorded"):
        record = voyage.record(photo)
        assert record.output is not None
        stored = voyage.store.get(f"out/{photo}__s0.png")
        assert hashlib.sha256(stored).hexdigest() == record.output.sha256
    assert voyage.report["double_work"] == 0, "its own record, met again, is no other run's"


def test_rows_10_to_18_cost_nobody_else_anything(voyage: Voyage) -> None:
    facts = voyage.report
    assert voyage.done.returncode == 3, voyage.done.stderr
    assert (facts["planned"], facts["done"], facts["failed"], facts["left"]) == (19, 10, 9, 0)
    assert "Traceback" not in voyage.done.stderr
    uploads = voyage.store.client.list_multipart_uploads(Bucket=voyage.store.bucket)
    assert uploads.get("Uploads", []) == [], "one PUT each: nothing is left of an upload that was given up"
    assert not [method for method, _ in voyage.hits if method not in ("GET", "HEAD", "PUT", "LIST", "DELETE")]


def test_row_18_a_listing_that_forgot_everything_makes_nobody_work_twice(
    voyage: Voyage, tmp_path: Path
) -> None:
    store = voyage.store
    store.heal()
    style = draw(tmp_path / "s0.png", 10)
    entries = f"contents: [{store.root}/in/calm.png, {store.root}/in/busy.png]\nstyles: [{style}]"
    path = manifest(tmp_path, entries, output=f"{store.root}/out")
    store.fail("LIST", "", "stale")
    store.hits.clear()
    done = stylize("run", path, *CPU, PYTHONPATH=HASTY)
    store.heal()
    assert (done.returncode, done.stdout.partition("\n")[0]) == (0, "2 of 2 done (2 now, 0 before)")
    assert done.stderr.count(": skipped in") == 2
    assert not [key for method, key in store.hits if method == "PUT" and key.endswith(".png")]


def _start(home: Path, store: ObjectStore, *, output: str = "", **environment: str) -> tuple[int, str]:
    """A run that is to fail before it begins: its exit code and what it says, less what libraries warn of."""
    draw(home / "p.png", 1)
    path = manifest(home, "contents: [p.png]\nstyles: [p.png]", output=output or f"{store.root}/start")
    done = stylize("run", path, *CPU, **{"PYTHONPATH": HASTY, **environment})
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


def test_row_14_a_store_that_is_down_stops_the_run_at_the_start(sea: ObjectStore, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        code, said = _start(tmp_path, sea, AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert code == 1
    assert "EndpointConnectionError" in said
    assert "check the network" in said


def test_row_16_without_credentials_nothing_starts(sea: ObjectStore, tmp_path: Path) -> None:
    sea.hits.clear()
    code, said = _start(tmp_path, sea, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert code == 1
    assert "no usable credentials (NoCredentialsError); renew or provide them" in said
    assert sea.hits == []


def test_row_16_a_forbidden_bucket_stops_the_run_at_the_start(sea: ObjectStore, tmp_path: Path) -> None:
    sea.heal()
    sea.fail("*", "*", "access_denied")
    code, said = _start(tmp_path, sea)
    sea.heal()
    assert code == 1
    assert "AccessDenied" in said


def test_row_17_a_missing_bucket_stops_the_run_at_the_start(sea: ObjectStore, tmp_path: Path) -> None:
    code, said = _start(tmp_path, sea, output="s3://no-such-bucket-here/out")
    assert code == 1
    assert "the bucket does not exist; create it or correct its name" in said
