from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_batch import draw, manifest, small_batch

from flows.cli.estimates import columns_of, prospect_lines
from flows.manifest.load import load_manifest
from flows.model.estimate import Prospect
from flows.planning.plan import Plan, make_plan
from flows.running.estimating import prospects
from flows.running.estimating.prospects import largest, prospect_of
from stylize_core.demand.memory import peak_memory
from stylize_core.demand.operations import Work, work_of
from stylize_core.demand.rungs import LADDER
from stylize_core.errors import SettingsError
from stylize_core.settings.style import StyleSettings

NETWORK = "weights: {file: w.safetensors, sha256: " + "ab" * 32 + "}"

ROOM = 2 * 10**9


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path, photos=1, paintings=1)
    return tmp_path


def foreseen(home: Path, settings: str) -> tuple[Plan, Prospect]:
    steps = "" if "steps:" in settings else ", steps: 20"
    loaded = load_manifest(manifest(home, settings=settings + steps))
    plan = make_plan(loaded)
    return plan, prospect_of(plan, loaded)


@given(st.integers(32, 16383), st.integers(0, 20000))
def test_the_largest_size_that_fits_does_and_the_next_does_not(most: int, limit: int) -> None:
    found = largest(lambda px: px <= limit, most=most)
    assert found is None if limit < 32 else found is not None
    if found is not None:
        assert found <= min(limit, most)
        assert found + 32 > min(limit, most)


def test_a_pair_that_cannot_fit_even_in_the_smallest_tiles_is_marked_with_what_would(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prospects, "machine_memory", lambda: ROOM)
    plan, prospect = foreseen(home, f"encoder: vgg19, size: 4096, {NETWORK}")
    (trouble,) = prospect.troubles.values()
    assert "and there are 2.0 GB; `size: " in trouble
    size = int(trouble.partition("`size: ")[2].partition("`")[0])
    weights = plan.todo[0].pair.style_settings.weights
    settings = StyleSettings(encoder="vgg19", weights=weights)
    for edge, fits in ((size, True), (size + 64, False)):
        needed = peak_memory(settings, width=edge, height=edge * 3 // 4, rung=LADDER[-1]).process
        assert (needed <= ROOM) is fits
    assert any("p0__s0 cannot fit: it needs about" in line for line in prospect_lines(plan, prospect, None))
    assert foreseen(home, "encoder: slim, size: 1024")[1].troubles == {}


def test_a_smaller_network_is_named_where_it_would_fit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prospects, "machine_memory", lambda: ROOM)
    (trouble,) = foreseen(home, f"encoder: vgg19, size: 4096, {NETWORK}")[1].troubles.values()
    assert "or `encoder: slim` at this size would fit" in trouble


def test_a_pair_that_fits_in_tiles_is_no_trouble(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prospects, "machine_memory", lambda: 10**10)
    (one,) = foreseen(home, f"encoder: vgg19, size: 4096, {NETWORK}")[1].pairs
    assert (one.trouble, one.rung in LADDER[1:]) == ("", True)
    assert one.memory_bytes is not None
    assert one.memory_bytes <= 10**10


def test_results_have_the_shape_of_their_contents_as_these_are_looked_at(home: Path) -> None:
    draw(home / "photos/p1.png", 1, width=40, height=80)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (80, 60)).save(home / "photos/p2.jpg", exif=turned)
    (home / "photos/p3.png").write_bytes(b"no picture")
    pairs = foreseen(home, "encoder: slim, size: 128")[1].pairs
    shapes = {one.pair.name: (one.width, one.height) for one in pairs}
    assert shapes == {
        "p0__s0": (128, 96), "p1__s0": (64, 128), "p2__s0": (96, 128), "p3__s0": (128, 85),
    }  # fmt: skip


def test_where_nothing_was_measured_no_number_is_made_up(home: Path) -> None:
    plan, prospect = foreseen(home, "encoder: slim, size: 128")
    assert (prospect.seconds, prospect.output_bytes, prospect.source) == (None, None, "")
    *_, line = prospect_lines(plan, prospect, 1.0)
    assert line.startswith("no estimate of the time: run `stylize plan --calibrate`, or a first pair; ")
    assert "cost" not in line


def test_a_panorama_among_the_contents_is_estimated_as_any_other_picture(home: Path) -> None:
    Image.new("L", (12000, 2900)).save(home / "photos/panorama.png")
    pairs = foreseen(home, "encoder: slim, size: original, steps: 200")[1].pairs
    shapes = {one.pair.name: (one.width, one.height) for one in pairs}
    assert shapes["panorama__s0"] == (12000, 2900)
    assert all(one.memory_bytes for one in pairs)


def test_an_estimate_that_fails_costs_itself_and_no_other(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    draw(home / "photos/p1.png", 1, width=40, height=80)

    def broken_for_tall_ones(
        settings: StyleSettings, *, width: int, height: int, **given: int | None
    ) -> Work:
        if height > width:
            raise SettingsError("scales", 9, "it must be at most 8")
        return work_of(settings, width=width, height=height, **given)

    monkeypatch.setattr(prospects, "work_of", broken_for_tall_ones)
    plan, prospect = foreseen(home, "encoder: slim, size: 128")
    known, unknown = prospect.pairs
    assert (known.pair.name, known.memory_bytes) == ("p0__s0", prospect.memory_bytes)
    assert columns_of(unknown) == ("?", "?", "?")
    assert (unknown.work.total > 0, unknown.work.stages[-1].last) == (True, 20), "as a display asks for it"
    assert all(prospect_lines(plan, prospect, 1.0))
    assert "no estimate of p1__s0: scales: 9 is not accepted; it must be at most 8" in caplog.text
