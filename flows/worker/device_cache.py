"""What a worker keeps warm between pairs: networks, the statistics of styles, decoded pictures and masks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Generic, TypeVar

from flows.model.identity import network_digest
from flows.model.pair import Input, Pair
from flows.records.checkpoints import CheckpointShelf
from flows.storage.opening import read_uri
from flows.worker.device import Device
from flows.worker.read import LoadedMask, LoadedPicture, Reading, decoding, load_mask, load_picture, naming
from stylize_core.device import Precision, choose_precision
from stylize_core.loss.targets import Targets
from stylize_core.networks.encoder import Encoder, encoder_for
from stylize_core.networks.weights import Weights, weights_by_name, weights_from_bytes
from stylize_core.pyramid.level import AS_IT_IS, ViewSpec, targets_seen
from stylize_core.settings.picture_size import PictureSize
from stylize_core.settings.style import StyleSettings

T = TypeVar("T")

STYLES_KEPT = 64  # Gram matrices: at most 3 MB each
PICTURE_BYTES_KEPT = 256 * 2**20
MASK_BYTES_KEPT = 64 * 2**20
NETWORKS_KEPT = 4


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


# Why so many: one cache for each thing that is kept, and what asks for it.
class DeviceCache:
    """One device with everything that pairs share.

    An input is read once for as long as it is kept; its digest is that of the bytes that were used. Pictures
    may be asked for in one thread while the device's part goes on in another.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._weights: Recent[Weights] = Recent(NETWORKS_KEPT)
        self._encoders: Recent[Encoder] = Recent(NETWORKS_KEPT)
        self._styles: Recent[Targets] = Recent(STYLES_KEPT)
        self._pictures: Recent[LoadedPicture] = Recent(PICTURE_BYTES_KEPT, size=_picture_bytes)
        self.shelf = CheckpointShelf()
        self._masks: Recent[LoadedMask] = Recent(MASK_BYTES_KEPT, size=_mask_bytes)

    def weights(self, settings: StyleSettings) -> Weights:
        """The weights that the settings ask for, checked against their digest.

        Raises:
            BadWeights: they are not what was promised.
            StorageError: they could not be read.
        """
        return self._weights.get((settings.encoder, network_digest(settings)), lambda: _load(settings))

    def encoder(self, settings: StyleSettings) -> Encoder:
        """The network, cut after the deepest layer that the settings use."""
        precision = self.precision(settings)

        def build() -> Encoder:
            return encoder_for(
                settings, self.weights(settings), device=self.device.torch, precision=precision
            )

        return self._encoders.get(self._network(settings), build)

    def precision(self, settings: StyleSettings) -> Precision:
        """The number format that the network computes in for these settings.

        Raises:
            DeviceUnavailable: the device lacks the one that they name.
        """
        return choose_precision(settings.precision, self.device.torch, size=settings.picture_size.expected_px)

    def picture(self, reading: Reading, *, size: PictureSize, enlarge: bool) -> LoadedPicture:
        """A picture, read, decoded, cut and scaled; see `load_picture`."""

        def load() -> LoadedPicture:
            loaded = load_picture(reading, size=size, enlarge=enlarge)
            return _pinned(loaded) if self.device.kind == "cuda" else loaded

        return self._pictures.get((reading.key, size, enlarge), load)

    def mask(self, reading: Reading, *, height: int, width: int) -> LoadedMask:
        """A mask in the size of the picture that it belongs to; see `load_mask`."""
        key = (reading.key, height, width)
        return self._masks.get(key, lambda: load_mask(reading, height=height, width=width))

    def style_picture(self, given: Input, pair: Pair) -> LoadedPicture:
        """One of the pair's styles, no larger than it is measured; the pair's size is known.

        Where it is smaller it is enlarged only to be measured: a small file may stand for a large picture.

        Raises:
            BadImage: it is not a picture that we accept.
            StorageError: it could not be read.
        """
        settings = pair.style_settings
        reading = Reading(given, pair.picture_settings, settings.style_crop)
        size = settings.picture_size.of_style(settings.style_scale)
        return self.picture(reading, size=size, enlarge=False)

    def style(
        self,
        pair: Pair,
        loaded: LoadedPicture,
        content: LoadedPicture,
        *,
        mask: LoadedMask | None = None,
        view: ViewSpec = AS_IT_IS,
    ) -> Targets:
        """One of the pair's styles in statistics; where their colours depend on the content, for this one.

        With a mask, what it marks of the style is all that counts.
        """
        settings, picture = pair.style_settings, loaded.picture
        of_content = settings.colour != "style"

        def measure() -> Targets:
            with naming(loaded.source.uri):
                return targets_seen(
                    view,
                    self.encoder(settings),
                    self.device.upload([picture.rgb]),
                    settings,
                    alpha_b1hw=None if picture.alpha is None else self.device.upload([picture.alpha]),
                    content_bchw=self.device.upload([content.picture.rgb]) if of_content else None,
                    mask_b1hw=None if mask is None else self.device.upload([mask.mask]),
                    meant_px=settings.picture_size.style_px(settings.style_scale),
                )

        where = (loaded.source.sha256, *_style_view(pair), view)
        masked = mask.source.sha256 if mask else ""
        colours = (settings.colour, content.source.sha256, settings.picture_size) if of_content else ()
        return self._styles.get(
            (where, self._network(settings), _statistics(settings), colours, masked), measure
        )

    def _network(self, settings: StyleSettings) -> Hashable:
        """What tells networks, and what was measured with them, apart."""
        digest, precision = network_digest(settings), self.precision(settings)
        return settings.encoder, digest, settings.layers, settings.network_pooling, precision


def _style_view(pair: Pair) -> tuple[Hashable, ...]:
    """How a style of the pair is decoded and scaled."""
    settings, size = pair.style_settings, pair.style_settings.picture_size
    return decoding(pair.picture_settings), size.of_style(settings.style_scale), size.is_small


def _statistics(settings: StyleSettings) -> Hashable:
    """Which statistics of a style are measured."""
    layers = tuple(settings.style_layer_weights)
    return layers, settings.uses_style, settings.statistics, settings.style_crop


def _load(settings: StyleSettings) -> Weights:
    if settings.weights is not None:
        return weights_from_bytes(
            read_uri(settings.weights.file),
            sha256=settings.weights.sha256,
            architecture=settings.encoder,
            convention=settings.weights.convention,
            source=settings.weights.file,
        )
    return weights_by_name(settings.encoder)


def _pinned(loaded: LoadedPicture) -> LoadedPicture:
    """In memory that a GPU reads by itself, so that nobody waits for the copy."""
    return replace(loaded, picture=replace(loaded.picture, rgb=loaded.picture.rgb.pin_memory()))


def _picture_bytes(loaded: LoadedPicture) -> int:
    return loaded.picture.rgb.nbytes


def _mask_bytes(loaded: LoadedMask) -> int:
    return loaded.mask.nbytes
