"""What memory is said to take, against properties and against what a real worker's process held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT
from hypothesis import assume, given
from hypothesis import strategies as st

from stylize_core.demand.memory import peak_memory
from stylize_core.large_pictures import is_large
from stylize_core.settings.style import StyleSettings

SIDES = st.integers(32, 3000)
ENCODERS = st.sampled_from(["slim", "vgg16", "vgg19", "googlenet"])


@given(ENCODERS, SIDES, SIDES, st.sampled_from(["fp32", "tf32", "bf16"]), st.booleans())
def test_more_pixels_pictures_and_pairs_of_curvature_take_more(
    encoder: str, width: int, height: int, precision: str, on_cpu: bool
) -> None:
    def needs(*, more: int = 0, batch: int = 1, history: int = 10) -> int:
        settings = StyleSettings(encoder=encoder, history=history)  # type: ignore[arg-type]
        return peak_memory(
            settings,
            width=width + more,
            height=height + more,
            batch=batch,
            precision=precision,  # type: ignore[arg-type]
            on_cpu=on_cpu,
        ).device

    # Large ones keep their pairs in bfloat16, in half of the memory.
    assume(is_large(3 * width * height) == is_large(3 * (width + 200) * (height + 200)))
    assert 0 < needs() < needs(more=64)
    assert needs() < needs(batch=2) <= 2 * needs()
    assert needs() < needs(history=20)


def test_a_large_style_takes_more_than_a_small_picture() -> None:
    settings = StyleSettings(encoder="vgg19", style_scale=4.0)
    own, small = (
        peak_memory(settings, width=512, height=512, style_pixels=pixels).device for pixels in (None, 512**2)
    )
    assert own > 2 * small


def test_a_published_network_takes_twice_its_file_while_it_is_read() -> None:
    assert peak_memory(StyleSettings(encoder="vgg19"), width=64, height=64).process > 2 * 548_000_000


# From small to large, as what a process held once it does not give back.
RUNS = (
    ("slim", 256, 192, {"steps": 14}),
    ("slim", 768, 576, {"steps": 4, "optimizer": "adam"}),
    ("slim", 768, 576, {"steps": 14}),
)
CHILD = """
import json, sys
from flows.worker import calls
from flows.worker.torch_environment import prepare_for_torch
from flows.model.pair import Input, Job, Pair
from flows.records.store import read_record
from flows.storage.opening import open_storage
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

folder, runs = sys.argv[1], json.loads(sys.argv[2])
calls.start("cpu", 2, 1, 30)
for number, (encoder, width, height, given) in enumerate(runs):
    picture = Input(f"{folder}/{width}x{height}.png")
    settings = StyleSettings(encoder=encoder, size=max(width, height), precision="fp32", **given)
    pair = Pair(str(number), picture, picture, settings, PictureSettings())
    (outcome,) = calls.run_pairs([Job(pair, folder)], ())
    assert outcome.status == "done", outcome
    print(read_record(open_storage(folder), pair.record_name).peak_memory_bytes, flush=True)
"""


@pytest.mark.slow(12)
@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="only Linux counts peaks anew")
def test_what_a_worker_held_at_most_is_what_was_said_within_15_percent(tmp_path: Path) -> None:
    from small_batch import draw

    for _, width, height, _ in RUNS:
        draw(tmp_path / f"{width}x{height}.png", 1, width=width, height=height)
    told = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), json.dumps(RUNS)],
        check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ).stdout.split()  # fmt: skip
    said = [
        peak_memory(StyleSettings(encoder=encoder, **given), width=width, height=height).process  # type: ignore[arg-type]
        for encoder, width, height, given in RUNS
    ]
    assert said == pytest.approx(list(map(int, told)), rel=0.15)


def test_a_dream_takes_what_a_picture_with_all_that_is_around_it_takes() -> None:
    wandering = StyleSettings(mode="dream", jitter=32, margin=8)
    still = StyleSettings(mode="dream", jitter=0, margin=0)
    needed = peak_memory(wandering, width=512, height=384)
    assert needed == peak_memory(still, width=512 + 80, height=384 + 80)


def test_what_is_shown_on_the_way_and_where_it_was_a_while_ago_are_pictures_more() -> None:
    def needs(settings: StyleSettings, *, shown: bool = False, on_cpu: bool = True) -> int:
        return peak_memory(settings, width=512, height=512, shown=shown, on_cpu=on_cpu).device

    plain, compared = StyleSettings(margin=0), StyleSettings(margin=0, plateau=4.0)
    picture = 4 * 3 * 512 * 512
    assert needs(compared) - needs(plain) == picture
    assert needs(plain, shown=True, on_cpu=False) - needs(plain, on_cpu=False) == picture
    assert needs(plain, shown=True) > needs(plain) + picture, "some wait for their writer"
    assert needs(StyleSettings(mode="dream", plateau=4.0)) == needs(StyleSettings(mode="dream"))


def test_regions_take_their_masks_and_once_the_numbers_and_shares_of_all_units() -> None:
    def needs(regions: int) -> int:
        settings = StyleSettings(margin=0, style_layers=["relu1_1", "relu2_1"])
        return peak_memory(settings, width=512, height=512, regions=regions).device

    masks, units = 4 * 512 * 512, 16 * (512**2 + 256**2)
    assert needs(2) - needs(1) == masks
    assert needs(1) - needs(0) == 2 * masks + units
