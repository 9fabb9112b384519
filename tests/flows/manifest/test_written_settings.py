"""Settings as they are written for a manifest, read again."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from flows.manifest.load import load_manifest
from flows.manifest.written import plain, written
from stylize_core.settings.weights_file import WeightsFile

HEAD = "version: 1\noutput: out\ncontents: [a.jpg]\nstyles: [b.jpg]\nsettings: "


def read(text: str) -> dict[str, object]:
    return dict(load_manifest("/elsewhere/m.yaml", text=HEAD + text + "\n").settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "texture-heavy", "size": 96, "steps": 4},
        {"size": "original", "bit_depth": 16, "seed": 2**63 - 1},
        {"style_layers": ("relu1_1", "relu2_1")},
        {"style_layers": {"relu1_1": 0.5, "relu2_1": 2.0}},
        {"style_crop": (0.0, 0.25, 1.0, 0.75)},
        {"mode": "texture", "aspect": "3:2"},
        {"init": '/photos/with "quotes", {braces}: and # \\ é🎨/a.png'},
        {"weights": None},
        {"weights": WeightsFile(file="/w/a.pth", sha256="0" * 64, convention="caffe"), "encoder": "vgg19"},
    ],
    ids=lambda settings: ", ".join(settings),
)
def test_what_is_written_is_read_as_the_same_settings(settings: dict[str, Any]) -> None:
    assert read(written(settings)) == settings


@given(weight=some.floats(0, 1e15), scale=some.floats(0.1, 4))
def test_every_number_is_read_to_the_bit(weight: float, scale: float) -> None:
    numbers = {"style_weight": abs(weight), "style_scale": scale}
    assert read(written(numbers)) == numbers


def test_what_is_written_stands_on_one_line_and_is_yaml_for_others_too() -> None:
    settings = {"style_weight": 1e3, "init": "/a\nb.png", "style_layers": ("relu1_1",)}
    text = written(settings)
    assert "\n" not in text
    assert yaml.safe_load(text) == plain(settings) == {**settings, "style_layers": ["relu1_1"]}
