"""Pinned versions, the wheel, and the targets that README.md promises."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from commands import ROOT, run
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
CHECKOUT_ONLY = ("docs", "artwork", "training", "benchmarks")  # what makes the project, not what it is
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[0-9][A-Za-z0-9.]*)")


def _pins() -> dict[NormalizedName, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [PIN.fullmatch(line) for line in lines if line and not line.startswith("#")]
    assert all(found), "constraints.txt holds nothing but name==version"
    return {canonicalize_name(pin["name"]): pin["version"] for pin in found if pin}


def test_every_package_that_the_project_asks_for_is_pinned_to_an_accepted_version() -> None:
    pins, extras = _pins(), PROJECT["optional-dependencies"]["test"]
    for line in [*PROJECT["dependencies"], *extras, *PYPROJECT["build-system"]["requires"]]:
        asked = Requirement(line)
        assert asked.specifier.contains(pins[canonicalize_name(asked.name)]), asked


def test_packages_that_others_ask_for_are_pinned_as_well_and_fit_one_another() -> None:
    """What `pip check` does, and more: nothing that is needed may come in a version of its own choice."""
    pins = _pins()
    for name, asked in _needed_by(f"{PROJECT['name']}[test]"):
        assert name in pins, f"{asked} is needed and not pinned"
        assert asked.specifier.contains(pins[name], prereleases=True), f"{asked}, but {pins[name]} is pinned"
        assert Version(version(name)).public == pins[name], f"{name} is installed in another version"


def _needed_by(project: str) -> Iterator[tuple[NormalizedName, Requirement]]:
    """Every requirement that holds on this machine, whoever asks for it."""
    waiting, seen = [Requirement(project)], set()
    while waiting:
        wanted = waiting.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        for line in requires(wanted.name) or []:
            asked = Requirement(line)
            extras = ["", *wanted.extras]
            if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in extras):
                if canonicalize_name(asked.name) != PROJECT["name"]:
                    yield canonicalize_name(asked.name), asked
                waiting.append(asked)


def test_torch_is_new_enough_for_its_restricted_loader_to_be_one() -> None:
    """`weights_only` could be got around before 2.6 (CVE-2025-32434) and before 2.10 (CVE-2026-24747)."""
    (torch,) = [line for line in PROJECT["dependencies"] if Requirement(line).name == "torch"]
    assert not Requirement(torch).specifier.contains("2.9.1")
    assert Version(_pins()[canonicalize_name("torch")]) >= Version("2.10")


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_the_files_that_it_reads(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE.md", "stylize_launcher.py"):
        shutil.copy(ROOT / name, tmp_path)
    for room in ("stylize_core", "flows", *CHECKOUT_ONLY):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", ".", cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    suffixes = {".py", ".typed", ".safetensors", ".html", ".css", ".js"}
    files = [path for room in ("stylize_core", "flows") for path in (ROOT / room).rglob("*")]
    assert not {path.relative_to(ROOT).as_posix() for path in files if path.suffix in suffixes} - packed
    assert "stylize_core/networks/pretrained/slim.safetensors" in packed
    assert {"LICENSE", "NOTICE.md"} <= {name.rsplit("/", 1)[1] for name in packed if "/licenses/" in name}
    assert {name.split("/")[0] for name in packed if ".dist-info/" not in name} == {
        "stylize_core", "flows", "stylize_launcher.py",
    }  # fmt: skip


def test_make_alone_prints_every_target_with_its_purpose() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^ +make (\S+) +\S", run("make", "--no-print-directory"), re.MULTILINE)
    assert sorted(listed) == sorted(phony.split())


def test_an_old_python_is_told_what_to_do(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    done = subprocess.run(
        ["make", "demo", "PYTHON="], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr


def test_a_finished_installation_is_not_repeated(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt", ".venv/bin/pip", ".venv/.installed"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    steps = run("make", "--no-print-directory", "--dry-run", "demo", cwd=tmp_path).splitlines()
    assert steps == [".venv/bin/stylize run manifests/quickstart.yaml"]


def test_ci_runs_what_the_readme_tells_everybody_torun() -> None:
    script = (ROOT / ".ci/run").read_text().splitlines()
    commands = [line for line in script if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert all(command in (ROOT / "README.md").read_text() for command in commands)
