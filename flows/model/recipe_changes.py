"""Which settings of an older picture differ only because the defaults have changed since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from stylize_core.architecture import COARSEST_PX, DEFAULT_STYLE_LAYERS, DIAGONAL_GAIN
from stylize_core.settings.layers import normalised
from stylize_core.settings.recipes import NEWEST, RECIPES, UNSPOKEN, defaults_of
from stylize_core.settings.schedule import automatic_stages, stages


class ChangedByRecipe(NamedTuple):
    """What an older recipe explains of two settings that differ.

    Attributes:
        recipe: its number.
        keys: under which the older settings have what it says, and the newer what the newest says.
    """

    recipe: int
    keys: frozenset[str]


def changed_by_recipe(old: Mapping[str, Any], new: Mapping[str, Any]) -> ChangedByRecipe:
    """The older recipe that explains most, of equals the newest; without keys if none explains anything.

    Args:
        old: settings as a record spells them.
        new: settings as they are spelled today.
    """
    explained = (_explained(number, old, new) for number in RECIPES if number != NEWEST)
    return max(explained, key=lambda found: (len(found.keys), found.recipe))


def _explained(recipe: int, old: Mapping[str, Any], new: Mapping[str, Any]) -> ChangedByRecipe:
    before, still, now = _said_by(recipe, old), _said_by(recipe, new), _said_by(NEWEST, new)
    keys = (
        key
        for key in before.keys() | now.keys()
        if still.get(key) != now.get(key)  # else it follows from another size, or from fewer steps
        and old.get(key) != new.get(key)
        and (old.get(key), new.get(key)) == (before.get(key), now.get(key))
    )
    return ChangedByRecipe(recipe, frozenset(keys))


def _said_by(number: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """How settings of that size and so many steps spell what the recipe says."""
    recipe = defaults_of(number, str(settings.get("encoder")))
    found = {key: recipe[key] for key in ("style_weight", "range_weight") if key in settings}
    found |= _gain_said_by(recipe, settings) | _layers_said_by(recipe, settings)
    coarsest, own = recipe["coarsest"], COARSEST_PX.get(str(settings.get("encoder")), UNSPOKEN["coarsest"])
    size, steps = settings.get("size"), settings.get("steps")
    if type(size) is not int or type(steps) is not int:
        return found | ({} if coarsest == UNSPOKEN["coarsest"] else {"coarsest": coarsest})
    planned = automatic_stages(size, steps, coarsest=coarsest, own=own)
    if planned != stages(len(planned), steps):
        found["coarsest"] = coarsest
    return found | ({"scales": len(planned)} if len(planned) > 1 else {})


def _layers_said_by(recipe: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    layers = recipe.get("style_layers") or DEFAULT_STYLE_LAYERS.get(str(settings.get("encoder")), ())
    return {"style_layers": normalised(layers)} if "style_layers" in settings and layers else {}


def _gain_said_by(recipe: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    own = DIAGONAL_GAIN.get(str(settings.get("encoder")), UNSPOKEN["diagonal_gain"])
    has_part = "style_weight" in settings and settings.get("optimizer") == "lbfgs"
    gain = (recipe["diagonal_gain"] or own) if has_part else UNSPOKEN["diagonal_gain"]
    return {} if gain == UNSPOKEN["diagonal_gain"] else {"diagonal_gain": gain}
