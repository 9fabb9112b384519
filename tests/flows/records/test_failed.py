"""A failed record keeps all that was known of its pair, whoever writes it and however early."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
from small_batch import FAST, manifest, small_batch

from flows.manifest.load import load_manifest
from flows.model.identity import identity
from flows.model.pair import Input, Job
from flows.planning.plan import make_plan
from flows.records.failed import failed_record
from flows.records.record import Failure, Record
from stylize_core.settings.fields import every_value
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

NAMES = {field.name for kind in (StyleSettings, PictureSettings) for field in fields(kind)}


def jobs(home: Path, settings: str = FAST) -> list[Job]:
    small_batch(home)
    plan = make_plan(load_manifest(manifest(home, settings=settings)))
    return [Job(one.pair, plan.output, one.identity, timeout_s=600) for one in plan.todo]


def written(job: Job) -> Record:
    """The record of a pair of which nobody has read anything, as it is read again."""
    record = failed_record(job, Failure(kind="crashed", message="it died"))
    return Record.parse(record.to_bytes())


def test_it_names_the_inputs_with_their_digests_and_what_was_to_be_made_of_them(
    tmp_path: Path,
) -> None:
    (job, *_) = jobs(tmp_path)
    record = written(job)
    assert record.content is not None
    assert record.style is not None
    assert record.ingredients is not None
    assert record.content.uri == str(tmp_path / "photos/p0.png")
    assert (record.ingredients.content, record.ingredients.style) == (
        record.content.sha256,
        record.style.sha256,
    )
    assert record.identity == identity(record.ingredients) == job.identity


def test_without_every_digest_it_names_the_inputs_and_claims_no_ingredients(tmp_path: Path) -> None:
    (job, *_) = jobs(tmp_path)
    unread = replace(job, identity="", pair=replace(job.pair, style=Input("s3://bucket/s.png", "etag")))
    record = written(unread)
    assert record.style is not None
    assert (record.style.uri, record.style.token, record.style.sha256) == ("s3://bucket/s.png", "etag", "")
    assert record.ingredients is None


@pytest.mark.parametrize(
    "settings",
    [
        FAST,
        "encoder: slim, size: 64, steps: 5, mode: content",
        "encoder: slim, size: 64, steps: 20, scales: 2, format: tiff, bit_depth: 16, animation: gif",
    ],
)
def test_it_holds_every_setting_that_there_is_with_the_value_in_force(tmp_path: Path, settings: str) -> None:
    (job, *_) = jobs(tmp_path, settings)
    held = written(job).settings
    assert held.keys() == {*NAMES, "timeout"}
    assert held["timeout"] == 600
    given = every_value(job.pair.style_settings) | every_value(job.pair.picture_settings)
    left_to_us = {name for name, value in given.items() if value in (None, "auto", (), {}, 0)}
    assert {name: held[name] for name in NAMES - left_to_us} == {
        name: given[name] for name in NAMES - left_to_us
    }
    record = written(job)
    assert record.ingredients is not None
    assert record.ingredients.settings.items() <= held.items(), "the identity knows no other value"
