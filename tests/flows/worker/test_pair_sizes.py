"""Pictures as large as their content, or of an area; and those that are too long and thin for strokes."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
import worker_here as worker
from PIL import Image
from small_batch import draw, waves

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.model.pair import Job, Outcome
from flows.planning.plan import make_plan


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A photo of 90x60 px, a scroll and a painting."""
    draw(tmp_path / "painting.png", 10)
    Image.fromarray(waves(0)).resize((90, 60)).save(tmp_path / "photo.png")
    Image.fromarray(waves(1)).resize((900, 20)).save(tmp_path / "scroll.png")
    worker.start("cpu")
    return tmp_path


def told(home: Path, settings: dict[str, Any], content: str, style: str, **own: Any) -> Path:
    manifest = {
        "version": 1,
        "output": "out",
        "settings": {"steps": 2} | settings,
        "pairs": [{"content": content, "style": style, "name": "made", "settings": own}],
    }
    (home / "m.yaml").write_text(json.dumps(manifest))
    return home / "m.yaml"


def made(
    home: Path, settings: dict[str, Any], content: str = "photo.png", style: str = "painting.png", **own: Any
) -> Outcome:
    plan = make_plan(load_manifest(told(home, settings, content, style, **own)))
    (planned,) = plan.todo
    return worker.run_pair(Job(planned.pair, plan.output, planned.identity, 0))


def size_of(home: Path) -> tuple[int, int]:
    with Image.open(home / "out/made.png") as image:
        return image.size


def record(home: Path) -> Any:
    return json.loads((home / "out/made.json").read_text())


def test_original_makes_the_picture_as_large_as_its_content(home: Path) -> None:
    assert made(home, {"size": "original"}).status == "done"
    assert size_of(home) == (90, 60)
    assert record(home)["settings"]["size"] == "original"
    assert make_plan(load_manifest(home / "m.yaml")).todo == ()


def test_megapixels_make_the_picture_of_that_area(home: Path) -> None:
    assert made(home, {"megapixels": 0.0096}).status == "done"
    assert size_of(home) == (120, 80)
    assert make_plan(load_manifest(home / "m.yaml")).todo == ()


def test_an_original_that_is_done_is_made_again_at_another_size(home: Path) -> None:
    made(home, {"size": "original"})
    made(home, {"size": 90})
    assert record(home)["ingredients"]["settings"]["size"] == 90


def test_a_pair_that_names_its_size_is_not_ruled_by_megapixels_above_it(home: Path) -> None:
    made(home, {"megapixels": 2}, size=48)
    assert size_of(home) == (48, 32)
    made(home, {"size": 2000}, megapixels=0.0096)
    assert size_of(home) == (120, 80)


def test_both_in_one_place_are_refused(home: Path) -> None:
    manifest = told(home, {"megapixels": 2, "size": 48}, "photo.png", "painting.png")
    with pytest.raises(ManifestError, match=r"settings\.megapixels.*`size` is given as well"):
        load_manifest(manifest)


def test_a_long_thin_content_is_made_and_warned_of_by_name_with_a_remedy(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert made(home, {"size": 288}, "scroll.png").status == "done"
    (said,) = [line for line in caplog.messages if "long and thin" in line]
    assert str(home / "scroll.png") in said
    assert "900x20 px is long and thin: at 288x6 px" in said
    assert "`megapixels` or `size`" in said
    assert record(home)["content"]["decisions"][-1] in said


def test_a_style_too_thin_to_be_seen_is_named_with_a_remedy(home: Path) -> None:
    outcome = made(home, {"size": 96}, "photo.png", "scroll.png")
    assert (outcome.status, outcome.kind) == ("failed", "too_small")
    assert f"{home / 'scroll.png'}: 96x2 px is too small for relu4_1" in outcome.message
    assert "ask for more pixels, or crop the picture" in outcome.message


@pytest.mark.parametrize("size", [192, 336])
def test_a_content_with_fewer_px_than_the_network_needs_is_seen_with_its_reflection(
    home: Path, size: int
) -> None:
    assert made(home, {"size": size, "margin": 0}, "scroll.png").status == "done"
    assert size_of(home) == (size, round(size * 20 / 900))
    assert all(math.isfinite(value) for value in record(home)["optimisation"]["loss_terms"].values())


def test_a_content_too_thin_to_be_seen_is_named_once(home: Path) -> None:
    outcome = made(home, {"size": 64, "margin": 0}, "scroll.png")
    assert (outcome.status, outcome.kind) == ("failed", "too_small")
    assert outcome.message.count("scroll.png") == 1


def test_an_original_beyond_all_sizes_is_refused_by_name(home: Path) -> None:
    Image.new("RGB", (17000, 16)).save(home / "wall.png")
    outcome = made(home, {"size": "original"}, "wall.png")
    assert (outcome.status, outcome.kind) == ("failed", "too_large")
    assert f"{home / 'wall.png'}: of 17000x16 px `size: original`" in outcome.message


def test_pictures_beyond_what_is_decoded_at_once_are_read_in_parts_and_say_so(home: Path) -> None:
    """Content, style and mask; the sizes in the record are those of the files."""
    Image.fromarray(waves(0)).resize((3000, 2000)).save(home / "photo.png")
    Image.fromarray(waves(3)).resize((2400, 2400)).save(home / "painting.tif")
    Image.new("L", (3000, 2000), 255).save(home / "mask.jpg")
    region = {"mask": "mask.jpg", "style": "painting.png"}
    path = told(home, {"max_megapixels": 5.7, "size": 96}, "photo.png", "painting.tif")
    manifest = json.loads(path.read_text())
    manifest["pairs"][0]["regions"] = [region]
    path.write_text(json.dumps(manifest))
    plan = make_plan(load_manifest(path))
    (planned,) = plan.todo
    assert worker.run_pair(Job(planned.pair, plan.output, planned.identity, 0)).status == "done"
    assert size_of(home) == (96, 64)
    found = record(home)
    assert (found["content"]["width"], found["content"]["height"]) == (3000, 2000)
    said = (
        "3000x2000 px are 6 megapixels, more than max_megapixels: read in parts, the part that is used shrunk"
    )
    assert found["content"]["decisions"] == [f"{said} to 96x64 px on the way"]
    assert "shrunk to 96x96 px" in found["style"]["decisions"][0]
    (mask,) = [one for role, one in found["others"].items() if "mask" in role]
    assert "read in parts" in mask["decisions"][0]


def test_a_picture_that_no_reading_holds_fails_as_too_large(home: Path) -> None:
    Image.fromarray(waves(0)).resize((3000, 2000)).save(home / "photo.bmp")
    outcome = made(home, {"max_megapixels": 5.7, "size": 96}, content="photo.bmp")
    assert (outcome.status, outcome.kind) == ("failed", "too_large")
    assert "announces 6000000 pixels, the limit is 5700000" in outcome.message
