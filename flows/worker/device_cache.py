"""What a worker keeps warm between pairs: the network, the statistics of styles, decoded contents."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from flows.model.identity import weights_digest
from flows.model.pair import Input, Pair
from flows.records.record import Source
from flows.storage.base import read_uri
from flows.worker.devices import SMALL_PX
from stylize_core.device import Precision, choose_device, choose_precision, describe_device
from stylize_core.image.crop import crop
from stylize_core.image.decode import Picture, decode_picture, resize
from stylize_core.loss.objective import Targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import Weights, builtin_weights, published_weights, weights_from_bytes
from stylize_core.pyramid.level import AS_IT_IS, View, shrunk
from stylize_core.settings.fields import WHOLE, Crop
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

T = TypeVar("T")

STYLES_KEPT = 64  # Gram matrices: at most 3 MB each
CONTENT_BYTES_KEPT = 256 * 2**20
NETWORKS_KEPT = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture that was read, as records name it, in the size that it is used in."""

    source: Source
    picture: Picture


@dataclass(frozen=True, slots=True)
class SeenMask:
    """A mask that was read: [1, H, W] in 0..1, in the frame of the picture that it belongs to."""

    source: Source
    mask: Tensor


class Recent(Generic[T]):
    """The values used last, by key, up to a total size.

    Args:
        limit: total of the sizes that are kept.
        size: of one value; the number of values is what counts if it is left out.
    """

    def __init__(self, limit: int, *, size: Callable[[T], int] = lambda _: 1) -> None:
        self._limit, self._size = limit, size
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made if it is not there."""
        value = self._values.pop(key) if key in self._values else make()
        self._values[key] = value
        while len(self._values) > 1 and sum(map(self._size, self._values.values())) > self._limit:
            self._values.popitem(last=False)
        return value


class Studio:
    """One device with everything that pairs share.

    An input is read once for as long as it is kept; its digest is that of the bytes that were used. Pictures
    may be asked for in one thread while the device's part goes on in another.

    Args:
        device: `auto`, `cpu`, `cuda:<n>` or `mps`.

    Raises:
        DeviceUnavailable: there is no such device.
    """

    def __init__(self, device: str) -> None:
        self.device = choose_device(device)
        self._weights: Recent[Weights] = Recent(NETWORKS_KEPT)
        self._encoders: Recent[Encoder] = Recent(NETWORKS_KEPT)
        self._styles: Recent[Targets] = Recent(STYLES_KEPT)
        self._pictures: Recent[Seen] = Recent(CONTENT_BYTES_KEPT, size=_bytes)

    def weights(self, settings: StyleSettings) -> Weights:
        """The weights that the settings ask for, checked against their digest.

        Raises:
            BadWeights: they are not what was promised.
            StorageError: they could not be read.
        """
        return self._weights.get((settings.encoder, weights_digest(settings)), lambda: _load(settings))

    def encoder(self, settings: StyleSettings) -> Encoder:
        """The network, cut after the deepest layer that the settings use."""

        def build() -> Encoder:
            return Encoder(
                self.weights(settings),
                layers=settings.layers,
                pooling=settings.network_pooling,
                device=self.device,
                dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
                tf32=precision == "tf32",
            )

        precision = self.precision(settings)
        return self._encoders.get(self._network(settings), build)

    def precision(self, settings: StyleSettings) -> Precision:
        """The number format that the network computes in for these settings.

        Raises:
            DeviceUnavailable: the device lacks the one that they name.
        """
        return choose_precision(settings.precision, self.device, size=settings.size)

    def _network(self, settings: StyleSettings) -> Hashable:
        """What tells networks, and what was measured with them, apart."""
        digest, precision = weights_digest(settings), self.precision(settings)
        return settings.encoder, digest, settings.layers, settings.network_pooling, precision

    def picture(
        self,
        source: Input,
        settings: PictureSettings,
        *,
        long_edge: int,
        enlarge: bool,
        region: Crop = WHOLE,
    ) -> Seen:
        """A picture, read, decoded, cut to a region and scaled.

        Raises:
            BadImage: it is not a picture that we accept.
            StorageError: it could not be read.
        """
        key = (source.uri, source.token, _reading(settings), long_edge, enlarge, region)

        def see() -> Seen:
            seen = _see(source, settings, long_edge=long_edge, enlarge=enlarge, region=region)
            return _pinned(seen) if self.device.type == "cuda" else seen

        return self._pictures.get(key, see)

    def style_picture(self, source: Input, pair: Pair) -> Seen:
        """One of the pair's styles as it is measured: scaled, never enlarged.

        Raises:
            BadImage: it is not a picture that we accept.
            StorageError: it could not be read.
        """
        settings = pair.style_settings
        return self.picture(
            source,
            pair.picture_settings,
            long_edge=round(settings.size * settings.style_scale),
            enlarge=False,
            region=settings.style_crop,
        )

    def style(
        self, pair: Pair, seen: Seen, content: Seen, *, mask: SeenMask | None = None, view: View = AS_IT_IS
    ) -> Targets:
        """One of the pair's styles in statistics; where their colours depend on the content, for this one.

        With a mask, what it marks of the style is all that counts.
        """
        settings, picture = pair.style_settings, seen.picture
        of_content = settings.colour != "style"

        def measure() -> Targets:
            encoder = self.encoder(settings)

            def sized(plane: Tensor) -> Tensor:
                return shrunk(self.upload([plane]), view.share, least=encoder.min_side)

            return style_targets(
                encoder.exact() if view.exact else encoder,
                sized(picture.rgb),
                settings,
                alpha_b1hw=None if picture.alpha is None else sized(picture.alpha),
                content_bchw=self.upload([content.picture.rgb]) if of_content else None,
                mask_b1hw=None if mask is None else sized(mask.mask),
            )

        long_edge = round(settings.size * settings.style_scale)
        small = settings.size <= SMALL_PX
        where = (seen.source.sha256, _reading(pair.picture_settings), long_edge, view, small)
        what = (
            tuple(settings.style_layer_weights),
            settings.uses_style,
            settings.statistics,
            settings.style_crop,
        )
        masked = mask.source.sha256 if mask else ""
        colours = (settings.colour, content.source.sha256, settings.size) if of_content else ()
        return self._styles.get((where, self._network(settings), what, colours, masked), measure)

    @contextmanager
    def threads(self, size_px: int) -> Iterator[str]:
        """Compute with as many CPU threads as pay for that size; gives the device as records name it."""
        before = torch.get_num_threads()
        if self.device.type == "cpu" and size_px <= SMALL_PX:
            torch.set_num_threads(1)
        try:
            yield describe_device(self.device)
        finally:
            torch.set_num_threads(before)

    def upload(self, pictures: Sequence[Tensor]) -> Tensor:
        """Pictures [3, H, W] of one shape as a batch [B, 3, H, W] on the device."""
        return torch.stack([picture.to(self.device, non_blocking=True) for picture in pictures])

    def peak_memory_bytes(self) -> int | None:
        """Most memory that the device held since `forget_peak`; None where the device cannot tell."""
        if self.device.type != "cuda":
            return None
        return int(torch.cuda.max_memory_allocated(self.device))

    def forget_peak(self) -> int:
        """Begin to measure the peak anew; what the device holds already, 0 where it cannot tell."""
        if self.device.type != "cuda":
            return 0
        torch.cuda.reset_peak_memory_stats(self.device)
        return int(torch.cuda.memory_allocated(self.device))

    def free_bytes(self) -> int:
        """What the device has left, torch's own reserve included; 0 where it cannot tell."""
        if self.device.type != "cuda":
            return 0
        free, _ = torch.cuda.mem_get_info(self.device)
        reserve = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(free + reserve)


