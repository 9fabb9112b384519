"""A large picture as it lies in its file: what its header says, and its samples from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from stylize_core.image.crop import Box
from stylize_core.image.decode import Picture, metadata_of
from stylize_core.image.large.jpeg_draft import draft, jpeg_strips
from stylize_core.image.large.png_rows import png_strips, png_without_pixels
from stylize_core.image.large.tiff_strips import stored_size, tiff_strips
from stylize_core.image.opening import Samples, open_image
from stylize_core.image.policy import choose_frame, named_space, notes, orientation, upright
from stylize_core.image.spaces import NamedSpace
from stylize_core.settings.picture import PictureSettings


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A large picture that is about to be read.

    Attributes:
        size: width and height as stored.
        header: the picture without its pixels, or before they are read.
        turn: its EXIF orientation.
        named: the colour space that it names, if it brings no profile.
        decisions: what has been decided before a pixel is read.
    """

    data: bytes
    kind: str
    size: tuple[int, int]
    header: Image.Image
    turn: object
    named: NamedSpace
    decisions: tuple[str, ...]

    @property
    def profile(self) -> object:
        """The embedded ICC profile as it was found."""
        return self.header.info.get("icc_profile")

    def turned(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height once the picture is upright, or, given those, as it is stored."""
        height, width = upright(np.broadcast_to(False, (size[1], size[0])), self.turn).shape
        return width, height

    def as_stored(self, box: Box, share: int) -> Box:
        """Where a box of the upright picture lies in the stored one, decoded at 1/`share`."""
        width, height = self.size
        left, top, right, bottom = box
        down = upright(np.broadcast_to(np.arange(height)[:, None], (height, width)), self.turn)
        across = upright(np.broadcast_to(np.arange(width), (height, width)), self.turn)
        rows = sorted((int(down[top, left]), int(down[bottom - 1, right - 1])))
        columns = sorted((int(across[top, left]), int(across[bottom - 1, right - 1])))
        whole = -(-width // share), -(-height // share)
        return (
            columns[0] // share,
            rows[0] // share,
            min(whole[0], -(-(columns[1] + 1) // share)),
            min(whole[1], -(-(rows[1] + 1) // share)),
        )

    def strips(self, *, shrunk: float, budget: float) -> tuple[Iterator[Samples], int]:
        """The samples from top to bottom, at one of so many parts of the sides.

        Args:
            shrunk: how many times smaller the picture is to become.
            budget: bytes that reading it may take.

        Raises:
            Unsplittable: it would take more; some are noticed with the first strip only.
        """
        if self.kind == "PNG":
            return png_strips(self.data), 1
        if self.kind == "TIFF":
            return tiff_strips(self.data, budget=budget), 1
        image = open_image(self.data, self.kind)
        share = draft(image, self.data, shrunk=shrunk, budget=budget)
        return jpeg_strips(image), share

    def described(self, samples: Samples, said: Sequence[str]) -> Picture:
        """A picture without pixels, with all that its file says of it."""
        decisions = (*self.decisions, *said, *notes(self.header), *orientation(self.header)[1])
        metadata = metadata_of(self.header.getexif, self.header.info)
        return Picture(torch.empty(3, 0, 0), None, self.kind, samples.mode, decisions, metadata)


def stored_picture(data: bytes, kind: str, source: str, settings: PictureSettings) -> Stored:
    """What the file says of itself.

    Raises:
        BadImage: it holds several frames while `frames` is `refuse`.
    """
    decisions = choose_frame(open_image(data, kind), source, settings)
    size = stored_size(data) if kind == "TIFF" else open_image(data, kind).size
    header = open_image(png_without_pixels(data), kind) if kind == "PNG" else open_image(data, kind)
    if kind == "PNG":
        header.load()  # what stands behind the pixels is known only then
    turn, _ = orientation(header)
    named = named_space(data, kind, header)
    return Stored(data, kind, size, header, turn, named, tuple(decisions))
