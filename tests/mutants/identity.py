"""Bugs by which pictures go out of date, or fail to."""

from __future__ import annotations

from mutants.mutant import Mutant

EARLIER = "tests/flows/records/test_earlier.py"
RECIPES = "tests/flows/manifest/test_manifest_recipes.py"
WORKER = "tests/flows/worker/test_worker.py"
REASONS = "tests/flows/model/test_identity.py"
STORED = ("tests/flows/model/test_stored_identities.py",)

MUTANTS = (
    Mutant(
        "identity-another-default-of-quality",
        "stylize_core/settings/picture.py",
        "quality: int = _setting(92,",
        "quality: int = _setting(90,",
        STORED,
    ),
    Mutant(
        "identity-a-new-default-in-every-pair",
        "stylize_core/settings/spelling.py",
        '"pooling": settings.network_pooling,',
        '"pooling": settings.network_pooling, "fresh": 0,',
        STORED,
    ),
    Mutant(
        "identity-another-default-of-history",
        "stylize_core/settings/style.py",
        "history: int = _setting(10,",
        "history: int = _setting(12,",
        STORED,
    ),
    Mutant(
        "identity-regions-always-a-part",
        "flows/model/identity.py",
        "    if not ingredients.regions:\n",
        "    if False:\n",
        STORED,
    ),
    Mutant(
        "identity-of-staged-weights-forgets-the-convention",
        "flows/model/identity.py",
        'return f"{settings.weights.sha256}:{settings.weights.convention}"',
        "return settings.weights.sha256",
        STORED,
    ),
    Mutant(
        "identity-blends-spelled-otherwise",
        "flows/model/identity.py",
        "    return spelled(pair.blend, [style_sha256, *blend]), spelled_regions(pair.regions, others)",
        "    return spelled(pair.blend, [*blend, style_sha256]), spelled_regions(pair.regions, others)",
        STORED,
    ),
    Mutant(
        "identity-of-slim-whichever-of-its-blocks-are-used",
        "flows/model/identity.py",
        "PACKAGED if deep else PACKAGED[:1]",
        "PACKAGED",
        STORED,
    ),
    Mutant(
        "identity-of-an-older-recipe-with-the-newest-layers",
        "stylize_core/settings/recipes.py",
        '2: {"slim": {"style_layers": _THREE_BLOCKS, "diagonal_gain": 1.5}}',
        "2: {}",
        STORED,
    ),
    Mutant(
        "identity-of-a-preset-by-the-manifests-recipe",
        "stylize_core/settings/presets.py",
        'recipe = preset.get("recipe", settings.get("recipe", NEWEST))',
        'recipe = settings.get("recipe", preset.get("recipe", NEWEST))',
        (f"{RECIPES}::test_a_preset_is_the_same_with_every_recipe",),
    ),
    Mutant(
        "reasons-that-blame-a-recipe-for-another-size",
        "flows/model/recipe_changes.py",
        "if still.get(key) != now.get(key)",
        "if True",
        (f"{REASONS}::test_the_recipe_that_explains_most_is_named",),
    ),
    Mutant(
        "reasons-that-blame-weights-for-a-further-block",
        "flows/model/identity.py",
        'if before != after and not (name == "weights" and _share_a_file(before, after)):',
        "if before != after:",
        (f"{REASONS}::test_a_further_block_is_told_by_its_layers_and_no_other_weights",),
    ),
    Mutant(
        "identity-of-earlier-pictures-without-a-look-at-their-styles",
        "flows/records/earlier.py",
        "    return any(px < meant_px for px in used)",
        "    return False",
        (f"{EARLIER}::test_what_was_made_with_a_small_one_is_to_do_with_the_reason",),
    ),
    Mutant(
        "identity-of-earlier-pictures-never-as-good",
        "flows/records/earlier.py",
        "    return any(px < meant_px for px in used)",
        "    return True",
        (f"{EARLIER}::test_what_was_made_with_a_large_style_stays_done",),
    ),
    Mutant(
        "identity-of-pictures-read-in-parts-as-of-those-read-at-once",
        "flows/records/earlier.py",
        "    alike = at_once or (before == now and largest_px < math.inf)",
        "    alike = True",
        (f"{EARLIER}::test_a_photo_that_is_or_was_read_in_parts_is_to_do_with_the_reason",),
    ),
    Mutant(
        "identity-of-pictures-under-another-limit-never-as-good",
        "flows/records/earlier.py",
        "    return replace(made, settings=made.settings | today) if alike else made",
        "    return made",
        (f"{EARLIER}::test_what_says_which_inputs_are_refused_puts_no_picture_out_of_date",),
    ),
    Mutant(
        "identity-of-what-could-not-be-read-is-the-same-under-any-limit",
        "flows/planning/freshness.py",
        "(bool(wanted) or speaks_of_the_same(record, pair))",
        "True",
        (f"{WORKER}::test_a_raised_limit_tries_what_was_too_large_again_and_makes_nothing_else_again",),
    ),
    Mutant(
        "identity-without-the-network-that-begins",
        "flows/model/identity.py",
        'if settings.init == "slim" else digest',
        'if settings.init == "nobody" else digest',
        (f"{REASONS}::test_the_network_that_begins_counts_beside_the_one_that_goes_on",),
    ),
)
