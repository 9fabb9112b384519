from __future__ import annotations

from pathlib import Path

import pytest

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.planning.left_out import LeftOut
from flows.planning.plan import Plan, make_plan
from stylize_core.image.facts import facts_text


def write(path: Path, data: bytes | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode() if data is None else data)


OURS = facts_text({"stylize:name": "a__x"}).encode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("in/a.png", "in/b.png", "art/x.png"):
        write(tmp_path / name)
    return tmp_path


def plan_of(home: Path, *, output: str, entries: str, name: str = "{content}__{style}") -> Plan:
    text = f"version: 1\noutput: {output}\nname: '{name}'\nsettings: {{encoder: vgg19}}\n{entries}\n"
    return make_plan(load_manifest(home / "m.yaml", text=text))


def names(plan: Plan) -> list[str]:
    return [planned.pair.name for planned in plan.pairs]


PATTERN = "contents: ['in/*.png']\nstyles: [art/x.png]"


def test_results_may_lie_beside_inputs_under_names_of_their_own(home: Path) -> None:
    plan = plan_of(home, output="in", entries=PATTERN)
    assert names(plan) == ["a__x", "b__x"]
    assert plan.warnings == ()


@pytest.mark.parametrize("output", ["in", "in/", "./in", "link", "art/../in"])
def test_a_result_never_replaces_its_own_input(home: Path, output: str) -> None:
    (home / "link").symlink_to("in")
    with pytest.raises(ManifestError) as caught:
        plan_of(home, output=output, name="{content}", entries=PATTERN)
    assert len(caught.value.problems) == 2
    assert "in/a.png would be replaced by the result of" in str(caught.value)


def test_a_result_never_replaces_an_input_on_a_disk_that_ignores_case(home: Path) -> None:
    with pytest.raises(ManifestError, match="would be replaced"):
        plan_of(
            home,
            output="in",
            entries="pairs: [{content: in/a.png, style: art/x.png, name: A}]",
        )


def test_a_record_never_replaces_an_input(home: Path) -> None:
    write(home / "in/c.json")
    with pytest.raises(ManifestError, match=r"c\.json would be replaced"):
        plan_of(home, output="in", name="{content}", entries="contents: [in/c.json]\nstyles: [art/x.png]")


def test_a_pair_may_not_read_what_another_pair_of_the_run_writes(home: Path) -> None:
    write(home / "out/a__x.png")
    with pytest.raises(ManifestError, match="would be replaced"):
        plan_of(
            home,
            output="out",
            entries=PATTERN + "\npairs: [{content: out/a__x.png, style: art/x.png, name: twice}]",
        )


def test_a_picture_to_start_from_is_an_input_too(home: Path) -> None:
    write(home / "out/a__x.png")
    entries = PATTERN.replace("[art/x.png]", "[{image: art/x.png, settings: {init: out/a__x.png}}]")
    with pytest.raises(ManifestError, match="would be replaced"):
        plan_of(home, output="out", entries=entries)


def test_a_result_whose_record_was_never_written_does_not_stop_the_next_run(home: Path) -> None:
    entries = "contents: ['**/*.png']\nstyles: [art/x.png]"
    fresh = names(plan_of(home, output="out", entries=entries))
    write(home / "out/a__x.png", OURS)
    plan = plan_of(home, output="out", entries=entries)
    assert names(plan) == fresh
    assert {p.pair.name: p.reason for p in plan.pairs}["a__x"] == "picture without a record"
    assert plan.left_out == (LeftOut(f"{home}/out/a__x.png", "ours"),)


@pytest.mark.parametrize("entry", ["'in/*.png'", "in/", "'**/*.png'"])
def test_a_foreign_picture_where_a_result_goes_is_no_input_and_costs_its_own_pair_alone(
    home: Path, entry: str
) -> None:
    write(home / "in/a__x.png")
    plan = plan_of(home, output="in", entries=f"contents: [{entry}]\nstyles: [art/x.png]\nexclude: [art]")
    assert names(plan) == ["b__x"]
    assert plan.left_out[0] == LeftOut(f"{home}/in/a__x.png", "in the way")
    (refused,) = plan.refused
    assert (refused.name, refused.kind) == ("a__x", "foreign_file")
    assert "stylize did not make it" in refused.message


def test_snapshots_and_animations_among_the_inputs_are_left_out_like_results(home: Path) -> None:
    for name in ("in/a__x.0020.png", "in/a__x.gif", "in/b__x.12345.png"):
        write(home / name, OURS)
    text = "version: 1\noutput: in\nsettings: {encoder: vgg19, snapshot_every: 20, animation: gif}\n"
    entries = "contents: ['in/*']\nstyles: [art/x.png]"
    plan = make_plan(load_manifest(home / "m.yaml", text=text + entries))
    assert names(plan) == ["a__x", "b__x"]
    assert [item.why for item in plan.left_out] == ["ours"] * 3
    assert "left out 3 files" in plan.warnings[0]


def test_numbered_pictures_are_inputs_like_others_where_there_are_no_snapshots(home: Path) -> None:
    write(home / "in/a__x.0020.png")
    assert names(plan_of(home, output="in", entries=PATTERN)) == ["a__x", "a__x.0020__x", "b__x"]
