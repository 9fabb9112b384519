"""Blends of styles from the manifest to the picture and its record."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import worker_here as worker
from hypothesis import given
from hypothesis import strategies as st
from object_store import ObjectStore
from small_batch import FAST, draw, manifest, record, small_batch, tree

from flows.manifest.load import load_manifest
from flows.model.blend import Blend, Part, shares_of
from flows.model.pair import Job, Outcome
from flows.planning.plan import make_plan

BOTH = "blend: {paintings/s0.png: 3, paintings/s1.png: 1}"


@pytest.fixture(autouse=True)
def _device() -> None:
    worker.start("cpu")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one photo and two paintings."""
    small_batch(tmp_path, photos=1)
    return tmp_path


def do(path: Path) -> dict[str, Outcome]:
    """Everything that is to do, in this process."""
    plan = make_plan(load_manifest(path))
    jobs = [Job(p.pair, plan.output, p.identity, p.attempts) for p in plan.todo]
    return {job.pair.name: worker.run_pair(job) for job in jobs}


def styled(home: Path, *styles: str, settings: str = FAST) -> Path:
    """The manifest of the photo in these styles."""
    entries = "".join(f"\n  - {{{style}}}" for style in styles)
    return manifest(home, f"contents: ['photos/*']\nstyles:{entries}", settings=settings)


def reasons(path: Path) -> dict[str, str]:
    return {planned.pair.name: planned.reason for planned in make_plan(load_manifest(path)).todo}


def pixels(home: Path, name: str) -> bytes:
    from PIL import Image

    with Image.open(home / f"out/{name}.png") as image:
        return image.tobytes()


@given(st.dictionaries(st.text(), st.floats(0, 1e15), min_size=1).filter(lambda w: any(w.values())))
def test_shares_are_the_weights_over_their_sum(weights: dict[str, float]) -> None:
    shares = shares_of(weights)
    assert sum(part.share for part in shares) == pytest.approx(1)
    assert {part.picture for part in shares} <= {picture for picture, weight in weights.items() if weight}
    double = shares_of({picture: 2 * weight for picture, weight in weights.items()})
    assert shares == double


def test_a_manifest_gives_shares_in_its_own_order_and_leaves_out_what_has_no_weight() -> None:
    found = load_manifest(
        "/jobs/m.yaml",
        text="""
version: 1
output: out
contents: [a.jpg]
styles:
  - {name: dawn, blend: {"paintings/[x].jpg": 2, "s3://bucket/k.jpg": 1, off.jpg: 0}, settings: {size: 64}}
  - {name: plain, blend: {off.jpg: 0, ../only.jpg: 7}}
pairs:
  - {content: b.jpg, style: {name: dusk, blend: {y.jpg: 1, x.jpg: 1}}}
""",
    )
    dawn, plain = found.styles
    expected: Blend[str] = (Part("/jobs/paintings/[x].jpg", 2 / 3), Part("s3://bucket/k.jpg", 1 / 3))
    assert (dawn.name, dawn.blend, dawn.settings) == ("dawn", expected, {"size": 64})
    assert (plain.image, plain.blend) == ("/only.jpg", ())
    (pair,) = found.pairs
    assert (pair.style, pair.style_name) == ("/jobs/y.jpg", "dusk")
    assert [part.picture for part in pair.blend] == ["/jobs/y.jpg", "/jobs/x.jpg"]


def test_a_blend_with_one_weight_is_that_style_picture_and_identity_alike(home: Path) -> None:
    blends = [f"name: {n}, blend: {{paintings/s0.png: {a}, paintings/s1.png: {b}}}" for n, a, b in
              (("first", 1, 0), ("second", 0, 0.5))]  # fmt: skip
    assert set(do(styled(home, *blends, "image: paintings/s0.png", "image: paintings/s1.png"))) == {
        "p0__first", "p0__second", "p0__s0", "p0__s1",
    }  # fmt: skip
    for blend, single in (("p0__first", "p0__s0"), ("p0__second", "p0__s1")):
        assert pixels(home, blend) == pixels(home, single)
        assert record(home, blend).identity == record(home, single).identity


def test_a_blend_is_neither_of_its_styles_and_its_weights_count(home: Path) -> None:
    three_to_one, one_to_three = f"name: a, {BOTH}", f"name: b, {BOTH.replace('3', '1', 1)}"
    do(styled(home, three_to_one, one_to_three, "image: paintings/s0.png", "image: paintings/s1.png"))
    assert len({pixels(home, f"p0__{name}") for name in ("a", "b", "s0", "s1")}) == 4


