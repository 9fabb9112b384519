"""Where memory is short a pair is made in another way before it is given up, and its record says so."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worker_here as worker
from PIL import Image
from small_batch import draw, manifest, record
from torch import Tensor

from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan
from flows.worker import optimize
from flows.worker.device import Device
from flows.worker.fitting import ladder
from flows.worker.fitting.ladder import SPARE, Ladder
from stylize_core.demand.memory import peak_memory
from stylize_core.demand.rungs import LADDER, WHOLE, Rung
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.curvature import Pairs
from stylize_core.sections import Section
from stylize_core.settings.style import StyleSettings

SMALL = (WHOLE, Rung(64), Rung(24), Rung(24, history=2))
LITTLE_BYTES = 100_000
"""Less than one picture of the tests, for the statistics that each rung measures anew."""
SETTINGS = "recipe: 2, encoder: slim, size: 128, steps: 8, scales: 1, history: 5, margin: 0"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    draw(tmp_path / "photo.png", 1, width=128, height=96)
    draw(tmp_path / "painting.png", 2, width=128, height=128)
    monkeypatch.setattr(ladder, "LADDER", SMALL)
    worker.start("cpu")
    return manifest(tmp_path, "contents: [photo.png]\nstyles: [painting.png]", settings=SETTINGS)


def memory_for(monkeypatch: pytest.MonkeyPatch, *, numbers: int, pairs: int = 100) -> None:
    """From now on the network holds no more numbers at a time, and no longer history is held."""
    trace, begin = Encoder.trace, Pairs.__init__

    def seen(self: Encoder, given: Tensor, section: Section) -> Any:
        found = trace(self, given, section)
        if sum(features.numel() for features in found.features.values()) > numbers:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")
        return found

    def held(self: Pairs, like: Tensor, history: int) -> None:
        if history > pairs:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")
        begin(self, like, history)

    monkeypatch.setattr(Encoder, "trace", seen)
    monkeypatch.setattr(Pairs, "__init__", held)


def made(path: Path) -> str:
    plan = make_plan(load_manifest(path))
    outcomes = worker.run_pairs([Job(p.pair, plan.output, p.identity) for p in plan.todo])
    return str(outcomes[0].status)


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    with Image.open(path.parent / "out" / "photo__painting.png") as image:
        return np.asarray(image).astype(np.int64)


@pytest.mark.parametrize(
    ("limits", "rung", "close"),
    [
        ({"numbers": 600_000}, SMALL[1], 2),
        ({"numbers": 350_000}, SMALL[2], 2),
        ({"numbers": 350_000, "pairs": 2}, SMALL[3], 60),
    ],
)
def test_each_rung_is_reached_and_makes_the_picture(
    path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int], rung: Rung, close: int
) -> None:
    assert made(path) == "done"
    whole = pixels(path)
    for file in (path.parent / "out").iterdir():
        file.unlink()
    memory_for(monkeypatch, **limits)
    assert made(path) == "done"
    assert np.abs(pixels(path) - whole).max() <= close
    decisions = record(path.parent, "photo__painting").decisions
    assert decisions[0] == "did not fit as a whole"
    assert f"computed {rung.words()}, for lack of memory" in decisions


def test_in_tiles_each_size_gives_back_what_the_one_before_has_left(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = list[int]()
    monkeypatch.setattr(optimize, "give_back_memory", lambda: at.append(1))
    three = manifest(
        path.parent,
        "contents: [photo.png]\nstyles: [painting.png]",
        settings=SETTINGS.replace("steps: 8, scales: 1", "steps: 40, scales: 3"),
    )
    assert made(three) == "done"
    assert at == [], "as a whole the next evaluation wants it again"
    (path.parent / "out/photo__painting.json").unlink()
    monkeypatch.setattr(ladder, "LADDER", SMALL[1:])
    worker.start("cpu")
    assert made(three) == "done"
    assert at == [1, 1, 1]


def test_below_the_last_rung_a_pair_fails_with_what_it_needs_and_the_next_one_is_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        memory_for(patched, numbers=1000)
        assert made(path) == "failed"
    failure = record(path.parent, "photo__painting").failure
    assert failure is not None
    assert failure.kind == "out_of_memory"
    assert "it needs about" in failure.message
    assert "in tiles of 24 px, with a history of 2, of which" in failure.message
    worker.start("cpu")
    assert made(path) == "done"


def test_what_did_not_fit_is_gone_before_the_next_rung_is_tried(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the tensors that live when a try begins: a later one finds no more of them than the first one."""
    assert made(path) == "done"  # what is kept warm is kept from here on
    for file in (path.parent / "out").iterdir():
        file.unlink()
    memory_for(monkeypatch, numbers=350_000, pairs=2)
    alive, computed = list[int](), optimize._computed

    def watched(*given: Any, **named: Any) -> Any:
        gc.collect()
        tensors = [one for one in gc.get_objects() if type(one) is Tensor]
        alive.append(sum({one.data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values()))
        return computed(*given, **named)

    monkeypatch.setattr(optimize, "_computed", watched)
    assert made(path) == "done"
    assert len(alive) == len(SMALL)
    assert max(alive[1:]) <= alive[0] + LITTLE_BYTES, alive


def test_what_is_known_not_to_fit_is_not_tried(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = StyleSettings(size=128, history=5, margin=0)
    sizes = {"width": 128, "height": 96, "style_pixels": 128 * 128}
    needs = [peak_memory(settings, **sizes, rung=rung).process for rung in SMALL]  # type: ignore[arg-type]
    assert needs == sorted(needs, reverse=True)
    monkeypatch.setattr(Device, "room_bytes", lambda _: int(needs[1] / SPARE) + 1)
    assert made(path) == "done"
    decisions = record(path.parent, "photo__painting").decisions
    assert decisions[0] == "computed in tiles of 64 px, for lack of memory"


@pytest.mark.parametrize("encoder", ["slim", "vgg19"])
def test_every_rung_takes_less_than_the_one_above(encoder: Any) -> None:
    settings = StyleSettings(encoder=encoder, size=4096)

    def needs(rung: Rung) -> int:
        return peak_memory(settings, width=4096, height=3072, rung=rung).process

    found = [needs(rung) for rung in LADDER]
    assert found == sorted(found, reverse=True)
    steps, room = Ladder(), found[2] / SPARE + 1
    assert steps.choose("kind", needs, int(room)) == LADDER[2]
    assert steps.choose("kind", needs, None) == LADDER[2]
    assert not steps.is_whole("kind")
    assert steps.step_down("kind")
    assert steps.choose("kind", needs, None) == LADDER[3]
