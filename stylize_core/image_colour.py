"""From any stored colour space to sRGB."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

from stylize_core.image_samples import Array, Samples

_PILLOW_MODES = {"grey": "L", "RGB": "RGB", "CMYK": "CMYK", "LAB": "LAB"}
_PROFILE_SPACES = {"grey": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}


@functools.cache
def srgb_profile() -> bytes:
    """An sRGB profile, the same bytes on every call and every day."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Date of creation and the digest of the whole, which would carry the date on.
    made[24:36] = bytes.fromhex("07ea 0001 0001 0000 0000 0000")
    made[84:100] = bytes(16)
    return bytes(made)


def to_srgb(samples: Samples, profile: bytes | None) -> tuple[Array, list[str]]:
    """The colours as sRGB, float32 [H, W, 3] 0..1, and a sentence on each decision."""
    if profile == srgb_profile():
        profile = None
    decisions = []
    if profile is not None:
        try:
            return _by_profile(samples, profile)
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            decisions.append(f"ignored unreadable colour profile: {error}")
    rgb, said = _without_profile(samples)
    return rgb, decisions + said


def _without_profile(samples: Samples) -> tuple[Array, list[str]]:
    if samples.space == "LAB":
        return _by_cms(samples, ImageCms.createProfile("LAB")), ["converted from CIELAB to sRGB"]
    unit = samples.values.astype(np.float32) / np.float32(samples.full)
    if samples.space == "CMYK":
        return (1 - unit[..., :3]) * (1 - unit[..., 3:]), ["CMYK without a profile converted as (1-C)(1-K)"]
    return np.repeat(unit, 3, axis=2) if samples.space == "grey" else unit, []


def _by_profile(samples: Samples, profile: bytes) -> tuple[Array, list[str]]:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    wanted, found = _PROFILE_SPACES[samples.space], source.profile.xcolor_space.strip()
    if wanted != found:
        raise ValueError(f"it describes {found}, the picture is {samples.space}")
    name = ImageCms.getProfileDescription(source).strip()
    rgb = _by_cms(samples, source)
    return rgb, [
        f"converted from ICC profile {name!r} to sRGB (relative colorimetric, black point compensation)"
    ]


def _by_cms(samples: Samples, source: ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile) -> Array:
    image = Image.fromarray(_eight_bits(samples), _PILLOW_MODES[samples.space])
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return np.asarray(converted).astype(np.float32) / np.float32(255)


def _eight_bits(samples: Samples) -> Array:
    values = samples.values
    if values.dtype != np.uint8:
        values = np.rint(values.astype(np.float32) * np.float32(255 / samples.full)).astype(np.uint8)
    return values[..., 0] if samples.space == "grey" else values
