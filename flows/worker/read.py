"""Pictures and masks from their bytes: read, decoded, cut and scaled, with what records say of them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from torch import Tensor

from flows.model.pair import Input
from flows.records.record import Source
from flows.storage.opening import read_uri
from stylize_core.errors import ImageTooLarge, ImageTooSmall
from stylize_core.image.decode import Picture
from stylize_core.image.large.fitting import Fitted, LongEdge, decode_fitting
from stylize_core.image.mask import mask_from
from stylize_core.image.resize import brought_to
from stylize_core.settings.fields import WHOLE, Crop
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.picture_size import PictureSize

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedPicture:
    """A picture in the size that it is used in, with its source as records name it."""

    source: Source
    picture: Picture


@dataclass(frozen=True, slots=True)
class LoadedMask:
    """A mask, [1, H, W] in 0..1, in the frame of the picture that it belongs to."""

    source: Source
    mask: Tensor


@dataclass(frozen=True, slots=True)
class Reading:
    """Which picture is read, and which part of it is used.

    Attributes:
        settings: of the pair; only those of decoding count.
    """

    given: Input
    settings: PictureSettings
    part: Crop = WHOLE

    @property
    def key(self) -> Hashable:
        """Equal for two readings that give equal pixels as long as the stored bytes are equal."""
        return self.given.uri, self.given.token, decoding(self.settings), self.part


def decoding(settings: PictureSettings) -> Hashable:
    """The settings that have a part in decoding."""
    return settings.frames, settings.max_megapixels


def load_picture(reading: Reading, *, size: PictureSize, enlarge: bool) -> LoadedPicture:
    """Read a picture and scale the part that is used.

    Raises:
        BadImage: it is not a picture that we accept, or too large for what is asked.
        StorageError: it could not be read.
    """

    def long_edge(width: int, height: int) -> int:
        with naming(reading.given.uri):
            return size.edge_for(width, height)

    source, fitted = _read(reading, long_edge)
    width, height = fitted.used
    edge = long_edge(width, height)
    picture, warning = brought_to(fitted.picture, edge, used=fitted.used, enlarge=enlarge)
    if warning:
        _log.warning("%s: %s", source.uri, warning)
    source = source.model_copy(update={"decisions": tuple(picture.decisions)})
    return LoadedPicture(source, replace(picture, decisions=()))


@contextmanager
def naming(uri: str) -> Iterator[None]:
    """Let a refusal inside that knows no file name this one."""
    try:
        yield
    except (ImageTooSmall, ImageTooLarge) as error:
        if isinstance(error.__cause__, type(error)):  # named already
            raise
        raise type(error)(f"{uri}: {error}") from error


def load_mask(reading: Reading, *, height: int, width: int) -> LoadedMask:
    """Read a mask and bring the part that is used to the size of the picture that it belongs to.

    Raises:
        BadImage: it is not a picture that we accept, or marks nothing.
        StorageError: it could not be read.
    """
    source, fitted = _read(reading, lambda *_: max(height, width))
    mask, decisions = mask_from(fitted.picture, height=height, width=width, source=reading.given.uri)
    return LoadedMask(source.model_copy(update={"decisions": decisions}), mask)


def _read(reading: Reading, long_edge: LongEdge) -> tuple[Source, Fitted]:
    """The part that is used, and the whole file as records name it, less the decisions."""
    given = reading.given
    data = read_uri(given.uri, within=given.within)
    fitted = decode_fitting(
        data, source=given.uri, settings=reading.settings, part=reading.part, long_edge=long_edge
    )
    width, height = fitted.whole
    digest = hashlib.sha256(data).hexdigest()
    source = Source(uri=given.uri, sha256=digest, token=given.token, width=width, height=height)
    return source, fitted
