from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.model.identity import Ingredients, identity
from flows.records.record import Failure, Optimisation, Output, Record, Source, UnreadableRecord, timeless
from flows.text import safe_text

MADE_OF = Ingredients("a" * 64, "b" * 64, "", "c" * 64, {"steps": 100, "style_layers": {"relu1_1": 0.25}})
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def done_record(**changes: Any) -> Record:
    facts: dict[str, Any] = {
        "status": "done",
        "name": "night/sea__wave",
        "identity": identity(MADE_OF),
        "ingredients": MADE_OF,
        "content": Source(uri="/in/sea.jpg", sha256="a" * 64, token="17", width=40, height=30),
        "style": Source(uri="s3://art/wave.png", sha256="b" * 64, token='"e7"', decisions=("flattened",)),
        "output": Output(
            name="night/sea__wave.png", size_bytes=9, sha256="d" * 64, width=40, height=30, format="png"
        ),
        "device": "cuda:0",
        "precision": "float32",
        "versions": {"stylize": "0.1.0", "python": "3.11"},
        "seed": 0,
        "optimisation": Optimisation(
            evaluations=100,
            accepted_steps=97,
            stop_reason="steps",
            first_loss=3.5,
            last_loss=0.5,
            loss_curve=[3.5, 1.25, 0.5],
            loss_terms={"content": 0.25, "style": 0.25, "tv": 0.0},
        ),
        "timings_s": {"read": 0.25, "optimise": 12.5},
        "peak_memory_bytes": 123,
        "decisions": ("device cuda:0 chosen",),
        "finished_at": NOON,
    }
    return Record(**(facts | changes))


def failed_record(message: str = "broken") -> Record:
    return Record(status="failed", name="x", identity="", failure=Failure(kind="bad_image", message=message))


def foreign(**changes: Any) -> bytes:
    return json.dumps(json.loads(done_record().to_bytes()) | changes).encode() + b"\n"


def test_a_record_comes_back_as_it_was_written() -> None:
    assert Record.parse(done_record().to_bytes()) == done_record()
    failed = failed_record()
    assert Record.parse(failed.to_bytes()) == failed


def test_ingredients_come_back_with_their_identity() -> None:
    read = Record.parse(done_record().to_bytes())
    assert read.ingredients is not None
    assert identity(read.ingredients) == read.identity


def test_records_are_written_the_same_way_every_time() -> None:
    data = done_record().to_bytes()
    assert data == Record.parse(data).to_bytes()
    assert data.endswith(b"}\n")
    keys = [line.split('"')[1] for line in data.decode().splitlines() if line.startswith(' "')]
    assert keys == sorted(keys)
    assert '"finished_at": "2026-03-01T12:00:00Z"' in data.decode()


def test_every_beginning_of_a_record_is_unreadable() -> None:
    for record in (done_record(), failed_record()):
        data = record.to_bytes()
        for length in range(len(data)):
            with pytest.raises(UnreadableRecord):
                Record.parse(data[:length])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"\0" * 4096, "cut short"),
        (b"\xff\xfe}\n", "Invalid JSON"),
        (b"{}\n", "status: Field required"),
        (b'{"shards": {"count": 3}}\n', "status: Field required"),
        (b"[" * 100_000 + b"}\n", "recursion"),
        (foreign(status="perhaps"), "status"),
        (foreign(identity=7), "identity"),
        (foreign(output=None), "needs identity, ingredients and output"),
        (foreign(ingredients=None), "needs identity, ingredients and output"),
        (foreign(status="failed"), "needs its failure"),
        (foreign(record_version=0), "record_version 0 does not exist"),
        (foreign(record_version="1"), "record_version"),
        (foreign(finished_at="2026-03-01T12:00:00"), "finished_at"),
        (foreign(output={"name": "a\u001b[2J"}), "output"),
    ],
)
def test_foreign_bytes_are_unreadable_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableRecord) as caught:
        Record.parse(data)
    assert reason in caught.value.reason
    assert caught.value.reason.isprintable()
    assert not caught.value.newer


def test_a_file_without_a_record_version_is_no_record() -> None:
    facts = json.loads(done_record().to_bytes())
    del facts["record_version"]
    with pytest.raises(UnreadableRecord, match="no record_version"):
        Record.parse(json.dumps(facts).encode() + b"\n")


