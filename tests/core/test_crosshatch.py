"""On contents without detail, strokes go every way: rows and columns of the picture are no preferred ones.

The gradients of `slim` are steeper along them, and 200 steps do not even that out; see docs/looks.md.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.looks.measures import crosshatch
from benchmarks.pictures import picture
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import builtin_weights
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import stylize

# Measured 0.7 to 0.9 with the encoder's own gain, 1.9 to 5.3 with a gain of 1, on two processors.
AS_PAINTED, HATCHED = 1.3, 1.6
FRAME_PX = 8


def flat(height: int, width: int) -> Tensor:
    return torch.full((1, 3, height, width), 0.5)


def smooth(height: int, width: int) -> Tensor:
    """Each colour goes evenly from one side to the other."""
    down = torch.linspace(0, 1, height)[:, None].expand(height, width)
    across = torch.linspace(0, 1, width).expand(height, width)
    return torch.stack([0.3 + 0.4 * across, 0.4 + 0.3 * down, 0.7 - 0.3 * across])[None]


def hatch_of(content: Tensor, settings: StyleSettings) -> float:
    encoder = Encoder(builtin_weights(), layers=settings.layers)
    style = picture("styles/ink_waves", settings.picture_size.expected_px)
    made = stylize(content, style, settings=settings, encoder=encoder).image_bchw
    return crosshatch(made[..., FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX])


@pytest.mark.slow(6)
@pytest.mark.parametrize("content", [flat, smooth])
def test_a_painting_leaves_no_crosshatch_on_flat_and_smooth_contents(
    content: Callable[[int, int], Tensor],
) -> None:
    image = content(96, 128)
    settings = StyleSettings(size=128, steps=100, precision="fp32")
    assert hatch_of(image, settings) < AS_PAINTED
    plain = StyleSettings(size=128, steps=100, precision="fp32", diagonal_gain=1)
    assert hatch_of(image, plain) > HATCHED, "this is what the gain is for"


def test_crosshatch_is_upright_structure_by_slanting_structure() -> None:
    noise = torch.rand(1, 3, 128, 96, generator=torch.Generator().manual_seed(0))
    assert crosshatch(noise) == pytest.approx(1, abs=0.25)
    x = torch.arange(96.0)
    upright = 0.1 * torch.cos(2 * torch.pi * x / 3).expand(128, 96)
    assert crosshatch(noise + upright) > 2
    slanting = 0.1 * torch.cos(2 * torch.pi * (x[None] + torch.arange(128.0)[:, None]) / 4.5)
    assert crosshatch(noise + slanting) < 0.8
    assert crosshatch(noise.mT) == pytest.approx(crosshatch(noise)), "rows and columns are alike"
    assert crosshatch(torch.full((1, 3, 64, 64), 0.3)) == pytest.approx(0, abs=1e-6)
