"""Every setting with a picture of what it does: none is left out, none is old, and each shows something."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import ROOT
from PIL import Image
from small_batch import Audience, run_inside

from docs import generated, setting_pictures, setting_sources
from docs.loss_curves import Frame, loss_curves
from docs.setting_notes import (
    NOTES,
    OF_PAIRS,
    OF_WEIGHTS,
    OPTIMISATION,
    READING_AND_WRITING,
    Elsewhere,
    Strip,
    Words,
)
from docs.setting_sources import FOLDER, MADE, cells, drawn_notes, picture_name, plan
from flows.manifest.model import PAIR_KEYS, STYLE_KEYS
from flows.manifest.settings import PICTURE_SETTINGS, SETTINGS, WEIGHTS_KEYS
from flows.model.selection import Selection

PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", PAGE)
STRIPS = {key: note for key, note in drawn_notes().items() if isinstance(note, Strip)}


def test_every_setting_has_a_picture_or_a_reason_in_the_order_of_the_reference() -> None:
    assert [*OPTIMISATION] == [key for key in SETTINGS if key not in PICTURE_SETTINGS]
    assert [*READING_AND_WRITING] == [*PICTURE_SETTINGS]
    assert [*OF_WEIGHTS] == [*WEIGHTS_KEYS]
    assert OF_PAIRS.keys() <= STYLE_KEYS.keys() | PAIR_KEYS.keys()
    headings = re.findall(r"(?m)^### `(\w+)`$", PAGE)
    assert headings == [key for key in NOTES if key != "pair"]
    for key, note in NOTES.items():
        assert note.see in PAGE, key
        assert note.see.startswith("No picture: ") == isinstance(note, Words), key


def test_the_reference_leads_to_what_each_setting_does() -> None:
    reference = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    led_to = set(re.findall(r"^\| \[`(\w+)`\]\(settings\.md#\1\) \|", reference, re.MULTILINE))
    assert led_to == NOTES.keys() - {"pair"}


def test_every_picture_is_there_and_none_beside_them() -> None:
    files = {(ROOT / "docs" / path).resolve() for _, path in SHOWN}
    assert all(path.is_file() for path in files)
    drawn = {FOLDER / picture_name(key, note) for key, note in drawn_notes().items()}
    others = {ROOT / "docs/images" / note.picture for note in NOTES.values() if isinstance(note, Elsewhere)}
    assert files == drawn | others
    assert {path for path in FOLDER.iterdir() if path.name != MADE} == drawn
    assert all(len(alt) > 20 for alt, _ in SHOWN)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_800_000


def test_no_picture_is_out_of_date() -> None:
    assert setting_sources.outdated() == [], "run: python -m docs.setting_pictures"
    assert setting_sources.made().keys() == setting_sources.digests().keys()


def test_every_result_is_made_by_the_manifest_and_every_pair_has_a_part_in_a_picture() -> None:
    assert plan().warnings == ()
    used = {file for key, note in drawn_notes().items() for file in cells(key, note).values()}
    for file in used - setting_sources.identities().keys():
        assert (setting_sources.MANIFESTS / file).is_file(), file
    for planned in plan().pairs:
        assert used & {planned.pair.output_name, *planned.pair.extra_names}, planned.pair.name


@pytest.mark.parametrize("key", STRIPS)
def test_a_strip_has_two_to_four_cells_that_fit_beside_one_another(key: str) -> None:
    assert 2 <= len(cells(key, STRIPS[key])) <= 4
    with Image.open(FOLDER / f"{key}.jpg") as strip:
        strip.load()
        assert 300 < strip.width < 850
        assert 150 < strip.height < 300


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The manifest and the pictures made of it, in a folder of their own, where workers are no processes."""
    (tmp_path / "images").symlink_to(ROOT / "manifests" / "images")
    manifest = shutil.copy(setting_sources.MANIFEST, tmp_path)
    pictures = Path(shutil.copytree(FOLDER, tmp_path / "pictures"))
    for module in (setting_sources, setting_pictures):
        monkeypatch.setattr(module, "FOLDER", pictures)
        monkeypatch.setattr(module, "MANIFEST", Path(manifest))
        monkeypatch.setattr(module, "MANIFESTS", tmp_path)

    def run(only: list[str]) -> None:
        report = run_inside(Path(manifest), Audience(), selection=Selection(tuple(only)))
        assert report.done == len(only)

    monkeypatch.setattr(setting_pictures, "_run", run)
    made_of_the_manifest = (setting_sources.manifest, plan, setting_sources.identities)
    for made in made_of_the_manifest:
        made.cache_clear()
    yield pictures
    for made in made_of_the_manifest:
        made.cache_clear()


