"""How long a failing store is asked again, by a clock that the program's waits alone move."""

from __future__ import annotations

import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from object_store import ObjectStore

from flows.errors import CredentialsAway, StorageFatal, StorageTransient
from flows.storage.base import PATIENCE, Patience
from flows.storage.clock import seconds_ahead
from flows.storage.opening import open_storage

OURS = replace(PATIENCE, attempts=1)


@dataclass
class Clock:
    """Tells the sum of all waits, none of which takes any time."""

    waits: list[float] = field(default_factory=list)
    meanwhile: dict[int, Callable[[], object]] = field(default_factory=dict)
    """What happens during which wait."""

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.meanwhile.get(len(self.waits), list)()

    def monotonic(self) -> float:
        return sum(self.waits)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of this process, and waits that are the longest that chance allows."""
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(random, "uniform", lambda _, longest: longest)
    monkeypatch.setattr(random, "random", lambda: 1.0)
    return clock


def read_from_a_store_that_throttles_for_ever(store: ObjectStore, patience: Patience) -> None:
    store.fail("*", "*", "slow_down")
    with pytest.raises(StorageTransient, match="SlowDown again and again"):
        open_storage(store.root, patience=patience).read("a")


def test_row_10_a_store_that_throttles_for_ever_is_given_up_within_three_minutes(
    object_store: ObjectStore, clock: Clock
) -> None:
    read_from_a_store_that_throttles_for_ever(object_store, PATIENCE)
    assert object_store.count("GET", "a") == PATIENCE.attempts * PATIENCE.rounds
    assert 0 < clock.monotonic() < 180


def test_no_round_starts_after_the_limit_however_many_rounds_there_may_be(
    object_store: ObjectStore, clock: Clock
) -> None:
    read_from_a_store_that_throttles_for_ever(object_store, replace(OURS, rounds=1000))
    assert OURS.limit_s - OURS.longest_wait_s <= clock.monotonic() < OURS.limit_s == 180


def test_waits_double_up_to_the_longest(object_store: ObjectStore, clock: Clock) -> None:
    read_from_a_store_that_throttles_for_ever(object_store, replace(OURS, rounds=8))
    assert clock.waits == [1, 2, 4, 8, 16, 20, 20]


def test_waits_are_drawn_by_chance_so_that_machines_do_not_come_back_together(
    object_store: ObjectStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda shortest, longest: (shortest + longest) / 4)
    read_from_a_store_that_throttles_for_ever(object_store, replace(OURS, rounds=4))
    assert clock.waits == [0.25, 0.5, 1]


def test_many_requests_in_trouble_are_one_line_for_each_step_and_one_for_all(
    object_store: ObjectStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits until all have failed as often, so all are in the same trouble."""
    names = [f"n{number}" for number in range(12)]
    for name in names:
        object_store.put(name, name.encode())
        object_store.fail("GET", name, "slow_down", times=2)
    together = threading.Barrier(len(names), timeout=60)
    monkeypatch.setattr(time, "sleep", lambda _: together.wait())
    caplog.set_level(logging.INFO, logger="flows")
    with ThreadPoolExecutor(len(names)) as pool:
        read = pool.map(open_storage(object_store.root, patience=OURS).read, names)
        assert list(read) == [name.encode() for name in names]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("flows")]
    assert [re.sub("s3:.*", "", line) for line in lines] == [
        "attempt 1 of GetObject failed: HTTP 503",
        "round 1 of 4 failed: ",
        "round 2 of 4 failed: ",
        "12 of 12 storage requests worked when asked again",
    ]


