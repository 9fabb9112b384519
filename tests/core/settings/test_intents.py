"""Presets by intent: what they promise of each other, and that they stay what they are."""

from __future__ import annotations

import pytest

from stylize_core.architecture import ARCHITECTURES, Architecture
from stylize_core.settings.intents import INTENTS, LOOKS
from stylize_core.settings.presets import PRESETS, PROGRAMS, laid_out
from stylize_core.settings.recipes import RECIPES, defaults_of
from stylize_core.settings.style import StyleSettings


def test_a_preset_has_an_intent_or_a_program_and_none_has_nothing() -> None:
    assert PRESETS.keys() == {"none"} | INTENTS.keys() | PROGRAMS.keys()
    assert not PRESETS["none"]
    assert not INTENTS.keys() & PROGRAMS.keys()


@pytest.mark.parametrize("name", INTENTS)
def test_an_intent_names_its_recipe_so_that_no_new_default_changes_it(name: str) -> None:
    assert INTENTS[name]["recipe"] in RECIPES


def test_a_painting_is_what_the_third_recipe_gives() -> None:
    assert laid_out({"preset": "painting"}) == defaults_of(3)


def test_looks_differ_in_how_much_they_take_of_the_style_and_nothing_else_of_their_cost() -> None:
    weights = {
        name: StyleSettings(**laid_out({"preset": name})).style_weight
        for name in ("subtle", "painting", "bold")
    }
    assert list(weights.values()) == sorted(weights.values())
    assert StyleSettings(**laid_out({"preset": "texture-heavy"})).start == "noise"
    for look in LOOKS.values():
        assert look.keys().isdisjoint({"encoder", "size", "steps", "history"})


@pytest.mark.parametrize("encoder", ARCHITECTURES)
@pytest.mark.parametrize("name", LOOKS)
def test_a_look_goes_with_every_encoder(name: str, encoder: Architecture) -> None:
    assert StyleSettings(**laid_out({"preset": name, "encoder": encoder})).uses_style


def test_a_draft_costs_a_fraction_of_the_final() -> None:
    draft, final = (StyleSettings(**laid_out({"preset": name})) for name in ("draft", "final"))
    assert draft.picture_size.expected_px * 4 <= final.picture_size.expected_px
    assert (draft.steps, final.steps) == (80, 500), "the kept identities have steps of their own"
    assert (draft.encoder, final.encoder) == ("slim", "vgg19")
    for key in ("style_weight", "range_weight", "style_scale", "start"):
        assert getattr(draft, key) == getattr(final, key), "so that a draft shows the look of the final"
