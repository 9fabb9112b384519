"""The gallery and the guide: every figure comes from the manifest, beside the lines that make it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from PIL import Image

from docs import guide_pictures
from flows.manifest.load import load_manifest
from flows.planning.plan import Plan, make_plan

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "manifests" / "gallery.yaml"
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", GUIDE)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_manifest(MANIFEST))


def test_the_gallery_can_be_planned_without_a_warning(plan: Plan) -> None:
    assert plan.warnings == ()
    assert len(plan.pairs) > 40
    assert {planned.pair.style_settings.encoder for planned in plan.pairs} == {"slim"}


@pytest.mark.parametrize("name", guide_pictures.FIGURES)
def test_what_a_figure_is_made_of_comes_from_the_gallery_or_lies_in_the_repository(
    name: str, plan: Plan
) -> None:
    made = {sheet.name for sheet in plan.sheets}
    for planned in plan.pairs:
        made |= {planned.pair.output_name, planned.pair.animation_name}
    for source in guide_pictures.sources(name):
        file = source.removeprefix(guide_pictures.GALLERY + "/")
        assert file in made if file != source else (ROOT / "manifests" / source).is_file(), source


def test_the_guide_shows_every_figure_and_no_other_picture() -> None:
    figures = {guide_pictures.figure_file(name) for name in guide_pictures.FIGURES}
    assert {(ROOT / "docs" / path).resolve() for path in SHOWN} == figures
    assert set(guide_pictures.FIGURES_FOLDER.iterdir()) == figures


def test_every_pair_of_the_gallery_has_a_part_in_a_figure(plan: Plan) -> None:
    used = {source for name in guide_pictures.FIGURES for source in guide_pictures.sources(name)}
    on_sheets = {pair for sheet in plan.sheets for pair in sheet.pairs}
    for planned in plan.pairs:
        files = {planned.pair.output_name, planned.pair.animation_name}
        shown = used & {f"{guide_pictures.GALLERY}/{file}" for file in files}
        assert shown or planned.pair.name in on_sheets, planned.pair.name


def test_the_lines_beside_a_figure_are_those_of_the_gallery() -> None:
    """From one figure to the next there is such a block, word for word."""
    lines = textwrap.dedent(MANIFEST.read_text(encoding="utf-8"))
    for before, path in zip(re.split(r"!\[[^\]]+\]\([^)]+\)", GUIDE), SHOWN, strict=False):
        blocks = re.findall(r"```yaml\n(.*?)```", before, re.DOTALL)
        assert blocks, path
        assert blocks[-1] in lines, f"{path}: the lines above it are not in the gallery"


@pytest.mark.parametrize("name", guide_pictures.FIGURES)
def test_a_figure_can_be_opened_and_is_large_enough_to_see(name: str) -> None:
    with Image.open(guide_pictures.figure_file(name)) as figure:
        figure.load()
        assert figure.width >= 160
        assert figure.height >= 100


def test_all_figures_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in guide_pictures.FIGURES_FOLDER.iterdir()) < 2_000_000