def test_a_trouble_after_the_last_one_is_told_again(
    object_store: ObjectStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    object_store.put("a", b"x")
    for _ in range(2):
        object_store.fail("GET", "a", "slow_down", times=1)
        assert open_storage(object_store.root, patience=OURS).read("a") == b"x"
    assert caplog.text.count("round 1 of 4 failed") == 2


# ---- credentials


def lead_to_credentials(patch: pytest.MonkeyPatch, folder: Path, kind: str) -> Path:
    """Have credentials come from a file alone, by itself or by a program that prints it; the file."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.delenv(name)
    given, config = folder / "given", folder / "config"
    key, secret = "AKIDTESTTESTTESTTEST", "secret-for-tests"
    if kind == "a file":
        given.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(given))
    else:
        given.write_text(json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": secret}))
        config.write_text(f"[default]\ncredential_process = cat {given}\n")
        patch.setenv("AWS_CONFIG_FILE", str(config))
    return given


@pytest.fixture(params=["a file", "a program"])
def given(
    request: pytest.FixtureRequest, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """Where the credentials come from with which an object `a` was written."""
    found = lead_to_credentials(monkeypatch, tmp_path, request.param)
    open_storage(object_store.root, patience=OURS).write("a", b"x")
    return found


def test_credentials_that_are_away_for_a_while_are_waited_for_by_a_run_that_had_them(
    object_store: ObjectStore, clock: Clock, given: Path, tmp_path: Path
) -> None:
    away = given.rename(tmp_path / "away")
    clock.meanwhile[5] = lambda: away.rename(given)
    anew = replace(PATIENCE, rounds=3, attempts=4)  # for which there is no client yet
    assert open_storage(object_store.root, patience=anew).read("a") == b"x"
    assert clock.waits == [1, 2, 4, 8, 16]


def test_credentials_that_stay_away_end_the_run(object_store: ObjectStore, clock: Clock, given: Path) -> None:
    given.unlink()
    with pytest.raises(CredentialsAway, match="no credentials could be had again and again") as caught:
        open_storage(object_store.root, patience=replace(PATIENCE, rounds=2, attempts=3)).read("a")
    assert caught.value.fatal
    assert len(clock.waits) == 2 * 3 - 1


def test_where_there_never_were_credentials_the_run_ends_at_once(
    object_store: ObjectStore, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lead_to_credentials(monkeypatch, tmp_path, "a file").unlink()
    with pytest.raises(StorageFatal, match="NoCredentialsError"):
        open_storage(object_store.root, patience=PATIENCE).read("a")
    assert clock.waits == []


def test_a_program_that_has_never_given_any_is_asked_a_few_times(
    object_store: ObjectStore, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lead_to_credentials(monkeypatch, tmp_path, "a program").unlink()
    with pytest.raises(CredentialsAway, match="CredentialRetrievalError"):
        open_storage(object_store.root, patience=PATIENCE).read("a")
    assert len(clock.waits) == PATIENCE.rounds - 1


def test_credentials_that_have_expired_before_they_are_given_are_waited_for_as_if_they_were_away(
    object_store: ObjectStore, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = lead_to_credentials(monkeypatch, tmp_path, "a program")
    object_store.put("a", b"x")
    fresh, yesterday = json.loads(given.read_text()), "2020-01-01T00:00:00Z"
    given.write_text(json.dumps({**fresh, "Expiration": yesterday}))
    with pytest.raises(CredentialsAway, match="no credentials could be had again and again") as caught:
        open_storage(object_store.root, patience=replace(PATIENCE, rounds=2, attempts=3)).read("a")
    assert caught.value.fatal
    clock.meanwhile[len(clock.waits) + 2] = lambda: given.write_text(json.dumps(fresh))
    assert open_storage(object_store.root, patience=PATIENCE).read("a") == b"x"


def test_the_clock_of_a_store_that_expired_credentials_keep_from_being_asked_is_not_known(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = lead_to_credentials(monkeypatch, tmp_path, "a program")
    given.write_text(json.dumps({**json.loads(given.read_text()), "Expiration": "2020-01-01T00:00:00Z"}))
    assert seconds_ahead(object_store.root) is None


@pytest.fixture
def role(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials that a service gives to whoever shows a token; it is the store's neighbour."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "token").write_text("a token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/night")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", object_store.url)


@pytest.mark.usefixtures("role")
def test_a_service_that_is_too_busy_to_give_credentials_is_asked_again(
    object_store: ObjectStore, clock: Clock
) -> None:
    object_store.put("a", b"x")
    object_store.fail("POST", "*", "slow_down", times=7)  # two rounds of the client, and more
    assert open_storage(object_store.root, patience=PATIENCE).read("a") == b"x"
    assert object_store.count("POST") == 8


@pytest.mark.usefixtures("role")
def test_a_service_that_refuses_credentials_is_not_asked_again(
    object_store: ObjectStore, clock: Clock
) -> None:
    object_store.fail("POST", "*", "access_denied")
    with pytest.raises(StorageFatal, match="no usable credentials"):
        open_storage(object_store.root, patience=PATIENCE).read("a")
    assert object_store.count("POST") == 1
