"""Everything at once: broken pictures, a store in trouble, dying workers and a dead Prefect server."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from drawn_images import claiming, landscape, saved
from intensity import LONG, say
from object_store import Fault, ObjectStore
from PIL import Image, PngImagePlugin
from processes import Family, eventually, family, needs_proc
from safetensors.torch import load, save_file
from small_batch import ABOUT_RUNS, Audience, draw, manifest, run_inside, stylize_family

from flows.records.record import Record
from stylize_core.networks.weights import builtin_bytes

pytestmark = [pytest.mark.slow(50), needs_proc, pytest.mark.timeout(1800 if LONG else 300)]

STYLES, GOOD = (5, 80) if LONG else (1, 50)  # each good photo is stylised in every style
TINY = "encoder: slim, size: 48, steps: 5"
WIDE = landscape(64, 48)


def _words() -> bytes:
    facts = PngImagePlugin.PngInfo()
    facts.add_text("Comment", "x" * 3_000_000, zip=True)
    return saved(WIDE, "PNG", pnginfo=facts)


def _film(file_format: str) -> bytes:
    first, second = (Image.fromarray(WIDE // part) for part in (1, 2))
    return saved(first, file_format, save_all=True, append_images=[second])


def _flipped() -> bytes:
    data = bytearray(saved(WIDE, "PNG"))
    data[len(data) // 2] ^= 1
    return bytes(data)


SOUND = saved(WIDE, "PNG")
BROKEN: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "bad_image"),
    "text.jpg": (b"no photograph\n", "bad_image"),
    "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "bad_image"),
    "document.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "bad_image"),
    "cut.jpg": (saved(WIDE, "JPEG")[:-100], "bad_image"),
    "cut.png": (SOUND[:-16], "bad_image"),
    "cut.webp": (saved(WIDE, "WEBP")[:-9], "bad_image"),
    "cut.gif": (saved(WIDE[..., 0], "GIF")[:-9], "bad_image"),
    "flipped.png": (_flipped(), "bad_image"),
    "film.gif": (_film("GIF"), "bad_image"),
    "pages.tif": (_film("TIFF"), "bad_image"),
    "bomb.png": (claiming(SOUND, 50_000, 50_000), "too_large"),
    "words.png": (_words(), "too_large"),
    "dot.png": (saved(Image.new("RGB", (1, 1)), "PNG"), "too_small"),
}
# sound pictures that the store does not give out
WITHHELD: dict[str, tuple[Fault, str]] = {
    "missing.png": ("no_such_key", "not_found"),
    "denied.png": ("access_denied", "denied"),
    "archived.png": ("archived", "denied"),
    "altered.png": ("wrong_bytes", "storage_transient"),
    "short.png": ("short_body", "storage_transient"),
}


def _expected(styles: int) -> dict[str, str]:
    """The kind of each pair that must fail."""
    kinds = {photo: kind for photo, (_, kind) in (BROKEN | WITHHELD).items()} | {"runaway.png": "diverged"}
    assert len(kinds) == 20
    return {f"{_name(photo)}__s{n}": kind for photo, kind in kinds.items() for n in range(styles)}


def _name(photo: str) -> str:
    """What pairs with this photo are called; a stem alone would mean several."""
    return photo.replace(".", "-")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A folder with the sound pictures, and in `calm` what an undisturbed run made of them."""
    for number in range(GOOD):
        draw(tmp_path / f"photos/p{number:02}.png", number)
    for number in range(STYLES):
        draw(tmp_path / f"paintings/s{number}.png", 100 + number)
    run_inside(manifest(tmp_path, settings=TINY, output="calm"), Audience())
    return tmp_path


def _troubled(store: ObjectStore, good: Path) -> Path:
    """Everything in the store, the store in trouble; the manifest of it all."""
    for path in [*(good / "photos").iterdir(), *(good / "paintings").iterdir()]:
        store.put(f"in/{path.parent.name}/{path.name}", path.read_bytes())
    for photo, (data, _) in BROKEN.items():
        store.put(f"in/broken/{photo}", data)
    for photo, (fault, _) in WITHHELD.items():
        store.put(f"in/broken/{photo}", SOUND)
        store.fail("GET", f"in/broken/{photo}", fault)
    store.fail("*", "*", "slow_down", share=0.1)
    store.fail("GET", "*", "cut_body", share=0.02)
    root, runaway = store.root, _beyond_all_numbers(good / "huge.safetensors")
    entries = ["contents:", f"  - '{root}/in/photos/*'"]
    photos = BROKEN | WITHHELD
    entries += [f"  - {{name: {_name(photo)}, image: '{root}/in/broken/{photo}'}}" for photo in photos]
    entries += [f"styles: ['{root}/in/paintings/*']", "pairs:"]
    entries += [
        f"  - {{name: runaway-png__s{number}, content: '{root}/in/photos/p00.png', "
        f"style: '{root}/in/paintings/s{number}.png', settings: {runaway}}}"
        for number in range(STYLES)
    ]
    return manifest(good, "\n".join(entries), settings=TINY, output=f"{root}/out")


