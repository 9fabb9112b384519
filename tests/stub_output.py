"""An output as a run would leave it, with pictures to look at and without the art: for tests of pages."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path

from commands import ROOT
from PIL import Image, ImageOps

from flows.manifest.load import load_manifest
from flows.model.identity import effective_settings, identity, ingredients_of
from flows.model.pair import Effort, Input, Job, Outcome, Pair
from flows.model.shard import WHOLE
from flows.planning.plan import Plan, make_plan
from flows.records.failed import failed_record
from flows.records.record import Failure, Optimisation, Output, Record, Source
from flows.records.report import REPORT_NAME, RunFacts, Tally, summed_up
from flows.records.trace import TraceWriter, trace_name
from flows.storage.base import Storage
from flows.storage.opening import open_storage, stat_uri

EDGE_PX = 240
HOSTILE = 'it\'s <script>alert(1)<img src=x onerror=alert(2)> "&amp;" \U0001f3a8'
"""A file's name that would do harm if a page took it for HTML."""

BROKEN, LARGE = "broken", "panorama"
"""Contents that fail: one is no picture, the other does not fit into memory with some styles."""


@dataclass(frozen=True)
class Made:
    """An output and its manifest."""

    manifest: Path
    plan: Plan
    storage: Storage


def leave_output(
    home: Path,
    *,
    contents: int = 20,
    styles: int = 10,
    too_large_for: int = 4,
    unreadable: int = 1,
    output: str = "out",
    settings: str = "size: 240",
) -> Made:
    """Everything made but for what a broken content, a large one and damaged records cost.

    Of the contents, one is called `HOSTILE`, one is `BROKEN` and one `LARGE`.

    Args:
        too_large_for: with how many styles the large content does not fit into memory.
        unreadable: how many records are damaged.
        output: as in the manifest.
    """
    draw_inputs(home, contents=contents, styles=styles)
    manifest = home / "m.yaml"
    manifest.write_text(
        f"version: 1\noutput: {output}\nsettings: {{{settings}}}\ncontents: ['c/*']\nstyles: ['s/*']\n",
        encoding="utf-8",
    )
    plan = make_plan(load_manifest(manifest))
    storage = open_storage(plan.output)
    outcomes = list(_results(plan, storage, too_large_for))
    damaged = (
        [one.pair for one in plan.pairs if BROKEN not in one.pair.name][-unreadable:] if unreadable else []
    )
    for pair in damaged:
        storage.write(pair.record_name, b'{"animation": nul')
    _sum_up(plan, storage, outcomes)
    return Made(manifest, make_plan(load_manifest(manifest)), storage)


def draw_inputs(home: Path, *, contents: int, styles: int) -> None:
    """Photographs and paintings of the project's own, cut and mirrored so that each is another one."""
    for kind, folder, number in (("c", "contents", contents), ("s", "styles", styles)):
        (home / kind).mkdir(parents=True, exist_ok=True)
        sources = [_loaded(path) for path in sorted((ROOT / "manifests/images" / folder).glob("*.jpg"))]
        for at in range(number):
            name = f"{kind}{at:03d}"
            if kind == "c":
                name = {0: HOSTILE.replace("/", ""), 1: BROKEN, 2: LARGE}.get(at, name)
            _variation(sources[at % len(sources)], at).save(home / kind / f"{name}.jpg", quality=80)
    (home / "c" / f"{BROKEN}.jpg").write_bytes(b"<html>not found</html>")


def _loaded(path: Path | str) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")


def _variation(source: Image.Image, at: int) -> Image.Image:
    width, height = source.size
    zoom = 1 - 0.06 * (at % 8)
    left, top = (width * (1 - zoom) * share for share in ((at % 3) / 2, (at % 5) / 4))
    part = source.crop((int(left), int(top), int(left + width * zoom), int(top + height * zoom)))
    part = ImageOps.mirror(part) if at % 2 else part
    part.thumbnail((EDGE_PX, EDGE_PX))
    return part


