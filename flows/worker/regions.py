"""The regions of a pair inside a worker: masks and styles read, then measured for the optimisation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from flows.model.blend import Part
from flows.model.pair import Input, Pair
from flows.model.regions import Region
from flows.records.record import Source
from flows.storage.base import read_uri
from flows.worker.device_cache import Seen, SeenMask, Studio
from stylize_core.image.crop import crop
from stylize_core.image.decode import decode_picture
from stylize_core.image.mask import mask_from
from stylize_core.loss import regions as core
from stylize_core.loss.objective import Targets, mean_targets
from stylize_core.pyramid.level import AS_IT_IS, View
from stylize_core.settings.fields import WHOLE, Crop


@dataclass(frozen=True, slots=True)
class SeenRegion:
    """A region whose pictures are read.

    Attributes:
        mask: in the content's frame.
        styles: as many as the region's blend has parts.
        style_mask: in the style's frame.
    """

    region: Region[Input]
    mask: SeenMask
    styles: tuple[Seen, ...]
    style_mask: SeenMask | None

    @property
    def sources(self) -> Region[Source]:
        """The region as records name it."""
        parts = zip(self.styles, self.region.styles, strict=True)
        return Region(
            self.mask.source,
            tuple(Part(seen.source, part.share) for seen, part in parts),
            self.style_mask.source if self.style_mask else None,
            self.region.weight,
        )


def see_regions(pair: Pair, content: Seen, studio: Studio) -> tuple[SeenRegion, ...]:
    """Read every region of the pair.

    Raises:
        BadImage: a mask or a style is not what it should be; the message names it.
        StorageError: one could not be read.
    """
    return tuple(_see(region, pair, content, studio) for region in pair.regions)


def core_regions(
    seen: Sequence[SeenRegion], pair: Pair, content: Seen, studio: Studio, *, view: View = AS_IT_IS
) -> tuple[core.Region, ...]:
    """The regions as the optimisation wants them; the styles' statistics for that view."""
    return tuple(
        core.Region(one.mask.mask[None], _targets(one, pair, content, studio, view), one.region.weight)
        for one in seen
    )


def _see(region: Region[Input], pair: Pair, content: Seen, studio: Studio) -> SeenRegion:
    mask = _see_mask(region.mask, pair, like=content)
    styles = tuple(studio.style_picture(part.picture, pair) for part in region.styles)
    if region.style_mask is None:
        return SeenRegion(region, mask, styles, None)
    part = pair.style_settings.style_crop
    return SeenRegion(region, mask, styles, _see_mask(region.style_mask, pair, like=styles[0], part=part))


def _see_mask(source: Input, pair: Pair, *, like: Seen, part: Crop = WHOLE) -> SeenMask:
    """The mask, cut to the same part as the picture that it belongs to and brought to its size."""
    data = read_uri(source.uri, within=source.within)
    decoded = decode_picture(data, source=source.uri, settings=pair.picture_settings)
    height, width = like.picture.rgb.shape[-2:]
    cut = crop(decoded, part, source=source.uri)
    mask, decisions = mask_from(cut, height=height, width=width, source=source.uri)
    found = Source(
        uri=source.uri,
        sha256=hashlib.sha256(data).hexdigest(),
        token=source.token,
        width=decoded.rgb.shape[-1],
        height=decoded.rgb.shape[-2],
        decisions=decisions,
    )
    return SeenMask(found, mask)


def _targets(seen: SeenRegion, pair: Pair, content: Seen, studio: Studio, view: View) -> Targets:
    parts = [studio.style(pair, style, content, mask=seen.style_mask, view=view) for style in seen.styles]
    if len(parts) > 1:
        return mean_targets(parts, [part.share for part in seen.region.styles])
    return parts[0] if parts else {}
