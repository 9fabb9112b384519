"""Runs that are killed again and again, and what has to be found after each kill."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Literal

from object_store import ObjectStore
from processes import Family, eventually, family
from saboteur import IN_PARENT, IN_WORKER, Blow, Moment, Victim
from small_batch import ABOUT_RUNS, Audience, draw, run_inside

from flows.records.record import Record, timeless

Engine = Literal["prefect", "threads"]

SETTINGS = "encoder: slim, size: 40, steps: 5"
PAIRS = 6
_CALLS: dict[Moment, int] = {"read": 5, "lock": 1, "report": 1, "unlock": 1}  # in a run that nobody disturbs
HIDDEN = (".stylize.lock", ".stylize-tmp")  # what killed runs may leave for the next one to clear away
# The product's own way of going on when Prefect is lost, in a tenth of the time that Prefect takes to start.
_THREADS = """
import sys
from pathlib import Path
from small_batch import Audience, run_here
sys.exit(run_here(Path({manifest!r}), Audience()).exit_code)
"""
_PREFECT = """
import sys
sys.argv = ["stylize", "run", {manifest!r}, "--device", "cpu"]
from flows.cli.app import main
main()
"""


@dataclass(frozen=True, slots=True)
class RandomBlow:
    """A kill at a random moment of the run's life.

    Attributes:
        share: of the time that a run took so far, from 0 to 1.
    """

    share: float
    victim: Victim


@dataclass(frozen=True, slots=True)
class Place:
    """An output, on disk or on S3, and the inputs beside it.

    Attributes:
        home: the folder of everything local, the temporary folder of the runs included.
    """

    home: Path
    output: str
    files: Callable[[], dict[str, bytes]] = field(repr=False)

    @property
    def manifest(self) -> Path:
        """Where the manifest stands."""
        return self.home / "m.yaml"


@dataclass
class Tally:
    """What a kill loop did."""

    kills: Counter[str] = field(default_factory=Counter)
    completions: int = 0
    misses: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.kills + other.kills,
            self.completions + other.completions,
            self.misses + other.misses,
            max(self.seconds, other.seconds),
        )

    def __str__(self) -> str:
        lines = [f"  {count:4d}  {what}" for what, count in sorted(self.kills.items())]
        head = (
            f"{self.kills.total()} kills in {self.seconds:.0f} s, no torn file; {self.completions} outputs "
            f"came to their end, each with the undisturbed run's tree; {self.misses} blows met no run"
        )
        return "\n".join([head, *lines])


def local_place(home: Path, number: int) -> Place:
    """A batch on disk whose output is new for each number."""
    for photo in range(3):
        draw(home / f"in/photos/p{photo}.png", photo, width=40, height=32)
    for painting in range(2):
        draw(home / f"in/paintings/s{painting}.png", 10 + painting, width=40, height=32)
    (home / "tmp").mkdir(exist_ok=True)
    output = home / f"out{number}"
    _write_manifest(home, output.name, "in")
    return Place(home, str(output), lambda: local_files(output))


def s3_place(home: Path, number: int, store: ObjectStore) -> Place:
    """The same in a bucket; the folder's name tells apart what several loops keep in it."""
    local_place(home, number)
    for path in (home / "in").rglob("*.png"):
        store.put(f"{home.name}/{path.relative_to(home)}", path.read_bytes())
    prefix = f"{home.name}/out{number}/"
    _write_manifest(home, f"{store.root}/{prefix}", f"{store.root}/{home.name}/in")
    return Place(home, f"{store.root}/{prefix}", lambda: _stored_files(store, prefix))


def run_with(blow: Blow | None, place: Place, *, engine: Engine) -> AbstractContextManager[Family]:
    """A run of the place's manifest, with a blow in wait for it."""
    script = (_PREFECT if engine == "prefect" else _THREADS).format(manifest=str(place.manifest))
    waiting = blow or Blow("read", 0)  # the call that never comes
    environment = waiting.environment(place.home / "hooks") | {"TMPDIR": str(place.home / "tmp")}
    return family(script, **environment)


def blows(seed: int, *, local: bool) -> Iterator[Blow | RandomBlow]:
    """Every moment with every victim that makes sense there, and as many at random, for ever."""
    chance = random.Random(seed)
    everybody: tuple[Victim, ...] = ("all", "worker", "parent")
    moments = [(moment, victim) for moment in IN_WORKER for victim in everybody]
    moments += [(moment, everybody[0]) for moment in IN_PARENT]
    moments = [(moment, victim) for moment, victim in moments if local or moment != "rename"]
    chance.shuffle(moments)
    for moment, victim in cycle(moments):
        yield Blow(moment, chance.randint(1, _CALLS.get(moment, PAIRS)), victim)
        if chance.random() < 0.4:
            yield RandomBlow(chance.random(), chance.choice(["all", "worker", "parent"]))


