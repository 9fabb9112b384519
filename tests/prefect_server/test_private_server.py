"""The tests' own Prefect servers: they start, die, are interrupted and orphaned, and leave nothing behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from intensity import LONG
from processes import eventually, family, needs_proc

from prefect_server import template as server_template
from prefect_server.private_server import HOLDER, HOME_PREFIX

# What only tests start need not be tried at every moment every day; a good end and a kill are.
at_full_length = pytest.mark.skipif(not LONG, reason="one server more: `make faults`, or STYLIZE_FAULTS=long")
SERVER = "server_process"
RUN = """
import os, time
from prefect_server import prefect_server

with prefect_server() as url:
    home = os.environ["PREFECT_HOME"]
    print("home", home)
    from prefect import flow, task

    @task
    def nap(number):
        print("napping")
        time.sleep(float(os.environ.get("NAP_S", "0")))
        return number

    @flow
    def add_up():
        return sum(future.result() for future in [nap.submit(number) for number in range(4)])

    print("sum", add_up())
assert not os.path.exists(home)
assert "PREFECT_API_URL" not in os.environ
print("over")
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with a template in it, made by a first start that leaves nothing else behind."""
    folder, temporary = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("first")
    with family(RUN, XDG_CACHE_HOME=str(folder), TMPDIR=str(temporary)) as ours:
        ours.wait_for("over")
        assert ours.errors() == ""
        assert not ours.members()
    assert [path.suffix for path in (folder / "stylize").iterdir()] == [".db"]
    assert not list(temporary.iterdir())
    return folder


@pytest.fixture
def place(cache: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a run whose temporary folder is the test's own."""
    return {"XDG_CACHE_HOME": str(cache), "TMPDIR": str(tmp_path)}


# ---- a private server


@at_full_length
@pytest.mark.slow
def test_a_run_in_a_hostile_environment_is_quiet_and_leaves_nothing(
    place: dict[str, str], tmp_path: Path
) -> None:
    hostile = {
        "PREFECT_API_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////nowhere/prefect.db",
        "PREFECT_PROFILE": "of-another-home",
        "PREFECT_SERVER_API_AUTH_STRING": "user:password",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "example.org",
    }
    with family(RUN, **place, **hostile) as ours:
        assert ours.wait_for("sum") == "6"
        ours.wait_for("over")
        assert ours.errors() == ""
        assert ours.end() == 0
        assert not ours.members()
    assert not list(tmp_path.iterdir())


@at_full_length
@pytest.mark.slow
def test_two_runs_at_once_start_from_the_template_and_share_nothing(
    place: dict[str, str], tmp_path: Path
) -> None:
    own = tmp_path / "cache"
    shutil.copytree(place["XDG_CACHE_HOME"], own)
    (template,) = (own / "stylize").iterdir()
    with closing(sqlite3.connect(template)) as database:
        database.execute("CREATE TABLE made_by_the_test (number)")
    before = template.read_bytes()
    with ExitStack() as stack:
        environment = {**place, "XDG_CACHE_HOME": str(own), "NAP_S": "1"}
        runs = [stack.enter_context(family(RUN, **environment)) for _ in range(2)]
        homes = [Path(run.wait_for("home")) for run in runs]
        assert homes[0] != homes[1]
        for home in homes:
            with closing(sqlite3.connect(home / server_template.DATABASE)) as database:
                assert database.execute("SELECT count(*) FROM made_by_the_test").fetchone() == (0,)
        assert [run.wait_for("sum") for run in runs] == ["6", "6"]
        assert [run.end() for run in runs] == [0, 0]
    assert template.read_bytes() == before


@needs_proc
@at_full_length
@pytest.mark.slow
def test_a_server_killed_in_mid_run_is_started_again_and_the_run_completes(place: dict[str, str]) -> None:
    with family(RUN, **place, NAP_S="1") as ours:
        ours.wait_for("napping")
        (server,) = ours.members(SERVER)
        os.kill(server, signal.SIGKILL)
        assert ours.wait_for("sum") == "6"
        assert ours.errors().strip().endswith("server died (exit code -9) and is started again")
        assert ours.end() == 0
        assert not ours.members()


