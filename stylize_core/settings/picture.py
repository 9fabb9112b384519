"""What a user may set for how pictures are read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from stylize_core.errors import SettingsError
from stylize_core.settings.fields import check_fields, documented, plain
from stylize_core.settings.fields import setting as _setting

Format = Literal["png", "jpeg", "webp", "tiff"]

FORMATS: Mapping[str, Format] = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".tif": "tiff", ".tiff": "tiff",
}  # fmt: skip
"""What each ending of a file's name means."""


def format_of(name: str, *, key: str) -> Format:
    """The format that the ending of a file's name asks for, in either case.

    Raises:
        SettingsError: it is none that is written; names `key`.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in FORMATS:
        raise SettingsError(key, name, "its name must end in " + ", ".join(FORMATS))
    return FORMATS[suffix]


@documented
@dataclass(frozen=True, kw_only=True, slots=True)
class PictureSettings:
    """How pictures are read and how the result is written.

    Raises:
        SettingsError: naming the first key whose value is out of range.
    """

    format: Format = _setting("png", "file format of the result")
    bit_depth: Literal[8, 16] = _setting(8, "bits per channel; 16 for PNG and TIFF only")
    quality: int = _setting(92, "JPEG and WebP quality", ge=1, le=100)
    animation: Literal["none", "gif", "webp", "mp4"] = _setting(
        "none",
        "a film of the optimisation beside the result; `webp` is lossless, `mp4` needs the extra `mp4` "
        "(`pip install av`)",
        quiet=True,
    )
    metadata: Literal["strip", "copyright", "keep"] = _setting(
        "strip",
        "what of the content's own data goes into the result; `copyright`: the notice, the artist and the "
        "dpi; `keep`: also the caption, the date and the position where it was taken",
        quiet=True,
    )
    dpi: int = _setting(
        0,
        "dots per inch written into the result, for print; 0 for what `metadata` keeps of the content's",
        ge=0,
        le=9600,
        quiet=True,
    )
    frames: Literal["refuse", "first"] = _setting(
        "refuse", "what to do with animated and multi-page pictures: refuse them, or take the first frame"
    )
    max_megapixels: float = _setting(
        100.0,
        "largest input that is decoded at once, judged from its header, and so the memory that any may take; "
        "larger JPEG, PNG and TIFF pictures, up to 30,000 px a side, are read in parts where they allow it",
        gt=0,
        le=4000,
    )

    def __post_init__(self) -> None:
        """Check every field, and that the format can hold the depth."""
        check_fields(self)
        if self.bit_depth == 16 and self.format not in ("png", "tiff"):
            raise SettingsError("bit_depth", 16, f"{self.format} holds 8 bits per channel; use png or tiff")
        if self.animation == self.format:
            raise SettingsError(
                "animation", self.animation, "the picture itself has this suffix; use gif or another format"
            )

    @property
    def suffix(self) -> str:
        """The file name's ending, dot included."""
        return {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}[self.format]

    def canonical(self) -> dict[str, Any]:
        """Every value that decides the bytes of the result."""
        return plain(self)