class KillLoop:
    """Kills runs until there were so many kills; after each, looks at everything they left.

    Args:
        place: makes the n-th output.
        engine: chooses the engine of the n-th run.
    """

    def __init__(self, place: Callable[[int], Place], engine: Callable[[int], Engine]) -> None:
        self._place, self._engine = place, engine
        self._tally, self._runs, self._places, self._typical_s = Tally(), 0, 0, 3.0
        calm = place(0)
        assert run_inside(calm.manifest, Audience()).exit_code == 0
        self._calm = lasting(calm.files())
        assert len(self._calm) >= 2 * PAIRS

    def go(self, kills: int, planned: Iterator[Blow | RandomBlow]) -> Tally:
        """So many kills, each followed by a look; every output is brought to its end before the next one."""
        began = time.monotonic()
        place, fresh = self._next_place(), True
        while self._tally.kills.total() < kills:
            blow = next(planned)
            while not self._strike(place, blow):
                assert self._is_complete(place), f"a run that nobody killed left {sorted(place.files())}"
                assert not (fresh and isinstance(blow, Blow)), f"{blow}: no run comes to that moment"
                place, fresh = self._next_place(), True
                if isinstance(blow, RandomBlow):
                    break
            else:
                fresh = False
            if self._is_complete(place):  # only a worker was killed
                place, fresh = self._next_place(), True
        self._finish(place)
        self._tally.seconds = time.monotonic() - began
        return self._tally

    def _next_place(self) -> Place:
        self._places += 1
        return self._place(self._places)

    def _finish(self, place: Place) -> None:
        while not self._is_complete(place):
            self._run(place)

    def _strike(self, place: Place, blow: Blow | RandomBlow) -> bool:
        self._run(place, blow)
        if not (place.home / "struck").exists():
            self._tally.misses += 1
            return False
        what = blow.moment if isinstance(blow, Blow) else "any time"
        self._tally.kills[f"{what}: {blow.victim}"] += 1
        return True

    def _run(self, place: Place, blow: Blow | RandomBlow | None = None) -> None:
        """One run to its end or its death; then nothing of it is alive and nothing is torn."""
        latch = place.home / "struck"
        latch.unlink(missing_ok=True)
        self._runs += 1
        aimed = replace(blow, latch=str(latch)) if isinstance(blow, Blow) else None
        began = time.monotonic()
        with run_with(aimed, place, engine=self._engine(self._runs)) as program:
            if isinstance(blow, RandomBlow):
                time.sleep(blow.share * self._typical_s)
                if _hit(program, blow.victim):
                    latch.touch()
            code = program.end()
            assert eventually(lambda: not program.members()), "processes are left over"
            if not latch.exists():
                assert code == 0, program.errors()
                self._typical_s = time.monotonic() - began
        self._look(place)

    def _look(self, place: Place) -> None:
        """Whatever has its final name is the undisturbed run's, byte for byte."""
        for name, data in place.files().items():
            if name.endswith(HIDDEN) or ".stylize.lock" in name:
                continue
            if name in ABOUT_RUNS:
                assert data.endswith((b"}\n", b"\n", b"</html>")), f"torn {name} in {place}"
            elif not is_announcement(name, data):
                assert name in self._calm, f"{name} is in no undisturbed run"
                found = lasting({name: data})[name]
                assert found == self._calm[name], f"{name}: {_difference(found, self._calm[name])}"

    def _is_complete(self, place: Place) -> bool:
        """Whether nothing is missing; then nothing else is there either."""
        if "report.json" not in place.files():
            return False
        found = lasting(place.files())
        if any(".stylize.lock" in name for name in found):
            return False
        assert found == self._calm, set(found) ^ set(self._calm)
        self._tally.completions += 1
        return True


def _hit(program: Family, victim: Victim) -> bool:
    """Kill whom a random blow is for; False if nobody of that kind was alive."""
    if victim == "all":
        alive = program.program.poll() is None
        if alive:
            program.signal(9)
        return alive
    pids = program.members("spawn_main") if victim == "worker" else [program.program.pid]
    if victim == "parent" and program.program.poll() is not None:
        return False
    for pid in pids:
        os.kill(pid, 9)
    return bool(pids)


def is_announcement(name: str, data: bytes) -> bool:
    """Whether this is the record of snapshots to come, which a killed run may leave."""
    if not name.endswith(".json"):
        return False
    failure = Record.parse(data).failure
    return failure is not None and failure.kind == "unfinished"


def lasting(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files but those about runs; records without times and places."""
    kept = {name: data for name, data in files.items() if name not in ABOUT_RUNS}
    is_record = {name: name.endswith(".json") for name in kept}
    return {name: timeless(data) if is_record[name] else data for name, data in kept.items()}


def local_files(output: Path) -> dict[str, bytes]:
    """Everything below the folder, hidden files included."""
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


def _stored_files(store: ObjectStore, prefix: str) -> dict[str, bytes]:
    found = store.client.list_objects_v2(Bucket=store.bucket, Prefix=prefix).get("Contents", [])
    return {item["Key"].removeprefix(prefix): store.get(item["Key"]) for item in found}


def _write_manifest(home: Path, output: str, inputs: str) -> None:
    text = (
        f"version: 1\noutput: {output}\nsettings: {{{SETTINGS}}}\n"
        f"contents: ['{inputs}/photos/*']\n"
        "styles:\n"
        f"  - {{name: s0, image: '{inputs}/paintings/s0.png'}}\n"
        f"  - {{name: s1, image: '{inputs}/paintings/s1.png', settings: {{snapshot_every: 2}}}}\n"
    )
    (home / "m.yaml").write_text(text)


def _difference(found: bytes, calm: bytes) -> str:
    """What differs between two records, for a message."""
    try:
        left, right = json.loads(found), json.loads(calm)
    except ValueError:
        return f"{len(found)} bytes instead of {len(calm)}"
    return str(
        {key: (left.get(key), right.get(key)) for key in left | right if left.get(key) != right.get(key)}
    )
