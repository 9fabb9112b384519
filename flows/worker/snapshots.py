"""A picture on its way: numbered snapshots and an animation, made by a thread while the optimiser goes on.

At most a few pictures wait for the thread, and the animation holds compressed frames; a thread that falls
behind slows the optimiser down instead of filling the memory.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from torch import Tensor

from flows.model.pair import Pair
from flows.records.record import Extra
from flows.storage.base import Storage
from flows.worker.keeping.shown import Shown
from stylize_core.image.animation import (
    MOST_FRAMES,
    AnimationWriter,
    animation_frame,
    packed_frame,
    unpacked_frame,
)
from stylize_core.image.encode import encode_picture
from stylize_core.image.metadata.reading import Metadata
from stylize_core.image.mp4 import Mp4Writer
from stylize_core.optim.state import UnfitState
from stylize_core.optim.watching import Frames

CONTENT_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "gif": "image/gif",
    "mp4": "video/mp4",
}
USUAL_FRAMES = 60  # five seconds
FRAMES_WAITING = 2
FILM_FACTS = ("Software", "stylize:identity")
"""What a film says of its making; a GIF has no room for more."""


# Why so many: a thread, the queue before it and the film and snapshots that it fills end together.
class SnapshotWriter:
    """Everything that is made of a pair before it is finished. A context manager: the thread ends with it.

    Args:
        pair: says what is wanted, and its names.
        storage: where the files go.
        alpha: [1, H, W] of the result, or None.
        facts: put into every snapshot, with its step.
        metadata: what belongs to the content's owner, kept in snapshots as in the result.
        announce: called, before the first file is written, with the names of all that may be.
        keep: whether `shown` will be asked for, so that the frames of the film are kept for it.
    """

    # Why so many: all that is written into a film or a snapshot, and who is told of it.
    def __init__(
        self,
        pair: Pair,
        storage: Storage,
        *,
        alpha: Tensor | None,
        facts: Mapping[str, str],
        metadata: Metadata,
        announce: Callable[[tuple[str, ...]], None],
        keep: bool = False,
    ) -> None:
        self._pair, self._storage, self._alpha, self._facts = pair, storage, alpha, facts
        self._announce, self._metadata = announce, metadata
        self._announced = False
        self._film = self._begun_film()
        self._film_steps = frozenset(film_steps(pair)) if self._film else frozenset()
        self._keep, self._frames = keep, list[bytes]()
        self._snapshots: list[Extra] = []
        self._waiting: queue.Queue[tuple[int, Tensor] | None] = queue.Queue(FRAMES_WAITING)
        self._error: Exception | None = None
        self._given_up = False
        self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)

    @property
    def wanted(self) -> bool:
        """Whether the pair asks for anything of this."""
        return self._pair.is_shown

    @property
    def frames(self) -> Frames | None:
        """What the optimiser is to show; None where nothing is wanted."""
        steps = self._film_steps.union(self._pair.snapshot_steps)
        return Frames(steps, self._show) if self.wanted else None

    def __enter__(self) -> Self:
        if self.wanted:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_up()

    def give_up(self) -> None:
        """End the thread; what waits is not written any more."""
        self._given_up = True
        self._end_thread()

    def finish(self, result: Tensor) -> tuple[tuple[Extra, ...], Extra | None]:
        """Write what is left; the snapshots and the animation, which ends with the result [3, H, W].

        Raises:
            StorageError: something could not be written.
        """
        self._end_thread()
        self._raise()
        film = None
        if self._film is not None:
            self._film.add(animation_frame(result, alpha=self._alpha))
            kind = CONTENT_TYPES[self._pair.picture_settings.animation]
            film = self._write(self._pair.animation_name, self._film.to_bytes(), kind)
        return tuple(self._snapshots), film

    def shown(self) -> Shown:
        """Everything that was shown so far, once it is written.

        Raises:
            StorageError: something could not be written.
        """
        self._waiting.join()
        self._raise()
        return Shown(tuple(self._frames), tuple(self._snapshots))

    def go_on(self, shown: Shown, *, step: int) -> None:
        """Be as after that step, at which all this had been shown; nothing has been shown yet.

        Raises:
            UnfitState: it is not what the pair shows, or a snapshot is not there any more.
            StorageError: nobody can tell.
        """
        snapshots = {self._pair.snapshot_name(at) for at in self._pair.snapshot_steps if at <= step}
        if len(shown.frames) > sum(at <= step for at in self._film_steps):
            raise UnfitState("its film has other frames")
        for one in shown.snapshots:
            if one.name not in snapshots or not self._is_there(one):
                raise UnfitState(f"the snapshot {one.name} is not there any more")
        try:
            self._replay(shown.frames)
        except ValueError as error:
            self._film = self._begun_film()
            raise UnfitState(f"its film cannot be gone on with: {error}") from error
        self._frames, self._snapshots = list(shown.frames), list(shown.snapshots)

    def begin_anew(self) -> None:
        """Forget what was gone on with."""
        self._film, self._frames, self._snapshots = self._begun_film(), [], []

    def _begun_film(self) -> AnimationWriter | Mp4Writer | None:
        kind = self._pair.picture_settings.animation
        own = {key: value for key, value in self._facts.items() if key in FILM_FACTS}
        return None if kind == "none" else Mp4Writer(own) if kind == "mp4" else AnimationWriter(kind, own)

    def _replay(self, frames: Sequence[bytes]) -> None:
        if self._film is not None:
            for data in frames:
                self._film.add(unpacked_frame(data))

    def _is_there(self, snapshot: Extra) -> bool:
        stat = self._storage.stat(snapshot.name)
        if stat is None or stat.size != snapshot.size_bytes:
            return False
        digest = hashlib.sha256()
        for block in self._storage.blocks(snapshot.name):
            digest.update(block)
        return digest.hexdigest() == snapshot.sha256

    def _show(self, step: int, image_bchw: Tensor) -> None:
        self._raise()
        self._waiting.put((step, image_bchw[0].cpu()))

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _end_thread(self) -> None:
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _work(self) -> None:
        """Take picture after picture; after an error only so that nobody waits in vain."""
        while (shown := self._waiting.get()) is not None:
            if self._error is None and not self._given_up:
                try:
                    self._take(*shown)
                except Exception as error:  # raised again in the optimiser's thread
                    self._error = error
            self._waiting.task_done()

    def _take(self, step: int, image: Tensor) -> None:
        if self._film is not None and step in self._film_steps:
            frame = animation_frame(image, alpha=self._alpha)
            self._film.add(frame)
            if self._keep:
                self._frames.append(packed_frame(frame))
        if step in self._pair.snapshot_steps:
            settings = replace(self._pair.picture_settings, bit_depth=8)
            facts = {**self._facts, "stylize:step": str(step)}
            data = encode_picture(
                image, alpha=self._alpha, settings=settings, facts=facts, metadata=self._metadata
            )
            name = self._pair.snapshot_name(step)
            self._snapshots.append(self._write(name, data, CONTENT_TYPES[settings.format]))

    def _write(self, name: str, data: bytes, kind: str) -> Extra:
        if not self._announced:
            self._announce(self._pair.extra_names)
            self._announced = True
        self._storage.write(name, data, content_type=kind)
        return Extra(name=name, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def film_steps(pair: Pair) -> range:
    """The steps that an animation shows before the result: the start, and the snapshots' where there are any.

    Without snapshots they are spread evenly; with more than an animation can hold, every second is taken, or
    every third, and so on.
    """
    steps = pair.style_settings.steps
    every = pair.style_settings.snapshot_every or -(-steps // USUAL_FRAMES)
    frames = -(-steps // every)
    return range(0, steps, every * -(-frames // (MOST_FRAMES - 1)))
