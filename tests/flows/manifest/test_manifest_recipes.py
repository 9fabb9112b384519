"""Recipes in manifests: our own defaults by number, laid under everything that is set."""

from __future__ import annotations

from typing import Any

import pytest
from settings_of import resolve_settings

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.manifest.settings import build
from stylize_core.settings.fields import setting_fields
from stylize_core.settings.presets import PRESETS, laid_out
from stylize_core.settings.recipes import NEWEST, ONCE_OWN, RECIPES, defaults_of
from stylize_core.settings.style import StyleSettings

HEAD = "version: 1\noutput: out\ncontents: [a.jpg]\nstyles: [b.jpg]\n"
OLDER: dict[str, Any] = defaults_of(1)


def settings_of(text: str) -> StyleSettings:
    manifest = load_manifest("/jobs/m.yaml", text=HEAD + text)
    return resolve_settings(manifest, manifest.styles[0].settings)[0]


def test_the_newest_recipe_is_what_settings_have_that_nobody_has_set() -> None:
    defaults = {f.name: default for f, _, default in setting_fields(StyleSettings)}
    assert settings_of("") == settings_of(f"settings: {{recipe: {NEWEST}}}\n") == StyleSettings()
    assert {key: defaults[key] for key in RECIPES[NEWEST]} == RECIPES[NEWEST]


def test_every_recipe_speaks_of_the_same_settings() -> None:
    assert len({frozenset(recipe) for recipe in RECIPES.values()}) == 1
    assert RECIPES.keys() == ONCE_OWN.keys()
    assert not ONCE_OWN[NEWEST]


def test_an_older_recipe_brings_its_defaults_back_under_what_is_set() -> None:
    assert settings_of("settings: {recipe: 1}\n") == StyleSettings(**OLDER)
    assert settings_of("settings: {recipe: 1, style_weight: 7}\n") == StyleSettings(
        **OLDER | {"style_weight": 7.0}
    )


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "none"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_preset_is_the_same_with_every_recipe(preset: str, recipe: int) -> None:
    assert build({"preset": preset, "recipe": recipe}).style == StyleSettings(**laid_out({"preset": preset}))


@pytest.mark.parametrize("preset", ["paper", "painting"])
def test_so_it_is_with_another_encoder_than_its_own(preset: str) -> None:
    found = {build({"preset": preset, "recipe": recipe, "encoder": "slim"}).style for recipe in RECIPES}
    assert len(found) == 1


@pytest.mark.parametrize("recipe", [1, 2])
def test_an_older_recipe_keeps_to_three_blocks_of_slim_and_leaves_other_encoders_alone(recipe: int) -> None:
    assert build({"recipe": recipe}).style.layers[-1] == "relu3_4"
    assert build({}).style.layers[-1] == "relu4_1"
    assert (
        build({"recipe": recipe, "encoder": "vgg19"}).style.layers == build({"encoder": "vgg19"}).style.layers
    )
    assert build({"recipe": recipe, "style_layers": ("relu2_1",)}).style.style_layer_weights == {"relu2_1": 1}


def test_a_recipe_that_is_not_known_is_refused() -> None:
    with pytest.raises(
        ManifestError, match=r"settings\.recipe: '4' is not accepted; it must be one of 1, 2, 3"
    ):
        load_manifest("/jobs/m.yaml", text=HEAD + "settings: {recipe: 4}\n")
