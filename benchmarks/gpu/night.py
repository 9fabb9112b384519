"""A run of 64 pairs on one device: pairs an hour, how long the device has work, and its memory."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pictures import IMAGES
from benchmarks.pipeline import DEVICE_PHASES, run_once, warm_worker

MANIFEST = """version: 1
output: {output}
settings: {{encoder: {encoder}, size: {size}, steps: {steps}{weights}}}
contents: [{folder}/contents/*.jpg]
styles: [{folder}/styles/*.jpg]
"""


@dataclass(frozen=True, slots=True)
class Night:
    """What a run on a warm worker cost.

    Attributes:
        busy: share of the time in which the device had pairs to compute.
        peak_bytes: of the device's memory; None where nobody knows.
    """

    encoder: str
    size: int
    steps: int
    pairs: int
    seconds: float
    busy: float
    peak_bytes: int | None

    @property
    def pairs_per_hour(self) -> float:
        """Without the start of the worker."""
        return self.pairs * 3600 / self.seconds


def night_on(device: str, *, encoder: str, size: int, steps: int, pairs: int, weights: str = "") -> Night:
    """Run so many pairs, a multiple of four, after a first run that warms the worker up.

    Args:
        weights: what the settings say of them beside the encoder, in YAML.
    """
    with tempfile.TemporaryDirectory() as name, warm_worker(device) as worker:
        measured = None
        for output, count in (("warm", 4), ("night", pairs)):
            folder = Path(name) / f"images_{output}"
            _copy(folder, contents=count // 4)
            path = Path(name) / f"{output}.yaml"
            path.write_text(
                MANIFEST.format(
                    output=Path(name) / output,
                    encoder=encoder,
                    size=size,
                    steps=steps,
                    folder=folder,
                    weights=weights,
                )
            )
            measured = run_once(path, worker, overlapping=True)
    assert measured is not None
    busy = sum(measured.phases[phase] for phase in DEVICE_PHASES) / measured.seconds
    return Night(encoder, size, steps, pairs, measured.seconds, busy, measured.peak_bytes)


def _copy(folder: Path, *, contents: int) -> None:
    """Four styles, and so many contents under names of their own, which no worker has in its memory."""
    shutil.copytree(IMAGES / "styles", folder / "styles")
    (folder / "contents").mkdir()
    originals = sorted((IMAGES / "contents").glob("*.jpg"))
    for number in range(contents):
        shutil.copy(originals[number % len(originals)], folder / f"contents/{number:03}.jpg")
