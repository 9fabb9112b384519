"""Results do not change unnoticed: today's pictures against those kept in `tests/golden`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

GOLDEN = Path(__file__).parents[1] / "golden"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_golden", GOLDEN / "draw_golden.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


DRAW = _script()


@pytest.mark.parametrize("name", list(DRAW.CASES))
def test_the_picture_is_the_golden_one(name: str) -> None:
    """Other processors round otherwise, and fifteen steps amplify that: a level in the mean is allowed."""
    with Image.open(GOLDEN / f"{name}.png") as kept:
        golden = np.asarray(kept, dtype=np.float64)
    today = DRAW.drawn(name).permute(1, 2, 0).numpy() * 255
    assert today.shape == golden.shape
    assert np.abs(today - golden).mean() < 1.0


def test_golden_pictures_differ_from_one_another_and_from_flat_ones() -> None:
    assert {path.stem for path in GOLDEN.glob("*.png")} == set(DRAW.CASES)
    pictures = []
    for name in DRAW.CASES:
        with Image.open(GOLDEN / f"{name}.png") as kept:
            pictures.append(np.asarray(kept, dtype=np.float64))
    for number, one in enumerate(pictures):
        assert one.std() > 20
        assert all(np.abs(one - other).mean() > 5 for other in pictures[:number])
