"""Animations: every frame is the picture that was given, and only compressed frames are kept."""

from __future__ import annotations

import io
import random
import resource
import tracemalloc
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from stylize_core.image.animation import (
    FRAME_MS,
    LAST_FRAME_MS,
    LONGEST_SIDE_PX,
    MOST_FRAMES,
    AnimationFormat,
    AnimationWriter,
    animation_frame,
)
from stylize_core.image.facts import embedded_facts
from stylize_core.image.mp4 import Mp4Writer

FACTS = {"Software": "stylize 0.1.0", "stylize:identity": "0123456789abcdef" * 4}
FORMATS: tuple[AnimationFormat, ...] = ("gif", "webp")
GREY_LOSS, COLOUR_LOSS = 3.0, 10.0  # of 255, root mean square, that MP4 may lose; it halves colours' detail


def waves(phase: float, *, height: int = 48, width: int = 65) -> Tensor:
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.sin(x / (5 + c) + y / 7 + phase) for c in range(3)]) / 2 + 0.5


def animation(format_: AnimationFormat, count: int) -> bytes:
    writer = AnimationWriter(format_, FACTS)
    for number in range(count):
        writer.add(animation_frame(waves(number / 3)))
    return writer.to_bytes()


def decoded(data: bytes) -> Iterator[tuple[Image.Image, float]]:
    """Each frame with the time it is shown, in ms."""
    with Image.open(io.BytesIO(data)) as opened:
        for number in range(getattr(opened, "n_frames", 1)):
            opened.seek(number)
            frame = opened.convert("RGB")
            yield frame, opened.info["duration"]


def test_every_frame_of_a_webp_is_exactly_the_picture() -> None:
    frames = list(decoded(animation("webp", 5)))
    assert len(frames) == 5
    for number, (frame, _) in enumerate(frames):
        assert frame.tobytes() == animation_frame(waves(number / 3)).tobytes()


def test_every_frame_of_a_gif_is_the_picture_in_256_colours() -> None:
    frames = list(decoded(animation("gif", 5)))
    assert len(frames) == 5
    for number, (frame, _) in enumerate(frames):
        wanted = np.asarray(animation_frame(waves(number / 3)), float)
        assert np.sqrt(np.mean((np.asarray(frame, float) - wanted) ** 2)) < 12
        # The dither keeps the mean of each place, and a neighbouring frame is further away.
        other = np.asarray(animation_frame(waves((number + 1) / 3)), float)
        assert (
            np.abs(blurred(frame) - blurred(wanted)).mean()
            < np.abs(blurred(frame) - blurred(other)).mean() / 3
        )


def blurred(image: Any) -> Any:
    """Means of 4x4 px."""
    return np.asarray(image, float)[:48, :64].reshape(12, 4, 16, 4, 3).mean((1, 3))


@pytest.mark.parametrize("format_", FORMATS)
def test_frames_follow_at_one_pace_and_the_last_one_rests(format_: AnimationFormat) -> None:
    data = animation(format_, 4)
    assert [time for _, time in decoded(data)] == [FRAME_MS] * 3 + [LAST_FRAME_MS]
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.info["loop"] == 0


@pytest.mark.parametrize("format_", FORMATS)
def test_one_frame_is_an_animation_too(format_: AnimationFormat) -> None:
    assert len(list(decoded(animation(format_, 1)))) == 1


@pytest.mark.parametrize("format_", FORMATS)
def test_flat_pictures_survive(format_: AnimationFormat) -> None:
    writer = AnimationWriter(format_, FACTS)
    for grey in (0.0, 1.0):
        writer.add(animation_frame(torch.full((3, 20, 16), grey)))
    assert [np.unique(np.asarray(frame)).tolist() for frame, _ in decoded(writer.to_bytes())] == [[0], [255]]


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_frames_give_the_same_bytes(format_: AnimationFormat) -> None:
    assert animation(format_, 3) == animation(format_, 3)


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(1024, 600, (300, 512)), (300, 513, (512, 299)), (512, 17, (17, 512)), (16, 4000, (512, 2))],
)
def test_the_longer_side_is_capped_and_nothing_is_enlarged(
    height: int, width: int, size: tuple[int, int]
) -> None:
    frame = animation_frame(torch.rand(3, height, width))
    assert frame.size == size
    assert max(frame.size) <= LONGEST_SIDE_PX


def test_transparent_parts_are_white() -> None:
    alpha = torch.zeros(1, 20, 16)
    alpha[:, :10] = 1
    frame = np.asarray(animation_frame(torch.full((3, 20, 16), 0.2), alpha=alpha))
    assert np.unique(frame[:10]).tolist() == [51]
    assert np.unique(frame[10:]).tolist() == [255]


def test_translucent_parts_are_as_the_picture_shows_them_on_white() -> None:
    """They were on white already when they were styled."""
    alpha = torch.full((1, 20, 16), 0.6)
    rgb = torch.full((3, 20, 16), 0.8)
    rgb[:, :10] = 0.2
    frame = np.asarray(animation_frame(rgb, alpha=alpha))
    assert np.unique(frame[10:]).tolist() == [204]
    assert np.unique(frame[:10]).tolist() == [102], "which is as dark as it can be there"


def test_values_beyond_the_range_are_clamped() -> None:
    assert animation_frame(torch.full((3, 16, 16), 1.7)).getextrema() == ((255, 255),) * 3


def test_memory_holds_compressed_frames_only() -> None:
    writer = AnimationWriter("gif", FACTS)
    picture = torch.zeros(3, 512, 512)
    tracemalloc.start()
    try:
        for _ in range(MOST_FRAMES):
            writer.add(animation_frame(picture))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    one = picture.numel()  # bytes of a frame of 8 bits
    assert held < 2 * one
    assert peak < 20 * one


