"""What is measured of a look, against NumPy's way of saying the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.looks.making import judge_of
from benchmarks.looks.measures import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    TILE_PX,
    at_edge,
    clipped,
    content_distance,
    fine_energies,
    grain,
    style_distances,
)
from stylize_core.networks.encoder import Encoder


@pytest.fixture(scope="module")
def judge() -> Encoder:
    return judge_of(None)


def noise(height: int, width: int, *, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def checkerboard(amplitude: float, *, side: int = 96) -> Tensor:
    places = torch.arange(side)
    signs = 1.0 - 2 * ((places[:, None] + places) % 2)
    return (0.5 + amplitude * signs).expand(1, 3, side, side)


def flat(level: float = 0.5, *, side: int = 96) -> Tensor:
    return torch.full((1, 3, side, side), level)


def test_a_style_has_no_distance_from_itself_at_any_edge(judge: Encoder) -> None:
    found = style_distances(judge, noise(80, 128), noise(80, 128))
    assert found == {128: 0.0, 64: 0.0}


def test_the_style_distance_is_the_mean_over_the_layers_of_the_relative_distance_of_gram_matrices(
    judge: Encoder,
) -> None:
    image, style = noise(72, 96), noise(64, 96, seed=1) ** 2
    found = style_distances(judge, image, style, edges_px=(96, 48))
    for edge in (96, 48):
        losses = []
        for layer in STYLE_LAYERS:
            ours, theirs = (_gram(judge(at_edge(one, edge))[layer]) for one in (image, style))
            losses.append(((ours - theirs) ** 2).sum() / (theirs**2).sum())
        assert found[edge] == pytest.approx(np.mean(losses), rel=1e-4)


def _gram(features: Tensor) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rows = features[0].flatten(1).double().numpy()
    product: np.ndarray[tuple[int, int], np.dtype[np.float64]] = rows @ rows.T / rows.size
    return product


def test_large_forms_are_what_small_edges_tell_apart(judge: Encoder) -> None:
    """At a quarter of the size patches are seen below a faint noise, and noise alone has none."""
    patches = noise(16, 16).repeat_interleave(8, 2).repeat_interleave(8, 3)
    fine = noise(128, 128)
    rough = style_distances(judge, fine, patches, edges_px=(32,))[32]
    same = style_distances(judge, (patches + 0.1 * (fine - 0.5)).clamp(0, 1), patches, edges_px=(32,))[32]
    assert same < rough / 10


def test_the_content_distance_is_the_relative_distance_of_features(judge: Encoder) -> None:
    image, content = noise(48, 64), noise(48, 64, seed=1)
    ours, theirs = (judge(one)[CONTENT_LAYER].double().numpy() for one in (image, content))
    expected = ((ours - theirs) ** 2).sum() / (theirs**2).sum()
    assert content_distance(judge, image, content) == pytest.approx(expected, rel=1e-4)
    assert content_distance(judge, content, content) == 0


def test_a_checkerboard_has_the_square_of_its_amplitude_in_every_tile() -> None:
    found = fine_energies(checkerboard(0.1)[0, 0])
    assert len(found) == 25  # tiles of 32 px in 96, overlapping by half
    assert found.numpy() == pytest.approx(0.01, rel=1e-5)


def test_fine_energies_are_those_that_numpy_finds_tile_by_tile() -> None:
    plane = noise(64, 80)[0, 0].double()
    window = np.outer(*(np.hanning(TILE_PX + 1)[:-1],) * 2)
    y, x = np.meshgrid(*(np.fft.fftfreq(TILE_PX),) * 2, indexing="ij")
    expected = []
    for top in range(0, 64 - TILE_PX + 1, TILE_PX // 2):
        for left in range(0, 80 - TILE_PX + 1, TILE_PX // 2):
            tile = plane[top : top + TILE_PX, left : left + TILE_PX].numpy()
            power = np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2
            expected.append(power[np.hypot(y, x) > 0.35].sum() / TILE_PX**2 / (window**2).sum())
    assert fine_energies(plane).numpy() == pytest.approx(np.sort(expected), rel=1e-6)


def test_coarse_structures_have_no_fine_energy() -> None:
    waves = torch.sin(torch.arange(96) * 2 * torch.pi / 8).expand(96, 96)
    assert float(fine_energies(waves)[-1]) < 1e-6


def test_grain_is_an_amplitude_in_steps_of_eight_bits() -> None:
    assert grain(checkerboard(2 / 255), flat()) == pytest.approx(2, rel=1e-4)


def test_what_the_style_has_itself_is_no_grain() -> None:
    rough = noise(96, 96)
    assert grain(rough, rough) == 0
    assert grain(flat(), rough) == 0


def test_speckle_in_a_quiet_sky_is_grain_although_the_style_is_rough_elsewhere() -> None:
    style = torch.cat([flat(), noise(96, 96)], dim=3)
    speckled = torch.cat([checkerboard(0.02), noise(96, 96)], dim=3)
    assert grain(speckled, style) > 255 * 0.02 / 2


def test_clipped_samples_are_counted_on_both_sides() -> None:
    image = flat(0.5, side=4)
    image[:, :, 0], image[:, 0, 1] = 0.0, 1.0
    assert clipped(image) == (4 * 3 / 48, 4 / 48)
    assert clipped(flat(2 / 255)) == clipped(flat(253 / 255)) == (0.0, 0.0)
    assert clipped(flat(1 / 255)) == (1.0, 0.0)
