"""Rows 7, 20, 22, 23 and 42: what the machine, its devices and the weights on it can do to a run."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from commands import ROOT
from commands import run as run_command
from PIL import Image
from processes import why_no_trace
from small_batch import FAST, Audience, draw, manifest, record, run_inside, stylize, tree

from stylize_core.architecture import convolutions
from stylize_core.networks.weights import builtin_bytes

pytestmark = pytest.mark.slow
CPU = ("--device", "cpu")


# ---- row 7: the order in which things become durable


def test_row_07_bytes_names_and_records_become_durable_in_this_order(tmp_path: Path) -> None:
    """What strace saw of a whole pair: the order that a power cut needs, and not the power cut itself."""
    if why := why_no_trace(tmp_path):
        pytest.skip(f"nothing can be traced here: {why}")
    trace = tmp_path / "trace"
    calls = "trace=fsync,rename,renameat,renameat2,link,linkat"
    arguments = ["one", str(draw(tmp_path / "p.png", 1)), str(draw(tmp_path / "s.png", 2))]
    options = ["-o", str(tmp_path / "out/a.png"), "-s", "size=64", "-s", "steps=2", *CPU]
    script = "import sys; from flows.cli.app import main; sys.argv[0] = 'stylize'; main()"
    command = [sys.executable, "-c", script, *arguments, *options]
    ran = subprocess.run(
        ["strace", "-f", "-y", "--seccomp-bpf", "-e", calls, "-o", str(trace), *command],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    out = re.escape(str(tmp_path / "out"))
    steps = [step for step in _durable_steps(trace.read_text()) if re.search(out, step)]
    picture, end = rf"{out}/\.a\.png\.\S*\.stylize-tmp", rf"{out}/\.a\.json\.\S*\.stylize-tmp"
    expected = [
        rf"fsync {picture}",
        rf"rename {picture} {out}/a\.png",
        rf"fsync {out}",
        rf"fsync {end}",
        rf"link {end} {out}/a\.json",
        rf"fsync {out}",
    ]
    assert len(steps) == len(expected), steps
    for step, pattern in zip(steps, expected, strict=True):
        assert re.fullmatch(pattern, step), (step, pattern)


def _durable_steps(trace: str) -> list[str]:
    """`fsync <file>`, `rename <from> <to>` and `link <from> <to>`, in the order in which they began."""
    found = re.findall(r'(fsync)\(\d+<([^>]*)>|(rename|link)\w*\([^"]*"([^"]*)",[^"]*"([^"]*)"', trace)
    return [" ".join(filter(None, call)) for call in found]


# ---- row 20: memory

TOO_LARGE = """
import hashlib, json, resource, sys
from pathlib import Path
from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan
from flows.worker.main import DeviceWorker

plan = make_plan(load_manifest(sys.argv[1]))
jobs = {one.pair.name: Job(one.pair, plan.output, one.identity) for one in plan.pairs}
out = Path(plan.output)
worker = DeviceWorker("cpu", threads=1)
def made(name):
    (outcome,) = worker.run_pairs([jobs[name]])
    assert outcome.status == "done", outcome
    digest = hashlib.sha256((out / f"{name}.png").read_bytes()).hexdigest()
    (out / f"{name}.json").unlink()
    return digest
before = made("small")
pages = int(Path("/proc/self/statm").read_text().split()[0])
room = pages * resource.getpagesize() + 250 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (room, room))
told = {}
for name in ("wide", "rich", "many"):
    (outcome,) = worker.run_pairs([jobs[name]])
    told[name] = (outcome.status, outcome.kind, outcome.message)
