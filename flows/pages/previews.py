"""Small pictures for a page: of a size that keeps it within bounds; each is drawn once, then taken over."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flows.errors import BatchError
from flows.pages.entries import Shown
from flows.planning.threads import LOCAL_THREADS, REMOTE_THREADS, in_threads
from flows.storage.location import is_remote
from flows.storage.opening import read_uri
from flows.text import safe_text
from stylize_core.errors import StylizeError

BUDGET_BYTES = 20 * 2**20
"""What all small pictures of a page take together at most, before they are written as text."""

_LONGEST_BYTES = 120_000
_EDGES = ((60, 768), (300, 448), (1200, 240), (4000, 160), (40_000, 96))
_KEY_DIGITS = 20
_BLOCK = re.compile(rb'<script type="application/json" id="pictures">(.*?)</script>', re.DOTALL)
_BASE64 = re.compile(r"UklGR[A-Za-z0-9+/]+={0,2}")  # as RIFF, and so WebP, begins


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be done for a page.

    Attributes:
        drawn: how many pictures may be read and made small; those of the page before cost nothing.
        goes_on: asked between them; None comes of a page whose maker is told to end.
    """

    drawn: int
    goes_on: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class Previews:
    """The small pictures of a page.

    Attributes:
        edge_px: their long edge.
        found: base64 of a WebP file by `key_of` its picture.
        left: how many were not drawn because that would have been too much.
        troubles: why others were not, by place.
    """

    edge_px: int
    found: dict[str, str] = field(default_factory=dict)
    left: int = 0
    troubles: dict[str, str] = field(default_factory=dict)

    def of(self, picture: Shown | None) -> str:
        """The key of a picture that is there; empty if it is not."""
        key = key_of(picture) if picture else ""
        return key if key in self.found else ""

    def as_json(self) -> str:
        """The block of a page, which the next one takes over; holds no letter that means anything in HTML."""
        return json.dumps({"px": self.edge_px, "of": self.found}, separators=(",", ":"))


def key_of(picture: Shown) -> str:
    """What tells a picture from any other on a page; empty where nobody knows its bytes."""
    return picture.sha256[:_KEY_DIGITS]


def edge_for(count: int) -> int:
    """The long edge in px for so many small pictures.

    >>> edge_for(20), edge_for(224), edge_for(10_200)
    (768, 448, 96)
    """
    return next((edge for most, edge in _EDGES if count <= most), _EDGES[-1][1])


def previews_of(page: bytes) -> tuple[int, dict[str, str]]:
    """The long edge and the small pictures of a page that was made before; none of anything else."""
    block = _BLOCK.search(page)
    try:
        found = json.loads(block[1]) if block else {}
        pictures = {str(key): str(text) for key, text in found["of"].items() if _BASE64.fullmatch(str(text))}
        return int(found["px"]), pictures
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return 0, {}


def draw_previews(pictures: Iterable[Shown], before: bytes, bounds: Bounds) -> Previews | None:
    """Small versions of pictures that workers have decoded; None if the maker was told to end.

    Args:
        pictures: the most wanted ones first.
        before: the page as it was, whose small pictures of the same bytes are taken over.
    """
    wanted = {key: picture for picture in pictures if picture.decoded and (key := key_of(picture))}
    made = Previews(edge_for(len(wanted)))
    edge, known = previews_of(before)
    if edge == made.edge_px:
        made.found = {key: known[key] for key in wanted if key in known}
    missing = [picture for key, picture in wanted.items() if key not in made.found]
    made.left = max(0, len(missing) - bounds.drawn)
    at_most = min(_LONGEST_BYTES, BUDGET_BYTES // max(1, len(wanted)))
    return made if _drawn(made, missing[: bounds.drawn], at_most, bounds.goes_on) else None


def _drawn(made: Previews, missing: Sequence[Shown], at_most: int, goes_on: Callable[[], bool]) -> bool:
    """Draw what is missing; False if the maker was told to end."""
    if not missing:
        return True
    threads = REMOTE_THREADS if any(is_remote(one.uri) for one in missing) else LOCAL_THREADS
    drawn = in_threads(lambda one: _preview(one, made.edge_px, at_most), missing, threads=threads)
    for picture, (text, trouble) in zip(missing, drawn, strict=True):
        if not goes_on():
            return False
        if trouble:
            made.troubles[picture.uri] = trouble
        else:
            made.found[key_of(picture)] = text
    return True


def _preview(picture: Shown, edge_px: int, at_most: int) -> tuple[str, str]:
    """Base64 of the small picture, or why there is none."""
    from stylize_core.image.preview import NoPreview, draw_preview  # Pillow, which not every page needs

    try:
        data = read_uri(picture.uri, within=picture.within)
        if hashlib.sha256(data).hexdigest() != picture.sha256:
            return "", "it is not the file any more that the record speaks of"
        drawn = draw_preview(data, long_edge=edge_px, at_most_bytes=at_most)
    except (BatchError, StylizeError, NoPreview, OSError, MemoryError) as error:
        return "", safe_text(str(error), 300)
    return base64.b64encode(drawn.data).decode("ascii"), ""


def grouped_troubles(troubles: Mapping[str, str]) -> list[str]:
    """The troubles as a page lists them: the first ones, and how many more there are."""
    first = [f"no preview of {place}: {why}" for place, why in list(troubles.items())[:_TROUBLES_TOLD]]
    more = len(troubles) - len(first)
    return [*first, *([f"and of {more} more"] if more else [])]


_TROUBLES_TOLD = 5
