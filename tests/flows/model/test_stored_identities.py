"""The identities in users' records stay what they are: no upgrade puts pictures out of date."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

GOLDEN = Path(__file__).parents[2] / "golden"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("keep_identities", GOLDEN / "keep_identities.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


KEEP = _script()
KEPT: dict[str, str] = json.loads(KEEP.KEPT.read_text())


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    identities: dict[str, str] = KEEP.identities(tmp_path_factory.mktemp("identities"))
    return identities


def test_every_pair_has_the_identity_that_is_kept(today: dict[str, str]) -> None:
    changed = [name for name in KEPT if today.get(name) != KEPT[name]]
    assert not changed, "users would make these again; see tests/golden/keep_identities.py"
    assert today.keys() == KEPT.keys()


def test_the_kept_identities_tell_all_pairs_apart_but_those_that_are_the_same_picture() -> None:
    """A blend with one share above 0 is that style alone; a content's name makes no other content.

    Neither does a recipe where all that it says is given, by the settings or by a preset. Under `painting` a
    picture is that of the third recipe.
    """
    same: dict[str, set[str]] = {}
    for name, identity in KEPT.items():
        same.setdefault(identity, set()).add(name)
    assert sorted(sorted(names) for names in same.values() if len(names) > 1) == [
        ["intents/painting", "recipe_3/plain"],
        ["plain", "product/a__one_of_them", "product/a__s", "product/small__one_of_them", "product/small__s"],
        ["product/a__both", "product/small__both"],
        ["product/a__painted", "product/small__painted"],
        ["product/a__waves", "product/small__waves"],
        ["product/b__one_of_them", "product/b__s"],
        ["recipe_1/given", "recipe_2/given"],
        ["recipe_1/preset", "recipe_2/preset"],
    ]