print(json.dumps({"told": told, "same": made("small") == before}))
"""


def test_row_20_memory_that_ends_costs_one_pair_and_the_next_is_as_if_alone(tmp_path: Path) -> None:
    """Real allocations that fail: while optimising, for the statistics of a style, and while decoding."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("reads how much address space is in use from Linux's /proc")
    draw(tmp_path / "p.png", 1)
    draw(tmp_path / "rich.png", 2, width=2000, height=1500)
    Image.new("RGB", (12_000, 8_000)).save(tmp_path / "many.png")
    entries = """pairs:
  - {content: p.png, style: p.png, name: small}
  - {content: p.png, style: p.png, name: wide, settings: {size: 2000}}
  - {content: p.png, style: rich.png, name: rich, settings: {size: 500, style_scale: 4}}
  - {content: many.png, style: p.png, name: many}
"""
    said = json.loads(
        run_command(sys.executable, "-c", TOO_LARGE, str(manifest(tmp_path, entries)), PYTHONPATH=str(ROOT))
    )
    assert {name: outcome[:2] for name, outcome in said["told"].items()} == {
        name: ["failed", "out_of_memory"] for name in ("wide", "rich", "many")
    }, said
    assert "2000x1500 px do not fit on cpu" in said["told"]["wide"][2]
    assert re.search("tried to allocate|could not create a primitive", said["told"]["wide"][2])
    assert "many.png" in said["told"]["many"][2]
    assert said["same"], "the pair after the failures differs from the one before them"
    assert record(tmp_path, "rich").failure is not None


@pytest.mark.cuda
@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; the CPU's twin runs everywhere"
)
def test_row_20_gpu_memory_that_ends_costs_one_pair_and_the_next_is_as_if_alone(tmp_path: Path) -> None:
    import worker_here as worker

    from flows.manifest.load import load_manifest
    from flows.model.pair import Job
    from flows.planning.plan import make_plan

    draw(tmp_path / "p.png", 1)
    entries = """pairs:
  - {content: p.png, style: p.png, name: small}
  - {content: p.png, style: p.png, name: wide, settings: {size: 4096}}
"""
    plan = make_plan(load_manifest(manifest(tmp_path, entries)))
    small, wide = (Job(one.pair, plan.output, one.identity) for one in plan.pairs)
    worker.start("cuda:0")
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(2e9 / total)
    try:
        assert worker.run_pair(small).status == "done"
        before = tree(tmp_path / "out")["small.png"]
        outcome = worker.run_pair(wide)
        assert (outcome.status, outcome.kind) == ("failed", "out_of_memory")
        assert "4096x3072 px do not fit on cuda:0" in outcome.message
        assert "MiB" in outcome.message or "GiB" in outcome.message
        (tmp_path / "out/small.json").unlink()
        assert worker.run_pair(small).status == "done"
        assert tree(tmp_path / "out")["small.png"] == before
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


# ---- row 22: numbers that end


def test_row_22_a_pair_that_leaves_the_numbers_is_told_with_its_step_and_leaves_no_picture(
    tmp_path: Path,
) -> None:
    draw(tmp_path / "p.png", 1)
    draw(tmp_path / "s.png", 2)
    loud = {name: value * 1e5 for name, value in safetensors.torch.load(builtin_bytes()).items()}
    data = safetensors.torch.save(loud)
    (tmp_path / "loud.safetensors").write_bytes(data)
    weights = f"{{file: loud.safetensors, sha256: {hashlib.sha256(data).hexdigest()}}}"
    absurd = (
        f"{{recipe: 2, weights: {weights}, loss: gatys, style_weight: 1e15, content_weight: 1e15, steps: 60}}"
    )
    entries = f"""pairs:
  - {{content: p.png, style: s.png, name: lost, settings: {absurd}}}
  - {{content: p.png, style: s.png, name: calm}}
"""
    ended = run_inside(manifest(tmp_path, entries), Audience())
    assert (ended.done, ended.failed, ended.exit_code) == (1, 1, 3)
    failure = record(tmp_path, "lost").failure
    assert failure is not None
    assert failure.kind == "diverged"
    assert re.search(r"the loss was not finite even at the start; \d+ evaluations", failure.message)
    assert sorted(tree(tmp_path / "out")) == ["calm.json", "calm.png", "lost.json"]


