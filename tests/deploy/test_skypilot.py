"""deploy/skypilot.yaml: its fields, and its script run by a real bash with what SkyPilot sets."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT
from deployed import CODES, EXAMPLE, IMAGE, batch_in, from_yaml, put_stylize_into, told_of_ends
from object_store import ObjectStore
from pydantic import BaseModel, ConfigDict, Field

TASK: dict[str, Any] = from_yaml("skypilot.yaml")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Recovery(Strict):
    max_restarts_on_errors: int = Field(ge=0)


class Resources(Strict):
    accelerators: str = Field(pattern=r"^[A-Z0-9-]+:\d+$")
    use_spot: bool
    image_id: str = Field(pattern="^docker:")
    job_recovery: Recovery


class Task(Strict):
    """What we use of SkyPilot's own schemas: `get_task_schema` and `get_resources_schema`, 0.14."""

    name: str
    num_nodes: int = Field(ge=1)
    resources: Resources
    envs: dict[str, str]
    run: str


def test_its_fields_are_those_of_skypilot() -> None:
    task = Task.model_validate(TASK)
    assert task.resources.image_id == f"docker:{IMAGE}-skypilot"
    assert task.envs == {"MANIFEST": EXAMPLE}


@pytest.mark.parametrize("file", ["deploy/skypilot.yaml", "docs/fleet.md"])
def test_the_command_that_builds_its_image_names_the_one_that_it_runs(file: str) -> None:
    built = re.findall(r"docker build --target skypilot -t (\S+) \.", (ROOT / file).read_text())
    assert built == [f"{IMAGE}-skypilot"]


@pytest.mark.slow
def test_the_nodes_make_the_whole_manifest(object_store: ObjectStore, tmp_path: Path) -> None:
    uri = batch_in(object_store, tmp_path)
    path = put_stylize_into(tmp_path / "bin")
    for rank in range(2):
        assert _run(path, MANIFEST=uri, SKYPILOT_NODE_RANK=str(rank), SKYPILOT_NUM_NODES="2") == 0
    made = [key for method, key in object_store.hits if method == "PUT" and key.endswith("png")]
    assert len(made) == len(set(made)) == 4


@pytest.mark.parametrize("code", CODES.values())
def test_failed_pairs_do_not_end_the_other_nodes_and_all_else_does(code: int, tmp_path: Path) -> None:
    (tmp_path / "stylize").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "stylize").chmod(0o755)
    ended = _run(tmp_path, MANIFEST="m.yaml")
    assert ended == (0 if code == CODES["SOME_FAILED"] else code)
    assert told_of_ends("SkyPilot")[str(code)] == ("done" if ended == 0 else "again")


def _run(path: Path, **environment: str) -> int:
    found = os.environ | environment | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(["bash", "-c", TASK["run"]], env=found, check=False).returncode
