"""deploy/kubernetes/indexed-job.yaml: what the API accepts, what its pods run, what becomes of their ends."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
from deployed import CODES, EXAMPLE, IMAGE, PAIRS, batch_in, from_yaml, run_words, told_of_ends
from object_store import ObjectStore

from flows.model.shard import Shard
from flows.running.platforms import job_of_this_process, shard_of

JOB: dict[str, Any] = from_yaml("kubernetes/indexed-job.yaml")
SPEC: dict[str, Any] = JOB["spec"]
POD: dict[str, Any] = SPEC["template"]["spec"]
(CONTAINER,) = POD["containers"]
RULES: list[dict[str, Any]] = SPEC["podFailurePolicy"]["rules"]
WORDS = {"Count": "again", "FailIndex": "failed", "FailJob": "ends the job"}


@pytest.mark.parametrize("version", ["1.29", "1.33", kubernetes_validate.latest_version()])
def test_the_api_knows_every_field_and_takes_every_value(version: str) -> None:
    kubernetes_validate.validate(JOB, version, strict=True)


def test_a_field_that_the_api_does_not_know_would_be_noticed() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(JOB | {"spec": SPEC | {"backoffLimitPerindex": 3}}, "1.33", strict=True)


def test_what_the_schema_cannot_say_holds_as_well() -> None:
    """From the API reference of `PodFailurePolicyRule` and of `JobSpec`."""
    assert POD["restartPolicy"] == "Never", "a pod failure policy asks for it"
    assert SPEC["completionMode"] == "Indexed", "a limit per index asks for it"
    assert SPEC["parallelism"] <= SPEC["completions"] <= 10**5
    for values in _code_rules().values():
        assert values == sorted(set(values))
        assert 0 not in values


def _code_rules() -> dict[str, list[int]]:
    found = {rule["action"]: rule["onExitCodes"] for rule in RULES if "onExitCodes" in rule}
    assert {rule["containerName"] for rule in found.values()} == {CONTAINER["name"]}
    assert {rule["operator"] for rule in found.values()} == {"In"}
    return {action: rule["values"] for action, rule in found.items()}


def test_the_policy_names_every_exit_code_of_the_program_and_no_other() -> None:
    named = [code for values in _code_rules().values() for code in values]
    assert sorted([*named, CODES["ALL_DONE"]]) == sorted(CODES.values())


def test_what_becomes_of_each_exit_code_is_what_the_documentation_says() -> None:
    told = told_of_ends("Kubernetes")
    for action, values in _code_rules().items():
        assert {told[str(code)] for code in values} == {WORDS[action]}
    assert told[str(CODES["ALL_DONE"])] == "done"
    assert told["killed"] == "again", "an exit code that no rule names counts"


def test_a_lost_node_costs_no_attempt_whatever_the_exit_code_was() -> None:
    assert RULES[0] == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    assert told_of_ends("Kubernetes")["host"] == "again, not counted"


def test_there_are_as_many_pods_as_shards_and_each_makes_another_one() -> None:
    shards = [shard_of(_after("--shard"), _environment(index=index)) for index in range(SPEC["completions"])]
    assert shards == [Shard(index, SPEC["completions"]) for index in range(SPEC["completions"])]


def test_attempts_at_a_pod_are_one_job_and_other_pods_and_other_jobs_are_not() -> None:
    first = job_of_this_process(_environment(index=2))
    assert first == job_of_this_process(_environment(index=2)) == "f00d-1/2"
    assert first != job_of_this_process(_environment(index=3))
    assert first != job_of_this_process(_environment(index=2, uid="beef-2"))


def test_a_pod_gets_one_gpu_and_a_minute_to_stop_and_may_do_nothing_else() -> None:
    assert CONTAINER["image"] == IMAGE
    assert CONTAINER["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert POD["terminationGracePeriodSeconds"] == 60
    assert POD["securityContext"]["runAsUser"] == 10001, "the image's own user"
    assert not CONTAINER["securityContext"]["allowPrivilegeEscalation"]


@pytest.mark.slow
def test_two_attempts_at_a_pod_make_its_shard_and_then_find_it_made(
    object_store: ObjectStore, tmp_path: Any
) -> None:
    uri = batch_in(object_store, tmp_path)
    index = next(i for i in range(64) if Shard(i, 64).holds(PAIRS[0]))
    mine = [name for name in PAIRS if Shard(index, 64).holds(name)]
    n = len(mine)
    words = [uri if word == EXAMPLE else word for word in CONTAINER["args"]]
    assert words != CONTAINER["args"]
    for told in (f"{n} of {n} done ({n} now, 0 before)", f"{n} of {n} done (0 now, {n} before)"):
        ended = run_words(words, **_environment(index=index))
        assert (ended.exit_code, ended.stdout.partition("\n")[0]) == (0, told), ended.stderr
    assert all(object_store.get(f"stylised/today/{name}.png") for name in mine)


def _after(option: str) -> str:
    arguments: list[str] = CONTAINER["args"]
    return arguments[arguments.index(option) + 1]


def _environment(*, index: int, uid: str = "f00d-1") -> dict[str, str]:
    """What the kubelet gives the container: the downward API, `$(NAME)` of what stands before, the index."""
    facts = {
        "metadata.labels['batch.kubernetes.io/controller-uid']": uid,
        "metadata.annotations['batch.kubernetes.io/job-completion-index']": str(index),
    }
    found: dict[str, str] = {}
    for entry in CONTAINER["env"]:
        if "value" in entry:
            found[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda m: found[m[1]], entry["value"])
        else:
            found[entry["name"]] = facts[entry["valueFrom"]["fieldRef"]["fieldPath"]]
    return found | {"JOB_COMPLETION_INDEX": str(index)}
