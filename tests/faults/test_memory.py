"""The parent's memory does not grow with the number of pairs that are done."""

from __future__ import annotations

from pathlib import Path

import pytest
from intensity import LONG, say
from processes import needs_proc
from small_batch import draw, manifest, stylize_family

pytestmark = [pytest.mark.slow(25), needs_proc, pytest.mark.timeout(3600 if LONG else 300)]

PHOTOS, PAINTINGS = (100, 100) if LONG else (100, 10)
WARM = 1000 if LONG else 500
NOISE_BYTES = 4 * 2**20
BLINK = "encoder: slim, size: 32, steps: 1, style_layers: [relu1_1], content_layers: [relu1_1]"


def test_the_parents_peak_is_flat_after_the_first_pairs(tmp_path: Path) -> None:
    for number in range(PHOTOS):
        draw(tmp_path / f"photos/p{number:03}.png", number, width=32, height=32)
    for number in range(PAINTINGS):
        draw(tmp_path / f"paintings/s{number:03}.png", 1000 + number, width=32, height=32)
    planned, path = PHOTOS * PAINTINGS, manifest(tmp_path, settings=BLINK)
    with stylize_family("run", path, "--device", "cpu", "--workers", "2") as program:
        parent = Path(f"/proc/{program.program.pid}")
        program.wait_for(f"[{WARM}/{planned}]")
        (parent / "clear_refs").write_text("5")  # the peak counts from here
        warm = _peak_bytes(parent)
        program.wait_for(f"[{planned - 1}/{planned}]")
        peak = _peak_bytes(parent)
        program.wait_for(f"{planned} of {planned} done")
        assert program.end() == 0
    say(f"{planned} pairs: {warm / 2**20:.1f} MiB after {WARM}, {peak / 2**20:.1f} MiB at the most since")
    assert peak - warm < NOISE_BYTES


def _peak_bytes(process: Path) -> int:
    lines = (process / "status").read_text().splitlines()
    (peak,) = [line for line in lines if line.startswith("VmHWM")]
    return int(peak.split()[1]) * 1024
