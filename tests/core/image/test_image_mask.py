"""Masks from picture files: what counts, at which size, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from drawn_images import decoded, landscape, saved
from PIL import Image

from stylize_core.errors import BadImage
from stylize_core.image.mask import mask_from


def steps(width: int = 32, height: int = 24) -> Any:
    """Black on the left, grey in the middle, white on the right, [H, W] uint8."""
    return np.repeat(
        np.array([[0, 128, 255]], np.uint8), [width // 4, width // 2, width // 4], axis=1
    ).repeat(height, axis=0)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_is_how_much_a_place_counts(file_format: str, mode: str) -> None:
    data = saved(Image.fromarray(steps()).convert(mode), file_format)
    mask, said = mask_from(decoded(data), height=24, width=32, source="m.png")
    assert mask.shape == (1, 24, 32)
    row = mask[0, 12]
    np.testing.assert_allclose(row[[2, 16, 29]], [0, 128 / 255, 1], atol=0.03)
    assert not [sentence for sentence in said if sentence.startswith("mask")]


def test_a_black_and_white_mask_of_one_bit_is_exactly_that() -> None:
    data = saved(Image.fromarray(steps() > 200), "PNG")
    mask, _ = mask_from(decoded(data), height=24, width=32, source="m.png")
    assert set(mask.flatten().tolist()) == {0.0, 1.0}


def test_transparent_places_count_as_black() -> None:
    pixels = np.full((24, 32, 4), 255, np.uint8)
    pixels[:, :16, 3] = 0
    mask, _ = mask_from(decoded(saved(pixels, "PNG")), height=24, width=32, source="m.png")
    assert mask[0, 0].tolist() == [0] * 16 + [1] * 16


@pytest.mark.parametrize(
    ("width", "height", "how"), [(16, 12, "scaled"), (64, 48, "scaled"), (64, 24, "stretched")]
)
def test_a_mask_of_another_size_is_scaled_and_says_so(width: int, height: int, how: str) -> None:
    mask, said = mask_from(decoded(saved(steps(), "PNG")), height=height, width=width, source="m.png")
    assert mask.shape == (1, height, width)
    assert said[-1] == f"mask {how} from 32x24 to {width}x{height} px"
    assert torch.equal(mask[0, 0, [0, width // 2, -1]], torch.tensor([0, 128 / 255, 1]))
    assert float(mask.min()) == 0
    assert float(mask.max()) == 1


def test_a_photograph_is_no_mask_and_is_refused_by_name() -> None:
    with pytest.raises(BadImage, match=r"masks/sky\.png: a mask is grey, white where it counts"):
        mask_from(decoded(saved(landscape(), "PNG")), height=24, width=40, source="masks/sky.png")


def test_a_black_mask_is_refused_by_name() -> None:
    data = saved(np.zeros((24, 32), np.uint8), "PNG")
    with pytest.raises(BadImage, match=r"masks/sky\.png: this mask is black everywhere"):
        mask_from(decoded(data), height=24, width=32, source="masks/sky.png")