def _results(plan: Plan, storage: Storage, too_large_for: int) -> Iterator[Outcome]:
    began, large = datetime(2026, 11, 28, 22, 0, tzinfo=UTC).timestamp(), count()
    for at, planned in enumerate(plan.todo):
        pair = planned.pair
        seconds, failure = 2.0 + at % 5, None
        content = Path(pair.content.uri).stem if pair.content else ""
        if content == BROKEN and pair.content:
            failure = Failure(
                kind="bad_image", message=f"{pair.content.uri}: this is an HTML page", phase="read"
            )
        elif content == LARGE and next(large) < too_large_for:
            failure = Failure(
                kind="out_of_memory", message="the pair does not fit; use a smaller size", phase="optimise"
            )
        worker = at % 2
        effort = Effort(
            f"cuda:{worker} (a GPU)", began + 4 * (at // 2), seconds, 2 * 2**30, 0 if failure else 120
        )
        if failure:
            record = failed_record(Job(pair, plan.output, planned.identity), failure)
            yield Outcome(pair.name, "failed", failure.kind, failure.message, effort=effort, worker=worker)
        else:
            picture = _blended(pair)
            storage.write(pair.output_name, picture)
            record = made_record(pair, picture)
            yield Outcome(pair.name, "done", effort=effort, worker=worker, seconds=seconds)
        storage.write(pair.record_name, record.to_bytes())


def _blended(pair: Pair) -> bytes:
    """What a result may look like: the photograph under a veil of the painting."""
    if pair.content is None or pair.style is None:
        raise ValueError("every pair of this manifest has both")
    content = _loaded(pair.content.uri)
    style = _loaded(pair.style.uri).resize(content.size)
    file = io.BytesIO()
    Image.blend(content, style, 0.55).save(file, "PNG", compress_level=1)
    return file.getvalue()


def made_record(pair: Pair, picture: bytes) -> Record:
    """The record that a worker would leave of such a picture."""
    if pair.content is None or pair.style is None:
        raise ValueError("every pair of this manifest has both")
    made_of = ingredients_of(pair, _digest(pair.content), _digest(pair.style), "")
    width, height = Image.open(io.BytesIO(picture)).size
    return Record(
        status="done",
        name=pair.name,
        identity=identity(made_of),
        ingredients=made_of,
        content=_source(pair.content, made_of.content),
        style=_source(pair.style, made_of.style),
        output=Output(
            name=pair.output_name,
            size_bytes=len(picture),
            sha256=sha256(picture).hexdigest(),
            width=width,
            height=height,
            format="png",
        ),
        device="cuda:0 (a GPU)",
        precision="bf16",
        settings=effective_settings(pair.style_settings, pair.picture_settings) | {"timeout": None},
        seed=0,
        optimisation=Optimisation(
            evaluations=120,
            accepted_steps=110,
            stop_reason="steps",
            first_loss=90.0,
            last_loss=1.5,
            loss_curve=[90 / (1 + at / 2) for at in range(120)],
        ),
        timings_s={"read": 0.05, "targets": 0.2, "optimise": 2.5, "encode": 0.03},
        peak_memory_bytes=2 * 2**30,
        batch=4,
        decisions=("computed in bf16, as the device is fastest so",),
        finished_at=datetime(2026, 11, 28, 23, 0, tzinfo=UTC),
    )


def _digest(given: Input) -> str:
    return given.sha256 or sha256(Path(given.uri).read_bytes()).hexdigest()


def _source(given: Input, digest: str) -> Source:
    found = stat_uri(given.uri)
    token = found.token if found else ""
    return Source(uri=given.uri, sha256=digest, token=token, width=EDGE_PX, height=EDGE_PX)


def _sum_up(plan: Plan, storage: Storage, outcomes: list[Outcome]) -> None:
    tally, trace = Tally(), TraceWriter()
    for outcome in outcomes:
        tally.add(outcome)
        trace.add(outcome)
    facts = RunFacts(
        manifest="m.yaml",
        output=plan.output,
        shard=str(WHOLE),
        planned=len(outcomes),
        done_before=0,
        end="finished",
        reason="",
        devices=("cuda:0 (a GPU)", "cuda:1 (a GPU)"),
        warnings=("2 files were passed over: a.nef, b.nef",),
        storage_retries=0,
        seconds=2.0 * len(outcomes),
        started_at=datetime(2026, 11, 28, 22, 0, tzinfo=UTC),
    )
    storage.write(REPORT_NAME, summed_up(facts, tally).to_bytes())
    storage.write(trace_name(WHOLE), trace.to_bytes())
    trace.close()
