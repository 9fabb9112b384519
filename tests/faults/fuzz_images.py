"""Feed broken pictures to the decoder, in a child with little memory, and see that each gets a proper answer.

Run it for as long as you like; it prints what it found and how to make each finding again:

    make fuzz MINUTES=60 SEED=1
    PYTHONPATH=.:tests python tests/faults/fuzz_images.py --seed 1 --write 4711 broken.bin
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import resource
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from image_mutants import mutant

from stylize_core.errors import BadImage
from stylize_core.image.decode import Picture, decode_picture
from stylize_core.image.resize import resize
from stylize_core.settings.picture import PictureSettings

LONGEST_S = 10.0
ROOM_BYTES = 256 * 2**20
"""What a child may take beyond what it has after its imports; the pictures below need a tenth of it."""
LIMIT_MEGAPIXELS = 1.0
SPAWN = multiprocessing.get_context("spawn")


@dataclass
class Harvest:
    """What became of the mutants; `findings` should stay empty."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_growth_bytes: int = 0

    @property
    def tried(self) -> int:
        """How many mutants there were."""
        return self.accepted + self.refused.total() + len(self.findings)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {number}" for kind, number in self.refused.most_common())
        head = (
            f"{self.tried} mutants: {self.accepted} accepted, {self.refused.total()} refused ({kinds}), "
            f"{len(self.findings)} findings; slowest {self.slowest_s:.2f} s, "
            f"memory grew by at most {self.largest_growth_bytes / 2**20:.0f} MiB"
        )
        return "\n".join([head, *self.findings])


def harvest(seed: int, *, mutants: int | None = None, minutes: float | None = None) -> Harvest:
    """Try so many mutants, or for so long."""
    found, tries = Harvest(), Tries(seed)
    end = None if minutes is None else time.monotonic() + minutes * 60
    try:
        for number in range(mutants) if mutants is not None else count():
            if end is not None and time.monotonic() > end:
                break
            tries.add(number, found)
    finally:
        tries.close()
    return found


class Tries:
    """A child that decodes mutants, and the next one after a crash or a hang."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._start()

    def add(self, number: int, found: Harvest) -> None:
        """Try one mutant and note what became of it."""
        began = time.monotonic()
        self._link.send(number)
        if not self._link.poll(LONGEST_S):
            verdict, word = "finding", f"no answer after {LONGEST_S:.0f} s"
            self._start()
        else:
            try:
                verdict, word, grown = self._link.recv()
                found.largest_growth_bytes = max(found.largest_growth_bytes, grown)
            except EOFError:
                self._child.join()
                verdict, word = "finding", f"the process died, exit code {self._child.exitcode}"
                self._start()
        found.slowest_s = max(found.slowest_s, time.monotonic() - began)
        if verdict == "accepted":
            found.accepted += 1
        elif verdict == "refused":
            found.refused[word] += 1
        else:
            found.findings.append(
                f"seed {self._seed} number {number} ({mutant(self._seed, number)[0]}): {word}"
            )

    def close(self) -> None:
        """End the child."""
        self._child.kill()
        self._child.join()

    def _start(self) -> None:
        if hasattr(self, "_child"):
            self.close()
        self._link, theirs = SPAWN.Pipe()
        self._child = SPAWN.Process(target=_serve, args=(theirs, self._seed))
        self._child.start()
        theirs.close()
        assert self._link.recv() == "ready"


def _serve(link: Connection, seed: int) -> None:
    faulthandler.enable()
    torch.set_num_threads(1)
    mutant(seed, 0)
    resource.setrlimit(resource.RLIMIT_AS, (_memory_bytes() + ROOM_BYTES,) * 2)
    link.send("ready")
    while True:
        verdict, word = judge(mutant(seed, link.recv())[1])
        link.send((verdict, word, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - _AT_START))


def judge(data: bytes) -> tuple[str, str]:
    """`accepted`, or `refused` and the kind, or `finding` and what is wrong."""
    settings = PictureSettings(max_megapixels=LIMIT_MEGAPIXELS)
    try:
        picture = decode_picture(data, source="mutant", settings=settings)
        problem = _problem(picture) or _problem(resize(picture, long_edge=48, enlarge=True))
    except BadImage as error:
        # Under this limit no picture needs much, so that a shortage is a decoder that trusts the file.
        short = "memory" in str(error) or isinstance(error.__cause__, MemoryError)
        return ("finding", str(error)) if short else ("refused", error.kind)
    except Exception:
        return "finding", traceback.format_exc(limit=-3)
    return ("finding", problem) if problem else ("accepted", "")


def _problem(picture: Picture) -> str:
    rgb, alpha = picture.rgb, picture.alpha
    if rgb.dtype != torch.float32 or rgb.ndim != 3 or rgb.shape[0] != 3:
        return f"not [3, H, W] float32 but {tuple(rgb.shape)} {rgb.dtype}"
    if not bool(torch.isfinite(rgb).all()) or float(rgb.min()) < 0 or float(rgb.max()) > 1:
        return "pixels that are not finite or not in 0..1"
    if alpha is None:
        return ""
    if alpha.shape != (1, *rgb.shape[1:]) or not bool(torch.isfinite(alpha).all()):
        return f"alpha of the shape {tuple(alpha.shape)}, or not finite"
    return "" if 0 <= float(alpha.min()) <= float(alpha.max()) <= 1 else "alpha outside 0..1"


def _memory_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


_AT_START = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, help="how long; or give --mutants")
    parser.add_argument("--mutants", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", nargs=2, metavar=("NUMBER", "FILE"), help="write one mutant and stop")
    given = parser.parse_args()
    if given.write:
        told, data = mutant(given.seed, int(given.write[0]))
        Path(given.write[1]).write_bytes(data)
        sys.stdout.write(f"{told}: {len(data)} bytes\n")
        return
    minutes = given.minutes if given.mutants is not None or given.minutes is not None else 1.0
    found = harvest(given.seed, mutants=given.mutants, minutes=minutes)
    sys.stdout.write(f"{found}\n")
    sys.exit(bool(found.findings))


if __name__ == "__main__":
    main()
