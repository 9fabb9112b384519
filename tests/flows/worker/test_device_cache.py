from __future__ import annotations

import mmap
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from small_batch import draw

from flows.model.pair import Input, Pair
from flows.records.record import Source
from flows.storage.opening import stat_uri
from flows.worker.device import Device
from flows.worker.device_cache import DeviceCache, Recent
from flows.worker.read import LoadedPicture, Reading
from stylize_core.errors import BadImage, DeviceUnavailable
from stylize_core.loss.targets import Targets
from stylize_core.pyramid.level import ViewSpec
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.picture_size import PictureSize
from stylize_core.settings.style import StyleSettings

SETTINGS = StyleSettings(size=64, steps=5)
PLAIN = PictureSettings()


@pytest.fixture(scope="module")
def cache() -> DeviceCache:
    return DeviceCache(Device("cpu"))


def given(path: Path) -> Input:
    """The picture as a plan would name it now."""
    stat = stat_uri(str(path))
    assert stat is not None
    return Input(str(path), stat.token)


def pair(home: Path, settings: StyleSettings = SETTINGS) -> Pair:
    content, style = draw(home / "photo.png", 1), draw(home / "painting.png", 2)
    return Pair("a", given(content), given(style), settings, PLAIN)


def content(cache: DeviceCache, of: Pair) -> LoadedPicture:
    assert of.content is not None
    return cache.picture(Reading(of.content, PLAIN), size=of.style_settings.picture_size, enlarge=True)


def style(cache: DeviceCache, of: Pair) -> tuple[Source, Targets]:
    assert of.style
    loaded = cache.style_picture(of.style, of)
    return loaded.source, cache.style(of, loaded, content(cache, of))


def test_the_values_used_last_are_kept() -> None:
    made: list[str] = []
    recent: Recent[str] = Recent(2)

    def get(key: str) -> str:
        return recent.get(key, lambda: made.append(key) or key)  # type: ignore[func-returns-value]

    for key in "abacab":
        assert get(key) == key
    assert "".join(made) == "abcb"


def test_values_are_kept_up_to_a_total_size_and_the_last_in_any_case() -> None:
    recent: Recent[bytes] = Recent(100, size=len)
    recent.get("small", lambda: b"x" * 60)
    recent.get("large", lambda: b"x" * 500)
    assert recent.get("large", lambda: b"read again") == b"x" * 500
    assert recent.get("small", lambda: b"read again") == b"read again"


