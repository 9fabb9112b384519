"""Rows 4, 5 and 48: whatever a record says comes back, and no part of a record counts as one."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.model.identity import Ingredients
from flows.records.record import Extra, Failure, Optimisation, Output, Record, Source, UnreadableRecord

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)  # file names hold no half characters
WORD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
COUNT = st.integers(0, 2**63 - 1)
NUMBER = st.floats()  # not only the finite ones
SOURCE = st.builds(Source, uri=TEXT, sha256=TEXT, token=TEXT, width=st.none() | COUNT, decisions=TEXTS)
SETTINGS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    TEXT,
    st.none() | st.booleans() | COUNT | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    max_size=4,
)
FACTS: dict[str, Any] = {
    "name": TEXT,
    "content": st.none() | SOURCE,
    "style": st.none() | SOURCE,
    "others": st.dictionaries(TEXT, SOURCE, max_size=2),
    "snapshots": st.lists(st.builds(Extra, name=TEXT, size_bytes=COUNT, sha256=TEXT), max_size=2).map(tuple),
    "unfinished": TEXTS,
    "device": st.none() | TEXT,
    "versions": st.dictionaries(TEXT, TEXT, max_size=3),
    "seed": st.none() | COUNT,
    "optimisation": st.builds(
        Optimisation, evaluations=COUNT, accepted_steps=COUNT, stop_reason=TEXT,
        first_loss=st.none() | NUMBER, loss_curve=st.lists(NUMBER, max_size=4),
        loss_terms=st.dictionaries(TEXT, NUMBER, max_size=3),
    ),
    "timings_s": st.dictionaries(TEXT, NUMBER, max_size=3),
    "decisions": TEXTS,
    "finished_at": st.datetimes(timezones=st.just(UTC)),
}  # fmt: skip
DONE = st.builds(
    Record, status=st.just("done"), identity=WORD,
    ingredients=st.builds(Ingredients, TEXT, TEXT, TEXT, TEXT, SETTINGS),
    output=st.builds(
        Output, name=TEXT, size_bytes=COUNT, sha256=TEXT, width=COUNT, height=COUNT, format=TEXT
    ),
    **FACTS,
)  # fmt: skip
FAILED = st.builds(
    Record, status=st.just("failed"), identity=TEXT,
    failure=st.builds(Failure, kind=TEXT, message=st.text(), attempts=COUNT, phase=st.none() | TEXT),
    **FACTS,
)  # fmt: skip


@given(DONE | FAILED)
def test_row_05_any_record_comes_back_as_it_was_written(record: Record) -> None:
    data = record.to_bytes()
    assert Record.parse(data) == record
    assert data.isascii()
    assert b"\x1b" not in data


@given(DONE | FAILED, st.data())
def test_row_05_no_beginning_of_any_record_counts_as_one(record: Record, data: st.DataObject) -> None:
    written = record.to_bytes()
    for missing in (1, data.draw(st.integers(2, len(written)))):
        with pytest.raises(UnreadableRecord):
            Record.parse(written[:-missing])


@given(DONE, st.data())
def test_row_05_damage_within_a_record_never_crashes_the_reader(record: Record, data: st.DataObject) -> None:
    damaged = bytearray(record.to_bytes())
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    with suppress(UnreadableRecord):
        Record.parse(bytes(damaged))