def _beyond_all_numbers(path: Path) -> str:
    """Settings with weights so large that no picture has a finite loss."""
    save_file({name: value * 1e15 for name, value in load(builtin_bytes()).items()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{{recipe: 2, weights: {{file: {path}, sha256: {digest}}}}}"


def test_a_run_through_chaos_does_all_that_can_be_done_and_says_why_the_rest_cannot(
    good: Path, object_store: ObjectStore
) -> None:
    path, kinds = _troubled(object_store, good), _expected(STYLES)
    planned = GOOD * STYLES + len(kinds)
    scratch = good / "tmp"
    scratch.mkdir()
    with _prefect() as server:
        url = server.wait_for("url ")
        with stylize_family(
            "run", path, "--device", "cpu", "--workers", "2",
            PREFECT_API_URL=url, PREFECT_HOME=str(good / "prefect"), TMPDIR=str(scratch),
        ) as program:  # fmt: skip
            _kill_a_worker(program, after=planned // 5)
            program.wait_for(f"[{planned // 3}/")
            server.signal(signal.SIGKILL)
            _kill_a_worker(program, after=planned // 2)
            said = program.wait_for(f"{planned - len(kinds)} of {planned} done")
            assert program.end() == 3
            assert eventually(lambda: not program.members()), "processes are left over"
    object_store.heal()
    say(f"{planned} pairs, {said}; {len(object_store.hits)} requests, {dict(object_store.spoiled)} spoiled")
    _require_counts(json.loads(object_store.get("out/report.json")), kinds, planned)
    _require_files(_stored(object_store), good / "calm", kinds)
    assert object_store.spoiled["slow_down"] > len(object_store.hits) / 20
    assert list(scratch.iterdir()) == [], "temporary files are left over"


def _prefect() -> AbstractContextManager[Family]:
    """A server such as a user may have; prints `url` and where it is."""
    script = (
        "import signal\n"
        "from prefect_server import prefect_server\n"
        "with prefect_server() as url:\n"
        "    print('url', url, flush=True)\n"
        "    signal.pause()\n"
    )
    return family(script)


def _kill_a_worker(program: Family, *, after: int) -> None:
    program.wait_for(f"[{after}/")
    os.kill(program.members("spawn_main")[0], signal.SIGKILL)


def _require_counts(facts: dict[str, object], kinds: dict[str, str], planned: int) -> None:
    counts = {key: facts[key] for key in ("planned", "done", "done_before", "failed", "left", "exit_code")}
    assert counts == {
        "planned": planned, "done": planned - len(kinds), "done_before": 0, "failed": len(kinds), "left": 0,
        "exit_code": 3,
    }  # fmt: skip
    assert facts["failures_by_kind"] == dict(Counter(kinds.values()))


def _require_files(stored: dict[str, bytes], calm: Path, kinds: dict[str, str]) -> None:
    """The pictures of an undisturbed run, a record for every pair, and nothing else."""
    pictures = {file.name: file.read_bytes() for file in calm.glob("*.png")}
    assert {name: data for name, data in stored.items() if name.endswith(".png")} == pictures
    records = {
        name: Record.parse(data)
        for name, data in stored.items()
        if name not in ABOUT_RUNS and name.endswith(".json")
    }
    failures = {record.name: record.failure.kind for record in records.values() if record.failure}
    assert failures == kinds
    done = {name.removesuffix(".png") for name in pictures}
    assert set(stored) == {*pictures, *ABOUT_RUNS, *(f"{name}.json" for name in done | set(kinds))}


def _stored(store: ObjectStore) -> dict[str, bytes]:
    pages = store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix="out/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key.removeprefix("out/"): store.get(key) for key in keys}
