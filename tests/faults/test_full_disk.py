"""Row 8: the disk fills in the middle of a run, which stops, leaves nothing torn, and later goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT
from kill_loop import PAIRS, is_announcement, lasting, local_files, local_place, run_with
from processes import why_no_mount
from saboteur import Blow, Moment
from small_batch import Audience, run_inside

from flows.records.record import Record

pytestmark = pytest.mark.slow

BALLAST = "ballast.bin"
# A folder of 256 KB with 192 KB of somebody else's in it; then that goes, and the same command runs again.
SMALL_DISK = f"""
import json, shutil, subprocess, sys
from pathlib import Path

manifest, out, seen = map(Path, sys.argv[1:])
out.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(out)], check=True)
(out / "{BALLAST}").write_bytes(bytes(208 * 1024))
command = "import sys; from flows.cli.app import main; sys.argv = ['stylize', 'run', {{!r}}]; main()"
for number in (1, 2):
    done = subprocess.run(
        [sys.executable, "-c", command.format(str(manifest))], capture_output=True, text=True, check=False
    )
    shutil.copytree(out, seen / f"seen{{number}}")
    (seen / f"end{{number}}.json").write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    (out / "{BALLAST}").unlink(missing_ok=True)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every test has an output of its own."""
    return tmp_path_factory.mktemp("full")


@pytest.fixture(scope="module")
def calm(home: Path) -> dict[str, bytes]:
    """What an undisturbed run leaves."""
    place = local_place(home, 0)
    assert run_inside(place.manifest, Audience()).exit_code == 0
    return lasting(local_files(Path(place.output)))


def test_row_08_a_real_disk_that_fills_ends_the_run_whole_and_with_room_the_same_command_finishes(
    home: Path, calm: dict[str, bytes], tmp_path: Path
) -> None:
    if reason := why_no_mount(tmp_path / "probe"):
        pytest.skip(f"nothing can be mounted here: {reason}")
    place = local_place(home, 1)
    subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", SMALL_DISK, place.manifest, place.output, tmp_path],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(ROOT)},
        check=True, timeout=240,
    )  # fmt: skip
    code, said, told = json.loads((tmp_path / "end1.json").read_text())
    assert code == 4, told
    assert "bytes needed, " in said
    assert " bytes free in " in said
    assert place.output in said
    assert "make room there and run again" in said
    left = local_files(tmp_path / "seen1")
    _require_nothing_torn(left, calm)
    records = [Record.parse(left[name]) for name in lasting(left) if name.endswith(".json")]
    before = sum(record.status == "done" for record in records)
    assert 0 < before < PAIRS
    code, said, told = json.loads((tmp_path / "end2.json").read_text())
    done = f"{PAIRS} of {PAIRS} done ({PAIRS - before} now, {before} before)"
    assert (code, said.partition("\n")[0]) == (0, done), told
    assert lasting(local_files(tmp_path / "seen2")) == calm


@pytest.mark.parametrize(("number", "moment"), [(2, "write"), (3, "record"), (4, "lock")])
def test_row_08_no_space_at_any_write_ends_the_run_whole(
    home: Path, calm: dict[str, bytes], number: int, moment: Moment
) -> None:
    place = local_place(home, number)
    with run_with(Blow(moment, 1 if moment == "lock" else 3, full=True), place, engine="prefect") as program:
        code = program.end()
        assert program.program.stdout
        said = program.program.stdout.read() + program.errors()
    assert code == (1 if moment == "lock" else 4), said
    assert "bytes needed, " in said
    assert place.output in said
    _require_nothing_torn(local_files(Path(place.output)), calm)
    assert run_inside(place.manifest, Audience()).exit_code == 0
    assert lasting(local_files(Path(place.output))) == calm


def _require_nothing_torn(left: dict[str, bytes], calm: dict[str, bytes]) -> None:
    """Only whole files of an undisturbed run, nothing temporary; snapshots may be announced by a record."""
    ours = {name: data for name, data in left.items() if name != BALLAST}
    for name, data in lasting(ours).items():
        assert data == calm[name] or is_announcement(name, ours[name]), name
