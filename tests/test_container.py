"""The image and the deployments, as far as they can be tried without Docker and a Prefect server."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import ROOT, run
from small_batch import small_batch

DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def _instructions(word: str, *, stage: str = "stylize") -> list[str]:
    """The arguments of these instructions of a stage, continued lines joined, comments dropped."""
    return [line.split(None, 1)[1] for line in _stages()[stage] if line.split(None, 1)[:1] == [word]]


def _stages() -> dict[str, list[str]]:
    """The lines of each stage of the Dockerfile by its name; the last one has none."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    stages: dict[str, list[str]] = {}
    name = ""
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.startswith("FROM "):
            name = line.partition(" AS ")[2]
        stages.setdefault(name, []).append(line)
    return stages


def _copies() -> list[tuple[list[str], str]]:
    copies = [shlex.split(line) for line in _instructions("COPY")]
    return [(words[:-1], words[-1]) for words in copies]


def _reaches_the_image(name: str) -> bool:
    """Whether .dockerignore lets a top-level name pass: the last pattern that matches decides."""
    passes = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line.startswith("#") and fnmatch(name, line.removeprefix("!")):
            passes = line.startswith("!")
    return passes


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image's working directory holds once every COPY is done."""
    folder = tmp_path_factory.mktemp("image")
    for sources, target in _copies():
        for source in sources:
            _copy(ROOT / source, folder / (source if target == "./" else target))
    return folder


