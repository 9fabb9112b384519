"""Regions from the manifest to the picture and its record."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worker_here as worker
from object_store import ObjectStore
from PIL import Image
from small_batch import FAST, draw, manifest, record, small_batch, tree, waves

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.model.blend import Part
from flows.model.pair import Job, Outcome
from flows.model.regions import Region
from flows.planning.plan import make_plan

SKY = "mask: masks/left.png, style: paintings/s1.png"


def draw_mask(path: Path, *, width: int = 64, height: int = 48, white: float = 0.5) -> None:
    """White on the left up to that share of the width."""
    path.parent.mkdir(exist_ok=True)
    shades = np.where(np.arange(width) < white * width, 255, 0).astype(np.uint8)
    Image.fromarray(np.tile(shades, (height, 1))).save(path)


@pytest.fixture(autouse=True)
def _device() -> None:
    worker.start("cpu")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one photo, three paintings and a mask of the photo's left half."""
    small_batch(tmp_path, photos=1, paintings=3)
    draw_mask(tmp_path / "masks/left.png")
    return tmp_path


def styled(home: Path, *regions: str, settings: str = FAST, style: str = "paintings/s0.png") -> Path:
    """The manifest of the photo in a style, with these regions in others."""
    listed = "".join(f"\n      - {{{region}}}" for region in regions)
    regions_key = f"\n    regions:{listed}" if regions else ""
    entries = f"pairs:\n  - content: photos/p0.png\n    style: {style}\n    name: made{regions_key}"
    return manifest(home, entries, settings=settings)


def do(path: Path) -> Outcome:
    """The one pair that is to do, in this process."""
    plan = make_plan(load_manifest(path))
    (job,) = [Job(p.pair, plan.output, p.identity, p.attempts) for p in plan.todo]
    return worker.run_pair(job)


def made(path: Path) -> Any:
    """Make the pair anew; its pixels."""
    shutil.rmtree(path.parent / "out", ignore_errors=True)
    assert do(path).status == "done"
    with Image.open(path.parent / "out/made.png") as image:
        return np.asarray(image).copy()


def pictures(home: Path) -> list[Any]:
    """All results in the order of their names."""
    return [np.asarray(Image.open(path)).astype(float) for path in sorted((home / "out").glob("*.png"))]


def reason(path: Path) -> str:
    (planned,) = make_plan(load_manifest(path)).pairs
    return planned.reason


def test_a_manifest_gives_regions_with_absolute_pictures_and_shares() -> None:
    found = load_manifest(
        "/jobs/m.yaml",
        text="""
version: 1
output: out
pairs:
  - content: a.jpg
    style: b.jpg
    regions:
      - {mask: ./masks/sky.png, style: c.jpg, style_mask: "s3://bucket/c.png", weight: 2}
      - {mask: sea.png, style: {blend: {d.jpg: 3, e.jpg: 1}}}
      - {mask: face.png}
""",
    )
    assert found.pairs[0].regions == (
        Region("/jobs/masks/sky.png", (Part("/jobs/c.jpg", 1.0),), "s3://bucket/c.png", 2.0),
        Region("/jobs/sea.png", (Part("/jobs/d.jpg", 0.75), Part("/jobs/e.jpg", 0.25))),
        Region("/jobs/face.png"),
    )


def test_a_region_changes_its_part_of_the_picture_and_hardly_the_rest(home: Path) -> None:
    speckled = np.random.default_rng(0).integers(0, 256, (48, 64, 1))
    Image.fromarray((speckled * [1, 0.3, 0]).astype(np.uint8)).save(home / "paintings/s1.png")
    settings = "size: 64, steps: 30"
    whole = made(styled(home, settings=settings))
    other = made(styled(home, settings=settings, style="paintings/s1.png"))
    found = made(styled(home, SKY, settings=settings))
    apart = [np.abs(found.astype(int) - picture).mean((0, 2)) for picture in (other, whole)]
    own, others = slice(0, 20), slice(44, 64)
    assert apart[0][own].mean() < 0.6 * apart[1][own].mean()
    assert apart[1][others].mean() < 0.5 * apart[0][others].mean()


