"""What `stylize explore` makes of the settings that it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.errors import BadArguments
from flows.manifest.exploration import Exploration, exploration
from flows.manifest.load import load_manifest
from flows.manifest.settings import build
from flows.manifest.written import written
from stylize_core.architecture import ARCHITECTURES
from stylize_core.errors import SettingsError
from stylize_core.settings.intents import LOOKS

SHEET = Path("looks/sheet.png")
HEAD = "version: 1\noutput: out\ncontents: [a.jpg]\nstyles: [b.jpg]\n"


def asked(*settings: str) -> Exploration:
    return exploration("photo.jpg", "painting.jpg", sheet=SHEET, settings=settings)


def looks(*settings: str) -> list[list[dict[str, object]]]:
    return [[dict(cell.look) for cell in row] for row in asked(*settings).rows]


def test_the_weight_runs_across_the_scale_downwards_and_named_looks_stand_below() -> None:
    *grid, named = looks()
    assert [[look["style_scale"] for look in row] for row in grid] == [[0.5] * 4, [1] * 4, [2] * 4]
    weights = [float(str(look["style_weight"])) for look in grid[0]]
    assert weights == sorted(weights)
    assert 1000 in weights
    assert all([look["style_weight"] for look in row] == weights for row in grid)
    assert [name for look in named for name in look.values()] == [
        *(name for name in LOOKS if name != "painting"),
        "luminance",
    ]


def test_cells_are_labelled_by_row_and_place_and_pairs_are_called_so() -> None:
    found = asked()
    assert [cell.label for cell in found.cells][:5] == ["A1", "A2", "A3", "A4", "B1"]
    assert [pair.name for pair in found.manifest.pairs] == [cell.label for cell in found.cells]
    assert found.manifest.output == str(Path("looks/sheet").absolute())
    (first, *_) = found.cells
    assert first.caption.startswith("A1: style_weight: ")
    assert first.caption.endswith(", style_scale: 0.5")


@pytest.mark.parametrize("encoder", ARCHITECTURES)
def test_every_cell_is_what_its_settings_say_in_a_manifest(encoder: str) -> None:
    found = asked(f"encoder={encoder}", "seed=7")
    for cell, pair in zip(found.cells, found.manifest.pairs, strict=True):
        text = (
            f"version: 1\noutput: o\ncontents: [a.jpg]\nstyles: [b.jpg]\nsettings: {written(cell.settings)}\n"
        )
        pasted = load_manifest("/elsewhere/m.yaml", text=text)
        assert build(pasted.settings) == build({**found.manifest.settings, **pair.settings})
        assert build(pasted.settings).style.seed == 7


def test_no_two_cells_are_alike() -> None:
    for settings in ((), ("encoder=vgg19",), ("preset=bold",), ("style_weight=20",), ("style_scale=2",)):
        cells = [build(cell.settings) for cell in asked(*settings).cells]
        assert len(set(map(repr, cells))) == len(cells)


def test_a_full_network_gets_fewer_cells_and_steps() -> None:
    slim, full = asked(), asked("encoder=vgg19")
    assert len(list(full.cells)) < len(list(slim.cells))
    assert all(full.manifest.settings[key] < slim.manifest.settings[key] for key in ("size", "steps"))  # type: ignore[operator]


def test_what_is_given_is_the_same_in_all_cells_and_not_explored() -> None:
    assert looks("style_weight=20") == [
        [{"style_scale": 0.5}, {"style_scale": 1}, {"style_scale": 2}],
        [{"colour": "luminance"}],
    ]
    assert {"style_scale"}.isdisjoint(
        key for row in looks("style_scale=2")[:1] for look in row for key in look
    )
    assert [key for look in looks("colour=match")[-1] for key in look] == ["preset"] * 3
    assert all(cell.settings["steps"] == 7 for cell in asked("steps=7").cells)
    assert "size" not in asked("megapixels=0.1").manifest.settings


def test_a_given_preset_is_what_is_explored_around() -> None:
    found = asked("preset=neural-style", "encoder=slim")
    weights = [cell.look["style_weight"] for cell in found.rows[0]]
    assert 500 in weights, "its own"
    assert all("preset" not in cell.look for cell in found.cells)
    for cell in found.rows[0]:
        style = build(cell.settings).style
        assert style.range_weight == max(style.style_weight, 500)
    assert all(cell.settings["preset"] == "neural-style" for cell in found.cells)


def test_more_style_is_held_in_range_by_as_much_more() -> None:
    for cell in asked().rows[0]:
        style = build(cell.settings).style
        assert style.range_weight == max(style.style_weight, 1000)
    assert all("range_weight" not in cell.look for cell in asked("range_weight=5").cells)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("mode=texture",), "`mode: texture` has no looks to explore; leave `mode` out"),
        (("mode=dream",), "`mode: dream` has no looks to explore"),
        (
            ("style_weight=5", "style_scale=1"),
            "what would be explored is set; leave out `style_weight` or `style_scale`",
        ),
        (("style_wieght=5",), "settings.style_wieght: unknown key; did you mean `style_weight`?"),
        (("size=8",), "settings.size: '8' is not accepted"),
    ],
)
def test_settings_that_cannot_be_explored_are_refused_in_words(settings: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadArguments) as refused:
        asked(*settings)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("sheet", ["sheet.jpg", "sheet", "s3://bucket/sheet.png"])
def test_a_sheet_is_a_png_on_this_machine(sheet: str) -> None:
    with pytest.raises(SettingsError, match=r"output: .*(must end in \.png|must be a local file)"):
        exploration("photo.jpg", "painting.jpg", sheet=Path(sheet), settings=())
