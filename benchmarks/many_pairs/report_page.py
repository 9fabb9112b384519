"""How long a page of many pairs takes to draw and to open, and how large it is."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import time
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image
from rich.table import Table

from benchmarks.many_pairs.batch import ROOT
from flows.manifest.load import load_manifest
from flows.model.identity import effective_settings, identity, ingredients_of
from flows.model.pair import Pair
from flows.pages.gathering import planned_entries
from flows.pages.previews import Bounds, previews_of
from flows.pages.report import Asked, report_page
from flows.planning.plan import make_plan
from flows.records.record import Failure, Optimisation, Output, Record, Source
from flows.storage.opening import open_storage

MOST = 20_000
STYLES = 10
FAILED_OF = 40
EDGE_PX = 512
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MANIFEST = "version: 1\noutput: out\nsettings: {format: jpeg}\ncontents: ['c/*']\nstyles: ['s/*']\n"
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
_READY = "() => performance.now()"


def report_page_table(*, pairs: int, rounds: int) -> Table:
    """A page of so many pairs, one in forty of which failed: drawn anew, drawn again, and opened.

    Args:
        pairs: `MOST` at most, as no page has more.
        rounds: how often it is opened, each time in a new browser; the table has the medians.
    """
    count = min(pairs, MOST)
    with tempfile.TemporaryDirectory() as name:
        manifest = _output(Path(name), count)
        storage, gathered_s, first_s = _drawn(manifest, b"")
        page = Path(storage, "report.html")
        _, _, again_s = _drawn(manifest, page.read_bytes())
        opened = [_opened(page) for _ in range(rounds)] if _program() else []
        edge, small = previews_of(page.read_bytes())
        table = Table("what", "figure", title=f"a page of {count} pairs, pictures of {EDGE_PX} px")
        table.add_row("records read and judged", f"{gathered_s:.1f} s")
        table.add_row("drawn anew, every picture read and made small", f"{first_s:.1f} s")
        table.add_row("drawn again, small pictures taken over", f"{again_s:.1f} s")
        table.add_row("size of the file", f"{page.stat().st_size / 1e6:.1f} MB")
        table.add_row("small pictures", f"{len(small)} of at most {edge} px")
    if opened:
        paint, ready, words = (sorted(column)[len(opened) // 2] for column in zip(*opened, strict=True))
        table.add_row("first paint", f"{paint / 1000:.2f} s")
        table.add_row("all pictures ready", f"{ready / 1000:.2f} s")
        table.add_row("a search over all pairs", f"{words:.0f} ms")
    else:
        table.add_row("first paint", "no Chromium here; install one, or set STYLIZE_CHROMIUM")
    return table


def _output(home: Path, pairs: int) -> Path:
    """A manifest whose pairs are all made, with a picture of its own each, or failed."""
    contents = -(-pairs // STYLES)
    for kind, number in (("c", contents), ("s", STYLES)):
        (home / kind).mkdir()
        for at in range(number):
            (home / kind / f"{kind}{at:04d}.jpg").write_bytes(_picture(at, 256))
    manifest = home / "m.yaml"
    manifest.write_text(MANIFEST)
    plan = make_plan(load_manifest(manifest))
    (home / "out").mkdir()
    for at, planned in enumerate(plan.todo):
        picture = None if at % FAILED_OF == 0 else _picture(at, EDGE_PX)
        record = _record(planned.pair, picture)
        if picture:
            (home / "out" / planned.pair.output_name).write_bytes(picture)
        (home / "out" / planned.pair.record_name).write_bytes(record.to_bytes())
    return manifest


def _picture(at: int, edge: int) -> bytes:
    """A crop of a real result-like picture, moved on for each number so that no two are alike."""
    source = _sources()[at % len(_sources())]
    shifted = np.roll(source, (at * 37 % source.shape[0], at * 53 % source.shape[1]), axis=(0, 1))
    file = io.BytesIO()
    Image.fromarray(shifted).resize((edge, edge * 3 // 4)).save(file, "JPEG", quality=85)
    return file.getvalue()


@cache
def _sources() -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    found = []
    for path in sorted((ROOT / "manifests/images").rglob("*.jpg")):
        with Image.open(path) as image:
            found.append(np.asarray(image.convert("RGB").resize((640, 480))))
    return found


def _record(pair: Pair, picture: bytes | None) -> Record:
    if pair.content is None or pair.style is None:
        raise RuntimeError("every pair of this manifest has both")
    made_of = ingredients_of(pair, pair.content.sha256, pair.style.sha256, "")
    content, style = (
        Source(uri=given.uri, sha256=given.sha256, token=given.token, width=256, height=192)
        for given in (pair.content, pair.style)
    )
    done = Record(
        status="failed",
        name=pair.name,
        identity=identity(made_of),
        ingredients=made_of,
        content=content,
        style=style,
        failure=Failure(kind="out_of_memory", message="the pair does not fit; use a smaller size"),
        device="cuda:0 (a GPU)",
        precision="bf16",
        settings=effective_settings(pair.style_settings, pair.picture_settings),
        optimisation=Optimisation(
            evaluations=300,
            accepted_steps=290,
            stop_reason="steps",
            loss_curve=[90 / (1 + at) for at in range(300)],
        ),
        timings_s={"read": 0.05, "targets": 0.2, "optimise": 2.5, "encode": 0.03},
        peak_memory_bytes=2 * 2**30,
        decisions=("computed in bf16, as the device is fastest so",),
    )
    if picture is None:
        return done
    output = Output(
        name=pair.output_name,
        size_bytes=len(picture),
        sha256=sha256(picture).hexdigest(),
        width=EDGE_PX,
        height=EDGE_PX * 3 // 4,
        format="jpeg",
    )
    return done.model_copy(update={"status": "done", "failure": None, "output": output})


def _drawn(manifest: Path, before: bytes) -> tuple[str, float, float]:
    """Draw the page; the output, and the seconds for the records and for the rest."""
    plan = make_plan(load_manifest(manifest))
    storage, began = open_storage(plan.output), time.monotonic()
    gathered = planned_entries(plan, storage)
    read = time.monotonic()
    asked = replace(Asked("night.yaml", Bounds(10 * MOST)), before=before)
    page = report_page(gathered, storage, asked)
    storage.write("report.html", page or b"")
    return plan.output, read - began, time.monotonic() - read


def _program() -> str | None:
    return os.environ.get("STYLIZE_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


def _opened(page: Path) -> tuple[float, float, float]:
    """Milliseconds from the navigation to the first paint and to the last picture, and those of a search."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_program(), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(page.as_uri())
        tab.wait_for_selector("html[data-ready]")
        ready = tab.evaluate(_READY)
        paint = tab.evaluate(_PAINT)
        tab.locator("#text").fill("warm up")
        began = tab.evaluate(_READY)
        tab.evaluate("() => { document.getElementById('text').value = 'c00 s003'; filter.apply(); }")
        words = tab.evaluate(_READY) - began
        browser.close()
    return paint, ready, words
