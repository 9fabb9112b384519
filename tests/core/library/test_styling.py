"""`stylize` on pictures: the one that the command makes, told as it goes, and refused in words."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from small_batch import Audience, draw, waves
from small_networks import tiny_state

from flows.running.one import run_one
from flows.worker.main import DeviceWorker
from stylize_core import Picture, StepProgress, StyleSettings, open_picture, save_picture, stylize
from stylize_core.errors import BadImage, BadWeights, DeviceUnavailable, ImageTooSmall, SettingsError
from stylize_core.networks.weights import builtin_bytes
from stylize_core.pyramid.sketch import SKETCHED
from stylize_core.settings.recipes import defaults_of
from stylize_core.settings.weights_file import WeightsFile


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return draw(tmp_path / "photo.png", 1, width=96, height=64)


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    """See-through at one side; smaller than one of the results here, and larger than the others."""
    path = tmp_path / "painting.png"
    rgba = np.full((120, 150, 4), 255, np.uint8)
    rgba[..., :3] = waves(12, width=150, height=120)
    rgba[:, :40, 3] = 0
    Image.fromarray(rgba).save(path)
    return path


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stylize one` with its worker here: a process for each costs more than all pictures together."""
    monkeypatch.setattr("flows.running.one.ProcessWorker", lambda slot, *_: DeviceWorker(slot, batch=1))


def by_command(content: Path, style: Path | None, output: Path, *settings: str) -> object:
    made = run_one(
        str(content),
        None if style is None else str(style),
        output=output,
        settings=settings,
        device="cpu",
        listener=Audience(),
    )
    assert (made.status, made.message) == ("done", "")
    with Image.open(output) as image:
        return np.asarray(image).tolist()


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 64},
        {"size": 300, "steps": 12},
        {"megapixels": 0.003, "style_scale": 1.5, "style_crop": (0.1, 0.0, 0.9, 1.0)},
        {"size": 64, "colour": "match", "statistics": "moments", "precision": "bf16"},
        {"size": 64, "init": "style", "optimizer": "adam", "scales": 2},
        {"size": "original", "colour": "luminance", "init": "noise", "seed": 3},
    ],
    ids=str,
)
def test_a_picture_is_the_one_that_the_command_makes(
    tmp_path: Path, photo: Path, painting: Path, settings: dict[str, Any]
) -> None:
    settings = {"steps": 6, **settings}
    words = (f"{key}={list(v) if isinstance(v, tuple) else v}" for key, v in settings.items())
    expected = by_command(photo, painting, tmp_path / "one.png", *words)
    made = stylize(open_picture(photo), open_picture(painting), device="cpu", **settings)
    save_picture(made, tmp_path / "made.png")
    with Image.open(tmp_path / "made.png") as image:
        assert np.asarray(image).tolist() == expected


@pytest.mark.parametrize("mode", ["texture", "content", "dream"])
def test_so_it_is_in_the_modes_that_need_one_picture(tmp_path: Path, painting: Path, mode: str) -> None:
    expected = by_command(painting, None, tmp_path / "one.png", f"mode={mode}", "size=64", "steps=4")
    alone = open_picture(painting)
    pictures = (None, alone) if mode == "texture" else (alone, None)
    save_picture(stylize(*pictures, mode=mode, size=64, steps=4, device="cpu"), tmp_path / "made.png")
    with Image.open(tmp_path / "made.png") as image:
        assert np.asarray(image).tolist() == expected


def test_settings_come_as_an_object_by_name_and_by_preset(photo: Path, painting: Path) -> None:
    pictures = open_picture(photo), open_picture(painting)
    settings = StyleSettings(size=64, steps=4, style_weight=30.0, coarsest=64)
    first = stylize(*pictures, settings=settings, device="cpu").rgb
    assert torch.equal(first, stylize(*pictures, preset="subtle", size=64, steps=4, device="cpu").rgb)
    assert torch.equal(
        first, stylize(*pictures, settings=StyleSettings(size=32), **_named(settings), device="cpu").rgb
    )
    assert not torch.equal(first, stylize(*pictures, size=64, steps=4, device="cpu").rgb)


