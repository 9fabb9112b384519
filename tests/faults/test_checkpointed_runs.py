"""Long pairs whose runs are killed and stopped are finished by the same command, from where they were."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from intensity import LONG, say
from object_store import ObjectStore
from processes import Family, eventually, needs_proc
from small_batch import Audience, draw, manifest, run_inside, small_batch, stylize_family

from flows.records.checkpoints import PREFIX
from flows.storage.base import Storage
from flows.storage.opening import open_storage

pytestmark = [pytest.mark.slow(60), pytest.mark.timeout(3600 if LONG else 300)]

KINDS = {
    "picture": "encoder: slim, size: 64, steps: 800",
    "dream": "encoder: slim, mode: dream, size: 64, steps: 900, snapshot_every: 60, animation: webp",
    "gif": "encoder: slim, size: 64, steps: 1200, snapshot_every: 50, animation: gif",
    "mp4": "encoder: slim, size: 64, steps: 1200, animation: mp4",
}
SHORTER = KINDS["dream"].replace("900", "400")
KILLS = 16 if LONG else 2  # of each kind
ENTRIES = "contents: ['photos/*']\nstyles: ['paintings/*']\ncheckpoint: 1s"
CPU = ("--device", "cpu", "--workers", "1")


def results(output: Path) -> dict[str, bytes]:
    """All that is there but records and what tells of runs, hidden files included."""
    about = (".json", ".csv", ".html")
    return {path.name: path.read_bytes() for path in output.iterdir() if path.suffix not in about}


def written_at(output: Path) -> dict[str, int]:
    """When each checkpoint was written."""
    found = {}
    for file in output.glob(PREFIX + "*"):
        with suppress(FileNotFoundError):  # the pair may end meanwhile
            found[file.name] = file.stat().st_mtime_ns
    return found


def is_being_written(output: Path) -> bool:
    """Whether there is a checkpoint under its temporary name."""
    return any(PREFIX in path.name and path.suffix == ".stylize-tmp" for path in output.glob("..*"))


def met(program: Family, output: Path, chance: random.Random) -> bool:
    """Let the run come past a checkpoint, to a random moment or to one of writing; else it has ended."""
    before, writing = written_at(output), LONG and chance.random() < 0.4

    def is_there() -> bool:
        now = written_at(output)
        come = is_being_written(output) if writing else now and now != before
        return program.program.poll() is not None or bool(come)

    assert eventually(is_there)
    if not writing:
        time.sleep(chance.uniform(0, 0.9))
    return program.program.poll() is None


def end(program: Family) -> int:
    """Its exit code; a long pair may take long on a loaded machine."""
    assert any(eventually(lambda: program.program.poll() is not None) for _ in range(4))
    return program.end()


def strike(program: Family, number: signal.Signals, chance: random.Random) -> None:
    """Kill all of it, or ask it to end and now and then lose patience at once."""
    if number == signal.SIGKILL:
        program.signal(number)
        assert program.end() == -9
    elif LONG and chance.random() < 0.3:
        program.program.terminate()
        time.sleep(chance.uniform(0, 0.1))
        with suppress(ProcessLookupError):
            program.signal(signal.SIGKILL)
        assert program.end() in (-9, 4)
    else:
        program.program.terminate()
        assert program.end() == 4


def blows(chance: random.Random) -> Iterator[signal.Signals]:
    """SIGKILL and SIGTERM, each at least once."""
    yield from (signal.SIGKILL, signal.SIGTERM)
    while True:
        yield chance.choice((signal.SIGKILL, signal.SIGTERM))


@needs_proc
@pytest.mark.parametrize("kind", KINDS if LONG else ["picture"])
def test_sigterm_and_sigkill_at_any_moment_cost_no_more_than_the_last_interval(
    tmp_path: Path, kind: str
) -> None:
    small_batch(tmp_path, photos=1, paintings=1)
    calm = manifest(tmp_path, ENTRIES, settings=KINDS[kind], output="calm")
    assert run_inside(calm, Audience()).exit_code == 0
    path, output = manifest(tmp_path, ENTRIES, settings=KINDS[kind]), tmp_path / "out"
    chance, kills, in_a_row = random.Random(), 0, 0
    planned = blows(chance)
    while kills < KILLS:
        with stylize_family("run", path, *CPU) as program:
            if in_a_row < 6 and met(program, output, chance):
                strike(program, next(planned), chance)
                kills, in_a_row = kills + 1, in_a_row + 1
                continue
            assert end(program) == 0, program.errors()
        assert in_a_row, "the pair is too short to be met"
        _require_undisturbed(tmp_path, kind, in_a_row)
        shutil.rmtree(output)
        in_a_row = 0
    with stylize_family("run", path, *CPU) as program:
        assert end(program) == 0, program.errors()
        assert not in_a_row or "goes on from a checkpoint" in program.errors()
    _require_undisturbed(tmp_path, kind, in_a_row)
    say(f"{kind}: {kills} kills of a pair, each time with the undisturbed one's bytes in the end")


def _require_undisturbed(home: Path, kind: str, kills: int) -> None:
    """The files are those of the calm run, no other is there, and the record speaks of every restart."""
    assert results(home / "out") == results(home / "calm")
    record, calm = (json.loads((home / output / "p0__s0.json").read_text()) for output in ("out", "calm"))
    went_on = [int(n) for text in record["decisions"] for n in re.findall(r"checkpoint after (\d+)", text)]
    assert went_on == sorted(went_on)
    assert len(went_on) <= kills
    assert len(went_on) == kills or LONG, "only kills while one was written may have cost it"
    for facts in ("optimisation", "snapshots", "animation", "output", "identity"):
        assert record[facts] == calm[facts], (kind, facts)


def test_another_machine_goes_on_with_the_pair_of_one_that_was_lost(
    tmp_path: Path, object_store: ObjectStore
) -> None:
    """Two machines that share nothing but the store; the job's name says that the first one is gone."""
    inputs = f"{object_store.root}/{tmp_path.name}"
    for seed, name in enumerate(("photo", "painting")):
        object_store.put(f"{tmp_path.name}/{name}.png", draw(tmp_path / f"{name}.png", seed).read_bytes())
    entries = f"contents: [{inputs}/photo.png]\nstyles: [{inputs}/painting.png]\ncheckpoint: 1s"

    def given(machine: str, output: str) -> Path:
        (tmp_path / machine).mkdir(exist_ok=True)
        return manifest(tmp_path / machine, entries, settings=SHORTER, output=f"{inputs}/{output}")

    def at_work(machine: str) -> dict[str, str]:
        own = str(tmp_path / machine)
        return {"HOME": own, "TMPDIR": own, "XDG_CACHE_HOME": own, "STYLIZE_JOB": "night/0"}

    assert run_inside(given("c", "calm"), Audience()).exit_code == 0
    out = open_storage(f"{inputs}/out")
    with stylize_family("run", given("a", "out"), *CPU, **at_work("a")) as first:
        assert eventually(lambda: any(out.list(PREFIX)) or first.program.poll() is not None)
        assert first.program.poll() is None, "the pair is too short to be met"
        first.signal(signal.SIGKILL)
    with stylize_family("run", given("b", "out"), *CPU, **at_work("b")) as second:
        assert end(second) == 0, second.errors()
    assert _stored(out) == _stored(open_storage(f"{inputs}/calm"))
    record = json.loads(out.read("photo__painting.json"))
    assert re.fullmatch(r"went on from a checkpoint after \d+ evaluations", record["decisions"][-1])


def _stored(storage: Storage) -> dict[str, bytes]:
    names = [item.name for item in storage.list()]
    return {name: storage.read(name) for name in names if not name.endswith((".json", ".csv", ".html"))}