def work(key: str) -> float:
    """Pixels by steps that a strip takes to make; without end where it takes none, or shows no sweep."""
    files = set(cells(key, STRIPS[key]).values())
    made = [one.pair.style_settings for one in plan().pairs if one.pair.output_name in files]
    return (
        sum(int(s.size) ** 2 * s.steps for s in made if s.size != "original") if len(made) > 1 else math.inf
    )


def test_the_smallest_strip_is_made_again_and_its_cells_differ(elsewhere: Path) -> None:
    """As it lies in the repository, but for what another processor rounds otherwise."""
    key = min(STRIPS, key=work)
    before, others = pixels(elsewhere / f"{key}.jpg"), (elsewhere / "pair.jpg").stat().st_mtime_ns
    (elsewhere / f"{key}.jpg").unlink()
    setting_pictures.main()
    assert np.abs(pixels(elsewhere / f"{key}.jpg") - before).mean() < 5
    assert (elsewhere / "pair.jpg").stat().st_mtime_ns == others
    assert setting_sources.outdated() == []
    results = [pixels(elsewhere.parent / "out/settings" / file) for file in cells(key, STRIPS[key]).values()]
    for one, other in pairwise(results):
        assert np.abs(one - other).mean() > 2


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32)


def test_a_strip_of_pictures_in_the_repository_needs_no_run(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that was made of something else counts as none."""
    monkeypatch.setattr(generated, "pages", dict)
    monkeypatch.setattr(setting_pictures, "_run", lambda only: pytest.fail(f"runs {only}"))
    made = elsewhere / MADE
    made.write_text(re.sub('"pair.jpg": "[0-9a-f]+"', '"pair.jpg": "of yesterday"', made.read_text()))
    assert generated.main(["--check"]) == 1
    assert capsys.readouterr().out == "pair.jpg is not up to date; run: python -m docs.setting_pictures\n"
    setting_pictures.main()
    assert generated.main(["--check"]) == 0


def test_curves_are_drawn_from_the_first_evaluation_to_the_last_by_the_logarithm_of_the_loss() -> None:
    svg = ElementTree.fromstring(loss_curves({"a < b": [100.0, 10.0, 1.0], "c": [100.0, 50.0]}))
    words = [text.text for text in svg.iter() if text.tag.endswith("text")]
    assert {"a < b", "1 after 3 evaluations", "50 after 2 evaluations", "100", "10", "1"} <= set(words)
    first, second = (
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        for line in svg.iter()
        if line.tag.endswith("polyline")
    )
    (left, top), (middle, half), (right, bottom) = first
    assert middle - left == pytest.approx(right - middle, abs=0.11)
    assert half - top == pytest.approx(bottom - half, abs=0.11)
    assert len(second) == 2
    assert second[0] == (left, top)


def test_a_flat_curve_and_a_loss_of_nothing_find_room() -> None:
    assert Frame.around([[2.0, 2.0]]).y(2.0) == Frame.around([[2.0, 2.0]]).y(0.0)
    assert list(Frame(10, 0.3, 7).ticks()) == [0.5, 1, 2, 5]
