"""How neural-style-pt and style-transfer-pytorch are started, by the options that their pages document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stylize_core.architecture import ConventionName

STARTS = ("content", "slim")


@dataclass(frozen=True, slots=True)
class Job:
    """What every program is to do.

    Attributes:
        python: the interpreter that has what the program imports.
        device: `cpu` or `cuda:0`.
        folder: where weights and pictures are, and where the program may write.
        starts: what ours is to start from; see the setting `init`.
    """

    python: str
    device: str
    folder: Path
    content: Path
    style: Path
    size: int
    steps: int
    starts: Sequence[str] = STARTS


@dataclass(frozen=True, slots=True)
class Call:
    """How a program is started."""

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    picture: Path


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program.

    Attributes:
        name: of it, and of our preset.
        convention: how it prepares pictures.
        call: how to start it from its checkout.
        evaluations: how many it made, from what it printed and left in the folder.
    """

    name: str
    convention: ConventionName
    call: Callable[[Path, Job], Call]
    evaluations: Callable[[str, Path], int]


def call_neural_style_pt(checkout: Path, job: Job) -> Call:
    """Its defaults, but for the start from the content, a seed, and one line for each evaluation."""
    picture = job.folder / "neural-style-pt.png"
    options: dict[str, object] = {
        "content_image": job.content,
        "style_image": job.style,
        "image_size": job.size,
        "num_iterations": job.steps,
        "init": "image",
        "seed": 0,
        "gpu": "c" if job.device == "cpu" else job.device.removeprefix("cuda:"),
        "model_file": job.folder / "vgg19-caffe.pth",  # its name says which network that is
        "print_iter": 1,
        "save_iter": 0,
        "output_image": picture,
    }
    given = (word for key, value in options.items() for word in (f"-{key}", str(value)))
    # Without what classifies pictures the file is not the one that it expects.
    return Call((job.python, "neural_style.py", *given, "-disable_check"), checkout, {}, picture)


def call_style_transfer_pytorch(checkout: Path, job: Job) -> Call:
    """Its defaults at one size, so that all its evaluations are of the picture that is compared."""
    picture = job.folder / "style-transfer-pytorch.png"
    options = {
        "output": picture,
        "devices": job.device,
        "min-scale": job.size,
        "end-scale": job.size,
        "iterations": job.steps,
        "initial-iterations": job.steps,
        "save-every": job.steps + 1,
    }
    given = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    command = (job.python, "-m", "style_transfer.cli", str(job.content), str(job.style), *given)
    environment = {"PYTHONPATH": str(checkout), "TORCH_HOME": str(job.folder / "torch")}
    return Call(command, job.folder, environment, picture)


def printed_evaluations(said: str, folder: Path) -> int:
    """The number of the last evaluation that neural-style-pt tells of."""
    found = re.findall(r"(?m)^Iteration (\d+) / ", said)
    return int(found[-1]) if found else 0


def traced_evaluations(said: str, folder: Path) -> int:
    """How many entries style-transfer-pytorch's trace has."""
    return len(json.loads((folder / "trace.json").read_text())["iterates"])


PEERS = (
    Peer("neural-style-pt", "caffe", call_neural_style_pt, printed_evaluations),
    Peer("style-transfer-pytorch", "torchvision", call_style_transfer_pytorch, traced_evaluations),
)
