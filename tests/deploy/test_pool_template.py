"""deploy/kubernetes/pool-template.json: a real Prefect server takes it, and the API would take its jobs."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import prefect
import pytest
from commands import run
from deployed import DEPLOY, IMAGE, from_json
from prefect_server.private_server import private_server

PATH = DEPLOY / "kubernetes/pool-template.json"
TEMPLATE: dict[str, Any] = from_json("kubernetes/pool-template.json")
# Prefect's own resolution of a template, for a worker whose jobs are manifests, as that of Kubernetes is.
RESOLVE = """
import asyncio, json, sys
from prefect.workers.base import BaseJobConfiguration
class Configuration(BaseJobConfiguration):
    job_manifest: dict
template, *runs = map(json.loads, sys.argv[1:])
async def jobs():
    return [(await Configuration.from_template_and_values(template, run)).job_manifest for run in runs]
print(json.dumps(asyncio.run(jobs())))
"""
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "with words": {"command": "prefect flow-run execute"},
    "large": {"gpus": 4, "memory_limit": "64Gi", "image": "mine:1", "backoff_limit": 2},
}


def shipped() -> dict[str, Any]:
    """The template that Prefect itself has for pools of this type."""
    (path,) = Path(prefect.__file__).parent.rglob("aggregate-worker-metadata.json")
    found: dict[str, Any] = json.loads(path.read_text())["prefect-kubernetes"]["kubernetes"]
    template: dict[str, Any] = found["default_base_job_configuration"]
    return template


def placeholders(part: object) -> set[str]:
    """The variables that a part of a template uses."""
    return set(re.findall(r"{{ (\w+) }}", json.dumps(part)))


def paths(part: object, where: str = "") -> set[str]:
    """Every place in a tree of objects and lists."""
    if isinstance(part, dict):
        return {where}.union(*(paths(value, f"{where}/{key}") for key, value in part.items()))
    if isinstance(part, list):
        return {where}.union(*(paths(value, f"{where}/{index}") for index, value in enumerate(part)))
    return {where}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_server(startup_timeout_s=120) as (url, _):
        yield url


@pytest.fixture(scope="module")
def jobs(server: str) -> dict[str, dict[str, Any]]:
    """The jobs of these runs."""
    variables = [json.dumps({"name": "run", "env": {"A": "b"}} | values) for values in RUNS.values()]
    said = run(
        sys.executable, "-c", RESOLVE, PATH.read_text(), *variables, PREFECT_API_URL=server, DO_NOT_TRACK="1"
    )
    return dict(zip(RUNS, json.loads(said), strict=True))


def pod(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["spec"]["template"]["spec"]
    return found


def test_every_variable_is_used_and_every_use_has_its_variable() -> None:
    variables = TEMPLATE["variables"]["properties"]
    assert placeholders(TEMPLATE["job_configuration"]) == variables.keys()
    assert all(variable["title"] and variable["description"] for variable in variables.values())


def test_it_has_all_that_the_worker_reads_from_its_own_template() -> None:
    """Places that `prefect-kubernetes` looks up, or asks for, or lets a deployment override."""
    missing = paths(shipped()["job_configuration"]) - paths(TEMPLATE["job_configuration"])
    assert missing == {"/job_manifest/spec/template/spec/containers/0/resources/limits/cpu"}
    types = {name: variable.get("type") for name, variable in shipped()["variables"]["properties"].items()}
    ours = {name: variable.get("type") for name, variable in TEMPLATE["variables"]["properties"].items()}
    assert {name: ours[name] for name in types if name != "cpu_limit"} == {
        name: kind for name, kind in types.items() if name != "cpu_limit"
    }


@pytest.mark.slow
def test_a_server_makes_a_pool_of_it(server: str) -> None:
    create = [
        "work-pool", "create", "cluster", "--type", "kubernetes", "--base-job-template", str(PATH),
    ]  # fmt: skip
    run(sys.executable, "-m", "prefect", *create, PREFECT_API_URL=server, DO_NOT_TRACK="1")
    with urllib.request.urlopen(f"{server}/work_pools/cluster") as answer:
        pool = json.load(answer)
    assert (pool["type"], pool["base_job_template"]) == ("kubernetes", TEMPLATE)


@pytest.mark.slow
def test_the_job_of_a_run_is_one_that_the_api_accepts(jobs: dict[str, Any]) -> None:
    made = jobs["with words"]
    # Prefect asks for these two where the API has no such fields; a cluster leaves unknown fields out.
    assert (pod(made).pop("parallelism"), pod(made).pop("completions")) == (1, 1)
    # The worker splits the words: `_populate_command_if_not_present` of prefect-kubernetes.
    pod(made)["containers"][0]["args"] = pod(made)["containers"][0]["args"].split()
    pod(made)["containers"][0]["env"] = [{"name": "A", "value": "b"}]
    kubernetes_validate.validate(made, "1.33", strict=True)


@pytest.mark.slow
def test_a_run_gets_one_gpu_a_minute_to_stop_and_no_second_start_by_kubernetes(jobs: dict[str, Any]) -> None:
    made = jobs["plain"]
    (container,) = pod(made)["containers"]
    assert container["image"] == IMAGE
    assert "args" not in container, "left to the worker, which says `prefect flow-run execute`"
    assert container["resources"]["limits"] == {"memory": "16Gi", "nvidia.com/gpu": 1}
    assert made["spec"]["backoffLimit"] == 0
    assert pod(made)["terminationGracePeriodSeconds"] == 60


@pytest.mark.slow
def test_a_deployment_may_ask_for_more(jobs: dict[str, Any]) -> None:
    made = jobs["large"]
    (container,) = pod(made)["containers"]
    assert container["resources"]["limits"] == {"memory": "64Gi", "nvidia.com/gpu": 4}
    assert (container["image"], made["spec"]["backoffLimit"]) == ("mine:1", 2)


def test_the_words_that_the_worker_says_are_a_command_of_prefect() -> None:
    assert "execute" in run(sys.executable, "-m", "prefect", "flow-run", "execute", "--help")
