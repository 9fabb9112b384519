"""From any stored colour space to sRGB."""

from __future__ import annotations

import functools
import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from stylize_core.image.icc import apply_shaper, of_grey, read_shaper
from stylize_core.image.opening import Array, Samples
from stylize_core.image.spaces import SRGB, NamedSpace

_PILLOW_MODES = {"grey": "L", "RGB": "RGB", "CMYK": "CMYK", "LAB": "LAB"}
_PROFILE_SPACES = {"grey": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}


@functools.cache
def srgb_profile() -> bytes:
    """An sRGB profile, the same bytes on every call and every day."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[24:36] = bytes.fromhex("07ea 0001 0001 0000 0000 0000")  # the time of its making: 2026-01-01
    made[84:100] = bytes(16)  # its digest, which the time has a part in; zero means none
    return bytes(made)


def to_srgb(samples: Samples, profile: object, named: NamedSpace = SRGB) -> tuple[Array, list[str]]:
    """The colours as sRGB planes, float32 [3, H, W] 0..1, and a sentence on each decision.

    `profile` is the embedded ICC profile as it was found: bytes, None, or something else in a broken file.
    Where there is none that can be used, the colours are those of the space that the file names.
    """
    if named.leads:
        return _without_profile(samples, named)
    if not profile or profile == srgb_profile():
        return _without_profile(samples, SRGB if profile else named)
    try:
        return _by_profile(samples, profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error) as error:
        planes, said = _without_profile(samples, named)
        return planes, [f"ignored unreadable colour profile ({error})", *said]


def _without_profile(samples: Samples, named: NamedSpace) -> tuple[Array, list[str]]:
    if samples.space == "LAB":
        return _by_engine(samples, ImageCms.createProfile("LAB")), ["converted from CIELAB to sRGB"]
    if samples.space == "CMYK":
        unit = samples.values / np.float32(samples.full)
        planes = (1 - unit[..., :3]) * (1 - unit[..., 3:])
        return planes.transpose(2, 0, 1), ["CMYK without a profile converted as (1-C)(1-K)"]
    said = [named.said] if named.said else []
    if named.shaper is None:
        return _planes(samples.values, samples.full), said
    shaper = named.shaper if samples.space == "RGB" else of_grey(named.shaper)
    return apply_shaper(shaper, _levels(samples, np.dtype(np.uint16))), said


def _planes(values: Array, full: float) -> Array:
    """[3, H, W] float32 from [H, W, 1 or 3], one plane at a time to spare memory."""
    planes = np.empty((3, *values.shape[:2]), np.float32)
    for channel, plane in enumerate(planes):
        np.divide(values[..., channel % values.shape[2]], np.float32(full), out=plane)
    return planes


def _by_profile(samples: Samples, profile: object) -> tuple[Array, list[str]]:
    if not isinstance(profile, bytes):
        raise TypeError(f"it is stored as {type(profile).__name__}")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    wanted, found = _PROFILE_SPACES[samples.space], source.profile.xcolor_space.strip()
    if wanted != found:
        raise ValueError(f"it describes {found}, the picture is {samples.space}")
    name = ImageCms.getProfileDescription(source).strip()
    said = [f"converted from ICC profile {name!r} to sRGB, relative colorimetric, black point compensated"]
    if samples.full == 255:
        return _by_engine(samples, source), said
    shaper = read_shaper(profile)
    if shaper is not None:
        return apply_shaper(shaper, _levels(samples, np.dtype(np.uint16))), said
    return _by_engine(samples, source), [*said, "colours converted at 8 bits: the profile works by tables"]


def _by_engine(samples: Samples, source: Any) -> Array:
    """Through Pillow's colour engine, Little CMS: eight bits per channel."""
    levels = _levels(samples, np.dtype(np.uint8))
    # The engine's shortcut, one table for the whole conversion, is right for curves and a matrix. For inks
    # and CIELAB it is up to thirty levels off near the edge of sRGB; going without costs 0.3 s per megapixel.
    exact = samples.space in ("CMYK", "LAB")
    precision = ImageCms.Flags.NOOPTIMIZE if exact else ImageCms.Flags.HIGHRESPRECALC
    image = Image.fromarray(
        levels[..., 0] if samples.space == "grey" else levels, _PILLOW_MODES[samples.space]
    )
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | precision,
    )
    return _planes(np.asarray(converted), 255)


def _levels(samples: Samples, kind: np.dtype[Any]) -> Array:
    if samples.values.dtype == kind:
        return samples.values
    full = np.iinfo(kind).max
    return np.rint(samples.values * np.float32(full / samples.full)).astype(kind)
