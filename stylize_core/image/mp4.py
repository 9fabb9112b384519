"""Animations as H.264 in MP4, the one format that plays everywhere, written frame by frame.

PyAV, which brings its own FFmpeg, is an optional extra of the installation and imported only here.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from stylize_core.image.animation import FRAME_MS, LAST_FRAME_MS, MOST_FRAMES
from stylize_core.image.facts import facts_text

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_BT709 = 1  # for matrix, primaries and transfer alike, in H.264's own numbering

# One thread: the optimiser needs the others, and the bytes do not depend on their number. A short look ahead
# keeps few frames in memory. By the plain code where processors have shortcuts of their own: that of AVX-512
# lets the bytes depend on what memory held before.
_X264 = {
    "crf": "16",
    "preset": "medium",
    "threads": "1",
    "rc-lookahead": "10",
    "x264-params": "cpu-independent=1",
}


class Mp4Writer:
    """Frames in, a file out, as `AnimationWriter` does it; the encoder holds a few frames, never all.

    Colours are stored by halves (4:2:0) and lossily, as players want them; a side of odd length grows by
    repeating its last line of pixels. The facts stand in the file's comment. PyAV must be installed
    (`extras.check_extras`).
    """

    def __init__(self, facts: Mapping[str, str]) -> None:
        self._facts = facts_text(facts)
        self._file = io.BytesIO()
        self._count = 0
        self._last: Image.Image | None = None
        self._container: OutputContainer
        self._stream: VideoStream

    def add(self, frame: Image.Image) -> None:
        """Append what `animation_frame` made.

        Raises:
            ValueError: it has another size than the first one, or there are `MOST_FRAMES` already.
        """
        if self._last is None:
            self._begin(frame)
        elif frame.size != self._last.size:
            raise ValueError(f"the animation has {self._last.size} px, this frame {frame.size}")
        if self._count == MOST_FRAMES:
            raise ValueError(f"an animation holds {MOST_FRAMES} frames")
        self._count += 1
        self._last = frame
        self._encode(frame)

    def to_bytes(self) -> bytes:
        """The whole file, which rests on its last frame; to be called once.

        Raises:
            ValueError: no frame was added.
        """
        if self._last is None:
            raise ValueError("an animation needs a frame")
        for _ in range(LAST_FRAME_MS // FRAME_MS - 1):
            self._encode(self._last)
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue()

    def _begin(self, frame: Image.Image) -> None:
        import av

        self._container = av.open(self._file, "w", format="mp4")
        self._container.metadata["comment"] = self._facts
        stream = self._container.add_stream("libx264", rate=Fraction(1000, FRAME_MS), options=_X264)
        stream.width, stream.height = (side + side % 2 for side in frame.size)
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        self._stream = stream

    def _encode(self, frame: Image.Image) -> None:
        from av.video.frame import VideoFrame
        from av.video.reformatter import Colorspace

        pixels = VideoFrame.from_ndarray(np.asarray(_even(frame)), format="rgb24")
        planes = pixels.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        self._container.mux(self._stream.encode(planes))


def _even(frame: Image.Image) -> Image.Image:
    """The frame with its last column and row repeated where it has an odd number of them."""
    width, height = frame.size
    if not (width % 2 or height % 2):
        return frame
    wider = ImageOps.expand(frame, (0, 0, width % 2, height % 2))
    if width % 2:
        wider.paste(frame.crop((width - 1, 0, width, height)), (width, 0))
    if height % 2:
        wider.paste(wider.crop((0, height - 1, wider.width, height)), (0, height))
    return wider