@needs_proc
@at_full_length
@pytest.mark.slow
def test_ctrl_c_ends_run_and_server_and_leaves_nothing(place: dict[str, str], tmp_path: Path) -> None:
    with family(RUN, **place, NAP_S="1") as ours:
        ours.wait_for("napping")
        ours.signal(signal.SIGINT)
        assert "KeyboardInterrupt" in ours.errors()
        assert not ours.members()
    assert not list(tmp_path.iterdir())


@needs_proc
@pytest.mark.slow
def test_a_killed_run_takes_its_server_and_its_home_along(place: dict[str, str], tmp_path: Path) -> None:
    with family(RUN, **place, NAP_S="60") as ours:
        ours.wait_for("napping")
        assert ours.members(SERVER)
        os.kill(ours.program.pid, signal.SIGKILL)
        assert eventually(lambda: not ours.members())
    assert not list(tmp_path.iterdir())


@needs_proc
@at_full_length
@pytest.mark.slow
def test_ctrl_c_while_the_server_starts_leaves_nothing(place: dict[str, str], tmp_path: Path) -> None:
    with family(RUN, **place) as ours:
        assert eventually(lambda: bool(ours.members(SERVER)))
        ours.signal(signal.SIGINT)
        assert ours.errors().strip().endswith("KeyboardInterrupt")
        assert eventually(lambda: not ours.members())
    assert not list(tmp_path.iterdir())


def test_a_server_that_cannot_start_is_explained_with_its_last_words(
    place: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "uvicorn.py").write_text("raise ImportError('a broken installation')")
    script = f"import os; os.environ['PYTHONPATH'] = {str(broken)!r}\n{RUN}"
    with family(script, **place) as ours:
        last = ours.errors().strip().splitlines()[-1]
        assert "ServerUnavailable: the private Prefect server ended with exit code 1" in last
        assert "a broken installation" in last
        assert "PREFECT_API_URL" in last
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_a_server_that_stays_silent_is_given_up(place: dict[str, str], tmp_path: Path) -> None:
    with family(RUN.replace("prefect_server()", "prefect_server(startup_timeout_s=0)"), **place) as ours:
        assert "the private Prefect server did not answer in time" in ours.errors()
        assert not ours.members()
    assert not list(tmp_path.iterdir())


def test_a_program_that_has_imported_prefect_is_told_that_it_is_too_late(place: dict[str, str]) -> None:
    with family(f"import prefect\n{RUN}", **place) as ours:
        assert "RuntimeError: prefect was imported before" in ours.errors()


def test_homes_of_killed_runs_are_swept_and_homes_in_use_are_not(
    place: dict[str, str], tmp_path: Path
) -> None:
    stale, young, used = (tmp_path / f"{HOME_PREFIX}{number}-x" for number in range(3))
    foreign = tmp_path / "another-program"
    for folder in (stale, young, used, foreign):
        folder.mkdir()
    with (used / HOLDER).open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        for folder in (stale, used, foreign):
            os.utime(folder, (0, 0))
        with family(RUN.replace("prefect_server()", "prefect_server(startup_timeout_s=0)"), **place) as ours:
            ours.end()
    assert {path.name for path in tmp_path.iterdir()} == {young.name, used.name, foreign.name}


# ---- the template


def _database(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE alembic_version (version_num)")


def test_a_kept_database_is_installed_in_the_next_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    _database(first / server_template.DATABASE)
    assert not server_template.install(second)
    server_template.keep(first)
    assert server_template.install(second)
    assert [path.name for path in second.iterdir()] == [server_template.DATABASE]


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + bytes(9000)])
def test_a_broken_template_is_not_installed_and_is_replaced(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    home = tmp_path / "home"
    _database(home / server_template.DATABASE)
    server_template.keep(home)
    (template,) = (tmp_path / "cache" / "stylize").iterdir()
    template.write_bytes(content)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert not server_template.install(empty)
    assert not list(empty.iterdir())
    server_template.keep(home)
    assert server_template.install(empty)


def test_without_a_usable_cache_folder_there_is_no_template_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    _database(tmp_path / "home" / server_template.DATABASE)
    server_template.keep(tmp_path / "home")
    assert not server_template.install(tmp_path / "home")
