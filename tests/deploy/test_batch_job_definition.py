"""deploy/aws/batch-job-definition.json: what AWS Batch accepts, what tasks run, what their ends lead to."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator
from deployed import CODES, EXAMPLE, IMAGE, PAIRS, batch_in, from_json, run_words, told_of_ends
from moto import mock_aws
from object_store import ObjectStore

from flows.model import durations
from flows.model.shard import Shard
from flows.running.budget import GRACE_S
from flows.running.platforms import job_of_this_process, shard_of

DEFINITION: dict[str, Any] = from_json("aws/batch-job-definition.json")
CONTAINER: dict[str, Any] = DEFINITION["containerProperties"]
RULES: list[dict[str, str]] = DEFINITION["retryStrategy"]["evaluateOnExit"]
CONDITIONS = ("onStatusReason", "onReason", "onExitCode")


def problems(definition: dict[str, Any]) -> str:
    """What the service's own model says against a job definition."""
    model = botocore.session.get_session().get_service_model("batch")
    shape = model.operation_model("RegisterJobDefinition").input_shape
    assert shape
    report: str = ParamValidator().validate(definition, shape).generate_report()
    return report


def test_the_model_of_the_service_finds_nothing_wrong() -> None:
    assert problems(DEFINITION) == ""
    assert "attemptDuration" in problems(DEFINITION | {"timeout": {"attemptDuration": 60}})


@mock_aws(config={"batch": {"use_docker": False}})
def test_a_server_registers_it_as_it_stands() -> None:
    client = boto3.client("batch", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    client.register_job_definition(**DEFINITION)
    (kept,) = client.describe_job_definitions(jobDefinitionName="stylize")["jobDefinitions"]
    rules = [rule | {"action": rule["action"].upper()} for rule in kept["retryStrategy"]["evaluateOnExit"]]
    assert rules == RULES
    assert kept["containerProperties"]["command"] == CONTAINER["command"]


def test_what_the_model_cannot_say_holds_as_well() -> None:
    """From the API reference of `RetryStrategy`, `EvaluateOnExit` and `JobTimeout`."""
    assert 1 <= DEFINITION["retryStrategy"]["attempts"] <= 10
    assert len(RULES) <= 5
    assert {rule["action"] for rule in RULES} <= {"RETRY", "EXIT"}
    for rule in RULES:
        assert rule.get("onExitCode", "0").removesuffix("*").isdigit() or rule["onExitCode"] == "*"
        assert "*" not in "".join(rule.get(name, "")[:-1] for name in CONDITIONS), "only at the end"
    assert DEFINITION["timeout"]["attemptDurationSeconds"] >= 60


def decided(*, exit_code: int | None = None, status_reason: str = "Essential container exited") -> str:
    """What Batch does with an attempt that ended so: the first rule of which all conditions match."""
    facts = {"onStatusReason": status_reason, "onExitCode": "" if exit_code is None else str(exit_code)}
    for rule in RULES:
        if all(fnmatchcase(facts.get(name, ""), rule[name]) for name in CONDITIONS if name in rule):
            return rule["action"]
    return "RETRY"


def test_what_becomes_of_each_exit_code_is_what_the_documentation_says() -> None:
    told, words = told_of_ends("AWS Batch"), {"RETRY": "again", "EXIT": "failed"}
    ends = {code: told[str(code)] for code in CODES.values()}
    assert ends.pop(CODES["ALL_DONE"]) == "done"
    assert {code: words[decided(exit_code=code)] for code in ends} == ends
    assert words[decided(exit_code=137)] == told["killed"]


def test_the_rules_name_no_exit_code_that_the_program_does_not_have() -> None:
    named = {rule["onExitCode"] for rule in RULES if "onExitCode" in rule} - {"*"}
    assert named <= {str(code) for code in CODES.values()}


@pytest.mark.parametrize("exit_code", [None, 3, 143])
def test_the_end_of_a_spot_machine_is_no_end_of_the_task(exit_code: int | None) -> None:
    reason = "Host EC2 (instance i-0123456789abcdef0) terminated."
    assert decided(exit_code=exit_code, status_reason=reason) == "RETRY"
    assert told_of_ends("AWS Batch")["host"] == "again"


def test_a_task_gets_one_gpu_and_the_role_of_the_policy() -> None:
    assert CONTAINER["image"] == IMAGE
    assert {"type": "GPU", "value": "1"} in CONTAINER["resourceRequirements"]
    assert CONTAINER["jobRoleArn"].endswith(":role/stylize")


def test_a_run_ends_by_itself_before_the_limit_after_which_there_is_no_other_attempt() -> None:
    ends_after_s = durations.seconds(_after("--max-time")) + GRACE_S
    assert ends_after_s < DEFINITION["timeout"]["attemptDurationSeconds"]


def test_each_task_makes_another_shard_and_its_attempts_are_one_job() -> None:
    word = _after("--shard")
    assert [shard_of(word, _environment(i, of=4)) for i in range(4)] == [Shard(i, 4) for i in range(4)]
    assert job_of_this_process(_environment(1, of=4)) == "AWS Batch:f00d:1"


@pytest.mark.slow
def test_the_tasks_of_an_array_make_the_whole_manifest(object_store: ObjectStore, tmp_path: Path) -> None:
    parameters = DEFINITION["parameters"] | {"manifest": batch_in(object_store, tmp_path)}
    assert DEFINITION["parameters"] == {"manifest": EXAMPLE}
    values = {f"Ref::{name}": value for name, value in parameters.items()}
    words = [values.get(word, word) for word in CONTAINER["command"]]
    assert [sum(Shard(index, 2).holds(name) for name in PAIRS) for index in range(2)] == [2, 2]
    for index in range(2):
        ended = run_words(words, **_environment(index, of=2))
        assert ended.exit_code == 0, ended.stderr
    made = [key for method, key in object_store.hits if method == "PUT" and key.endswith("png")]
    assert len(made) == len(set(made)) == 4


def _after(option: str) -> str:
    words: list[str] = CONTAINER["command"]
    return words[words.index(option) + 1]


def _environment(index: int, *, of: int) -> dict[str, str]:
    return {
        "AWS_BATCH_JOB_ID": f"f00d:{index}",
        "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
        "AWS_BATCH_JOB_ARRAY_SIZE": str(of),
    }
