"""What this machine computes with, asked of torch in a process of its own: nothing heavy is loaded here."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from flows.text import safe_text

PROBE_TIMEOUT_S = 120.0  # the first CUDA call of a machine can take minutes
# A little arithmetic on every device tells a driver that works from one that only lists.
PROBE = """
import json, platform, torch
found = []
for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
    name = f"cuda:{number}"
    try:
        free, total = torch.cuda.mem_get_info(number)
        picture, kernel = torch.ones(1, 3, 8, 8, device=name), torch.ones(4, 3, 3, 3, device=name)
        torch.nn.functional.conv2d(picture, kernel).sum().item()
        fact = {"memory_bytes": total, "free_bytes": free}
    except Exception as error:
        fact = {"trouble": str(error).splitlines()[0] if str(error) else type(error).__name__}
    found.append({"device": name, "name": torch.cuda.get_device_name(number), **fact})
if torch.backends.mps.is_available():
    found.append({"device": "mps", "name": platform.processor() or "Apple"})
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "threads": torch.get_num_threads(),
                  "devices": found, "hub": torch.hub.get_dir()}))
"""
PREFECT_PROBE = "import prefect.flows"


@dataclass(frozen=True, slots=True)
class TorchFacts:
    """What torch says of this machine.

    Attributes:
        cuda: the CUDA that it was built for; empty for none.
        devices: what it can compute on beside the CPU, each with `device` and `name`, and either
            `memory_bytes` and `free_bytes`, or `trouble`.
        hub: where it keeps what it downloads.
        trouble: why it does not even start; then the rest is empty.
    """

    torch: str = ""
    cuda: str = ""
    threads: int = 0
    devices: tuple[dict[str, Any], ...] = ()
    hub: str = ""
    trouble: str = ""


def torch_facts() -> TorchFacts:
    """Ask torch, which takes some seconds."""
    said = _asked(PROBE)
    try:
        found = json.loads(said[0])
    except ValueError:
        return TorchFacts(trouble=said[1])
    return TorchFacts(
        found["torch"], found["cuda"] or "", found["threads"], tuple(found["devices"]), found["hub"]
    )


def why_no_prefect() -> str:
    """Why Prefect cannot be started here; empty if it can."""
    output, trouble = _asked(PREFECT_PROBE + "; print('there')")
    return "" if output.strip().endswith("there") else trouble


def _asked(code: str) -> tuple[str, str]:
    """What a fresh interpreter prints, and in a few words why it does not."""
    try:
        done = subprocess.run(  # noqa: S603 - our own text
            [sys.executable, "-P", "-c", code],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {PROBE_TIMEOUT_S:g} s"
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return done.stdout, safe_text(lines[-1], 300)