# ---- row 23: devices


def test_row_23_a_gpu_that_is_not_there_is_said_and_never_replaced(tmp_path: Path) -> None:
    draw(tmp_path / "p.png", 1)
    path = manifest(tmp_path, "contents: [p.png]\nstyles: [p.png]")
    for device in ("cuda", "cuda:0"):
        refused = stylize("run", path, "--device", device, CUDA_VISIBLE_DEVICES="")
        assert refused.returncode == 1
        assert f"device '{device}'" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert list((tmp_path / "out").iterdir()) == []


# ---- row 42: weights


class Canary:
    """Creates a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def _with_payload(path: Path) -> bytes:
    out = BytesIO()
    names = (f"features.{place.index}.weight" for place in convolutions("slim"))
    torch.save({name: Canary(path) for name in names}, out)  # a plan sees the names, and only those
    return out.getvalue()


def _zip_bomb() -> bytes:
    """A state dict of 400 MB of zeros, packed into less than one."""
    plain, packed = BytesIO(), BytesIO()
    torch.save({"features.0.weight": torch.zeros(100_000_000)}, plain)
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, before.read(name))
    assert len(packed.getvalue()) < 1_000_000
    return packed.getvalue()


def test_row_42_weights_that_are_not_the_promised_bytes_stop_the_run_at_the_start(tmp_path: Path) -> None:
    draw(tmp_path / "p.png", 1)
    good = builtin_bytes()
    flipped = bytearray(good)
    flipped[-1] ^= 1
    swapped = _with_payload(tmp_path / "canary")
    for name, data in {"flipped": bytes(flipped), "cut": good[:-100], "swapped": swapped}.items():
        said = _refusal(tmp_path, name, data, sha256=hashlib.sha256(good).hexdigest())
        assert f"digest mismatch: expected sha256 {hashlib.sha256(good).hexdigest()}" in said
        assert hashlib.sha256(data).hexdigest() in said


def test_row_42_a_payload_under_its_own_digest_is_still_not_run(tmp_path: Path) -> None:
    draw(tmp_path / "p.png", 1)
    data = _with_payload(tmp_path / "canary")
    said = _refusal(tmp_path, "payload", data, sha256=hashlib.sha256(data).hexdigest())
    assert "neither a safetensors file nor a .pth state dict of plain tensors" in said
    assert "weights_only" not in said, "torch's advice to load it unsafely"
    assert not (tmp_path / "canary").exists()
    torch.load(BytesIO(data), weights_only=False)
    assert (tmp_path / "canary").exists(), "the canary is dead, so its silence proves nothing"


def test_row_42_a_zip_bomb_under_its_own_digest_ends_as_a_refusal(tmp_path: Path) -> None:
    data = _zip_bomb()
    (tmp_path / "bomb.pth").write_bytes(data)
    script = f"""
import resource, sys
from pathlib import Path
from stylize_core.errors import BadWeights
from stylize_core.networks.weights import weights_from_bytes
room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    weights_from_bytes(Path(sys.argv[1]).read_bytes(), sha256="{hashlib.sha256(data).hexdigest()}",
                       architecture="vgg19", convention="torchvision", source="bomb.pth")
except BadWeights as refusal:
    print(refusal)
"""
    said = run_command(sys.executable, "-c", script, str(tmp_path / "bomb.pth"), PYTHONPATH=str(ROOT))
    assert said.startswith("bomb.pth cannot be read as weights: ")


def _refusal(home: Path, name: str, data: bytes, *, sha256: str) -> str:
    """What a run says that is to use these bytes as weights; nothing may have been started."""
    (home / f"{name}.pth").write_bytes(data)
    settings = f"{FAST}, recipe: 2, weights: {{file: {name}.pth, sha256: {sha256}}}"
    path = manifest(home, "contents: [p.png]\nstyles: [p.png]", settings=settings)
    refused = stylize("run", path, *CPU)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert tree(home / "out") == {}
    return refused.stderr
