"""What `stylize doctor` finds, and what it says to do; torch and Prefect are asked for real in one test."""

from __future__ import annotations

import json
import os
import re
import shutil
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from object_store import ObjectStore
from small_batch import FAST, manifest, small_batch
from typer.testing import CliRunner

import stylize_core
from flows.cli.app import app
from flows.manifest.load import load_manifest
from flows.running.upkeep import doctor
from flows.running.upkeep.doctor import Finding, examine
from flows.running.upkeep.machine import TorchFacts, torch_facts, why_no_prefect
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage

GPU = {"device": "cuda:0", "name": "GPU", "memory_bytes": 80e9, "free_bytes": 79e9}
SLIM = Path(stylize_core.__file__).parent / "networks/pretrained/slim.safetensors"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small batch on a machine with one GPU and a Prefect that starts."""
    small_batch(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    see(monkeypatch, GPU, hub=str(tmp_path / "hub"))
    monkeypatch.setattr(doctor, "why_no_prefect", lambda: "")
    return tmp_path


def see(
    monkeypatch: pytest.MonkeyPatch, *devices: dict[str, object], hub: str = "", trouble: str = ""
) -> None:
    facts = TorchFacts("2.15", "13.2", 8, devices, hub, trouble)
    monkeypatch.setattr(doctor, "torch_facts", lambda: facts)


def findings(home: Path, check: str) -> list[Finding]:
    return [one for one in examine(load_manifest(home / "m.yaml")) if one.check == check]


def test_a_sound_machine_is_told_line_by_line_and_nothing_is_left_behind(home: Path) -> None:
    before = sorted(home.rglob("*"))
    said = CliRunner().invoke(app, ["doctor", "m.yaml"])
    assert said.exit_code == 0, said.stdout
    checks = [line.split()[:2] for line in said.stdout.splitlines()]
    assert checks == [["ok", name] for name in ("devices", "weights", "memory", "prefect", "storage", "disk")]
    assert sorted(home.rglob("*")) == before


@pytest.mark.slow
def test_it_asks_this_machines_torch_and_prefect() -> None:
    facts = torch_facts()
    assert (facts.trouble, facts.threads > 0, Path(facts.hub).name) == ("", True, "hub")
    assert why_no_prefect() == ""


@pytest.mark.parametrize(
    ("devices", "trouble", "wanted", "state", "words"),
    [
        ([GPU], "", "cuda", "ok", "cuda:0, GPU, 79.0 GB of 80.0 GB free"),
        ([GPU], "", "cuda:1", "bad", "wants `device: cuda:1`; this machine has cuda:0, cpu"),
        ([], "", "auto", "note", "no GPU is seen by PyTorch 2.15, built for CUDA 13.2"),
        ([], "libtorch is gone", "auto", "bad", "not start: libtorch is gone; install stylize again"),
        (
            [{"device": "cuda:0", "name": "GPU", "trouble": "no kernel"}],
            "", "auto", "bad", "cuda:0, GPU, does not compute: no kernel; look at it with nvidia-smi",
        ),
    ],
)  # fmt: skip
def test_a_device_that_a_run_would_miss_is_told(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: list[dict[str, object]],
    trouble: str,
    wanted: str,
    state: str,
    words: str,
) -> None:
    see(monkeypatch, *devices, trouble=trouble)
    manifest(home, f"device: {wanted}\ncontents: ['photos/*']\nstyles: ['paintings/*']")
    found = findings(home, "devices")[-1]
    assert (found.state, words in f"{found.found}; {found.advice}") == (state, True), found


def test_weights_are_verified_wherever_they_lie(home: Path) -> None:
    shutil.copy(SLIM, home / "mine.safetensors")
    digest = sha256(SLIM.read_bytes()).hexdigest()
    staged = "encoder: vgg19, weights: {{file: mine.safetensors, sha256: {}}}"
    manifest(home, settings=staged.format(digest))
    assert [one.state for one in findings(home, "weights")] == ["ok"]
    manifest(home, settings=staged.format("0" * 64))
    (wrong,) = findings(home, "weights")
    assert (wrong.state, f"begins with {digest[:8]}, not 00000000" in wrong.found) == ("bad", True)
    manifest(home, settings=staged.format(digest).replace("mine", "nope"))
    assert "does not exist" in findings(home, "weights")[0].found


def test_published_weights_are_looked_for_where_torch_keeps_them(home: Path) -> None:
    manifest(home, settings="encoder: vgg19")
    (absent,) = findings(home, "weights")
    assert (absent.state, absent.advice.endswith("stylize weights vgg19 --fetch")) == ("note", True)
    (home / "hub/checkpoints").mkdir(parents=True)
    (home / "hub/checkpoints/vgg19-dcbb9e9d.pth").write_bytes(b"half a download")
    (broken,) = findings(home, "weights")
    assert (broken.state, "delete it and fetch it again" in broken.advice) == ("bad", True)


def test_an_output_that_cannot_be_written_fails_the_check(home: Path) -> None:
    (home / "out").write_text("a file")
    said = CliRunner().invoke(app, ["doctor", "m.yaml", "--json"])
    facts = json.loads(said.stdout)
    (storage,) = [one for one in facts["findings"] if one["check"] == "storage"]
    assert (said.exit_code, facts["well"], storage["state"]) == (1, False, "bad")
    assert str(home / "out") in storage["found"]


def test_a_run_at_work_is_told_and_not_disturbed(home: Path) -> None:
    with hold_output(open_storage(str(home / "out"))):
        assert f"pid {os.getpid()}" in findings(home, "storage")[1].found


def test_a_prefect_that_is_away_is_a_note_without_its_password(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://somebody:secret@127.0.0.1:9/api")
    said = CliRunner().invoke(app, ["doctor", "m.yaml"])
    assert (said.exit_code, "secret" in said.stdout) == (0, False)
    assert re.search("note  prefect .*127.0.0.1:9/api.*start it or correct PREFECT_API_URL", said.stdout)


def test_a_bucket_is_tried_and_its_clock_compared(
    home: Path, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(home, settings=FAST, output=f"s3://{object_store.bucket}/night")
    storage, clock = findings(home, "storage"), findings(home, "clock")
    assert [one.state for one in (*storage, *clock)] == ["ok", "ok"]
    assert list(open_storage(f"s3://{object_store.bucket}").list()) == []
    monkeypatch.setattr("flows.storage.clock.time", SimpleNamespace(time=lambda: 0.0))
    (late,) = findings(home, "clock")
    assert (late.state, "behind the store's" in late.found, "NTP" in late.advice) == ("bad", True, True)


def test_credentials_that_expired_are_told_without_what_the_store_said(
    home: Path, object_store: ObjectStore
) -> None:
    manifest(home, output=f"s3://{object_store.bucket}/night")
    object_store.fail("*", "*", "expired_token")
    (storage,) = findings(home, "storage")
    assert (storage.state, "ExpiredToken" in storage.found) == ("bad", True)
