"""Side by side with what people use: neural-style-pt and style-transfer-pytorch, one pair, one network.

    python -m benchmarks.peers --weights vgg19.safetensors --neural-style-pt ~/neural-style-pt

The user gives checkouts of the programs, which are started as they are, and a file of VGG-19; where it ends
before the last of the 16 convolutions, the others are drawn, for all programs the same. Content and style are
brought to their size once, so that all programs get the same pixels; the weights are rewritten for how each
program prepares its pictures, which changes nothing but rounding and the padding of the first layer. The
objective is that of the preset of the program's name, by our code, of each picture as it was saved.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.fewest import fewest
from benchmarks.many_pairs.batch import stylize
from benchmarks.peers.network import prepared_for, stage_weights
from benchmarks.peers.programs import PEERS, STARTS, Job, Peer
from benchmarks.pictures import IMAGES, made_whole
from flows.records.record import Record
from stylize_core.architecture import ConventionName
from stylize_core.image.decode import decode_picture
from stylize_core.image.encode import encode_picture
from stylize_core.image.resize import resize
from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import CONVENTIONS, Weights, weights_from_bytes
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.presets import laid_out
from stylize_core.settings.style import StyleSettings

SLOWEST_S = 4 * 3600.0


def objective_as_saved(
    picture: bytes, content: bytes, style: bytes, *, settings: StyleSettings, weights: Weights
) -> float:
    """The objective, in float32, of a picture as its file has it; nothing of it is outside 0..1.

    A picture that its program has made a pixel wider or narrower is compared with a content of its shape.
    """
    image, content_bchw, style_bchw = (_pixels(data) for data in (picture, content, style))
    if image.shape != content_bchw.shape:
        content_bchw = torch.nn.functional.interpolate(
            content_bchw, image.shape[-2:], mode="bilinear", antialias=True
        )
    encoder = Encoder(weights, layers=settings.layers, pooling=settings.network_pooling)
    objective = Objective(
        encoder=encoder,
        content=content_targets(encoder, content_bchw, settings),
        style=style_targets(encoder, style_bchw, settings),
        settings=settings,
    )
    return float(objective(image)[0])


def _pixels(data: bytes) -> Tensor:
    return decode_picture(data, source="picture", settings=PictureSettings()).rgb[None]


def settings_for(peer: Peer, job: Job) -> StyleSettings:
    """Our preset of the program's name with its network, from the content, at one size."""
    return StyleSettings(
        **{
            **laid_out({"preset": peer.name}),
            "encoder": "vgg19",
            "init": "content",
            "size": job.size,
            "steps": job.steps,
            "scales": 1,
            "margin": 0,
        }
    )


def stage_picture(source: Path, target: Path, size: int) -> Path:
    """The picture with its long edge at `size` px, as a PNG."""
    data = source.read_bytes()
    shown = decode_picture(data, source=str(source), settings=PictureSettings())
    made = resize(shown, long_edge=size, enlarge=True)
    target.write_bytes(encode_picture(made.rgb, alpha=None, settings=PictureSettings(), facts={}))
    return target


@dataclass(frozen=True, slots=True)
class Made:
    """What a program has made, and what that took, its start included."""

    seconds: float
    evaluations: int
    picture: bytes