def test_an_older_recipe_lies_under_what_is_given_and_a_preset_is_the_same_with_each(
    photo: Path, painting: Path
) -> None:
    pictures = open_picture(photo), open_picture(painting)
    old = StyleSettings(**defaults_of(1), size=64, steps=4)
    made = stylize(*pictures, recipe=1, size=64, steps=4, device="cpu").rgb
    assert torch.equal(made, stylize(*pictures, settings=old, device="cpu").rgb)
    assert not torch.equal(made, stylize(*pictures, size=64, steps=4, device="cpu").rgb)
    bold = [
        stylize(*pictures, recipe=recipe, preset="bold", size=64, steps=2, device="cpu")
        for recipe in (None, 1)
    ]
    assert torch.equal(bold[0].rgb, bold[1].rgb)


def _named(settings: StyleSettings) -> dict[str, Any]:
    return {key: getattr(settings, key) for key in ("size", "steps", "style_weight", "coarsest")}


def test_progress_is_told_until_the_end_and_an_exception_ends_the_work(photo: Path, painting: Path) -> None:
    heard: list[StepProgress] = []
    pictures = open_picture(photo), open_picture(painting)
    stylize(*pictures, size=64, steps=25, on_progress=heard.append, device="cpu")
    assert [one.step for one in heard] == sorted(one.step for one in heard)
    assert (heard[-1].step, heard[-1].steps) == (25, 25)
    assert heard[0].loss > heard[-1].loss

    def enough(progress: StepProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stylize(*pictures, size=64, steps=25, on_progress=enough, device="cpu")


def test_it_starts_from_a_picture_that_init_gives(photo: Path, painting: Path) -> None:
    content, style = open_picture(photo), open_picture(painting)
    made = stylize(content, style, init=style, size=64, steps=1, device="cpu")
    assert torch.equal(made.rgb, stylize(content, style, init=style, size=64, steps=1, device="cpu").rgb)
    assert not torch.equal(made.rgb, stylize(content, style, size=64, steps=1, device="cpu").rgb)


def test_the_content_keeps_its_transparency_and_decisions_are_told(photo: Path, painting: Path) -> None:
    made = stylize(open_picture(painting), open_picture(photo), size=160, steps=1, device="cpu")
    assert made.alpha is not None
    assert made.alpha.shape[1:] == made.rgb.shape[1:] == (128, 160)
    assert made.decisions == (
        "transparent parts flattened on white",
        "enlarged from 150x120 to 160x128 px",
        "the style: enlarged from 96x64 to 160x107 px where it is measured",
    )


def test_tiles_change_nothing_but_the_memory(photo: Path, painting: Path) -> None:
    pictures = open_picture(photo), open_picture(painting)
    whole = stylize(*pictures, size=96, steps=3, device="cpu").rgb
    torch.testing.assert_close(
        stylize(*pictures, size=96, steps=3, tile_px=64, device="cpu").rgb, whole, atol=0.01, rtol=0
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sise": 64}, "sise: 64 is not accepted; there is no such setting; did you mean size?"),
        ({"zzz": 1}, "zzz: 1 is not accepted; there is no such setting"),
        ({"size": 0}, "size: 0 is not accepted"),
        ({"init": "image"}, "init: 'image' is not accepted; give the picture itself to start from"),
        ({"preset": "blod"}, "preset: 'blod' is not accepted; it must be one of none, subtle"),
        ({"snapshot_every": 5}, "snapshots are files of a batch; leave it out"),
        ({"preset": "bold", "settings": StyleSettings()}, "`settings` say everything already"),
        ({"recipe": 9}, "recipe: 9 is not accepted; it must be one of 1, 2, 3"),
        ({"recipe": 3, "settings": StyleSettings()}, "recipe: 3 is not accepted; `settings` say everything"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(photo: Path, changes: dict[str, Any], said: str) -> None:
    picture = open_picture(photo)
    with pytest.raises(SettingsError) as refused:
        stylize(picture, picture, device="cpu", **changes)
    assert said in str(refused.value)


def test_a_picture_that_a_mode_needs_is_asked_for(photo: Path) -> None:
    with pytest.raises(SettingsError, match="`mode: transfer` needs a style; add one"):
        stylize(open_picture(photo), device="cpu")
    with pytest.raises(SettingsError, match="`mode: dream` needs a content"):
        stylize(None, open_picture(photo), mode="dream", device="cpu")


def test_tensors_and_paths_are_sent_to_the_right_call() -> None:
    with pytest.raises(TypeError, match="not Tensor; for tensors there is stylize_tensors"):
        stylize(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="as open_picture gives them, not str"):
        stylize("photo.png", "painting.png")  # type: ignore[arg-type]


def test_weights_and_devices_that_are_not_there_are_refused(tmp_path: Path, photo: Path) -> None:
    picture = open_picture(photo)
    with pytest.raises(DeviceUnavailable, match="device 'gpu' is unknown"):
        stylize(picture, picture, device="gpu")
    staged = WeightsFile(file=str(tmp_path / "none.pth"), sha256="0" * 64)
    with pytest.raises(BadWeights, match=r"none\.pth cannot be read: No such file"):
        stylize(picture, picture, encoder="vgg19", weights=staged, device="cpu")


def test_a_staged_file_of_weights_is_used(tmp_path: Path, photo: Path, painting: Path) -> None:
    path = tmp_path / "slim.safetensors"
    path.write_bytes(builtin_bytes())
    staged = WeightsFile(file=str(path), sha256=hashlib.sha256(builtin_bytes()).hexdigest())
    pictures = open_picture(photo), open_picture(painting)
    asked = StyleSettings(**defaults_of(2), size=64, steps=2)  # the file has three blocks
    made = stylize(*pictures, settings=asked, weights=staged, device="cpu")
    assert torch.equal(made.rgb, stylize(*pictures, settings=asked, device="cpu").rgb)


def test_a_larger_network_that_slim_begins_for_makes_the_picture_of_the_command(
    tmp_path: Path, photo: Path, painting: Path
) -> None:
    data = save(tiny_state("vgg16"))
    (tmp_path / "w.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    staged = WeightsFile(file=str(tmp_path / "w.safetensors"), sha256=digest)
    words = ("encoder=vgg16", "init=slim", "size=64", "steps=6")
    named = f"weights={{file: {staged.file}, sha256: {digest}}}"
    expected = by_command(photo, painting, tmp_path / "one.png", named, *words)
    pictures = open_picture(photo), open_picture(painting)
    asked = StyleSettings(encoder="vgg16", init="slim", size=64, steps=6, weights=staged)
    made = stylize(*pictures, settings=asked, device="cpu")
    save_picture(made, tmp_path / "made.png")
    with Image.open(tmp_path / "made.png") as image:
        assert np.asarray(image).tolist() == expected
    assert SKETCHED in made.decisions
    assert not torch.equal(made.rgb, stylize(*pictures, settings=asked, init="content", device="cpu").rgb)


def test_a_style_too_thin_to_show_anything_is_refused(tmp_path: Path, photo: Path) -> None:
    thin = open_picture(draw(tmp_path / "thin.png", 3, width=400, height=16))
    with pytest.raises(ImageTooSmall):
        stylize(open_picture(photo), thin, size=64, steps=1, device="cpu")


def test_what_is_opened_is_what_the_file_shows(tmp_path: Path, photo: Path) -> None:
    whole, from_bytes = open_picture(photo), open_picture(photo.read_bytes())
    with Image.open(photo) as image:
        levels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)
    assert torch.equal((whole.rgb * 255).round().to(torch.uint8), levels)
    assert torch.equal(whole.rgb, from_bytes.rgb)
    assert open_picture(photo, size=48).rgb.shape == (3, 32, 48)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(BadImage, match=r"text\.png: this is"):
        open_picture(tmp_path / "text.png")
    with pytest.raises(BadImage, match="the bytes: this is"):
        open_picture(b"no picture")
    with pytest.raises(FileNotFoundError):
        open_picture(tmp_path / "none.png")


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.webp", "a.tiff"])
def test_what_is_saved_is_what_its_name_says(tmp_path: Path, photo: Path, name: str) -> None:
    save_picture(open_picture(photo), tmp_path / name)
    again = open_picture(tmp_path / name)
    assert (again.source_format, again.rgb.shape) == (
        {"a.png": "PNG", "a.JPG": "JPEG", "a.webp": "WebP", "a.tiff": "TIFF"}[name], (3, 64, 96),
    )  # fmt: skip
    assert [path.name for path in tmp_path.glob("*a.*")] == [name]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = Picture(torch.full((3, 32, 32), float("nan")), None, "", "")
    with pytest.raises(ValueError, match="not finite"):
        save_picture(broken, tmp_path / "a.png")
    with pytest.raises(SettingsError, match=r"path: .*a\.bmp' is not accepted; its name must end in \.png"):
        save_picture(broken, tmp_path / "a.bmp")
    with pytest.raises(FileNotFoundError):
        save_picture(broken, tmp_path / "none" / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_shows_a_picture(photo: Path) -> None:
    assert torch.equal(open_picture(open_picture(photo)._repr_png_()).rgb, open_picture(photo).rgb)
