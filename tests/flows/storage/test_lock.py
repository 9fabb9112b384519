"""The lock of an output, held by real processes on a real folder and a real S3 server."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from object_store import ObjectStore
from processes import eventually

from flows.errors import AlreadyRunning, Denied, StorageTransient
from flows.model.shard import WHOLE, Shard
from flows.storage import lock, lock_holder
from flows.storage.base import Listed, Patience, Storage
from flows.storage.lock import LOCK_NAME, current_holders, hold_output, lock_name
from flows.storage.lock_holder import STALE_AFTER_S, Holder, read_holder
from flows.storage.opening import open_storage
from flows.storage.process_id import hostname, is_alive, pid_namespace_id, process_start_time

HASTY = Patience(attempts=1, rounds=2, wait_s=0.01, read_timeout_s=20)
HOLD = """
import sys
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage
with hold_output(open_storage(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return open_storage(str(tmp_path / "out"))
    store: ObjectStore = request.getfixturevalue("object_store")
    return open_storage(f"{store.root}/out", patience=HASTY)


@contextmanager
def another_process_holding(storage: Storage) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, storage.root]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def the_lock(storage: Storage) -> dict[str, object]:
    content = json.loads(storage.read(LOCK_NAME))
    assert isinstance(content, dict)
    return content


def leave_a_lock(storage: Storage, **changes: object) -> None:
    """The lock of a run that was killed on another machine, a minute after its last sign of life."""
    holder = {
        "host": "worker-7",
        "place": "0badcafe",
        "pid": 4711,
        "birth": "123",
        "started": "2026-01-02T03:04:05Z",
        "refreshed": time.time() - 60,
        "token": "theirs",
    }
    storage.write(LOCK_NAME, json.dumps(holder | changes).encode())


def names(storage: Storage) -> list[str]:
    return [listed.name for listed in storage.list()]


def test_the_lock_is_there_while_the_block_runs_and_gone_afterwards(storage: Storage) -> None:
    with hold_output(storage):
        held = the_lock(storage)
        assert (held["host"], held["pid"]) == (hostname(), os.getpid())
        assert set(held) >= {"host", "pid", "started", "token"}
    assert names(storage) == []


def test_the_lock_goes_when_the_block_fails(storage: Storage) -> None:
    with pytest.raises(ZeroDivisionError), hold_output(storage):
        print(1 // 0)  # noqa: T201
    assert names(storage) == []


def test_a_second_run_is_told_who_runs_since_when_and_what_to_do(storage: Storage) -> None:
    with another_process_holding(storage) as holder:
        with pytest.raises(AlreadyRunning) as caught, hold_output(storage):
            pass
        text = str(caught.value)
        started = str(the_lock(storage)["started"]).removesuffix("Z")
        for part in (f"process {holder.pid} on {hostname()}", started, storage.uri(LOCK_NAME), "wait for it"):
            assert part in text
        assert the_lock(storage)["pid"] == holder.pid


def test_the_same_process_cannot_hold_an_output_twice(storage: Storage) -> None:
    with hold_output(storage):
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} "), hold_output(storage):
            pass
        assert the_lock(storage)["pid"] == os.getpid()


def test_the_lock_of_a_killed_process_is_taken_over(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    with another_process_holding(storage) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with hold_output(storage):
            assert the_lock(storage)["pid"] == os.getpid()
    assert f"took over the lock of process {holder.pid}" in caplog.text
    assert names(storage) == []


def test_a_killed_process_counts_as_gone_before_its_parent_has_noticed(storage: Storage) -> None:
    with another_process_holding(storage) as holder:
        holder.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        with hold_output(storage):
            assert the_lock(storage)["pid"] == os.getpid()


def test_a_reused_process_number_does_not_keep_a_lock_alive(storage: Storage) -> None:
    leave_a_lock(storage, host=hostname(), place=pid_namespace_id(), pid=os.getpid(), birth="another")
    with hold_output(storage):
        assert the_lock(storage)["birth"] == process_start_time(os.getpid())


def test_a_silent_lock_of_another_machine_is_respected_for_half_an_hour(storage: Storage) -> None:
    leave_a_lock(storage, refreshed=time.time() - STALE_AFTER_S + 60)
    with (
        pytest.raises(AlreadyRunning, match="process 4711 on worker-7 since 2026-01-02"),
        hold_output(storage),
    ):
        pass
    leave_a_lock(storage, refreshed=time.time() - STALE_AFTER_S - 60)
    with hold_output(storage):
        assert the_lock(storage)["pid"] == os.getpid()


def test_a_clock_that_is_ahead_elsewhere_does_not_break_a_lock(storage: Storage) -> None:
    leave_a_lock(storage, refreshed=time.time() + 7200)
    with pytest.raises(AlreadyRunning, match="last sign of life 0 s ago"), hold_output(storage):
        pass


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b'{"host": "a\\u001b[2J"}', b"\xff\xfe", b"[" * 100_000], ids=repr
)
def test_a_lock_that_stays_unreadable_is_taken_over(
    storage: Storage, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_holder, "_SETTLE_S", 0.01)
    storage.write(LOCK_NAME, content)
    with hold_output(storage):
        assert the_lock(storage)["pid"] == os.getpid()
    assert names(storage) == []


