"""What goes and what stays when one record takes the place of another."""

from __future__ import annotations

import pytest

from flows.model.identity import Ingredients
from flows.records.record import Extra, Failure, Output, Record
from flows.records.store import replace_record, withdraw_unfinished
from flows.storage.base import Storage
from flows.storage.opening import open_storage


def done(name: str, *others: str, suffix: str = "png") -> Record:
    picture = Output(name=f"{name}.{suffix}", size_bytes=1, sha256="", width=1, height=1, format=suffix)
    return Record(
        status="done",
        name=name,
        identity="i",
        ingredients=Ingredients("c", "s", "", "w", {}),
        output=picture,
        snapshots=tuple(Extra(name=other, size_bytes=1, sha256="") for other in others),
        animation=Extra(name=f"{name}.gif", size_bytes=1, sha256=""),
    )


def unfinished(name: str, *files: str) -> Record:
    failure = Failure(kind="unfinished", message="it is not over")
    return Record(status="failed", name=name, identity="i", failure=failure, unfinished=files)


@pytest.fixture
def storage(memory_root: str) -> Storage:
    """Two pairs with a picture, a snapshot and an animation each, and the record of the first."""
    storage = open_storage(memory_root)
    for name in ("a.png", "a.0010.png", "a.gif", "ab.png", "ab.0010.png", "ab.gif"):
        storage.write(name, b"x")
    storage.write("a.json", done("a", "a.0010.png").to_bytes())
    return storage


def names(storage: Storage) -> list[str]:
    return [item.name for item in storage.list() if not item.name.startswith("ab.")]


def test_what_the_new_record_speaks_of_stays_and_the_rest_goes(storage: Storage) -> None:
    replace_record(storage, "a.json", done("a", "a.0005.png"))
    assert names(storage) == ["a.gif", "a.json", "a.png"]
    replace_record(storage, "a.json", done("a", suffix="webp"))
    assert names(storage) == ["a.gif", "a.json"]


def test_a_new_try_clears_away_what_a_dead_one_may_have_written(storage: Storage) -> None:
    replace_record(storage, "a.json", unfinished("a", "a.0010.png", "a.0020.png"))
    assert names(storage) == ["a.0010.png", "a.json"]
    replace_record(storage, "a.json", unfinished("a", "a.0020.png"))
    assert names(storage) == ["a.json"]


def test_a_try_that_is_withdrawn_leaves_nothing(storage: Storage) -> None:
    replace_record(storage, "a.json", unfinished("a", "a.0010.png", "a.0020.png"))
    withdraw_unfinished(storage, "a.json")
    assert names(storage) == []


def test_a_finished_pair_cannot_be_withdrawn(storage: Storage) -> None:
    before = names(storage)
    withdraw_unfinished(storage, "a.json")
    withdraw_unfinished(storage, "missing.json")
    assert names(storage) == before


def test_a_record_that_was_copied_costs_the_other_pair_nothing(storage: Storage) -> None:
    storage.write("ab.json", done("a", "a.0010.png", "../elsewhere.png").to_bytes())
    before = names(storage)
    replace_record(storage, "ab.json", unfinished("ab"))
    assert names(storage) == before
    storage.write("a.json", unfinished("a", "ab.0010.png", "a.gif").to_bytes())
    withdraw_unfinished(storage, "a.json")
    assert storage.stat("ab.0010.png") is not None
