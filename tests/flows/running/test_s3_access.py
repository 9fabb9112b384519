"""What a manifest says of buckets reaches every process of a run, and changes no identity."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_images import landscape, saved
from object_store import ObjectStore
from small_batch import draw, manifest, stylize, stylize_here

from flows.manifest.load import load_manifest
from flows.records.record import Record
from flows.storage.access import BucketAccess

ACCESS = "s3:\n  open-data: {unsigned: true}\n  stylize-test: {encryption: AES256, requester_pays: true}\n"


def asked(home: Path, store: ObjectStore, access: str) -> Path:
    style = draw(home / "s0.png", 10)
    entries = f"{access}contents: ['s3://open-data/*.png']\nstyles: [{style}]"
    return Path(manifest(home, entries, output=f"{store.root}/out"))


def test_each_bucket_has_what_is_said_of_it(object_store: ObjectStore, tmp_path: Path) -> None:
    assert load_manifest(asked(tmp_path, object_store, ACCESS)).s3 == {
        "open-data": BucketAccess(unsigned=True),
        "stylize-test": BucketAccess(requester_pays=True, encryption="AES256"),
    }


@pytest.mark.slow
def test_workers_ask_each_bucket_as_the_manifest_says_and_leaving_it_out_makes_nothing_anew(
    object_store: ObjectStore, tmp_path: Path
) -> None:
    object_store.client.create_bucket(Bucket="open-data")
    photo = saved(landscape(64, 48), "PNG")
    object_store.client.put_object(Bucket="open-data", Key="photo.png", Body=photo, ACL="public-read")
    object_store.fail("*", "open-data*", "no_signature_wanted")
    object_store.fail("PUT", "out/*", "encryption_wanted")
    object_store.fail("GET", "out/*", "payer_wanted")
    done = stylize_here("run", asked(tmp_path, object_store, ACCESS), "--device", "cpu", "--workers", "1")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "1 of 1 done (1 now, 0 before)"), done.stderr
    assert Record.parse(object_store.get("out/photo__s0.json")).status == "done"
    head = object_store.client.head_object(Bucket=object_store.bucket, Key="out/photo__s0.png")
    assert head["ServerSideEncryption"] == "AES256"
    object_store.heal()
    again = stylize("run", asked(tmp_path, object_store, ""), "--device", "cpu", "--workers", "1")
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "1 of 1 done (0 now, 1 before)"), (
        again.stderr
    )
