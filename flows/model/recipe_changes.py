"""Which settings of an older picture differ only because the defaults have changed since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylize_core.architecture import COARSEST_PX, DIAGONAL_GAIN
from stylize_core.settings.recipes import NEWEST, RECIPES, UNSPOKEN
from stylize_core.settings.schedule import automatic_stages, stages


def changed_by_recipe(old: Mapping[str, Any], new: Mapping[str, Any]) -> frozenset[str]:
    """The keys under which `old` has what an older recipe says, and `new` what the newest says.

    Args:
        old: settings as a record spells them.
        new: settings as they are spelled today.
    """
    now, found = _said_by(RECIPES[NEWEST], new), set[str]()
    for number in RECIPES.keys() - {NEWEST}:
        before = _said_by(RECIPES[number], old)
        found |= {
            key
            for key in before.keys() | now.keys()
            if old.get(key) != new.get(key)
            and (old.get(key), new.get(key)) == (before.get(key), now.get(key))
        }
    return frozenset(found)


def _said_by(recipe: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """How settings of that size and so many steps spell what the recipe says."""
    found = {key: recipe[key] for key in ("style_weight", "range_weight") if key in settings}
    found |= _gain_said_by(recipe, settings)
    coarsest, own = recipe["coarsest"], COARSEST_PX.get(str(settings.get("encoder")), UNSPOKEN["coarsest"])
    size, steps = settings.get("size"), settings.get("steps")
    if type(size) is not int or type(steps) is not int:
        return found | ({} if coarsest == UNSPOKEN["coarsest"] else {"coarsest": coarsest})
    planned = automatic_stages(size, steps, coarsest=coarsest, own=own)
    if planned != stages(len(planned), steps):
        found["coarsest"] = coarsest
    return found | ({"scales": len(planned)} if len(planned) > 1 else {})


def _gain_said_by(recipe: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    own = DIAGONAL_GAIN.get(str(settings.get("encoder")), UNSPOKEN["diagonal_gain"])
    has_part = "style_weight" in settings and settings.get("optimizer") == "lbfgs"
    gain = (recipe["diagonal_gain"] or own) if has_part else UNSPOKEN["diagonal_gain"]
    return {} if gain == UNSPOKEN["diagonal_gain"] else {"diagonal_gain": gain}
