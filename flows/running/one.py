"""One picture here and now, in a worker process of its own: no lock, no report, no Prefect."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flows.engines.base import WorkerSpec
from flows.engines.process_worker import ProcessWorker
from flows.errors import BadArguments, ManifestError
from flows.manifest.load import load_manifest
from flows.model.events import Listener
from flows.model.pair import Job, Outcome
from flows.planning.plan import make_plan
from flows.worker.devices import slots
from stylize_core.errors import SettingsError

FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".tif": "tiff", ".tiff": "tiff"}


def run_one(
    content: str, style: str | None, *, output: Path, settings: Sequence[str], device: str, listener: Listener
) -> Outcome:
    """Stylise one picture, as a manifest with this pair alone would.

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
    (slot,) = slots(device, 1)
    worker = ProcessWorker(slot, WorkerSpec((slot,), batch=1), listener.pair_progress)
    try:
        listener.expect(1)
        worker.describe()
        worker.check_weights(planned.pair.style_settings)
        (outcome,) = worker.run_pairs((Job(planned.pair, manifest.output, planned.identity),), ())
        listener.pair_ended(outcome)
        return outcome
    finally:
        worker.close()


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