def _copy(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__", "out"))
    else:
        shutil.copy(source, place)


@pytest.fixture(scope="module")
def installed(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project installed by the image's own command, into a folder instead of the image's Python."""
    target = tmp_path_factory.mktemp("installed")
    (line,) = (line for line in _instructions("RUN") if "--no-deps" in line)
    pip, *arguments = shlex.split(line)
    assert pip == "pip"
    run(sys.executable, "-m", pip, *arguments, "--quiet", "--target", str(target), cwd=image_folder)
    return target


def test_all_that_the_image_copies_exists_and_reaches_it() -> None:
    sources = {source for sources, _ in _copies() for source in sources}
    assert all((ROOT / source).exists() for source in sources)
    assert all(_reaches_the_image(source) for source in sources)
    assert not any(_reaches_the_image(name) for name in (".git", ".venv", "tests", ".env"))


def test_the_image_asks_for_the_dependencies_of_the_project_and_no_others(tmp_path: Path) -> None:
    (line,) = (line for line in _instructions("RUN") if "requirements.txt" in line)
    extract = line.split("&&")[0].replace("python ", f"{shlex.quote(sys.executable)} ", 1)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    run("sh", "-c", extract, cwd=tmp_path)
    assert (tmp_path / "requirements.txt").read_text().splitlines() == DEPENDENCIES


def test_the_images_pinned_dependencies_are_what_the_tests_run_on(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("\n".join(DEPENDENCIES))
    pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--no-index")
    assert "Would install" not in run(*pip, "-c", "constraints.txt", "-r", str(requirements))


def test_each_pip_of_the_image_installs_pinned_versions() -> None:
    steps = [step.strip() for line in _instructions("RUN") for step in line.split("&&")]
    pips = [step for step in steps if step.startswith("pip install")]
    assert len(pips) == 3
    assert all("-c constraints.txt" in step for step in pips)


def test_the_image_runs_what_it_is_told_under_tini_as_a_user_of_its_own() -> None:
    """Pools say `prefect flow-run execute`, people `stylize run`: neither may become words of the other."""
    assert _instructions("ENTRYPOINT") == ['["tini", "--"]']
    assert _instructions("CMD") == ['["stylize", "--help"]']
    (user,) = _instructions("USER")
    assert f"useradd --create-home --uid 10001 {user}" in " ".join(_instructions("RUN"))


def test_skypilot_alone_gets_an_image_that_is_root() -> None:
    assert list(_stages()) == ["stylize", "skypilot", ""]
    assert _stages()["skypilot"][:2] == ["FROM stylize AS skypilot", "USER root"]
    assert "".join(_stages()[""]) == "FROM stylize"


def test_downloaded_weights_outlive_the_container_and_any_user_may_fetch_them() -> None:
    (volume,) = _instructions("VOLUME")
    assert f"TORCH_HOME={volume}" in _instructions("ENV")[0]
    assert f"mkdir -p {volume}" in " ".join(_instructions("RUN"))
    assert f"chmod 1777 {volume}" in " ".join(_instructions("RUN"))


@pytest.mark.slow
def test_the_installed_command_says_what_it_can_do(installed: Path, tmp_path: Path) -> None:
    help_text = run(str(installed / "bin/stylize"), "--help", cwd=tmp_path, PYTHONPATH=str(installed))
    assert {"run", "plan", "status"} <= set(re.findall(r"\w+", help_text))


FOREIGN = "raise SystemExit('foreign code was run')\n"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with packages of our names that are not ours."""
    for name in ("flows", "stylize_core", "prefect_server"):
        (tmp_path / "hostile" / name).mkdir(parents=True)
        (tmp_path / "hostile" / name / "__init__.py").write_text(FOREIGN)
    return tmp_path / "hostile"


@pytest.mark.slow
def test_the_installed_command_runs_its_own_packages_whatever_has_their_names(
    installed: Path, hostile: Path, tmp_path: Path
) -> None:
    """Its worker processes as well: the pair is made."""
    small_batch(tmp_path, photos=1, paintings=1)
    told = run(
        str(installed / "bin/stylize"), "run", "m.yaml", "--device", "cpu",
        cwd=tmp_path, PYTHONPATH=f"{hostile}{os.pathsep}{installed}",
    )  # fmt: skip
    assert told.partition("\n")[0] == "1 of 1 done (1 now, 0 before)"


@pytest.mark.slow
def test_packages_of_our_names_that_were_imported_before_are_named_beside_ours(
    installed: Path, hostile: Path, tmp_path: Path
) -> None:
    (hostile / "flows/__init__.py").write_text("")
    (hostile / "sitecustomize.py").write_text("import flows\n")
    done = subprocess.run(
        [installed / "bin/stylize", "--version"],
        env={"PYTHONPATH": f"{hostile}{os.pathsep}{installed}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    (said,) = done.stderr.splitlines()
    assert str(installed / "flows") in said
    assert str(hostile / "flows/__init__.py") in said


@pytest.mark.slow
def test_the_installed_package_finds_its_weights(installed: Path, tmp_path: Path) -> None:
    code = (
        "import stylize_core.networks.weights as w; "
        "print(w.__file__, len(w.builtin_bytes()), w.builtin_weights().layers[-1])"
    )
    file, size, deepest = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).split()
    assert Path(file).is_relative_to(installed)
    assert deepest == "relu4_1", "the fourth block has a file of its own"
    assert int(size) == (ROOT / "stylize_core/networks/pretrained/slim.safetensors").stat().st_size


def _deployments() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return found


@pytest.mark.parametrize("deployment", _deployments(), ids=lambda deployment: str(deployment["name"]))
def test_a_deployment_names_a_flow_its_parameters_and_a_manifest_of_the_image(
    deployment: dict[str, Any],
) -> None:
    module, _, name = deployment["entrypoint"].rpartition(".")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    (flow,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    taken = {argument.arg for argument in [*flow.args.args, *flow.args.kwonlyargs]}
    assert deployment["parameters"].keys() <= taken
    (home,) = _instructions("WORKDIR")
    assert (ROOT / Path(deployment["parameters"]["manifest"]).relative_to(home)).is_file()


def test_a_schedule_waits_until_somebody_unpauses_it() -> None:
    schedules = [schedule for deployment in _deployments() for schedule in deployment.get("schedules", [])]
    assert schedules
    assert not any(schedule["active"] for schedule in schedules)


def test_what_divides_nights_takes_no_slot_of_what_makes_them() -> None:
    pools = {one["name"]: one["work_pool"]["name"] for one in _deployments()}
    assert pools == {"shard": "gpu", "fleet": "control", "nightly": "control"}


def test_the_flow_of_a_fleet_hands_on_what_that_of_a_shard_takes() -> None:
    """And a command's options are a deployment's parameters."""
    tree = ast.parse((ROOT / "flows/stylize_batch.py").read_text())
    shard, fleet = (
        {argument.arg for argument in node.args.args}
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in ("stylize_batch", "stylize_fleet")
    )
    assert fleet - shard == {"deployment", "shards", "slots"}
    parts = {"only", "limit", "failed", "force", "preview"}  # a fleet makes all of a manifest
    assert shard - fleet == {"shard", "job", "metrics", "max_cost"} | parts
