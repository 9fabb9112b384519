from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from flows.model.identity import (
    ALGORITHM_VERSION,
    CHANGES,
    Ingredients,
    algorithm_of,
    canonical_settings,
    differences,
    identity,
    network_digest,
    weights_digest,
)
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.recipes import defaults_of
from stylize_core.settings.style import StyleSettings
from stylize_core.settings.weights_file import WeightsFile

CONTENT, STYLE, INIT, WEIGHTS = "a" * 64, "b" * 64, "c" * 64, "d" * 64
GROWN = "algorithm 1 -> 3 (a style with fewer pixels than it is measured in is enlarged)"


def ingredients(style: StyleSettings | None = None, picture: PictureSettings | None = None) -> Ingredients:
    settings = canonical_settings(style or StyleSettings(), picture or PictureSettings())
    return Ingredients(CONTENT, STYLE, "", WEIGHTS, settings)


def test_an_identity_is_the_sha256_of_the_canonical_json() -> None:
    plain = Ingredients("a", "b", "", "w", {"zeta": 1.0, "alpha": {"relu1_1": 0.1}, "é": 2})
    canonical = (
        '{"algorithm":1,"content":"a","init":"","settings":'
        '{"alpha":{"relu1_1":0.1},"zeta":1.0,"\\u00e9":2},"style":"b","weights":"w"}'
    )
    assert identity(plain) == hashlib.sha256(canonical.encode()).hexdigest()


def test_settings_of_both_kinds_have_a_part_in_the_identity_and_the_weights_file_has_none() -> None:
    known = canonical_settings(StyleSettings(), PictureSettings())
    assert (known["size"], known["format"]) == (512, "png")
    assert "weights" not in known


def test_settings_that_mean_the_same_have_one_identity() -> None:
    spelled = ingredients(StyleSettings(style_weight=10, style_layers=["relu2_1", "relu1_1"]))
    other = ingredients(StyleSettings(style_weight=10.0, style_layers={"relu1_1": 3, "relu2_1": 3}))
    assert identity(spelled) == identity(other)


def test_ingredients_that_come_back_from_json_keep_their_identity() -> None:
    made = ingredients(StyleSettings(style_weight=1 / 3, tv_weight=1e-7))
    settings = json.loads(json.dumps(made.settings))
    assert identity(replace(made, settings=settings)) == identity(made)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content": "e"}, "content changed"),
        ({"style": "e"}, "style changed"),
        ({"init": INIT}, "init changed"),
        ({"weights": "e"}, "weights changed"),
        ({"algorithm": 3}, GROWN),
        ({"content": "e", "algorithm": 3}, f"content changed; {GROWN}"),
        ({"algorithm": 0}, "algorithm 1 -> 0"),
    ],
)
def test_every_ingredient_changes_the_identity_and_is_named(change: dict[str, object], reason: str) -> None:
    old = ingredients()
    new = replace(old, **change)  # type: ignore[arg-type]
    assert identity(new) != identity(old)
    assert differences(old, new) == reason


@pytest.mark.parametrize(
    ("settings", "with_large_styles", "algorithm"),
    [
        ({}, 1, 3),
        ({"loss": "mean"}, 2, 3),
        ({"loss": "gatys", "mode": "content"}, 2, 2),
        ({"loss": "gatys", "range_weight": 0}, 1, 3),
        ({"mode": "texture"}, 1, 3),
        ({"mode": "content"}, 1, 1),
        ({"loss": "mean", "mode": "dream"}, 1, 1),
        ({"loss": "mean", "content_weight": 0, "style_weight": 0, "tv_weight": 1}, 1, 1),
        ({"size": 1400}, 1, 3),
        ({"size": 1600}, 4, 4),
        ({"size": 1600, "steps": 100}, 1, 3),
        ({"size": 1600, "scales": 2}, 1, 3),
        ({"size": 512, "scales": 7}, 4, 4),
        ({"size": 1600, "encoder": "vgg19"}, 1, 3),
        ({"size": "original"}, 4, 4),
        ({"size": 6000, "mode": "dream"}, 1, 1),
    ],
    ids=str,
)
def test_only_where_the_algorithm_has_changed_does_an_identity_say_so(
    settings: dict[str, Any], with_large_styles: int, algorithm: int
) -> None:
    asked = StyleSettings(**settings)
    assert algorithm_of(asked) == algorithm <= ALGORITHM_VERSION
    assert algorithm_of(asked, enlarges=False) == with_large_styles
    assert max(CHANGES) == ALGORITHM_VERSION