@pytest.mark.parametrize("changes", [{"record_version": 2}, {"record_version": 9, "status": "archived"}])
def test_a_record_of_a_newer_version_is_told_apart(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRecord, match="from a newer version") as caught:
        Record.parse(foreign(**changes))
    assert caught.value.newer


def test_unknown_keys_of_a_newer_minor_version_are_left_aside() -> None:
    facts = json.loads(done_record().to_bytes())
    facts["mood"] = "blue"
    facts["output"]["thumbnail"] = "t.png"
    facts["ingredients"]["mask"] = "e"
    assert Record.parse(json.dumps(facts).encode() + b"\n") == done_record()


@given(st.binary(max_size=200))
def test_no_bytes_at_all_can_crash_the_reader(data: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        Record.parse(data + b"}\n")


def test_a_record_that_could_not_be_read_back_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="needs identity"):
        done_record(output=None)
    with pytest.raises(ValidationError, match="needs its failure"):
        Record(status="failed", name="x", identity="")


def test_numbers_that_are_not_finite_never_reach_a_record() -> None:
    nan, inf = float("nan"), float("inf")
    optimisation = Optimisation(
        evaluations=2,
        accepted_steps=1,
        stop_reason="diverged",
        first_loss=nan,
        last_loss=-inf,
        loss_curve=[2.0, inf, 1.0],
        loss_terms={"content": nan, "style": 1.0},
    )
    record = done_record(optimisation=optimisation, timings_s={"read": inf, "write": 0.5})
    assert b"NaN" not in record.to_bytes()
    assert b"Infinity" not in record.to_bytes()
    read = Record.parse(record.to_bytes())
    assert read == record
    assert read.optimisation is not None
    assert read.optimisation.first_loss is None
    assert read.optimisation.loss_curve == [2.0, 1.0]
    assert read.optimisation.loss_terms == {"style": 1.0}


def test_a_moment_of_any_zone_is_written_in_utc() -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    assert done_record(finished_at=tokyo).to_bytes() == done_record(finished_at=NOON).to_bytes()
    with pytest.raises(ValidationError, match="finished_at"):
        done_record(finished_at=NOON.replace(tzinfo=None))


def test_a_failure_is_escaped_and_capped_however_it_is_built() -> None:
    message = failed_record("\x1b[31mno\nway\x00" + "é" * 5000).failure
    assert message is not None
    assert message.message.startswith("\\x1b[31mno\\nway\\x00éé")
    assert len(message.message.encode()) <= 2000
    assert message.message.endswith("…")


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.integers(min_value=3, max_value=400))
def test_safe_text_is_printable_and_within_its_limit(text: str, limit: int) -> None:
    safe = safe_text(text, limit)
    assert safe.isprintable()
    assert len(safe.encode()) <= limit
    assert safe_text(safe, limit) == safe


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=100))
def test_safe_text_leaves_ordinary_text_alone(text: str) -> None:
    assert safe_text(text) == text


def test_a_lone_surrogate_from_a_file_name_is_escaped() -> None:
    assert safe_text("caf\udce9.jpg") == "caf\\udce9.jpg"


def test_two_runs_of_one_pair_differ_in_times_and_machine_only() -> None:
    again = done_record(
        finished_at=NOON + timedelta(days=1),
        timings_s={"read": 1.0},
        peak_memory_bytes=None,
        device="cpu",
        versions={"stylize": "0.2.0"},
        content=Source(uri="/in/sea.jpg", sha256="a" * 64, token="18", width=40, height=30),
    )
    assert timeless(again.to_bytes()) == timeless(done_record().to_bytes())


@pytest.mark.parametrize(
    "changes",
    [
        {"decisions": ()},
        {"ingredients": replace(MADE_OF, content="f")},
        {"content": Source(uri="/in/other.jpg")},
        {"init": Source(uri="/in/other.jpg")},
    ],
)
def test_any_other_difference_between_runs_is_kept(changes: dict[str, Any]) -> None:
    assert timeless(done_record(**changes).to_bytes()) != timeless(done_record().to_bytes())
