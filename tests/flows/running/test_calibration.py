"""`stylize plan --calibrate`: how fast the machine is, by small pictures of the pairs that are to do."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from small_batch import Audience, manifest, run_inside, small_batch, tree, worker_inside
from typer.testing import CliRunner, Result

from flows.cli.app import app
from flows.engines.local import LocalEngine
from flows.manifest.load import load_manifest
from flows.model.observed import Kind, Observed
from flows.planning.plan import make_plan
from flows.running.estimating import calibration
from stylize_core.settings.picture_size import SMALL_PX

LARGER = "encoder: slim, size: 1024, steps: 50"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A batch of two pairs; what is measured is measured by a worker in this process, in few steps."""
    small_batch(tmp_path, photos=2, paintings=1)
    monkeypatch.setattr(calibration, "LocalEngine", partial(LocalEngine, make_worker=worker_inside))
    monkeypatch.setattr(calibration, "PRODUCTS", 1.0)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    path = manifest(tmp_path, settings=LARGER)
    path.write_text(f"device: cpu\n{path.read_text()}")
    return path


def plan(path: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["plan", str(path), *options])


def seconds(path: Path, *options: str) -> float | None:
    """What the plan expects the run to take."""
    told = plan(path, "--json", *options)
    assert told.exit_code == 0, told.stderr
    estimate = json.loads(told.stdout)["estimate"]
    return None if estimate["seconds"] is None else float(estimate["seconds"])


def test_a_calibrated_plan_says_how_long_it_takes_and_so_do_all_later_ones(path: Path) -> None:
    before = tree(path.parent)
    assert seconds(path) is None
    measured = seconds(path, "--calibrate")
    assert measured is not None
    assert measured > 0
    assert seconds(path) == measured
    assert tree(path.parent) == before, "nothing is left of what was measured"


def test_nothing_to_do_is_nothing_to_measure(path: Path) -> None:
    manifest(path.parent)
    assert run_inside(path, Audience()).exit_code == 0
    told = plan(path, "--calibrate")
    assert told.exit_code == 2
    assert "--calibrate: nothing is to do, so there is nothing to measure" in told.stderr


def test_of_each_kind_and_size_the_quickest_round_counts() -> None:
    def observed(pixels: int, device_s: float, *, small: bool = False) -> Observed:
        kind = Kind(device="cpu", encoder="slim", precision="auto", solver="lbfgs", small=small)
        return Observed(kind, pixels, 100.0, device_s, 0.1, "png 8", 1000)

    slow, quick, other, small = (
        observed(9, 3.0),
        observed(9, 2.0),
        observed(16, 5.0),
        observed(9, 1.0, small=True),
    )
    assert set(calibration._quickest([slow, other, quick, small])) == {quick, other, small}


def test_every_size_is_measured_in_every_round_and_never_twice_in_a_row(path: Path) -> None:

    pair = make_plan(load_manifest(path)).todo[0].pair
    warming, *rounds = calibration._small(pair)
    assert warming.name.endswith(calibration.WARMING)
    assert len({one.name for one in rounds}) == len(rounds)
    sizes = [one.style_settings.size for one in rounds]
    assert sizes == list(calibration.SIZES) * calibration.ROUNDS
    assert min(calibration.SIZES) > SMALL_PX