def made_by(peer: Peer, checkout: Path, job: Job) -> Made:
    """Start another program.

    Raises:
        RuntimeError: it failed, or left no picture; the text has its last lines.
    """
    call = peer.call(checkout.resolve(), job)
    began = time.perf_counter()
    done = subprocess.run(
        call.command, cwd=call.folder, env={**os.environ, **call.environment}, timeout=SLOWEST_S,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if done.returncode or not call.picture.is_file():
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise RuntimeError(f"{peer.name} left no picture (exit code {done.returncode}):\n{last}")
    return Made(seconds, peer.evaluations(done.stdout, job.folder), call.picture.read_bytes())


def made_here(peer: Peer, job: Job, weights: Path, *, init: str = "content") -> Made:
    """The same by `stylize one` with the preset of the program's name."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    named = f"{{file: {weights}, sha256: {digest}, convention: {peer.convention}}}"
    asked: dict[str, Any] = {
        "preset": peer.name, "encoder": "vgg19", "weights": named, "init": init, "size": job.size,
        "steps": job.steps, "scales": 1, "margin": 0,
    }  # fmt: skip
    picture = job.folder / f"ours-as-{peer.name}-from-{init}-{job.steps}.png"  # never one that is there
    given = [word for key, value in asked.items() for word in ("-s", f"{key}={value}")]
    pair = (str(job.content), str(job.style), "-o", str(picture), "--device", job.device)
    cost = stylize("one", *pair, *given)
    record = Record.parse(picture.with_suffix(".json").read_bytes())
    assert record.optimisation is not None
    return Made(cost.seconds, record.optimisation.evaluations, picture.read_bytes())


def compared(
    peer: Peer, checkout: Path, job: Job, weights: Weights, staged: Mapping[ConventionName, Path]
) -> list[tuple[str, Made, float]]:
    """What a program made and what ours made as its preset, each with its objective as saved.

    Ours with as many evaluations, and with the fewest that reach the other's objective, from the content and
    from what `slim` makes of it first.
    """
    judged = partial(
        objective_as_saved,
        content=job.content.read_bytes(),
        style=job.style.read_bytes(),
        settings=settings_for(peer, job),
        weights=replace(
            weights, convention=peer.convention, parameters=prepared_for(weights, peer.convention)
        ),
    )

    def ours(init: str) -> Callable[[int], tuple[Made, float]]:
        @cache
        def made(steps: int) -> tuple[Made, float]:
            found = made_here(peer, replace(job, steps=steps), staged[peer.convention], init=init)
            return found, judged(found.picture)

        return made

    theirs, from_content = made_by(peer, checkout, job), ours("content")
    goal, counts = judged(theirs.picture), [*range(2, job.steps, 2), job.steps]
    rows = [(peer.name, theirs, goal), ("stylize", *from_content(job.steps))]
    for init in job.starts:
        made = from_content if init == "content" else ours(init)
        if steps := fewest(counts, partial(_reached, made, goal)):
            rows.append((f"stylize, to that objective, from {init}", *made(steps)))
    return rows


def _reached(made: Callable[[int], tuple[Made, float]], goal: float, steps: int) -> bool:
    """Whether so many evaluations come as far."""
    return made(steps)[1] <= goal


def peers_table(checkouts: Mapping[str, Path], job: Job, weights: Weights) -> Table:
    """Seconds, evaluations and the objective as saved: each program, and ours as that program's preset."""
    table = Table(
        "objective of", "program", "seconds", "evaluations", "as saved", "ratio of seconds",
        title=f"{job.size} px, {job.steps} evaluations asked for, on {job.device}",
    )  # fmt: skip
    staged = stage_weights(weights, job.folder)
    for peer in (one for one in PEERS if one.name in checkouts):
        rows = compared(peer, checkouts[peer.name], job, weights, staged)
        for name, made, found in rows:
            ratio = f"{rows[0][1].seconds / made.seconds:.2f}"
            table.add_row(
                peer.name, name, f"{made.seconds:.1f}", str(made.evaluations), f"{found:.5g}", ratio
            )
    return table


def main(arguments: Sequence[str]) -> None:
    """Run what was given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    for peer in PEERS:
        parser.add_argument(f"--{peer.name}", type=Path, metavar="DIR", help="its checkout")
    parser.add_argument("--weights", type=Path, required=True, help="of VGG-19, .safetensors or .pth")
    parser.add_argument("--convention", choices=CONVENTIONS, default="torchvision", help="of the weights")
    parser.add_argument("--content", type=Path, default=IMAGES / "contents/town.jpg")
    parser.add_argument("--style", type=Path, default=IMAGES / "styles/flow.jpg")
    parser.add_argument("--size", type=int, default=384, help="long edge, px")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument(
        "--starts", nargs="+", choices=STARTS, default=STARTS, help="of ours, to that objective"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--python", default=sys.executable, help="an interpreter for the other programs")
    options = parser.parse_args(arguments)
    given = {peer.name: getattr(options, peer.name.replace("-", "_")) for peer in PEERS}
    checkouts = {name: folder for name, folder in given.items() if folder}
    if not checkouts:
        parser.error("give a checkout: " + " or ".join(f"--{peer.name} DIR" for peer in PEERS))
    data = options.weights.read_bytes()
    weights = weights_from_bytes(
        data,
        sha256=hashlib.sha256(data).hexdigest(),
        architecture="vgg19",
        convention=options.convention,
        source=str(options.weights),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = stage_picture(options.content, folder / "content.png", options.size)
        style = stage_picture(options.style, folder / "style.png", options.size)
        sizes = options.size, options.steps, options.starts
        job = Job(options.python, options.device, folder, content, style, *sizes)
        Console(width=170).print(peers_table(checkouts, job, made_whole(weights)))


if __name__ == "__main__":
    main(sys.argv[1:])
