"""SIGKILL at every moment, on disk and on S3: no torn file, and the end is as if nothing had happened."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from intensity import LONG, say
from kill_loop import Engine, KillLoop, Tally, blows, local_place, s3_place
from object_store import ObjectStore
from processes import needs_proc

pytestmark = [pytest.mark.slow(75), needs_proc, pytest.mark.timeout(3600 if LONG else 300)]

KILLS = 240 if LONG else 12  # on disk and on S3 together
LOOPS = 4 if LONG else 2
PREFECT_EVERY = 8  # the other runs do without Prefect, whose start would take most of the time


def test_the_tree_is_an_undisturbed_runs_after_every_kill(tmp_path: Path, object_store: ObjectStore) -> None:
    homes = [tmp_path / f"loop{number}" for number in range(LOOPS)]

    def loop(number: int) -> KillLoop:
        homes[number].mkdir()
        if _is_on_disk(number):
            return KillLoop(partial(local_place, homes[number]), _engine)
        return KillLoop(partial(s3_place, homes[number], store=object_store), _engine)

    def go(number: int) -> Tally:
        tally = loops[number].go(KILLS // LOOPS, blows(number, local=_is_on_disk(number)))
        _require_clean(homes[number] / "tmp")
        return tally

    loops = list(map(loop, range(LOOPS)))
    with ThreadPoolExecutor(LOOPS) as threads:
        tallies = list(threads.map(go, range(LOOPS)))
    say(str(sum(tallies, Tally())))
    assert sum(tallies, Tally()).kills.total() == KILLS


def _is_on_disk(number: int) -> bool:
    return number % 2 == 0


def _engine(run: int) -> Engine:
    return "prefect" if run % PREFECT_EVERY == PREFECT_EVERY - 1 else "threads"


def _require_clean(folder: Path) -> None:
    """Prefect's server takes its home along when its run is killed, unless it was killed itself."""
    assert list(folder.iterdir()) == [], "temporary files are left over"
