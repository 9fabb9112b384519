"""What a content says of its owner: in the result as far as the manifest asks, and stated in the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import worker_here as worker
from PIL import Image
from small_batch import draw, waves

from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan

HELD = "copyright, artist, position, 300 dpi"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A photo whose owner says who and where, and a painting."""
    exif = Image.Exif()
    exif[0x8298], exif[0x013B] = "(c) Jane", "Jane"
    exif[0x8825] = {1: "N", 2: (47.0, 22.0, 30.0), 3: "E", 4: (8.0, 32.0, 24.0)}
    Image.fromarray(waves(0)).save(tmp_path / "photo.jpg", exif=exif, dpi=(300, 300))
    draw(tmp_path / "painting.png", 10)
    worker.start("cpu")
    return tmp_path


def made(home: Path, **settings: Any) -> list[str]:
    """Make the pair; what its record says was decided."""
    told = {
        "version": 1,
        "output": "out",
        "settings": {"size": 48, "steps": 4, "format": "jpeg"} | settings,
        "pairs": [{"content": "photo.jpg", "style": "painting.png", "name": "made"}],
    }
    (home / "m.yaml").write_text(json.dumps(told))
    plan = make_plan(load_manifest(home / "m.yaml"))
    (planned,) = plan.todo
    assert worker.run_pair(Job(planned.pair, plan.output, planned.identity, 0)).status == "done"
    found: list[str] = json.loads((home / "out/made.json").read_text())["decisions"]
    return found


def exif_of(file: Path) -> Image.Exif:
    with Image.open(file) as image:
        return image.getexif()


def test_by_default_nothing_is_kept_and_the_record_says_what_was_not(home: Path) -> None:
    assert made(home)[-1] == f"not kept by `metadata: strip`: {HELD}"
    assert 0x8298 not in exif_of(home / "out/made.jpg")


def test_the_notice_is_kept_without_the_place(home: Path) -> None:
    said = made(home, metadata="copyright")[-1]
    assert said == (
        "kept from the content: copyright, artist, 300 dpi; not kept by `metadata: copyright`: position"
    )
    exif = exif_of(home / "out/made.jpg")
    assert exif[0x8298] == "(c) Jane"
    assert not exif.get_ifd(0x8825)
    with Image.open(home / "out/made.jpg") as image:
        assert image.info["dpi"] == (300, 300)


def test_snapshots_keep_it_as_the_result_does(home: Path) -> None:
    assert made(home, metadata="keep", snapshot_every=2)[-1] == f"kept from the content: {HELD}"
    for name in ("made.0002.jpg", "made.0004.jpg", "made.jpg"):
        assert exif_of(home / "out" / name).get_ifd(0x8825)[1] == "N"


def test_asking_for_it_makes_the_picture_again(home: Path) -> None:
    made(home)
    made(home, metadata="keep")
    assert exif_of(home / "out/made.jpg")[0x8298] == "(c) Jane"
