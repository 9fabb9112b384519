"""Every setting has an effect: on pixels, on files, or on what is refused. A new one needs a case here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import worker_here as worker
from commands import ROOT
from PIL import Image
from safetensors.torch import save
from small_batch import draw, waves

from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan
from stylize_core.architecture import convolutions
from stylize_core.settings.fields import setting_fields
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

FAST = {"size": 64, "steps": 5}
DREAM = {"mode": "dream", "octaves": 2}
NETWORKS = {"one network": 0, "another": 1}

# What stands around the setting, and two values of it.
CASES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "encoder": ({"weights": "one network"}, "vgg16", "vgg19"),
    "weights": ({"encoder": "vgg16"}, "one network", "another"),
    "mode": ({}, "transfer", "content"),
    "dream_layers": (DREAM, ["relu1_2"], ["relu3_3"]),
    "dream_rate": (DREAM, 0.001, 0.01),
    "octaves": ({"mode": "dream"}, 1, 2),
    "octave_scale": (DREAM, 1.4, 1.8),
    "jitter": (DREAM, 0, 8),
    "aspect": ({"mode": "texture"}, "4:3", "1:1"),
    "size": ({}, 64, 48),
    "megapixels": ({}, 0.002, 0.004),
    "style_scale": ({}, 1, 0.5),
    "style_crop": ({}, [0, 0, 1, 1], [0, 0, 0.5, 0.5]),
    "colour": ({}, "style", "match"),
    "steps": ({}, 5, 6),
    "scales": ({"steps": 20}, 1, 2),
    "diagonal_gain": ({}, 1, 1.5),
    "forms_gain": ({}, 1, 3),
    "whitening": ({}, 0, 0.6),
    "coarsest": ({"steps": 20}, 64, 32),
    "plateau": ({"scales": 1, "steps": 60, "optimizer": "adam", "learning_rate": 0.001}, 0, 16),
    "snapshot_every": ({}, 0, 2),
    "optimizer": ({}, "lbfgs", "adam"),
    "learning_rate": ({"optimizer": "adam"}, 0.02, 0.03),
    "average": ({"optimizer": "adam"}, 0, 0.5),
    "history": ({"steps": 12}, 10, 1),
    "init": ({}, "content", "noise"),
    "seed": ({"init": "noise"}, 0, 1),
    "loss": ({}, "relative", "gatys"),
    "statistics": ({}, "gram", "moments"),
    "content_weight": ({}, 1, 100),
    "style_weight": ({}, 100, 1),
    "tv_weight": ({}, 0, 100),
    "tv_form": ({"tv_weight": 100}, "mean", "absolute"),
    "range_weight": ({"steps": 12, "content_weight": 0}, 100, 0),
    "precision": ({}, "fp32", "bf16"),
    "margin": ({}, 8, 0),
    "content_layers": ({}, ["relu3_3"], ["relu1_1"]),
    "style_layers": ({}, ["relu1_1"], ["relu1_1", "relu2_1"]),
    "pooling": ({}, "average", "max"),
    "format": ({}, "png", "webp"),
    "bit_depth": ({}, 8, 16),
    "quality": ({"format": "jpeg"}, 92, 10),
    "animation": ({}, "none", "gif"),
    "metadata": ({"format": "jpeg"}, "strip", "keep"),
    "dpi": ({}, 0, 240),
    "frames": ({}, "refuse", "first"),
    "max_megapixels": ({}, 100, 0.001),
}
# They decide whether a picture is accepted; of one that is read at once the same is made.
ON_READING = {"frames", "max_megapixels"}


class Found(NamedTuple):
    """What one pair has left: how it ended, its identity, and its files but the record."""

    status: str
    identity: str
    files: dict[str, bytes]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A painting, a photo, one that moves, and two narrow networks."""
    draw(tmp_path / "painting.png", 10)
    first, second = (Image.fromarray(waves(seed)) for seed in (0, 1))
    first.save(tmp_path / "photo.png", dpi=(300, 300))
    first.save(tmp_path / "moving.png", save_all=True, append_images=[second])
    for name, seed in NETWORKS.items():
        (tmp_path / name).write_bytes(narrow_network(seed))
    worker.start("cpu")
    return tmp_path


def left_by(home: Path, output: str, settings: dict[str, Any]) -> Found:
    """Make one pair under these settings, from the manifest's text to its files."""
    if (name := settings.get("weights")) in NETWORKS:
        digest = hashlib.sha256((home / name).read_bytes()).hexdigest()
        settings = settings | {"weights": {"file": name, "sha256": digest}}
    pair: dict[str, Any] = {"content": "moving.png" if "frames" in settings else "photo.png", "name": "made"}
    if settings.get("mode") != "dream":
        pair["style"] = "painting.png"
    fast = {"steps": FAST["steps"]} if "megapixels" in settings else FAST  # instead of a `size`
    told = {"version": 1, "output": output, "settings": fast | settings, "pairs": [pair]}
    (home / "m.yaml").write_text(json.dumps(told))
    plan = make_plan(load_manifest(home / "m.yaml"))
    (planned,) = plan.todo
    outcome = worker.run_pair(Job(planned.pair, plan.output, planned.identity, 0))
    record = json.loads((home / output / "made.json").read_text())
    files = {
        f.name: _pixels(f)
        for f in (home / output).iterdir()
        if f.name.startswith("made") and f.suffix != ".json"
    }
    return Found(outcome.status, record["identity"], files)


def narrow_network(seed: int) -> bytes:
    """A VGG of eight channels in every layer, with the layers of VGG-16 and those of VGG-19."""
    generator, state, channels = torch.Generator().manual_seed(seed), {}, 3
    for index in sorted({place.index for vgg in ("vgg16", "vgg19") for place in convolutions(vgg)}):
        weight = torch.randn(8, channels, 3, 3, generator=generator) * (2 / (9 * channels)) ** 0.5
        state[f"features.{index}.weight"] = weight
        state[f"features.{index}.bias"] = torch.zeros(8)
        channels = 8
    return save(state)


def _pixels(file: Path) -> bytes:
    """Mode, size, dpi and pixels; what else is written inside, such as the identity, does not count."""
    with Image.open(file) as image:
        header = f"{image.format} {image.mode} {image.size} {image.info.get('dpi')}".encode()
        return header + np.asarray(image).tobytes()


@pytest.mark.parametrize("setting", CASES)
def test_the_setting_has_an_effect(home: Path, setting: str) -> None:
    around, value, other = CASES[setting]
    one = left_by(home, "out", around | {setting: value})
    again = left_by(home, "out-again", around | {setting: value})
    two = left_by(home, "out-other", around | {setting: other})
    assert one == again, "the same settings must leave the same"
    assert (one.status, one.files) != (two.status, two.files)
    assert "done" in (one.status, two.status)
    if setting not in ON_READING:
        assert one.status == two.status == "done"
        assert one.identity != two.identity


def test_every_setting_has_its_case() -> None:
    fields = [f.name for cls in (StyleSettings, PictureSettings) for f, _, _ in setting_fields(cls)]
    assert sorted(CASES) == sorted(fields)


def test_every_setting_stands_in_the_schema_and_in_the_reference() -> None:
    schema = (ROOT / "manifests/schema.json").read_text()
    reference = (ROOT / "docs/manifest.md").read_text()
    for name in CASES:
        assert f'"{name}"' in schema
        assert f"| [`{name}`](settings.md#{name}) |" in reference
