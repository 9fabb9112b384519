"""Results of earlier versions and settings: those that would come out the same stay done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stub_records import PICTURE, finished

from flows.manifest.load import load_manifest
from flows.model.identity import identity
from flows.planning.plan import Plan, make_plan
from flows.records.earlier import identity_today
from flows.records.record import Source
from flows.records.store import read_record
from flows.storage.opening import open_storage

MANIFEST = """version: 1
output: out
contents: [photo.png]
settings: {{steps: 50, {settings}}}
styles: [painting.png]
"""
GROWN = "algorithm {} -> 3 (a style with fewer pixels than it is measured in is enlarged)"


def plan_of(home: Path, settings: str = "size: 256") -> Plan:
    for name in ("photo.png", "painting.png"):
        (home / name).write_bytes(name.encode())
    return make_plan(load_manifest(home / "m.yaml", text=MANIFEST.format(settings=settings)))


# Why so many: all that an older record says of what was made.
def leave_older(
    plan: Plan, size: tuple[int, int], *, algorithm: int = 1, longest: int = 256, **more: Any
) -> None:
    """The picture and record that an earlier version would have left, with a style of that size."""
    (planned,) = plan.pairs
    record = finished(planned.pair)
    assert record.ingredients is not None
    assert record.style is not None
    assert record.output is not None
    made = replace(record.ingredients, algorithm=algorithm)
    width, height = size
    older = record.model_copy(
        update={
            "ingredients": made,
            "identity": identity(made),
            "style": record.style.model_copy(update={"width": width, "height": height}),
            "output": record.output.model_copy(update={"width": longest, "height": longest // 2}),
            **more,
        }
    )
    storage = open_storage(plan.output)
    storage.write(planned.pair.output_name, PICTURE)
    storage.write(planned.pair.record_name, older.to_bytes())


@pytest.mark.parametrize(
    ("settings", "size", "longest"),
    [
        ("size: 256", (256, 100), 256),
        ("size: 256", (200, 300), 256),
        ("size: 256, style_scale: 0.5", (128, 128), 256),
        ("size: 256, style_scale: 2", (512, 20), 256),
        ("size: 256, style_crop: [0.5, 0, 1, 1]", (512, 256), 256),
        ("size: original", (700, 20), 700),
        ("megapixels: 0.5", (1000, 20), 1000),
    ],
)
def test_what_was_made_with_a_large_style_stays_done(
    tmp_path: Path, settings: str, size: tuple[int, int], longest: int
) -> None:
    leave_older(plan_of(tmp_path, settings), size, longest=longest)
    assert plan_of(tmp_path, settings).counts == {"planned": 1, "done": 1, "todo": 0}


@pytest.mark.parametrize(
    ("settings", "size", "longest"),
    [
        ("size: 256", (255, 100), 256),
        ("size: 256, style_scale: 2", (511, 511), 256),
        ("size: 256, style_crop: [0.5, 0, 1, 1]", (510, 255), 256),
        ("size: original", (600, 20), 700),
        ("megapixels: 0.5", (900, 20), 1000),
    ],
)
def test_what_was_made_with_a_small_one_is_to_do_with_the_reason(
    tmp_path: Path, settings: str, size: tuple[int, int], longest: int
) -> None:
    leave_older(plan_of(tmp_path, settings), size, longest=longest)
    assert list(plan_of(tmp_path, settings).reasons) == [GROWN.format(1)]


@pytest.mark.parametrize(
    ("role", "size", "counts"),
    [
        ("style[1]", 255, True),
        ("style[1]", 256, False),
        ("regions[0].style", 255, True),
        ("regions[0].style[1]", 255, True),
        ("regions[0].style_mask", 20, False),
        ("regions[0].mask", 20, False),
    ],
)
def test_every_style_of_a_blend_and_of_regions_counts_and_no_mask(
    tmp_path: Path, role: str, size: int, *, counts: bool
) -> None:
    plan = plan_of(tmp_path)
    (planned,) = plan.pairs
    leave_older(plan, (300, 300), others={role: Source(uri="file:///x", width=size, height=9)})
    record = read_record(open_storage(plan.output), planned.pair.record_name)
    assert record is not None
    assert (identity_today(record, planned.pair) == record.identity) is counts


def test_a_picture_that_another_change_concerns_is_to_do_however_large_its_style(tmp_path: Path) -> None:
    asked = "size: 256, loss: mean, range_weight: 10"
    leave_older(plan_of(tmp_path, asked), (400, 400), algorithm=1)
    (reason,) = plan_of(tmp_path, asked).reasons
    assert reason.startswith("algorithm 1 -> 3 (the penalty ")
    leave_older(plan_of(tmp_path, asked), (400, 400), algorithm=2)
    assert plan_of(tmp_path, asked).counts["done"] == 1


def test_other_settings_are_named_without_a_word_of_algorithms(tmp_path: Path) -> None:
    leave_older(plan_of(tmp_path), (400, 400))
    assert list(plan_of(tmp_path, "size: 256, style_weight: 3").reasons) == [
        "settings: style_weight 1000.0 -> 3.0"
    ]


def test_a_record_that_does_not_tell_the_size_of_its_style_is_to_do(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    (planned,) = plan.pairs
    leave_older(plan, (400, 400), style=finished(planned.pair).style)
    assert list(plan_of(tmp_path).reasons) == [GROWN.format(1)]


def leave_read(plan: Plan, width: int | None, height: int | None) -> None:
    """The same of a photo of that size."""
    (planned,) = plan.pairs
    photo = finished(planned.pair).content
    assert photo is not None
    leave_older(plan, (400, 400), content=photo.model_copy(update={"width": width, "height": height}))


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ("frames: refuse", "frames: first"),
        ("frames: first", "frames: refuse"),
        ("max_megapixels: 12", "max_megapixels: 200"),
        ("max_megapixels: 200", "max_megapixels: 12"),
        ("max_megapixels: 12", "max_megapixels: 13, frames: first"),
    ],
)
def test_what_says_which_inputs_are_refused_puts_no_picture_out_of_date(
    tmp_path: Path, made: str, asked: str
) -> None:
    leave_read(plan_of(tmp_path, f"size: 256, {made}"), 4000, 3000)
    assert plan_of(tmp_path, f"size: 256, {asked}").counts["done"] == 1


@pytest.mark.parametrize(
    ("made", "asked"), [("11.99", "200.0"), ("200.0", "11.99"), ("5.0", "6.0")], ids=["was", "is", "both"]
)
def test_a_photo_that_is_or_was_read_in_parts_is_to_do_with_the_reason(
    tmp_path: Path, made: str, asked: str
) -> None:
    leave_read(plan_of(tmp_path, f"size: 256, max_megapixels: {made}"), 4000, 3000)
    plan = plan_of(tmp_path, f"size: 256, max_megapixels: {asked}")
    assert list(plan.reasons) == [f"settings: max_megapixels {made} -> {asked}"]


@pytest.mark.parametrize("asked", ["frames: first", "max_megapixels: 200"])
def test_what_a_record_does_not_tell_of_the_sizes_of_photos_is_not_guessed(
    tmp_path: Path, asked: str
) -> None:
    leave_read(plan_of(tmp_path), None, None)
    assert plan_of(tmp_path, f"size: 256, {asked}").counts["done"] == 0
    leave_read(plan_of(tmp_path), 4000, 3000)
    assert plan_of(tmp_path, f"size: 256, {asked}").counts["done"] == 1
