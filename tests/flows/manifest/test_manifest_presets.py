"""Presets in manifests: laid under everything that is set, and gone once the settings are known."""

from __future__ import annotations

import pytest
from settings_of import resolve_settings

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.model.identity import canonical_settings
from flows.planning.plan import make_plan
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.presets import PRESETS, laid_out
from stylize_core.settings.style import StyleSettings

HEAD = "version: 1\noutput: out\ncontents: [a.jpg]\n"


def settings_of(text: str, *, pair: str = "") -> tuple[StyleSettings, PictureSettings]:
    manifest = load_manifest("/jobs/m.yaml", text=HEAD + text + pair)
    style, picture, _ = resolve_settings(manifest, manifest.styles[0].settings)
    return style, picture


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_same_as_its_settings_written_out(name: str) -> None:
    preset = settings_of(f"settings: {{preset: {name}}}\nstyles: [b.jpg]\n")
    assert preset == (StyleSettings(**laid_out({"preset": name})), PictureSettings())
    assert "preset" not in canonical_settings(*preset)


def test_what_is_set_wins_over_a_preset_wherever_it_stands() -> None:
    above, _ = settings_of(
        "settings: {size: 64, steps: 7}\nstyles: [{image: b.jpg, settings: {preset: paper}}]\n"
    )
    assert (above.size, above.steps, above.loss) == (64, 7, "gatys")
    below, _ = settings_of("settings: {preset: paper}\nstyles: [{image: b.jpg, settings: {loss: mean}}]\n")
    assert (below.loss, below.style_weight) == ("mean", 1000)


def test_none_takes_a_preset_back() -> None:
    style, _ = settings_of("settings: {preset: paper}\nstyles: [{image: b.jpg, settings: {preset: none}}]\n")
    assert style == StyleSettings()


def test_presets_can_be_swept_and_give_each_variant_its_own_settings() -> None:
    manifest = load_manifest(
        "/jobs/m.yaml",
        text=HEAD + "styles: [b.jpg]\nsettings: {size: 48}\nsweep: {preset: [none, paper, neural-style]}\n",
    )
    pairs = [planned.pair for planned in make_plan(manifest).pairs]
    assert [pair.name for pair in pairs] == [f"a__b__preset={n}" for n in ("none", "paper", "neural-style")]
    assert [pair.style_settings.loss for pair in pairs] == ["relative", "gatys", "mean"]
    assert {pair.style_settings.size for pair in pairs} == {48}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            "{preset: papre}",
            "line 4: settings.preset: 'papre' is not accepted; it must be one of none, subtle, painting,",
        ),
        (
            "{preset: papre, style_layers: [relu5_1]}",
            "settings.preset: 'papre'",
        ),  # and not the layers as well
        (
            "{preset: style-transfer-pytorch, encoder: slim}",
            "style_layers: 'relu5_1' is not accepted; slim has relu1_1 to",
        ),
        ("{preset: style-transfer-pytorch, optimizer: lbfgs}", "`preset: style-transfer-pytorch` sets it"),
    ],
)
def test_a_preset_that_does_not_fit_is_refused_by_name(settings: str, said: str) -> None:
    with pytest.raises(ManifestError) as refused:
        settings_of(f"settings: {settings}\nstyles: [b.jpg]\n")
    (problem,) = refused.value.problems
    assert said in str(problem)
