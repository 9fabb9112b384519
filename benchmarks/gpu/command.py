"""`python -m benchmarks gpu`: the GPU tests, then every figure of docs/performance.md that is about GPUs.

`python -m benchmarks roofline` prints what to expect, worked out without a GPU.
"""

from __future__ import annotations

import argparse
import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.gpu.evaluations import convolution_peak, evaluations
from benchmarks.gpu.night import night_on
from benchmarks.gpu.report import Report
from benchmarks.gpu.roofline import CARDS, roofline_table
from benchmarks.gpu.steps import steps_on
from stylize_core.architecture import Architecture
from stylize_core.device import choose_device, choose_precision, describe_device
from stylize_core.errors import DeviceUnavailable

SIZES, BATCHES = (256, 512, 1024), (1, 8, 16)
NETWORKS: tuple[Architecture, ...] = ("slim", "vgg19")
NO_DEVICE = 3
TESTS = ("-m", "pytest", "-q", "-m", "cuda", "tests")


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit code."""
    options = _options(arguments)
    try:
        device = choose_device(options.device)
    except DeviceUnavailable as error:
        print(f"no GPU was measured: {error}")
        return NO_DEVICE
    until = time.monotonic() + options.minutes * 60
    if options.tests and (code := _tests(until)):
        print("the GPU tests failed; nothing was measured")
        return code
    report = Report(describe_device(device), torch.__version__)
    for said, measure in _measurements(options, device, report):
        try:
            with _until(until):
                print(f"{said} ...", file=sys.stderr, flush=True)
                measure()
        except _TimeIsOver:
            report.left_out.append(said)
    print(report.markdown())
    text, data = report.write(options.out.parent, options.out.name)
    print(f"written: {text}, {data}")
    return 0


def _tests(until: float) -> int:
    """Run the tests that need the device; their exit code."""
    try:
        return subprocess.run([sys.executable, *TESTS], timeout=until - time.monotonic()).returncode
    except subprocess.TimeoutExpired:
        print("the GPU tests took all the time")
        return 1


class _TimeIsOver(Exception):
    """What is being measured has no more time."""


@contextmanager
def _until(moment: float) -> Iterator[None]:
    """Let what is inside end at that moment at the latest.

    Raises:
        _TimeIsOver: the moment came, or had come before.
    """

    def end(*_: object) -> None:
        raise _TimeIsOver

    left = moment - time.monotonic()
    if left <= 0:
        raise _TimeIsOver
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, left)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def roofline(arguments: Sequence[str]) -> int:
    """Print the estimates; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks roofline")
    parser.add_argument("--card", choices=CARDS, default="h100")
    options = parser.parse_args(arguments)
    console = Console(width=170)
    for encoder in NETWORKS:
        console.print(roofline_table(encoder, CARDS[options.card], sizes=SIZES, batches=BATCHES))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--device", default="cuda:0", help="cpu is for a trial of this command")
    parser.add_argument("--size", type=int, nargs="+", default=SIZES, help="px, of square pictures")
    parser.add_argument("--batch", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--steps", type=int, default=200, help="of each pair of the run")
    parser.add_argument("--pairs", type=int, default=64, help="of the run, a multiple of four")
    parser.add_argument("--weights", type=Path, help="a VGG-19 file; without it its weights are random ones")
    parser.add_argument("--minutes", type=float, default=7.5, help="after which what is left is left out")
    parser.add_argument("--tests", action="store_true", help="run the GPU tests first")
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), help="of the .md and the .json")
    options = parser.parse_args(arguments)
    if options.pairs % 4:
        parser.error("--pairs must be a multiple of four: there are four styles")
    return options


Measurement = tuple[str, Callable[[], None]]


def _measurements(options: argparse.Namespace, device: torch.device, report: Report) -> Iterator[Measurement]:
    """What is measured, by its importance: what comes late is left out first."""
    file = str(options.weights) if options.weights else None
    middle = sorted(options.size)[len(options.size) // 2]
    yield "the peak", lambda: _peaks(options, device, report)
    yield (
        f"a run of {options.pairs} pairs with slim",
        lambda: report.nights.append(
            night_on(str(device), encoder="slim", size=middle, steps=options.steps, pairs=options.pairs)
        ),
    )
    if options.weights and "vgg19" in options.network:
        yield (
            f"a run of {options.pairs} pairs with vgg19",
            lambda: report.nights.append(
                night_on(
                    str(device),
                    encoder="vgg19",
                    size=middle,
                    steps=options.steps,
                    pairs=options.pairs,
                    weights=_named(options.weights),
                )
            ),
        )
    for encoder in options.network:
        for size in options.size:
            yield (
                f"evaluations with {encoder} at {size} px",
                lambda encoder=encoder, size=size: report.evaluations.extend(  # type: ignore[misc]
                    evaluations(
                        encoder, sizes=(size,), batches=tuple(options.batch), device=device, file=file
                    )
                ),
            )
        for batch in sorted({min(options.batch), max(options.batch)}):
            yield (
                f"steps with {encoder}, {batch} at once",
                lambda encoder=encoder, batch=batch: report.steps.extend(  # type: ignore[misc]
                    steps_on(
                        encoder,
                        size=middle,
                        batch=batch,
                        steps=min(options.steps, 50),
                        device=device,
                        file=file,
                    )
                ),
            )


def _peaks(options: argparse.Namespace, device: torch.device, report: Report) -> None:
    for precision in {choose_precision("auto", device, size=size): None for size in options.size}:
        report.peaks[precision] = convolution_peak(precision, device) / 1e12


def _named(weights: Path) -> str:
    """The weights as a manifest names them."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return f", weights: {{file: {weights.absolute()}, sha256: {digest}}}"
