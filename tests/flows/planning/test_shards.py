"""Plans of shards: disjoint, together the whole, stable, and without a look at what other shards need."""

from __future__ import annotations

from pathlib import Path

import pytest
from object_store import ObjectStore
from small_batch import FAST, draw, manifest, small_batch

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.model.shard import Shard
from flows.planning.plan import Plan, make_plan

COUNT = 3


def shards(path: Path) -> list[Plan]:
    loaded = load_manifest(path)
    return [make_plan(loaded, shard=Shard(index, COUNT)) for index in range(COUNT)]


def names(plan: Plan) -> list[str]:
    return [planned.pair.name for planned in plan.pairs]


def test_shards_share_no_pair_and_are_together_the_whole(tmp_path: Path) -> None:
    path = small_batch(tmp_path, photos=5, paintings=3)
    parts = [names(plan) for plan in shards(path)]
    assert sorted(name for part in parts for name in part) == sorted(names(make_plan(load_manifest(path))))
    assert all(parts)


def test_new_pictures_move_no_old_pair_to_another_shard(tmp_path: Path) -> None:
    path = small_batch(tmp_path, photos=5, paintings=3)
    before = [set(names(plan)) for plan in shards(path)]
    draw(tmp_path / "photos/new.png", 77)
    after = [set(names(plan)) for plan in shards(path)]
    assert all(old <= new for old, new in zip(before, after, strict=True))
    assert sum(map(len, after)) == sum(map(len, before)) + 3


def test_the_identities_of_a_shard_are_those_of_the_whole(tmp_path: Path) -> None:
    path = small_batch(tmp_path)
    whole = {one.pair.name: one.identity for one in make_plan(load_manifest(path)).pairs}
    parts = {one.pair.name: one.identity for plan in shards(path) for one in plan.pairs}
    assert parts == whole


def test_a_shard_looks_at_no_picture_that_only_others_need(tmp_path: Path, object_store: ObjectStore) -> None:
    style = draw(tmp_path / "s.png", 1)
    for number in range(9):
        object_store.put(f"in/{number}.png", (tmp_path / "s.png").read_bytes())
    listed = ", ".join(f"'{object_store.root}/in/{number}.png'" for number in range(9))
    path = manifest(tmp_path, f"contents: [{listed}]\nstyles: [{style}]", settings=FAST)
    plan = make_plan(load_manifest(path), shard=Shard(0, COUNT))
    assert 0 < len(plan.pairs) < 9
    assert object_store.count("HEAD", "in/*") == len(plan.pairs)


def test_names_that_collide_are_found_by_every_shard(tmp_path: Path) -> None:
    draw(tmp_path / "a/p.png", 1)
    draw(tmp_path / "b/p.png", 2)
    path = manifest(tmp_path, "contents: [a/p.png, b/p.png]\nstyles: [a/p.png]")
    for index in range(COUNT):
        with pytest.raises(ManifestError, match="is taken"):
            make_plan(load_manifest(path), shard=Shard(index, COUNT))


def test_contact_sheets_belong_to_the_whole(tmp_path: Path) -> None:
    path = small_batch(tmp_path, photos=1, paintings=1)
    path = manifest(
        tmp_path, "sweep: {tv_weight: [0, 1, 2]}\ncontents: ['photos/*']\nstyles: ['paintings/*']"
    )
    assert len(make_plan(load_manifest(path)).sheets) == 1
    assert [plan.sheets for plan in shards(path)] == [()] * COUNT
