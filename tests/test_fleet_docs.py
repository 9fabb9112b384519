"""docs/fleet.md: its commands are run or, where they need a cluster, judged; the files that it names exist.

A block marked `sh` is run by a real bash as it stands, in a folder with `deploy/`, the Dockerfile and a small
batch `m.yaml`; `s3://bucket` is a store with the same batch. `stylize` and `prefect` are real, the latter
with a server; the programs of `stand_ins.JUDGES` are stand-ins.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from commands import ROOT
from deployed import DEPLOY, batch_in
from object_store import ObjectStore
from prefect_server.private_server import QUIET, private_server
from small_batch import small_batch
from stand_ins import ASKED, JUDGES, put_programs_into, said

TEXT = (ROOT / "docs/fleet.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    """Each block of this language, after the heading that it stands under."""
    return [
        (re.findall(r"^#+ (.+)$", TEXT[: match.start()], re.MULTILINE)[-1], match[2])
        for match in BLOCK.finditer(TEXT)
        if match[1] == language
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_server(startup_timeout_s=120) as (url, _):
        yield url


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout as far as the documentation speaks of it, with a small batch."""
    folder = tmp_path / "checkout"
    shutil.copytree(DEPLOY, folder / "deploy")
    for name in ("Dockerfile", "prefect.yaml"):
        shutil.copy(ROOT / name, folder)
    path = small_batch(folder)
    path.write_text(f"device: cpu\n{path.read_text()}")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("heading", "block"), blocks("sh"), ids=lambda text: text.partition("\n")[0][:40])
def test_every_command_is_run(
    heading: str, block: str, place: Path, object_store: ObjectStore, server: str, tmp_path: Path
) -> None:
    batch_in(object_store, tmp_path)
    programs = put_programs_into(tmp_path / "bin")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "COV"))}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.replace("s3://bucket", object_store.root)],
        cwd=place,
        env=clean | QUIET | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PREFECT_API_URL": server,
            "PREFECT_HOME": str(tmp_path / "prefect"),
            ASKED: str(tmp_path / "asked"),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{heading}: {done.stdout}{done.stderr}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        for program, *words in said(tmp_path / "asked"):
            JUDGES[program](words, place)


def test_no_block_of_commands_is_left_out() -> None:
    """A block without a language, or of another one, would be run by nobody."""
    assert {match[1] for match in BLOCK.finditer(TEXT)} == {"sh", "python"}


@pytest.mark.slow
def test_the_shards_inside_another_scheduler_make_everything(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = (text for _, text in blocks("python") if "Dask" in text)
    monkeypatch.setenv("PATH", f"{put_programs_into(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(place)
    defined: dict[str, object] = {}
    exec(compile(block, "docs/fleet.md", "exec"), defined)
    shard = defined["shard"]
    assert callable(shard)
    with ThreadPoolExecutor(1) as pool:
        assert list(pool.map(shard, range(4))) == [0] * 4
    assert len(list((place / "out").glob("*.png"))) == 4


def test_every_file_of_deploy_is_told_of_and_every_link_leads_somewhere() -> None:
    links = {target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", TEXT)}
    assert all((ROOT / "docs" / target).exists() for target in links if target)
    told = {(ROOT / "docs" / target).resolve() for target in links}
    shipped = {path.resolve() for path in DEPLOY.rglob("*") if path.is_file() and path.name != ".env"}
    assert shipped <= told
