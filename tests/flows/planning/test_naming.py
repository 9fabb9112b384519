"""Pictures that patterns found under one name: names of their own, and never a whole plan lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.planning.plan import Plan, make_plan


def plan_of(home: Path, *files: str, entries: str, name: str = "{content}") -> Plan:
    for file in (*files, "art/x.jpg"):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_bytes(file.encode())
    text = f"version: 1\noutput: out\nname: '{name}'\nsettings: {{encoder: vgg19}}\n{entries}\n"
    return make_plan(load_manifest(home / "m.yaml", text=text))


def names(plan: Plan) -> list[str]:
    return [planned.pair.name for planned in plan.pairs]


SEARCH = "contents: ['in/**/*.*']\nstyles: [art/x.jpg]"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("in/a.jpg", "in/a.png", "in/b.jpg"), ["a.jpg", "a.png", "b"]),
        (("in/1/a.jpg", "in/2/a.jpg", "in/b.jpg"), ["1/a", "2/a", "b"]),
        (("in/1/a.jpg", "in/2/a.jpg", "in/2/a.png"), ["1/a.jpg", "2/a.jpg", "2/a.png"]),
    ],
)
def test_two_found_files_that_want_one_name_get_names_that_tell_them_apart(
    tmp_path: Path, files: tuple[str, ...], expected: list[str]
) -> None:
    plan = plan_of(tmp_path, *files, entries=SEARCH)
    assert sorted(names(plan)) == expected
    assert plan.refused == ()


def test_a_picture_that_is_named_in_full_keeps_its_name_beside_a_found_one(tmp_path: Path) -> None:
    entries = "contents: [in/a.jpg, 'in/*.png']\nstyles: [art/x.jpg]"
    assert names(plan_of(tmp_path, "in/a.jpg", "in/a.png", entries=entries)) == ["a", "a.png"]


RUN_TOGETHER = "{content}{style}"
"""By which `ab` in the style `c` is called as `a` in the style `bc` is."""


def test_a_found_file_whose_name_is_taken_costs_its_own_pair_alone(tmp_path: Path) -> None:
    entries = "contents: ['in/*.jpg']\nstyles: [art/c.jpg, art/bc.jpg]"
    files = ("in/a.jpg", "in/ab.jpg", "art/c.jpg", "art/bc.jpg")
    plan = plan_of(tmp_path, *files, entries=entries, name=RUN_TOGETHER)
    assert names(plan) == ["ac", "abc", "abbc"]
    (refused,) = plan.refused
    assert refused.name == f"abc ({tmp_path}/in/a.jpg in the style of {tmp_path}/art/bc.jpg)"
    assert refused.kind == "bad_name"
    assert "'abc' is taken" in refused.message
    assert "in/ab.jpg in the style of" in refused.message
    assert "in/a.jpg in the style of" in refused.message
    assert plan.counts == {"planned": 4, "done": 0, "todo": 3}


def test_each_of_several_pairs_that_want_one_name_counts(tmp_path: Path) -> None:
    entries = "contents: ['in/*.jpg']\nstyles: ['art/*d.jpg']"
    files = ("in/a.jpg", "in/ab.jpg", "in/abc.jpg", "art/bcd.jpg", "art/cd.jpg", "art/d.jpg")
    plan = plan_of(tmp_path, *files, entries=entries, name=RUN_TOGETHER)
    assert names(plan).count("abcd") == 1
    told = {one.name for one in plan.refused if one.name.startswith("abcd")}
    assert told == {
        f"abcd ({tmp_path}/in/ab.jpg in the style of {tmp_path}/art/cd.jpg)",
        f"abcd ({tmp_path}/in/abc.jpg in the style of {tmp_path}/art/d.jpg)",
    }
    assert plan.counts["planned"] == 9 == len({*names(plan), *(one.name for one in plan.refused)})


STEPS = "sweep: {steps: [10, 20]}"


def test_a_swept_pair_whose_name_is_taken_takes_its_sheet_along_and_nothing_else(tmp_path: Path) -> None:
    entries = f"contents: ['in/*']\nstyles: [art/w.jpg]\n{STEPS}"
    files = ("in/a.jpg", "in/a.png", "in/b.jpg", "art/w.jpg")
    plan = plan_of(tmp_path, *files, entries=entries, name="{folder}/{stem}__{style}")
    assert names(plan) == ["a__w__steps=10", "b__w__steps=10", "a__w__steps=20", "b__w__steps=20"]
    assert [one.kind for one in plan.refused] == ["bad_name", "bad_name"]
    assert [sheet.name for sheet in plan.sheets] == ["a__w__sheet.png", "b__w__sheet.png"]
    assert plan.warnings == ()


def test_a_found_contact_sheet_whose_name_is_taken_is_left_out_with_a_warning(tmp_path: Path) -> None:
    entries = "contents: ['in/*']\nstyles: [art/W__sheet.jpg, {image: art/w.jpg, sweep: {steps: [10, 20]}}]"
    files = ("in/a.jpg", "in/b.jpg", "art/w.jpg", "art/W__sheet.jpg")
    plan = plan_of(tmp_path, *files, entries=entries, name="{content}_{style}")
    assert sorted(names(plan)) == [
        "a_W__sheet", "a_w__steps=10", "a_w__steps=20", "b_W__sheet", "b_w__steps=10", "b_w__steps=20",
    ]  # fmt: skip
    assert plan.sheets == ()
    assert plan.refused == ()
    (told, _) = plan.warnings
    assert told.startswith("a contact sheet is left out: 'a_W__sheet' and 'a_w__sheet' are one name")


def test_names_that_the_user_wrote_are_his_to_mend(tmp_path: Path) -> None:
    entries = "contents: [in/a.jpg, in/ab.jpg]\nstyles: [art/c.jpg, art/bc.jpg]"
    with pytest.raises(ManifestError, match="'abc' is taken"):
        plan_of(tmp_path, entries=entries, name=RUN_TOGETHER)
