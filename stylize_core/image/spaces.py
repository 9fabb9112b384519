"""Colour spaces that a file names instead of bringing a profile: by code points (CICP) or in its EXIF.

CICP: ITU-T H.273, tables 2 and 3, as PNG's cICP chunk and the nclx boxes of HEIC and AVIF use it. EXIF:
DCF 2.0's interoperability index R03, by which cameras mark Adobe RGB (1998). All have their white at D65.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize_core.image.icc import Shaper
from stylize_core.image.opening import Unsupported

_WHITE = (0.3127, 0.3290)
_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_UNTOLD = 2
_PRIMARIES = {
    1: ("BT.709", _SRGB),
    _UNTOLD: ("unspecified", _SRGB),
    5: ("BT.601 (625 lines)", ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06))),
    6: ("BT.601 (525 lines)", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))),
    7: ("BT.601 (525 lines)", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))),
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
# The curves of video are shown by sRGB's on every display, and their files are made to look right there.
_SRGB_CURVES = {1, _UNTOLD, 6, 13, 14, 15}
_POWERS = {4: 2.2, 5: 2.8, 8: 1.0}
_HIGH_RANGE = {16: "PQ", 18: "HLG"}
_ADOBE_POWER = 563 / 256
_COLOUR_SPACE, _INTEROPERABILITY, _EXIF, _INTEROPERABILITY_INDEX = 0xA001, 0xA005, 0x8769, 1
_ADOBE_SPACE, _UNCALIBRATED = 2, 0xFFFF


@dataclass(frozen=True, slots=True, eq=False)
class NamedSpace:
    """A space that the samples are in.

    Attributes:
        shaper: its way to linear sRGB; None where the samples are sRGB already.
        said: what the record says about it; empty for plain sRGB.
        leads: whether it counts more than a profile in the same file, as a PNG's cICP does.
    """

    shaper: Shaper | None = None
    said: str = ""
    leads: bool = False


SRGB = NamedSpace()


def by_code_points(primaries: int, transfer: int, *, teller: str) -> NamedSpace:
    """The space of H.273's two numbers; `teller` is what holds them, such as `cICP`.

    Raises:
        Unsupported: its range is higher than a display's (PQ, HLG), which nothing here may guess into sRGB.
    """
    if transfer in _HIGH_RANGE:
        name = _HIGH_RANGE[transfer]
        raise Unsupported(
            f"it is a picture of high dynamic range ({name}, by its {teller}); export it for sRGB"
        )
    if primaries not in _PRIMARIES or transfer not in _SRGB_CURVES | set(_POWERS):
        return NamedSpace(said=f"colours {primaries}/{transfer} of its {teller} not known, taken as sRGB")
    name, chromaticities = _PRIMARIES[primaries]
    power = _POWERS.get(transfer)
    if chromaticities == _SRGB and power is None:
        return SRGB
    curve = "" if power is None else f" with gamma {power:g}"
    return NamedSpace(
        _shaper(chromaticities, power), f"converted from {name}{curve} to sRGB, as its {teller} says"
    )


def by_exif(exif: Any) -> NamedSpace:
    """The space that an EXIF block (Pillow's) tells of; sRGB where it tells of none."""
    space = exif.get_ifd(_EXIF).get(_COLOUR_SPACE)
    index = str(exif.get_ifd(_INTEROPERABILITY).get(_INTEROPERABILITY_INDEX, "")).strip("\0 ")
    if space == _ADOBE_SPACE or (space in (None, _UNCALIBRATED) and index == "R03"):
        return NamedSpace(
            _shaper(_ADOBE, _ADOBE_POWER), "converted from Adobe RGB (1998) to sRGB, as its EXIF says"
        )
    if space == _UNCALIBRATED:
        return NamedSpace(said="EXIF calls its colours uncalibrated and no profile is there: taken as sRGB")
    return SRGB


def _shaper(chromaticities: tuple[tuple[float, float], ...], power: float | None) -> Shaper:
    levels = np.linspace(0, 1, 65536)
    curve = (
        levels**power
        if power
        else np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    )
    matrix = np.linalg.solve(_to_xyz(_SRGB), _to_xyz(chromaticities)).astype(np.float32)
    return Shaper((curve.astype(np.float32),) * 3, matrix)


def _to_xyz(chromaticities: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """Linear RGB to XYZ: the primaries as columns, scaled so that white is white."""
    columns = np.array([_xyz(*xy) for xy in chromaticities]).T
    scaled: NDArray[np.float64] = columns * np.linalg.solve(columns, _xyz(*_WHITE))
    return scaled


def _xyz(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1.0, (1 - x - y) / y])
