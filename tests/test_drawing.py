"""The example pictures: drawn small here, and checked as they lie in `manifests/images`."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artwork import draw
from artwork.noise import Array, fractal

MANIFESTS = Path(__file__).parents[1] / "manifests"

NAMES = sorted(draw.EXAMPLES)
WIDTH = 48


@pytest.fixture(scope="module")
def small() -> dict[str, bytes]:
    return {name: draw.jpeg(draw.EXAMPLES[name], WIDTH) for name in NAMES}


def _grey(source: Path | io.BytesIO) -> Array:
    with Image.open(source) as image:
        return np.asarray(image.convert("L"), np.float32)


def _blocks(grey: Array, across: int) -> list[Array]:
    return [block for row in np.array_split(grey, across) for block in np.array_split(row, across, axis=1)]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seeds_draw_the_same_bytes(name: str, small: dict[str, bytes]) -> None:
    assert draw.jpeg(draw.EXAMPLES[name], WIDTH) == small[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_small_drawing_keeps_the_shape_of_the_large_one(name: str, small: dict[str, bytes]) -> None:
    width, height = draw.EXAMPLES[name].size
    with Image.open(io.BytesIO(small[name])) as image:
        assert image.mode == "RGB"
        assert image.width == WIDTH
        assert abs(image.height - WIDTH * height / width) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_small_drawing_has_darks_and_lights_and_nothing_empty(name: str, small: dict[str, bytes]) -> None:
    grey = _grey(io.BytesIO(small[name]))
    assert np.percentile(grey, 1) < 70
    assert np.percentile(grey, 99) > 160
    assert min(block.std() for block in _blocks(grey, 4)) > 2


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_in_the_repository_has_the_size_the_script_promises(name: str) -> None:
    with Image.open(draw.IMAGES / f"{name}.jpg") as image:
        assert image.size == draw.EXAMPLES[name].size


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_in_the_repository_uses_the_full_tonal_range(name: str) -> None:
    grey = _grey(draw.IMAGES / f"{name}.jpg")
    assert np.percentile(grey, 0.5) < 45
    assert np.percentile(grey, 99.5) > 205


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_in_the_repository_is_nowhere_flat(name: str) -> None:
    assert min(block.std() for block in _blocks(_grey(draw.IMAGES / f"{name}.jpg"), 8)) > 2.5


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("styles/")])
def test_a_style_has_texture_all_over(name: str) -> None:
    grey = _grey(draw.IMAGES / f"{name}.jpg")
    steps = np.abs(np.diff(grey, axis=1))[:-1] + np.abs(np.diff(grey, axis=0))[:, :-1]
    assert min(block.mean() for block in _blocks(steps, 6)) > 4


def test_no_two_styles_share_a_palette() -> None:
    means = []
    for name in NAMES:
        if name.startswith("styles/"):
            with Image.open(draw.IMAGES / f"{name}.jpg") as image:
                means.append(np.asarray(image, np.float32).mean((0, 1)))
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(means) for b in means[:i]]
    assert min(gaps) > 12


def test_the_folder_holds_the_drawn_pictures_and_no_others_and_stays_small() -> None:
    stored = sorted(draw.IMAGES.rglob("*.jpg"))
    assert [path.relative_to(draw.IMAGES).with_suffix("").as_posix() for path in stored] == NAMES
    assert sum(path.stat().st_size for path in stored) < 1_200_000


def test_the_mask_of_the_sky_fits_the_landscape_and_marks_its_sky() -> None:
    mask = _grey(draw.IMAGES / "masks/landscape_sky.png") / 255
    with Image.open(draw.IMAGES / "contents/landscape.jpg") as image:
        assert image.size == mask.shape[::-1]
        blue = np.asarray(image, np.float32)[..., 2]
    assert mask[:40].mean() > 0.8
    assert mask[-200:].max() == 0
    assert (blue * mask).sum() / mask.sum() > 1.5 * (blue * (1 - mask)).sum() / (1 - mask).sum()
    small = draw.MASKS["masks/landscape_sky"]
    assert draw.png(small, WIDTH) == draw.png(small, WIDTH)


@pytest.mark.parametrize("name", sorted(draw.MASKS))
def test_a_mask_is_the_stored_one_and_covers_its_part_of_the_picture(name: str) -> None:
    mask = draw.MASKS[name]
    stored = draw.IMAGES / f"{name}.png"
    drawn = _grey(io.BytesIO(draw.png(mask, 96)))
    with Image.open(stored) as image:
        assert (image.mode, image.size) == ("L", mask.size)
        shrunk = np.asarray(image.resize(drawn.shape[::-1], Image.Resampling.BOX), np.float32)
    assert np.abs(drawn - shrunk).mean() < 3
    half = drawn[:43] if name.endswith("sky") else drawn[41:]
    assert half.sum() > 0.97 * drawn.sum() > 0


def test_sky_and_water_do_not_overlap() -> None:
    sky, water = (_grey(draw.IMAGES / f"masks/town_{part}.png") for part in ("sky", "water"))
    assert (sky + water).max() <= 256


def test_an_unknown_name_draws_nothing_and_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert draw.main(["styles/starry"]) == 2
    assert "styles/flow" in capsys.readouterr().err


def test_noise_of_another_seed_is_another_noise() -> None:
    x, y = np.meshgrid(np.linspace(0, 9, 40), np.linspace(0, 9, 40))
    first = fractal(x, y, octaves=3, seed=1)
    assert np.array_equal(first, fractal(x, y, octaves=3, seed=1))
    assert not np.allclose(first, fractal(x, y, octaves=3, seed=2))
    assert np.abs(first).max() <= 1.3