def test_of_many_that_find_a_stale_lock_one_takes_it(storage: Storage) -> None:
    leave_a_lock(storage, refreshed=0)
    answered = threading.Semaphore(0)

    def run(number: int) -> bool:
        try:
            with hold_output(storage):
                answered.release()
                # Hold it until all the others have had their answer.
                assert all(answered.acquire(timeout=30) for _ in range(8))
                return True
        except AlreadyRunning:
            answered.release()
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(8))) == 1
    assert names(storage) == []


def test_a_run_that_comes_late_to_a_stale_lock_leaves_it_to_the_one_that_took_it(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saw the stale lock, and before its claim another run claimed, took over and gave the claim back."""
    leave_a_lock(storage, refreshed=0, token="stale")
    create = storage.create

    def create_late(name: str, data: bytes) -> bool:
        leave_a_lock(storage, token="another run's")
        return create(name, data)

    monkeypatch.setattr(storage, "create", create_late)
    with pytest.raises(AlreadyRunning, match="process 4711 on worker-7"), hold_output(storage):
        pass
    assert the_lock(storage)["token"] == "another run's"


def test_a_claim_that_a_killed_run_left_is_cleared_away(storage: Storage) -> None:
    leave_a_lock(storage, refreshed=0)
    stale = Holder.model_validate_json(storage.read(LOCK_NAME))
    storage.write(lock.claim_name(stale), storage.read(LOCK_NAME))
    with hold_output(storage):
        assert the_lock(storage)["pid"] == os.getpid()
    assert names(storage) == []


def test_a_claim_of_a_run_that_was_killed_right_after_its_takeover_is_cleared_away(storage: Storage) -> None:
    leave_a_lock(storage, refreshed=0, token="first")
    first = Holder.model_validate_json(storage.read(LOCK_NAME))
    leave_a_lock(storage, refreshed=0, token="second")
    storage.write(lock.claim_name(first), storage.read(LOCK_NAME))
    with hold_output(storage):
        assert names(storage) == [LOCK_NAME]
    assert names(storage) == []


def test_a_lock_is_refreshed_while_it_is_held(storage: Storage) -> None:
    with hold_output(storage, refresh_s=0.01):
        first = the_lock(storage)
        assert eventually(lambda: the_lock(storage)["refreshed"] != first["refreshed"])
        second = the_lock(storage)
    assert second["refreshed"] != first["refreshed"]
    assert second | {"refreshed": 0} == first | {"refreshed": 0}


def test_a_lock_that_somebody_else_took_is_left_to_them(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    def taken_over() -> bool:
        """Again and again, because a refresh that is under way may come later than this."""
        leave_a_lock(storage)
        return "no longer ours" in caplog.text

    with hold_output(storage, refresh_s=0.05):
        assert eventually(taken_over)
    assert the_lock(storage)["token"] == "theirs"
    assert "no longer ours" in caplog.text


def test_two_outputs_are_held_apart(storage: Storage) -> None:
    with hold_output(storage), hold_output(open_storage(storage.root + "-2", patience=HASTY)):
        assert the_lock(storage)["pid"] == os.getpid()


def test_a_failing_store_does_not_end_a_run_that_holds_the_lock(
    object_store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    storage = open_storage(object_store.root, patience=HASTY)
    caplog.set_level(logging.WARNING)
    with hold_output(storage, refresh_s=0.01):
        object_store.fail("*", "*", "slow_down")
        assert eventually(lambda: "not refreshed" in caplog.text)
    assert "the lock was not refreshed" in caplog.text
    assert "the lock was not removed" in caplog.text


def test_an_answer_lost_after_the_lock_was_made_is_our_lock(object_store: ObjectStore) -> None:
    storage = open_storage(object_store.root, patience=HASTY)
    object_store.fail("PUT", LOCK_NAME, "drop_after", times=1)
    with hold_output(storage):
        assert the_lock(storage)["pid"] == os.getpid()


def test_a_lock_file_that_is_a_link_is_refused_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("keep")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LOCK_NAME).symlink_to(target)
    with pytest.raises(Denied, match=r"stylize\.lock"), hold_output(open_storage(str(tmp_path / "out"))):
        pass
    assert target.read_text() == "keep"


def test_a_process_is_alive_until_it_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert is_alive(process.pid)
        assert process_start_time(process.pid) not in ("", process_start_time(os.getppid()))
        process.kill()
    assert not is_alive(process.pid)
    assert is_alive(1)
    assert not is_alive(10**30)


# ---- shards


def leave_a_shards_lock(storage: Storage, shard: Shard, **changes: object) -> None:
    leave_a_lock(storage, shard=str(shard), **changes)
    storage.write(lock_name(shard), storage.read(LOCK_NAME))
    if shard != WHOLE:
        storage.delete(LOCK_NAME)


def test_shards_of_one_division_are_held_beside_one_another(storage: Storage) -> None:
    with hold_output(storage, Shard(0, 4)), hold_output(storage, Shard(3, 4)):
        assert [holder.shard for holder in current_holders(storage)] == ["0/4", "3/4"]
    assert names(storage) == []


def test_a_shard_that_is_held_is_refused_by_name(storage: Storage) -> None:
    leave_a_shards_lock(storage, Shard(1, 4))
    with (
        pytest.raises(AlreadyRunning, match=r"another run writes shard 1/4 to"),
        hold_output(storage, Shard(1, 4)),
    ):
        pass


@pytest.mark.parametrize(
    ("held", "wanted"), [(WHOLE, Shard(0, 4)), (Shard(0, 4), WHOLE), (Shard(1, 3), Shard(0, 4))], ids=str
)
def test_another_division_of_the_same_pairs_is_refused_and_leaves_nothing(
    storage: Storage, held: Shard, wanted: Shard
) -> None:
    leave_a_shards_lock(storage, held)
    with pytest.raises(AlreadyRunning, match="process 4711 on worker-7"), hold_output(storage, wanted):
        pass
    assert names(storage) == [lock_name(held)]


def test_a_lock_is_given_back_where_rivals_cannot_be_looked_for(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Iterator[Listed]:
        raise StorageTransient("no listing")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "list", refused)
        with pytest.raises(StorageTransient), hold_output(storage, Shard(0, 4)):
            pass
    assert names(storage) == []


@pytest.mark.parametrize("name", ["-7-of-2", "-1-of-0", "-a-of-b", "-1-of-3.bak"])
def test_what_only_looks_like_a_shards_lock_is_nobodys(storage: Storage, name: str) -> None:
    storage.write(LOCK_NAME + name, b"{}")
    with hold_output(storage):
        assert [holder.shard for holder in current_holders(storage)] == ["0/1"]


def test_a_dead_run_of_another_division_is_no_rival(storage: Storage) -> None:
    leave_a_shards_lock(storage, Shard(1, 3), refreshed=time.time() - STALE_AFTER_S - 60)
    with hold_output(storage, Shard(0, 4)):
        pass


# ---- jobs and waiting


def test_a_later_attempt_at_the_same_job_takes_over_at_once_from_another_machine(storage: Storage) -> None:
    leave_a_lock(storage, job="batch:7")
    with hold_output(storage, job="batch:7"):
        assert the_lock(storage)["pid"] == os.getpid()


def test_two_runs_of_one_job_on_one_machine_are_two_runs(storage: Storage) -> None:
    with another_process_holding(storage):
        leave_a_lock(storage, **(the_lock(storage) | {"job": "batch:7"}))
        with pytest.raises(AlreadyRunning), hold_output(storage, job="batch:7"):
            pass


@pytest.mark.parametrize(("theirs", "mine"), [("batch:7", "batch:8"), ("", ""), ("batch:7", "")])
def test_another_job_does_not(storage: Storage, theirs: str, mine: str) -> None:
    leave_a_lock(storage, job=theirs)
    with pytest.raises(AlreadyRunning), hold_output(storage, job=mine):
        pass


def test_a_run_waits_for_the_one_before_it_and_says_so_once(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lock, "LOOK_AGAIN_S", 0.05)
    leave_a_lock(storage)
    looks = []

    def look(*given: Any) -> Any:
        looks.append(given)
        if len(looks) == 3:
            storage.delete(LOCK_NAME)
        return read_holder(*given)

    monkeypatch.setattr(lock, "read_holder", look)
    with hold_output(storage, wait_s=600):
        assert the_lock(storage)["pid"] == os.getpid()
    assert len([line for line in caplog.messages if line.startswith("waiting up to 10m: another run")]) == 1


def test_a_run_that_has_waited_long_enough_gives_up(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOOK_AGAIN_S", 0.02)
    leave_a_lock(storage)
    with pytest.raises(AlreadyRunning), hold_output(storage, wait_s=0.1):
        pass
    assert the_lock(storage)["pid"] == 4711
