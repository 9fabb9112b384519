"""Rows 24 to 32 and 39: a run over a folder in which nearly everything is wrong, seen from outside.

The pairs have no weight on the style, so that a picture that was accepted comes out as it was understood, and
its result shows whether its colours, its depth and its direction were.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_images import claiming, deep_landscape, landscape, orientation_exif, png, saved
from PIL import Image, PngImagePlugin
from small_batch import draw, manifest, record, report, stylize, tree

from flows.records.record import Record

pytestmark = pytest.mark.slow
UNDERSTOOD = "encoder: slim, size: 64, steps: 2, style_weight: 0, margin: 0"
WIDE = landscape(64, 48)

STRANGERS = {
    "empty.jpg": (b"", "an empty file"),
    "text.jpg": (b"no photograph\n", "text"),
    "html.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
    "pdf.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF file"),
    "svg.jpg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
    "eps.jpg": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n",
        "an EPS or PostScript file",
    ),
}


def _text_bomb() -> bytes:
    """A small PNG with a text chunk that unpacks to 100 MB."""
    facts = PngImagePlugin.PngInfo()
    facts.add_text("Comment", "x" * 100_000_000, zip=True)
    return saved(WIDE, "PNG", pnginfo=facts)


def _animation(file_format: str) -> bytes:
    first, second = (Image.fromarray(landscape(64, 48) // part) for part in (1, 2))
    return saved(first, file_format, save_all=True, append_images=[second])


def _under_glass(file_format: str, **options: Any) -> bytes:
    """The landscape, its upper half fully transparent with screaming colours hidden beneath."""
    pixels = np.dstack([WIDE, np.full(WIDE.shape[:2], 255, np.uint8)])
    pixels[:24] = (255, 0, 255, 0)
    return saved(pixels, file_format, **options)


def _palette_under_glass() -> bytes:
    """Of 16 colours; the transparent one, which fills the upper half, is a screaming magenta."""
    image = Image.fromarray(WIDE).quantize(15)
    levels = np.asarray(image).copy()
    levels[:24] = 15
    hidden = Image.fromarray(levels, "P")
    hidden.putpalette([*(image.getpalette() or [])[: 15 * 3], 255, 0, 255])
    return saved(hidden, "PNG", transparency=15)


def _keyed() -> bytes:
    """The upper half in the one colour that its tRNS chunk makes transparent, a screaming magenta."""
    pixels = WIDE.copy()
    pixels[:24] = (255, 0, 255)
    return saved(pixels, "PNG", transparency=(255, 0, 255))


def _grey_under_glass() -> bytes:
    """Grey with alpha; black lies beneath the upper half."""
    pixels = np.dstack([WIDE[..., 1], np.full(WIDE.shape[:2], 255, np.uint8)])
    pixels[:24] = 0
    return saved(Image.fromarray(pixels, "LA"), "PNG")


def _lying_down() -> bytes:
    """The landscape as a camera stores it that was held upright (orientation 6)."""
    turned = Image.fromarray(np.rot90(WIDE).copy())
    return saved(turned, "PNG", exif=orientation_exif(6))


PHOTOS = {
    **{name: data for name, (data, _) in STRANGERS.items()},
    "cut.jpg": saved(WIDE, "JPEG")[:-100],
    "cut.png": saved(WIDE, "PNG")[:-16],  # Pillow alone decodes this one without a word
    "bomb.png": claiming(saved(WIDE, "PNG"), 50_000, 50_000),
    "long.png": saved(Image.new("RGB", (70_000, 16)), "PNG"),
    "words.png": _text_bomb(),
    "dot.png": saved(Image.new("RGB", (1, 1)), "PNG"),
    "line.png": saved(Image.new("RGB", (64, 1)), "PNG"),
    "film.gif": _animation("GIF"),
    "film.webp": _animation("WEBP"),
    "pages.tif": _animation("TIFF"),
    "ink.tif": saved(Image.fromarray(WIDE).convert("CMYK"), "TIFF"),
    "deep.png": png(deep_landscape(64, 48, 1), colour_type=0),
    "glass.png": _under_glass("PNG"),
    "glass.webp": _under_glass("WEBP", lossless=True, exact=True),
    "glass.tif": _under_glass("TIFF"),
    "glass-palette.png": _palette_under_glass(),
    "glass-key.png": _keyed(),
    "glass-grey.png": _grey_under_glass(),
    "palette.png": saved(Image.fromarray(WIDE).quantize(256), "PNG"),
    "lying.png": _lying_down(),
    "odd-exif.png": saved(WIDE, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffnonsense"),
    "plain.png": saved(WIDE, "PNG"),
}


@dataclass
class Aftermath:
    """What a run over all of `PHOTOS` left."""

    home: Path
    exit_code: int
    said: str
    failures: dict[str, tuple[str, str]]

    def refused(self, photo: str, kind: str, *words: str) -> None:
        """The pair has a record with this kind, no picture, and a message that names the file and more."""
        stem = photo.partition(".")[0]
        found, message = self.failures[self.name(photo)]
        assert found == kind, message
        assert all(word in message for word in (photo, *words)), message
        failure = self.record(photo).failure
        assert failure is not None
        assert (failure.kind, failure.message) == (kind, message)
        assert not list((self.home / "out").glob(f"{stem}__{self.name(photo).partition('__')[2]}.png"))

    def picture(self, photo: str) -> np.ndarray[Any, Any]:
        """The result of a pair that was done, as levels."""
        with Image.open(self.home / f"out/{self.name(photo)}.png") as image:
            assert image.mode == ("RGBA" if photo.startswith("glass") else "RGB")
            return np.asarray(image)

    def record(self, photo: str) -> Record:
        return record(self.home, self.name(photo))

    def decided(self, photo: str) -> str:
        content = self.record(photo).content
        assert content is not None
        return "; ".join(content.decisions)

    @staticmethod
    def name(photo: str) -> str:
        return f"{photo.replace('.', '-')}__s0"


def _entries(home: Path) -> str:
    """Every photo by a name of its own; what is linked by patterns, which is how users meet links."""
    named = [f"  - {{name: {Aftermath.name(photo)[:-4]}, image: photos/{photo}}}" for photo in PHOTOS]
    devices = {"pipe": home / "pipe.png", "zeros": Path("/dev/zero")}
    odd = [f"  - {{name: {name}, image: {path}}}" for name, path in devices.items()]
    patterns = ["  - linked/*", "  - deep/*/*.png"]
    return "\n".join(["contents:", *named, *odd, *patterns, "styles: ['paintings/*']"])


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """One run over everything, with a `gs` on the path that leaves a trace where it is started."""
    home = tmp_path_factory.mktemp("broken")
    draw(home / "paintings/s0.png", 10)
    (home / "photos").mkdir()
    for photo, data in PHOTOS.items():
        (home / "photos" / photo).write_bytes(data)
    _plant_links(home)
    os.mkfifo(home / "pipe.png")
    ghostscript = home / "bin/gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {home}/canary\n")
    ghostscript.chmod(0o755)
    path = manifest(home, _entries(home), settings=UNDERSTOOD)
    done = stylize("run", path, "--device", "cpu", PATH=f"{ghostscript.parent}:{os.environ['PATH']}")
    assert done.returncode == 3, done.stderr
    failures = {one["name"]: (one["kind"], one["message"]) for one in report(home)["failures"]}
    return Aftermath(home, done.returncode, done.stdout + done.stderr, failures)


def _plant_links(home: Path) -> None:
    """Links among the inputs and the outputs, some of which lead where they must not."""
    draw(home / "secret/plans.png", 3)
    draw(home / "linked/own.png", 4)
    (home / "linked/within.png").symlink_to("own.png")
    (home / "linked/outside.png").symlink_to(home / "secret/plans.png")
    (home / "linked/round.png").symlink_to("round.png")
    (home / "linked/device.png").symlink_to("/dev/zero")
    (home / "deep").mkdir()
    (home / "deep/door").symlink_to(home / "secret")
    (home / "out").mkdir()
    (home / "keep.png").write_bytes(b"not yours")
    (home / "out/plain-png__s0.png").symlink_to(home / "keep.png")


def test_row_24_what_is_no_picture_is_named_by_its_content(aftermath: Aftermath) -> None:
    for photo, (_, kind) in STRANGERS.items():
        aftermath.refused(photo, "bad_image", f"this is {kind}")


def test_row_24_no_ghostscript_is_started(aftermath: Aftermath) -> None:
    eps = aftermath.home / "photos/eps.jpg"
    assert not (aftermath.home / "canary").exists()
    alive = f"{aftermath.home}/bin/gs {eps}"
    assert os.system(alive) == 0
    assert (aftermath.home / "canary").exists(), "the canary is dead, so its silence proves nothing"
    (aftermath.home / "canary").unlink()


def test_row_25_a_cut_picture_is_refused_where_pillow_decodes_it_in_silence(aftermath: Aftermath) -> None:
    with Image.open(io.BytesIO(PHOTOS["cut.png"])) as image:
        image.load()
    aftermath.refused("cut.png", "bad_image")
    aftermath.refused("cut.jpg", "bad_image")


def test_row_26_bombs_are_refused_with_pixels_and_limit(aftermath: Aftermath) -> None:
    aftermath.refused("bomb.png", "too_large", "2500000000 pixels", "the limit is 100000000")
    aftermath.refused("long.png", "too_large", "70000x16 px", "65535 px")
    aftermath.refused("words.png", "too_large", "unpacks to too much")


def test_row_27_pictures_without_enough_pixels_are_refused_with_both_numbers(aftermath: Aftermath) -> None:
    aftermath.refused("dot.png", "too_small", "1x1 px", "at least 16 px")
    aftermath.refused("line.png", "too_small", "64x1 px", "at least 16 px")


def test_row_28_animations_and_pages_are_refused_by_default(aftermath: Aftermath) -> None:
    for photo in ("film.gif", "film.webp", "pages.tif"):
        aftermath.refused(photo, "bad_image", "2 frames or pages", "frames: first")


def test_row_29_inks_come_out_as_their_colours_and_the_record_says_so(aftermath: Aftermath) -> None:
    assert np.abs(aftermath.picture("ink.tif").astype(int) - WIDE).max() <= 2
    assert "CMYK" in aftermath.decided("ink.tif")


def test_row_30_sixteen_bits_keep_their_mean(aftermath: Aftermath) -> None:
    mean = float(deep_landscape(64, 48, 1).mean()) / 65535 * 255
    assert abs(float(aftermath.picture("deep.png").mean()) - mean) < 1, "256 would mean: cut off at white"


@pytest.mark.parametrize("photo", [name for name in PHOTOS if name.startswith("glass")])
def test_row_31_hidden_colours_do_not_shine_through(aftermath: Aftermath, photo: str) -> None:
    with Image.open(io.BytesIO(PHOTOS[photo])) as image:
        hidden = np.asarray(image.convert("RGBA"))
    assert (hidden[:20, :, 3] == 0).all()
    assert hidden[:20, :, 1].max() == 0, "magenta or black lies beneath the glass"
    shown = aftermath.picture(photo)
    assert (shown[:20, :, 3] == 0).all()
    assert (shown[:20, :, :3] == 255).all(), "what lies beneath the glass"
    assert (shown[28:, :, 3] == 255).all()
    assert np.abs(shown[28:].astype(int) - hidden[28:]).max() <= 1
    assert "flattened on white" in aftermath.decided(photo)


def test_row_31_a_palette_comes_out_as_its_colours(aftermath: Aftermath) -> None:
    assert np.abs(aftermath.picture("palette.png").astype(int) - WIDE).mean() < 8


def test_row_32_pictures_come_out_upright(aftermath: Aftermath) -> None:
    upright = aftermath.picture("lying.png")
    assert upright.shape == WIDE.shape
    assert np.abs(upright.astype(int) - WIDE).max() <= 1
    assert np.array_equal(aftermath.picture("odd-exif.png"), aftermath.picture("plain.png"))


def test_row_39_a_link_that_leads_out_of_the_searched_folder_fails_its_own_pair(aftermath: Aftermath) -> None:
    assert aftermath.failures["outside__s0"][0] == "denied"
    assert "leads out of" in aftermath.failures["outside__s0"][1]
    assert aftermath.failures["plans__s0"][0] == "denied", "through a folder that is a link"
    assert aftermath.failures["round__s0"][0] == "denied", "a link to itself"
    assert record(aftermath.home, "within__s0").status == "done"
    assert record(aftermath.home, "own__s0").status == "done"
    made = {Path(name).stem for name in tree(aftermath.home / "out") if name.endswith(".png")}
    assert made.isdisjoint({"outside__s0", "plans__s0", "round__s0", "device__s0"})


def test_row_39_fifos_and_devices_are_refused_without_waiting(aftermath: Aftermath) -> None:
    for name in ("pipe__s0", "zeros__s0"):
        kind, message = aftermath.failures[name]
        assert (kind, "is not a regular file" in message) == ("denied", True), message


def test_row_39_a_link_where_a_result_goes_is_replaced_and_its_target_kept(aftermath: Aftermath) -> None:
    result = aftermath.home / "out/plain-png__s0.png"
    assert not result.is_symlink()
    assert np.array_equal(aftermath.picture("plain.png"), WIDE)
    assert (aftermath.home / "keep.png").read_bytes() == b"not yours"


def test_rows_24_to_39_cost_nobody_else_anything(aftermath: Aftermath) -> None:
    facts = report(aftermath.home)
    assert aftermath.exit_code == 3, aftermath.said
    assert facts["done"] + facts["failed"] == facts["planned"]
    assert facts["left"] == 0
    assert "Traceback" not in aftermath.said
    assert "internal" not in facts["failures_by_kind"]
