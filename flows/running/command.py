"""What the commands do once their arguments are read: a run with its signals, its server and its workers."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Self

from flows.cli.display import Display
from flows.engines.prefect.server import answers, prefect_server
from flows.engines.process import DeviceChild
from flows.errors import BadArguments, ManifestError, WorkerStopped
from flows.manifest.load import Manifest, load_manifest
from flows.model.pair import Job, Outcome
from flows.planning.plan import make_plan
from flows.records.report import STOPPED_EARLY, Report
from flows.running.budget import UNLIMITED, Budget
from flows.running.run import Run, open_run
from flows.worker import calls as worker_calls
from flows.worker.devices import slots
from stylize_core.errors import SettingsError

log = logging.getLogger("stylize.run")

ENGINE = "prefect-flow"
GLANCE_S = 0.2  # short, so that signals are seen at once
PREFECT_GRACE_S = 20.0

FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".tif": "tiff", ".tiff": "tiff"}


def run_manifest(
    manifest: Manifest,
    *,
    device: str,
    workers: int | None,
    display: Display,
    budget: Budget = UNLIMITED,
) -> Report:
    """Do what a manifest asks for and is not done yet; the report is written and returned.

    With nothing to do, neither Prefect nor torch is started. A first Ctrl-C or SIGTERM ends the run after the
    step in flight; what is done stays done.

    Raises:
        BatchError: nothing could start.
        StylizeError: the device or the weights are not there.
    """
    with (
        _Signals() as signals,
        open_run(manifest, device=device, workers=workers, listener=display, budget=budget) as run,
    ):
        signals.run = run
        for warning in run.plan.warnings:
            display.note(f"warning: {warning}")
        if run.chunks:
            with display:
                display.expect(len(run.plan.todo))
                _do_chunks(run, display)
        run.make_sheets()
        return run.finish()


def run_one(
    content: str, style: str | None, *, output: Path, settings: Sequence[str], device: str, display: Display
) -> Outcome:
    """Stylise one picture in a worker process of its own, as a manifest with one pair would.

    Raises:
        BadArguments: a setting is not accepted, or the result would replace an input.
        SettingsError: the output's suffix is unknown, or a setting is not `key=value`.
        StylizeError: the device or the weights are not there.
    """
    text = _one_pair(content, style, output, settings)
    try:
        manifest = load_manifest(Path("stylize-one.yaml"), text=text)
        planned = make_plan(manifest).pairs[0]
    except ManifestError as error:
        raise BadArguments(_without_lines(error)) from error
    slot = slots(device, 1)[0]
    child = DeviceChild(
        slot,
        initializer=worker_calls.start,
        initargs=(slot, None, 1, log.getEffectiveLevel()),
        on_progress=display.pair_progress,
    )
    with child, display:
        display.expect(1)
        child.call(worker_calls.check_weights, planned.pair.style_settings)
        job = Job(planned.pair, manifest.output, planned.identity)
        (outcome,) = child.call(worker_calls.run_pairs, (job,), ())
        display.pair_ended(outcome)
        return outcome


def _do_chunks(run: Run, display: Display) -> None:
    """Start workers and Prefect, and let the flow do the chunks; without Prefect do what it left."""
    try:
        run.start_workers()
        with prefect_server():
            engine = threading.Thread(target=_in_prefect, args=(run, display), name=ENGINE, daemon=True)
            engine.start()
            _wait_for(engine, run, display)
    except WorkerStopped:
        return
    if run.unbegun and not run.stopped:
        display.note("Prefect is gone; the run goes on without it")
        with ThreadPoolExecutor(max_workers=len(run.slots)) as threads:
            try:
                list(threads.map(run.run_chunk, run.unbegun))
            except KeyboardInterrupt:
                run.close()  # so that the threads end, for which the block waits
                raise


def leave(code: int) -> None:
    """End the process now if Prefect would hold it up: its client waits minutes for a server that is gone."""
    url = os.environ.get("PREFECT_API_URL")
    at_work = any(thread.name == ENGINE for thread in threading.enumerate())
    if at_work or ("prefect" in sys.modules and url and not answers(url)):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait_for(engine: threading.Thread, run: Run, display: Display) -> None:
    """Wait for the flow; once every pair has ended, only as long as it takes to tell a living server."""
    patience = PREFECT_GRACE_S / GLANCE_S
    while engine.is_alive() and patience > 0:
        engine.join(GLANCE_S)
        patience -= run.ended
    if engine.is_alive():
        display.note("Prefect's server does not answer; the run ends without telling it")


def _in_prefect(run: Run, display: Display) -> None:
    from flows.stylize_batch import run_in_prefect

    try:
        run_in_prefect(run)
    except Exception as error:  # whatever Prefect raises, records and exit code do not depend on it
        log.info("prefect", exc_info=error)
        display.note(f"Prefect failed ({type(error).__name__}: {error}); records are not affected")


class _Signals:
    """SIGINT and SIGTERM end a run in good order, whatever it is at; SIGINT after one of them breaks it off.

    Attributes:
        run: the run, once there is one; before, there is nothing yet to bring into order.
    """

    def __init__(self) -> None:
        self.run: Run | None = None
        self._told = False
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        handlers = ((signal.SIGINT, self._interrupted), (signal.SIGTERM, self._terminated))
        self._before = [(number, signal.signal(number, handler)) for number, handler in handlers]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.run is None or self._told:
            raise KeyboardInterrupt
        self._told = True
        os.write(2, b"\nstopping; Ctrl-C again ends at once\n")  # not through what may be in use just now
        self.run.stop("interrupted", "interrupted")

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        if self.run is None:
            raise SystemExit(STOPPED_EARLY)
        self._told = True
        self.run.stop("stopped", "SIGTERM")


def _without_lines(error: ManifestError) -> str:
    """The problems as the user sees them, who wrote no manifest, no lines and no list of pairs."""
    said = (re.sub(r" \(line \d+\)", "", str(replace(p, line=None))) for p in error.problems)
    return "\n".join(text.removeprefix("pairs[0]: ") for text in said)


def _one_pair(content: str, style: str | None, output: Path, settings: Sequence[str]) -> str:
    """What `stylize one` is told as a manifest; the only picture of a texture is its style."""
    if output.parts[:1] == ("s3:",):
        raise SettingsError("output", str(output), "it must be a local file; `stylize run` writes to S3")
    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        raise SettingsError("output", str(output), "its name must end in " + ", ".join(FORMATS))
    alone = "style" if "mode=texture" in settings else "content"
    pictures = {"content": content, "style": style} if style else {alone: content}
    pair = {**pictures, "name": output.stem}
    given = {"format": FORMATS[suffix]}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise SettingsError("--set", setting, "write it as key=value, such as size=512")
        if key in given:
            why = "the output's suffix says it" if key == "format" else "it is set twice"
            raise SettingsError("--set", setting, why)
        given[key] = value
    # JSON strings are YAML strings, so no path can be read as anything else.
    lines = ["version: 1", f"output: {json.dumps(str(output.parent.absolute()))}", "settings:"]
    return "\n".join(
        [*lines, *(f"  {key}: {value}" for key, value in given.items()), f"pairs: [{json.dumps(pair)}]", ""]
    )