def test_what_cannot_be_made_is_not_kept() -> None:
    recent: Recent[int] = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.get("a", lambda: 1 // 0)
    assert recent.get("a", lambda: 7) == 7


def test_a_picture_is_read_once_and_named_by_the_bytes_that_were_used(
    cache: DeviceCache, tmp_path: Path
) -> None:
    path = draw(tmp_path / "photo.png", 1)
    source, digest = given(path), sha256(path.read_bytes()).hexdigest()
    loaded = cache.picture(Reading(source, PLAIN), size=PictureSize(64), enlarge=True)
    path.unlink()
    again = cache.picture(Reading(source, PLAIN), size=PictureSize(64), enlarge=True)
    assert again is loaded
    assert (loaded.source.sha256, loaded.source.width, loaded.source.height) == (digest, 64, 48)


def test_a_changed_picture_is_read_again(cache: DeviceCache, tmp_path: Path) -> None:
    path = draw(tmp_path / "photo.png", 1)
    before = cache.picture(Reading(given(path), PLAIN), size=PictureSize(64), enlarge=True)
    path.unlink()
    draw(path, 2)
    after = cache.picture(Reading(given(path), PLAIN), size=PictureSize(64), enlarge=True)
    assert before.source.sha256 != after.source.sha256


def test_sizes_are_told_as_the_file_has_them_and_pictures_come_as_they_are_used(
    cache: DeviceCache, tmp_path: Path
) -> None:
    path = draw(tmp_path / "photo.png", 1, width=100, height=50)
    loaded = cache.picture(Reading(given(path), PLAIN), size=PictureSize(64), enlarge=True)
    assert (loaded.source.width, loaded.source.height) == (100, 50)
    assert tuple(loaded.picture.rgb.shape) == (3, 32, 64)


def test_only_contents_are_enlarged(cache: DeviceCache, tmp_path: Path) -> None:
    source = given(draw(tmp_path / "photo.png", 1, width=50, height=40))
    assert (
        cache.picture(Reading(source, PLAIN), size=PictureSize(100), enlarge=True).picture.rgb.shape[-1]
        == 100
    )
    assert (
        cache.picture(Reading(source, PLAIN), size=PictureSize(100), enlarge=False).picture.rgb.shape[-1]
        == 50
    )


def test_a_bad_picture_stays_bad_and_a_mended_one_is_read(cache: DeviceCache, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"no picture")
    for _ in range(2):
        with pytest.raises(BadImage):
            cache.picture(Reading(given(path), PLAIN), size=PictureSize(64), enlarge=True)
    path.unlink()
    assert cache.picture(Reading(given(draw(path, 1)), PLAIN), size=PictureSize(64), enlarge=True)


def test_the_statistics_of_a_style_are_measured_once(cache: DeviceCache, tmp_path: Path) -> None:
    first = pair(tmp_path)
    source, targets = style(cache, first)
    (tmp_path / "painting.png").unlink()
    assert style(cache, first)[1] is targets
    assert source.sha256


def test_settings_that_change_a_style_measure_it_anew(cache: DeviceCache, tmp_path: Path) -> None:
    _, targets = style(cache, pair(tmp_path))
    for change in (
        StyleSettings(size=64, statistics="moments"),
        StyleSettings(size=64, steps=5, style_scale=0.5),
        StyleSettings(size=64, steps=5, pooling="max"),
        StyleSettings(size=64, steps=5, style_layers={"relu1_1": 1.0}),
    ):
        assert style(cache, pair(tmp_path, change))[1] is not targets


@pytest.mark.parametrize("colour", ["luminance", "match"])
def test_a_style_that_follows_the_colours_of_its_content_is_measured_for_each_content(
    cache: DeviceCache, tmp_path: Path, colour: Any
) -> None:
    first = pair(tmp_path, StyleSettings(size=64, colour=colour))
    other = replace(first, content=given(draw(tmp_path / "other.png", 5)))
    targets, others = style(cache, first)[1], style(cache, other)[1]
    assert style(cache, first)[1] is targets
    assert all(not torch.equal(targets[layer], others[layer]) for layer in targets)
    fresh = style(DeviceCache(Device("cpu")), other)[1]
    assert all(torch.equal(fresh[layer], others[layer]) for layer in fresh)


def test_a_style_in_its_own_colours_is_measured_once_for_all_contents(
    cache: DeviceCache, tmp_path: Path
) -> None:
    first = pair(tmp_path)
    other = replace(first, content=given(draw(tmp_path / "other.png", 5)))
    assert style(cache, other)[1] is style(cache, first)[1]


def test_a_region_of_a_style_is_measured_as_if_it_were_the_whole_picture(
    cache: DeviceCache, tmp_path: Path
) -> None:
    painting = draw(tmp_path / "painting.png", 2, width=96, height=80)
    with Image.open(painting) as image:
        image.crop((24, 20, 96, 60)).save(tmp_path / "part.png")
    settings = StyleSettings(size=64, style_crop=(0.25, 0.25, 1, 0.75))
    photo = given(draw(tmp_path / "photo.png", 1))
    source, targets = style(cache, Pair("a", photo, given(painting), settings, PLAIN))
    part = Pair("a", photo, given(tmp_path / "part.png"), SETTINGS, PLAIN)
    for layer, expected in style(cache, part)[1].items():
        assert torch.equal(targets[layer], expected)
    assert "cropped to 72x40 px from x 24, y 20" in source.decisions
    whole = style(cache, Pair("a", photo, given(painting), SETTINGS, PLAIN))[1]
    assert all(not torch.equal(whole[layer], targets[layer]) for layer in targets)


def test_one_network_serves_all_pairs_that_use_the_same_layers(cache: DeviceCache) -> None:
    encoder = cache.encoder(SETTINGS)
    assert cache.encoder(StyleSettings(size=128, steps=9)) is encoder
    assert cache.encoder(StyleSettings(style_layers={"relu2_1": 1.0})) is not encoder


def test_each_precision_has_a_network_and_statistics_of_its_own(cache: DeviceCache, tmp_path: Path) -> None:
    exact, small = (replace(SETTINGS, precision=name) for name in ("fp32", "bf16"))
    assert cache.encoder(exact).precision == "fp32"
    assert cache.encoder(small).precision == "bf16"
    one, other = (style(cache, pair(tmp_path, settings))[1] for settings in (exact, small))
    assert not all(torch.equal(one[layer], other[layer]) for layer in one)


def test_a_style_loaded_exactly_is_what_a_network_in_fp32_sees(cache: DeviceCache, tmp_path: Path) -> None:
    coarse, exact = (pair(tmp_path, replace(SETTINGS, precision=precision)) for precision in ("bf16", "fp32"))
    assert coarse.style
    loaded = cache.style_picture(coarse.style, coarse)
    again = cache.style(coarse, loaded, content(cache, coarse), view=ViewSpec(exact=True))
    for layer, statistics in style(cache, exact)[1].items():
        assert torch.equal(again[layer], statistics)
    assert any(not torch.equal(again[layer], value) for layer, value in style(cache, coarse)[1].items())


def test_a_precision_that_the_device_lacks_is_refused(cache: DeviceCache) -> None:
    with pytest.raises(DeviceUnavailable, match="precision 'tf32' needs a CUDA device"):
        cache.encoder(replace(SETTINGS, precision="tf32"))


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="only Linux counts peaks anew")
def test_a_cpu_tells_what_its_process_held_since_it_was_told_to_forget(cache: DeviceCache) -> None:
    held = mmap.mmap(-1, 2**27)  # not of the C library, which may keep what is given back
    held.write(bytes(2**27))
    high = cache.device.peak_memory_bytes()
    held.close()
    cache.device.forget_peak()
    low = cache.device.peak_memory_bytes()
    assert high is not None
    assert low is not None
    assert low < high - 2**26