@pytest.mark.parametrize(
    "setting",
    [
        "statistics: moments",
        "colour: match",
        "colour: luminance",
        "style_crop: [0, 0.25, 0.75, 1]",
        "style_scale: 0.5",
        "optimizer: adam",
        "init: noise",
        "mode: texture",
        'mode: texture, aspect: "1:2"',
        "snapshot_every: 2, animation: gif",
    ],
)
def test_masks_styles_and_style_masks_count_under_every_setting(home: Path, setting: str) -> None:
    settings = f"{FAST}, {setting}"
    draw_mask(home / "masks/third.png", white=1 / 3)
    draw_mask(home / "masks/style.png", white=0.6)
    pictures = [
        made(styled(home, *regions, settings=settings)).tobytes()
        for regions in (
            (),
            (SKY,),
            (SKY.replace("s1", "s2"),),
            (SKY.replace("left", "third"),),
            (f"{SKY}, style_mask: masks/style.png",),
            (f"{SKY}, weight: 5",),
            (SKY.replace("paintings/s1.png", "{blend: {paintings/s1.png: 1, paintings/s2.png: 1}}"),),
            ("mask: masks/left.png",),
        )
    ]
    assert len(set(pictures)) == len(pictures)


def test_the_shares_of_a_regions_blend_count(home: Path) -> None:
    alone = [made(styled(home, SKY.replace("s1", style))).astype(int) for style in ("s1", "s2")]
    for shares in ((9, 1), (1, 9)):
        blend = f"{{blend: {{paintings/s1.png: {shares[0]}, paintings/s2.png: {shares[1]}}}}}"
        mixed = made(styled(home, SKY.replace("paintings/s1.png", blend)))
        first, second = (np.abs(mixed - picture).mean() for picture in alone)
        assert (first < second) == (shares[0] > shares[1])


def test_a_picture_with_snapshots_is_that_without(home: Path) -> None:
    plain = made(styled(home, SKY)).tobytes()
    assert made(styled(home, SKY, settings=f"{FAST}, snapshot_every: 2")).tobytes() == plain
    assert sorted(path.name for path in (home / "out").glob("made.0*")) == ["made.0002.png", "made.0004.png"]


def test_a_record_names_every_picture_of_every_region(home: Path) -> None:
    draw_mask(home / "masks/small.png", width=32, height=24)
    blend = "mask: masks/small.png, style: {blend: {paintings/s1.png: 1, paintings/s2.png: 3}}"
    assert do(styled(home, f"{SKY}, style_mask: masks/left.png", blend)).status == "done"
    told = record(home, "made")
    assert {role: Path(source.uri).name for role, source in told.others.items()} == {
        "regions[0].mask": "left.png",
        "regions[0].style": "s1.png",
        "regions[0].style_mask": "left.png",
        "regions[1].mask": "small.png",
        "regions[1].style": "s1.png",
        "regions[1].style[1]": "s2.png",
    }
    assert told.others["regions[1].mask"].decisions == ("mask scaled from 32x24 to 64x48 px",)
    digests = {role: source.sha256 for role, source in told.others.items()}
    assert told.ingredients is not None
    assert told.ingredients.regions == (
        f"mask {digests['regions[0].mask']} style {digests['regions[0].style']} "
        f"style_mask {digests['regions[0].style_mask']} weight 1.0; "
        f"mask {digests['regions[1].mask']} style 0.25*{digests['regions[1].style']}"
        f"+0.75*{digests['regions[1].style[1]']} weight 1.0"
    )


def test_a_second_run_does_nothing_until_something_of_a_region_changes(home: Path) -> None:
    path = styled(home, SKY)
    do(path)
    assert reason(path) == ""
    for regions in ((), (f"{SKY}, weight: 2",), (SKY.replace("s1", "s2"),), (SKY, SKY)):
        assert reason(styled(home, *regions)) == "regions changed"
    path = styled(home, SKY)
    assert reason(path) == ""
    draw_mask(home / "masks/left.png", white=0.6)
    assert reason(path) == "regions changed"
    do(path)
    assert reason(path) == ""
    draw(home / "paintings/s1.png", 99)
    assert reason(path) == "regions changed"


def test_the_same_regions_give_the_same_bytes(home: Path) -> None:
    path = styled(home, SKY)
    do(path)
    before = tree(home / "out")
    shutil.rmtree(home / "out")
    do(path)
    assert tree(home / "out") == before