def test_no_frame_too_many_and_none_of_another_size() -> None:
    writer = AnimationWriter("webp", FACTS)
    small = animation_frame(waves(0))
    for _ in range(MOST_FRAMES):
        writer.add(small)
    with pytest.raises(ValueError, match="200 frames"):
        writer.add(small)
    writer = AnimationWriter("gif", FACTS)
    writer.add(small)
    with pytest.raises(ValueError, match="px"):
        writer.add(animation_frame(waves(0, height=20)))


@pytest.mark.parametrize("format_", FORMATS)
def test_an_animation_of_nothing_is_refused(format_: AnimationFormat) -> None:
    with pytest.raises(ValueError, match="needs a frame"):
        AnimationWriter(format_, FACTS).to_bytes()


def mp4(count: int, *, height: int = 48, width: int = 65) -> bytes:
    writer = Mp4Writer(FACTS)
    for number in range(count):
        writer.add(animation_frame(waves(number / 3, height=height, width=width)))
    return writer.to_bytes()


@pytest.mark.parametrize("format_", FORMATS)
def test_a_film_carries_its_facts_where_other_programs_find_them(format_: AnimationFormat) -> None:
    data = animation(format_, 2)
    assert embedded_facts(data) == FACTS
    with Image.open(io.BytesIO(data)) as film:
        words = film.info.get("comment") or film.getexif()[270].encode()
    assert embedded_facts(words) == FACTS


def test_an_mp4_carries_its_facts_as_its_comment() -> None:
    data = mp4(2)
    assert embedded_facts(data) == FACTS
    with av.open(io.BytesIO(data), "r") as film:
        assert embedded_facts(film.metadata["comment"].encode()) == FACTS


def test_facts_that_no_gif_has_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="255 bytes"):
        AnimationWriter("gif", {"stylize:name": "x" * 255})


def mp4_frames(data: bytes) -> list[tuple[Any, float]]:
    """Each frame's pixels with the time at which it begins, in s."""
    with av.open(io.BytesIO(data), "r") as film:
        shown = list(film.decode(video=0))
    return [(frame.to_ndarray(format="rgb24").astype(float), float(frame.time or 0)) for frame in shown]


@pytest.mark.parametrize(("height", "width"), [(48, 64), (48, 65), (49, 65)])
def test_every_frame_of_an_mp4_is_the_picture_but_for_a_small_loss(height: int, width: int) -> None:
    frames = mp4_frames(mp4(5, height=height, width=width))
    for number, (frame, _) in enumerate(frames[:5]):
        assert frame.shape[:2] == (height + height % 2, width + width % 2)
        wanted = animation_frame(waves(number / 3, height=height, width=width))
        apart = frame[:height, :width] - np.asarray(wanted, float)
        assert root_mean_square(apart) < COLOUR_LOSS
        assert root_mean_square(apart @ (0.2126, 0.7152, 0.0722)) < GREY_LOSS
        other = animation_frame(waves((number + 1) / 3, height=height, width=width))
        assert root_mean_square(frame[:height, :width] - np.asarray(other, float)) > 3 * COLOUR_LOSS


def root_mean_square(difference: Any) -> float:
    return float(np.sqrt(np.mean(difference**2)))


def test_an_mp4_keeps_the_pace_and_rests_on_its_last_frame() -> None:
    frames = mp4_frames(mp4(4))
    assert [round(1000 * time) for _, time in frames] == [FRAME_MS * n for n in range(len(frames))]
    assert len(frames) == 3 + LAST_FRAME_MS // FRAME_MS
    for frame, _ in frames[4:]:
        assert root_mean_square(frame - frames[3][0]) < 2


def test_the_repeated_line_of_an_odd_side_is_that_of_the_edge() -> None:
    flat = torch.full((3, 21, 17), 0.25)
    writer = Mp4Writer(FACTS)
    writer.add(animation_frame(flat))
    frame, _ = mp4_frames(writer.to_bytes())[0]
    assert frame.shape == (22, 18, 3)
    assert np.abs(frame - 64).max() <= 2


def test_the_same_frames_give_the_same_mp4_whatever_memory_held_before() -> None:
    draw, found = random.Random(0), set()
    for _ in range(60):
        before = [bytes([draw.randrange(256)]) * draw.randrange(100, 30_000) for _ in range(200)]
        found.add(mp4(11, height=36, width=48))
        del before
    assert len(found) == 1


def test_an_mp4_refuses_what_the_other_formats_refuse() -> None:
    with pytest.raises(ValueError, match="needs a frame"):
        Mp4Writer(FACTS).to_bytes()
    writer, small = Mp4Writer(FACTS), animation_frame(waves(0, height=16, width=16))
    for _ in range(MOST_FRAMES):
        writer.add(small)
    with pytest.raises(ValueError, match="200 frames"):
        writer.add(small)
    with pytest.raises(ValueError, match="px"):
        writer.add(animation_frame(waves(0, height=20, width=16)))


def test_an_mp4_holds_a_few_frames_and_never_all() -> None:
    noise = [animation_frame(torch.rand(3, 256, 256)) for _ in range(2)]
    writer = Mp4Writer(FACTS)
    peaks = []
    for number in range(MOST_FRAMES):
        writer.add(noise[number % 2])
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    grown_kb = peaks[-1] - peaks[MOST_FRAMES // 4]
    all_kb = 0.75 * MOST_FRAMES * 256 * 256 * 3 / 1024
    assert grown_kb < all_kb / 3
