"""How large results will be, by the headers of the pictures that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import StorageError
from flows.model.pair import Input, Pair
from flows.storage.location import is_remote
from flows.storage.opening import split_uri
from stylize_core.errors import ImageTooLarge

# Of a picture whose header nobody has read, in S3 or broken: that of most cameras.
USUAL = (3, 2)


@dataclass(slots=True)
class Shapes:
    """Looks at the header of each local picture once; those in S3 are not asked for.

    Attributes:
        guessed: whether some shape is the usual one, for want of a better.
    """

    guessed: bool = False
    _known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, given: Input) -> tuple[int, int]:
        """Width and height of a picture as stored, px; in proportion only where nobody has looked."""
        if given.uri not in self._known:
            found = _header_of(given)
            self.guessed |= found is None
            self._known[given.uri] = found or USUAL
        return self._known[given.uri]

    def result(self, pair: Pair) -> tuple[int, int]:
        """Width and height of the pair's result, px."""
        shown = pair.content or pair.style
        width, height = self.of(shown) if shown else USUAL
        settings = pair.style_settings
        if settings.aspect_ratio is not None:
            width, height = round(1000 * settings.aspect_ratio), 1000
        size = settings.picture_size
        try:
            edge = size.expected_px if (width, height) == USUAL else size.edge_for(width, height)
        except ImageTooLarge:
            edge = size.expected_px
        return _scaled((width, height), edge)

    def styles(self, pair: Pair) -> Sequence[tuple[int, int]]:
        """Width and height of each style that is measured, px as stored; none where it is not known."""
        given = [pair.style, *(part.picture for part in pair.blend[1:])] if pair.style else []
        found = [self.of(one) for one in given if one]
        return [shape for shape in found if shape != USUAL]


def _scaled(shape: tuple[int, int], edge: int) -> tuple[int, int]:
    longest = max(shape)
    width, height = (max(1, round(side * edge / longest)) for side in shape)
    return width, height


def _header_of(given: Input) -> tuple[int, int] | None:
    if is_remote(given.uri) or not given.sha256:  # what the plan could not read it has said already
        return None
    from stylize_core.image.size import stored_size  # Pillow, which a plan with nothing to do does without

    try:
        root, name = split_uri(given.uri, within=given.within)
    except StorageError:
        return None
    return stored_size(Path(root, name))