def test_of_several_algorithms_the_changes_that_concern_a_picture_are_named() -> None:
    held = "the penalty for pixels outside 0..1 counts in units of the loss"
    grown = "a style with fewer pixels than it is measured in is enlarged"
    by_mean = ingredients(StyleSettings(loss="mean"), PictureSettings())
    said = [differences(replace(by_mean, algorithm=one), replace(by_mean, algorithm=3)) for one in (1, 2)]
    assert said == [f"algorithm 1 -> 3 ({held}; {grown})", f"algorithm 2 -> 3 ({grown})"]


def test_equal_ingredients_have_no_differences() -> None:
    assert differences(ingredients(), ingredients()) == ""


def test_changed_settings_are_named_with_both_values() -> None:
    old = ingredients(StyleSettings(style_weight=1, steps=100), PictureSettings())
    new = ingredients(StyleSettings(style_weight=2, steps=200), PictureSettings(format="webp"))
    assert differences(old, new) == "settings: format png -> webp, steps 100 -> 200, style_weight 1.0 -> 2.0"


def older(**given: Any) -> StyleSettings:
    return StyleSettings(**{**defaults_of(1), **given})


CHANGED = "default recipe changed (`recipe: 1` keeps the old one): "
DEEPER = (
    'style_layers ["relu1_1", "relu2_1", "relu3_1", "relu3_2", "relu3_3", "relu3_4"] -> '
    '["relu1_1", "relu2_1", "relu3_1", "relu4_1"]'
)


def test_a_picture_of_older_defaults_says_that_the_recipe_has_changed() -> None:
    changed = (
        f"diagonal_gain unset -> 1.6, range_weight 100.0 -> 1000.0, scales 2 -> 5, {DEEPER}, "
        "style_weight 100.0 -> 1000.0"
    )
    assert differences(ingredients(older()), ingredients()) == CHANGED + changed


def test_what_a_user_has_changed_is_told_apart_from_the_recipe() -> None:
    old, new = older(size=256, style_weight=3), StyleSettings(size=256, style_weight=4, steps=90)
    assert differences(ingredients(old), ingredients(new)) == (
        f"{CHANGED}diagonal_gain unset -> 1.6, range_weight 100.0 -> 1000.0, scales unset -> 4, {DEEPER}; "
        "settings: steps 200 -> 90, style_weight 3.0 -> 4.0"
    )


def test_the_recipe_is_not_blamed_for_other_values_nor_on_the_way_back() -> None:
    given = {
        "style_weight": 1000.0,
        "range_weight": 1000.0,
        "coarsest": 0,
        "diagonal_gain": 0,
        "style_layers": (),
    }
    assert differences(ingredients(), ingredients(older(**given))) == ""
    assert "recipe" not in differences(ingredients(), ingredients(older()))
    assert "recipe" not in differences(
        ingredients(older(style_weight=99)),
        ingredients(StyleSettings(**defaults_of(1) | {"scales": 2, "style_weight": 1000})),
    )


def test_the_recipe_that_explains_most_is_named() -> None:
    second = StyleSettings(**defaults_of(2))
    assert differences(ingredients(second), ingredients()) == (
        f"default recipe changed (`recipe: 2` keeps the old one): diagonal_gain 1.5 -> 1.6, {DEEPER}"
    )
    assert "recipe" not in differences(ingredients(second), ingredients(replace(second, size=64)))
    assert "recipe" not in differences(ingredients(StyleSettings(size=64)), ingredients())
    vgg = StyleSettings(encoder="vgg19")
    assert (
        differences(ingredients(StyleSettings(**defaults_of(2, "vgg19"), encoder="vgg19")), ingredients(vgg))
        == ""
    )


def test_a_further_block_is_told_by_its_layers_and_no_other_weights() -> None:
    styles = StyleSettings(**defaults_of(2)), StyleSettings()
    old, new = (replace(ingredients(style), weights=weights_digest(style)) for style in styles)
    assert old.weights != new.weights
    assert "weights changed" not in differences(old, new)
    assert "weights changed" not in differences(new, old)
    assert "weights changed" in differences(replace(old, weights="a"), new)