@pytest.mark.parametrize(
    ("mistake", "kind", "message"),
    [
        ("missing", "not_found", "masks/bad.png"),
        ("no picture", "bad_image", "masks/bad.png: this is"),
        ("photo", "bad_image", "masks/bad.png: a mask is grey, white where it counts"),
        ("black", "bad_image", "masks/bad.png: this mask is black everywhere"),
    ],
)
def test_a_bad_mask_costs_its_own_pair_and_is_named(
    home: Path, mistake: str, kind: str, message: str
) -> None:
    bad = home / "masks/bad.png"
    if mistake == "no picture":
        bad.write_text("no picture")
    elif mistake == "photo":
        Image.fromarray(waves(1)).save(bad)
    elif mistake == "black":
        draw_mask(bad, white=0)
    for key in ("mask", "style_mask"):
        region = f"{SKY}, style_mask: masks/bad.png" if key == "style_mask" else SKY.replace("left", "bad")
        ended = do(styled(home, region))
        assert (ended.status, ended.kind) == ("failed", kind)
        assert message in ended.message
        assert reason(styled(home, region)) == f"failed before: {kind}"


def test_a_style_mask_is_cut_to_the_same_part_as_its_style(home: Path) -> None:
    # The mask marks the left half and the right one is used, so nothing is left of it.
    ended = do(
        styled(home, f"{SKY}, style_mask: masks/left.png", settings=f"{FAST}, style_crop: [0.5, 0, 1, 1]")
    )
    assert "masks/left.png: this mask is black everywhere" in ended.message


def test_pairs_that_a_worker_gets_together_keep_their_own_regions(home: Path) -> None:
    draw_mask(home / "masks/third.png", white=1 / 3)
    regions = ("", f"regions: [{{{SKY}}}], ", f"regions: [{{{SKY.replace('left', 'third')}}}], ")
    entries = "".join(
        f"\n  - {{content: photos/p0.png, style: paintings/s0.png, {region}name: n{at}}}"
        for at, region in enumerate(regions)
    )
    plan = make_plan(load_manifest(manifest(home, f"pairs:{entries}")))
    jobs = [Job(p.pair, plan.output, p.identity, p.attempts) for p in plan.todo]
    assert {outcome.status for outcome in worker.run_pairs(jobs)} == {"done"}
    together = pictures(home)
    shutil.rmtree(home / "out")
    for job in jobs:
        worker.run_pair(job)
    alone = pictures(home)
    for at, found in enumerate(together):
        apart = [float(np.abs(found - picture).mean()) for picture in alone]
        assert apart[at] < 0.1 * min(apart[:at] + apart[at + 1 :])


def test_a_missing_mask_is_foretold_by_the_plan(home: Path) -> None:
    path = styled(home, SKY.replace("left", "nowhere"))
    assert any("masks/nowhere.png does not exist" in text for text in make_plan(load_manifest(path)).warnings)


def test_a_mask_that_a_result_would_replace_is_a_problem(home: Path) -> None:
    path = styled(home, SKY.replace("masks/left.png", "out/made.png"))
    with pytest.raises(ManifestError, match=r"out/made\.png would be replaced by the result"):
        make_plan(load_manifest(path))


@pytest.mark.parametrize("setting", ["mode: content", "style_weight: 0"])
def test_regions_without_a_use_for_styles_are_a_mistake(home: Path, setting: str) -> None:
    path = styled(home, SKY, settings=f"{FAST}, {setting}")
    with pytest.raises(ManifestError, match=rf"pairs\[0\]: `{setting}.*` has no style for `regions`"):
        make_plan(load_manifest(path))


def test_masks_and_styles_of_regions_may_lie_on_s3(home: Path, object_store: ObjectStore) -> None:
    for name in ("masks/left.png", "paintings/s1.png"):
        object_store.put(name, (home / name).read_bytes())
    far = f'"s3://{object_store.bucket}/'
    region = f'mask: {far}masks/left.png", style: {far}paintings/s1.png", style_mask: {far}masks/left.png"'
    near = made(styled(home, f"{SKY}, style_mask: masks/left.png"))
    path = styled(home, region)
    assert np.array_equal(made(path), near)
    assert reason(path) == ""
    object_store.put("masks/left.png", (home / "masks/left.png").read_bytes() + b"\0")
    assert reason(path) != ""