def _load(settings: StyleSettings) -> Weights:
    if settings.weights is not None:
        return weights_from_bytes(
            read_uri(settings.weights.file),
            sha256=settings.weights.sha256,
            architecture=settings.encoder,
            convention=settings.weights.convention,
            source=settings.weights.file,
        )
    return builtin_weights() if settings.encoder == "slim" else published_weights(settings.encoder)


def _see(source: Input, settings: PictureSettings, *, long_edge: int, enlarge: bool, region: Crop) -> Seen:
    data = read_uri(source.uri, within=source.within)
    decoded = decode_picture(data, source=source.uri, settings=settings)
    height, width = decoded.rgb.shape[-2:]
    region_of = crop(decoded, region, source=source.uri)
    picture = resize(region_of, long_edge=long_edge, enlarge=enlarge)
    return Seen(
        Source(
            uri=source.uri,
            sha256=hashlib.sha256(data).hexdigest(),
            token=source.token,
            width=width,
            height=height,
            decisions=tuple(picture.decisions),
        ),
        replace(picture, decisions=()),
    )


def _pinned(seen: Seen) -> Seen:
    """The same in memory that a GPU reads by itself, so that nobody waits for the copy."""
    return replace(seen, picture=replace(seen.picture, rgb=seen.picture.rgb.pin_memory()))


def _reading(settings: PictureSettings) -> Hashable:
    """The settings that have a part in decoding."""
    return settings.frames, settings.max_megapixels


def _bytes(seen: Seen) -> int:
    return seen.picture.rgb.nbytes