def test_where_only_the_content_tells_the_size_the_smallest_one_is_named() -> None:
    old, new = older(megapixels=1), StyleSettings(megapixels=1)
    assert differences(ingredients(old), ingredients(new)).startswith(
        CHANGED + "coarsest unset -> 0, diagonal_gain unset"
    )


def test_where_sizes_are_not_doubled_the_recipe_is_named_for_it() -> None:
    old, new = older(size=384), StyleSettings(size=384)
    changed = (
        "coarsest unset -> 0, diagonal_gain unset -> 1.6, range_weight 100.0 -> 1000.0, scales unset -> 5"
    )
    assert differences(ingredients(old), ingredients(new)).startswith(CHANGED + changed)


@pytest.mark.parametrize("size", [-1, 0, True, "x", [], 1e300, 10**40])
@pytest.mark.parametrize("steps", [-1, 0, None, {}, 10**6])
def test_a_strange_record_is_no_riddle(size: object, steps: object) -> None:
    old = Ingredients("", "", "", "", {"size": size, "steps": steps, "scales": size})
    assert differences(old, ingredients())


def test_a_setting_that_one_side_does_not_know_is_unset() -> None:
    old, new = Ingredients("", "", "", "", {"gone": True}), Ingredients("", "", "", "", {"fresh": None})
    assert differences(old, new) == "settings: fresh unset -> null, gone true -> unset"


def test_a_hostile_record_cannot_reach_the_terminal_through_its_settings() -> None:
    old = Ingredients("", "", "", "", {"a\x1b[2J": "b\x9b31m\n"})
    assert differences(old, Ingredients("", "", "", "", {})).isprintable()


@pytest.mark.parametrize("convention", ["torchvision", "caffe", "features"])
def test_a_staged_file_counts_with_its_convention(convention: str) -> None:
    file = WeightsFile(file="w.pth", sha256=WEIGHTS, convention=convention)  # type: ignore[arg-type]
    settings = StyleSettings(encoder="vgg19", weights=file)
    assert weights_digest(settings) == f"{WEIGHTS}:{convention}"


def test_a_staged_file_may_move_without_changing_the_picture() -> None:
    here = StyleSettings(encoder="vgg19", weights=WeightsFile(file="/here/w.pth", sha256=WEIGHTS))
    there = StyleSettings(encoder="vgg19", weights=WeightsFile(file="s3://there/w.pth", sha256=WEIGHTS))
    assert weights_digest(here) == weights_digest(there)
    assert canonical_settings(here, PictureSettings()) == canonical_settings(there, PictureSettings())


def test_published_weights_count_by_their_published_digits() -> None:
    assert weights_digest(StyleSettings(encoder="vgg19")) == "published:dcbb9e9d"
    assert weights_digest(StyleSettings(encoder="vgg16")) == "published:88682ab5"


def test_the_built_in_weights_count_by_the_packaged_files_that_are_used() -> None:
    """A file that came later changes no identity of pictures that do without it."""
    from importlib import resources

    folder = resources.files("stylize_core").joinpath("networks/pretrained")
    front, block = (
        hashlib.sha256(folder.joinpath(f"{name}.safetensors").read_bytes()).hexdigest()
        for name in ("slim", "slim_block4")
    )
    assert weights_digest(StyleSettings(**defaults_of(2))) == front
    assert weights_digest(StyleSettings(style_layers=("relu1_1", "pool3"))) == front
    for deep in (
        StyleSettings(),
        StyleSettings(style_layers=("relu1_1", "relu4_1")),
        StyleSettings(content_layers=("relu4_1",)),
        StyleSettings(mode="dream", dream_layers=("relu4_1:3",)),
    ):
        assert weights_digest(deep) == f"{front}+{block}"


def test_the_network_that_begins_counts_beside_the_one_that_goes_on() -> None:
    from_content, from_slim = (StyleSettings(encoder="vgg19", init=init) for init in ("content", "slim"))
    slim = weights_digest(StyleSettings())
    assert weights_digest(from_slim) == f"published:dcbb9e9d+{slim}"
    assert network_digest(from_slim) == network_digest(from_content) == "published:dcbb9e9d"
    styles = from_content, from_slim
    old, new = (replace(ingredients(style), weights=weights_digest(style)) for style in styles)
    assert differences(old, new) == "settings: init content -> slim"


def test_identities_need_no_torch() -> None:
    code = (
        "import sys, flows.model.identity, flows.records.store; print({*sys.modules} & {'torch', 'prefect'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