@pytest.mark.parametrize(
    "setting",
    [
        "statistics: gram",
        "statistics: moments",
        "colour: match",
        "colour: luminance",
        "style_crop: [0, 0.25, 0.5, 1]",
        "style_scale: 0.5",
        "init: style",
        "mode: texture",
    ],
)
def test_a_blend_of_one_painting_in_two_files_is_that_painting(home: Path, setting: str) -> None:
    # Halves of one number add up to it without rounding, so whatever the setting, not a bit may differ.
    shutil.copy(home / "paintings/s0.png", home / "paintings/copy.png")
    twice = "name: twice, blend: {paintings/s0.png: 1, paintings/copy.png: 1}"
    do(styled(home, twice, "image: paintings/s0.png", settings=f"{FAST}, {setting}"))
    assert pixels(home, "p0__twice") == pixels(home, "p0__s0")
    plain = home.with_name(home.name + "-plain")
    small_batch(plain, photos=1)
    do(styled(plain, f"name: twice, {BOTH}", settings=f"{FAST}, {setting}"))
    assert pixels(plain, "p0__twice") != pixels(home, "p0__s0")


def test_a_record_names_every_picture_of_a_blend(home: Path) -> None:
    do(styled(home, f"name: mix, {BOTH}"))
    told = record(home, "p0__mix")
    assert told.style is not None
    assert told.ingredients is not None
    assert told.style.uri.endswith("paintings/s0.png")
    assert [(role, source.uri) for role, source in told.others.items()] == [
        ("style[1]", str(home / "paintings/s1.png"))
    ]
    digests = told.style.sha256, told.others["style[1]"].sha256
    assert told.ingredients.style == f"0.75*{digests[0]}+0.25*{digests[1]}"


def test_a_second_run_does_nothing_until_a_part_or_a_weight_changes(home: Path) -> None:
    path = styled(home, f"name: mix, {BOTH}")
    do(path)
    before = tree(home / "out")
    assert reasons(path) == {}
    assert reasons(styled(home, f"name: mix, {BOTH.replace('3', '6', 1).replace(': 1', ': 2')}")) == {}
    assert reasons(styled(home, f"name: mix, {BOTH.replace('3', '2', 1)}")) == {"p0__mix": "style changed"}
    draw(home / "paintings/s1.png", 99)
    assert reasons(path) == {"p0__mix": "style changed"}
    do(path)
    assert tree(home / "out") != before
    assert reasons(path) == {}


def test_a_missing_or_broken_part_costs_its_own_pairs_alone_and_is_named(home: Path) -> None:
    (home / "paintings/s2.png").write_bytes(b"no picture")
    gone = "name: gone, blend: {paintings/s0.png: 1, paintings/nowhere.png: 1}"
    broken = "name: broken, blend: {paintings/s0.png: 1, paintings/s2.png: 1}"
    path = styled(home, gone, broken, f"name: fine, {BOTH}")
    assert any("nowhere.png" in warning for warning in make_plan(load_manifest(path)).warnings)
    ended = do(path)
    assert {name: (end.status, end.kind) for name, end in ended.items()} == {
        "p0__gone": ("failed", "not_found"),
        "p0__broken": ("failed", "bad_image"),
        "p0__fine": ("done", ""),
    }
    assert "paintings/nowhere.png" in ended["p0__gone"].message
    assert "paintings/s2.png" in ended["p0__broken"].message
    assert reasons(path) == {
        "p0__gone": "failed before: not_found",
        "p0__broken": "failed before: bad_image",
    }


def test_the_parts_of_a_pairs_blend_may_lie_on_s3(home: Path, object_store: ObjectStore) -> None:
    bucket = f"s3://{object_store.bucket}"
    object_store.put("far/s1.png", (home / "paintings/s1.png").read_bytes())
    blend = f'{{name: mix, blend: {{"{bucket}/far/s1.png": 1, paintings/s0.png: 3}}}}'
    path = manifest(home, f"pairs: [{{content: photos/p0.png, style: {blend}}}]")
    assert do(path)["p0__mix"].status == "done"
    assert reasons(path) == {}
    object_store.put("far/s1.png", (home / "photos/p0.png").read_bytes())
    assert "p0__mix" in reasons(path)


def test_a_folder_is_no_part_of_a_blend_and_is_named(home: Path) -> None:
    """Not the picture in it: a blend says which pictures it is made of."""
    (home / "folder").mkdir()
    draw(home / "folder/s2.png", 12)
    path = styled(home, "blend: {folder: 1, paintings/s1.png: 1}, name: mix")
    (outcome,) = do(path).values()
    assert (outcome.name, outcome.status, outcome.kind) == ("p0__mix", "failed", "denied")
    assert f"{home}/folder: is a directory" in outcome.message


def test_a_pair_that_names_a_part_of_a_blend_does_not_take_the_blends_settings(home: Path) -> None:
    entries = f"""
contents: [photos/p0.png]
styles: [{{name: mix, {BOTH}, settings: {{steps: 2}}}}]
pairs: [{{content: photos/p0.png, style: paintings/s0.png}}]
"""
    plan = make_plan(load_manifest(manifest(home, entries)))
    assert {p.pair.name: p.pair.style_settings.steps for p in plan.pairs} == {"p0__mix": 2, "p0__s0": 5}
