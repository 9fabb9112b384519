"""deploy/aws/iam-policy.json against every request that a real run makes: all of them, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest
from deployed import DEPLOY, batch_in, run_words
from moto import mock_aws
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from object_store import ObjectStore

TEXT = (DEPLOY / "aws/iam-policy.json").read_text()
INPUT, OUTPUT = "stylize-test", "stylize-test"  # one bucket for both, as the batch has it
PREFIX = "stylised"
# What each request needs: the service authorization reference of Amazon S3. A HEAD is a GET without a body.
NEEDED = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
    "LIST": "s3:ListBucket",
}
Asked = tuple[str, str, str]
"""An action, the resource that it is for, and the prefix of a listing."""


def statements(*, inputs: str, outputs: str) -> list[dict[str, Any]]:
    """The policy's statements once the user has put in the names."""
    text = TEXT.replace("INPUT-BUCKET", inputs).replace("OUTPUT-BUCKET", outputs)
    found: list[dict[str, Any]] = json.loads(text.replace("OUTPUT-PREFIX", PREFIX))["Statement"]
    return found


def allowed_by(statement: dict[str, Any], asked: Asked) -> bool:
    """Whether a statement allows it; moto knows actions and resources, and of conditions we use just one."""
    action, resource, prefix = asked
    plain = {name: value for name, value in statement.items() if name != "Condition"}
    verdict = IAMPolicyStatement(plain).is_action_permitted(action, resource)
    condition = statement.get("Condition", {"StringLikeIfExists": {"s3:prefix": "*"}})
    ((operator, wanted),) = condition.items()
    assert (operator, set(wanted)) == ("StringLikeIfExists", {"s3:prefix"})
    return verdict is PermissionResult.PERMITTED and (not prefix or fnmatchcase(prefix, wanted["s3:prefix"]))


@pytest.fixture(scope="module")
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[Asked]]:
    """All that planning, two shards, a run over everything, and the state ask of the store."""
    store: ObjectStore = request.getfixturevalue("_object_store")
    with pytest.MonkeyPatch.context() as patch:
        store.lead_clients_here(patch)
        uri = batch_in(store, tmp_path_factory.mktemp("batch"))
        for words in (["plan"], ["run", "--shard", "0/2"], ["run"], ["run"], ["status"]):
            ended = run_words(["stylize", words[0], uri, *words[1:]])
            assert ended.exit_code == 0, ended.stderr
        listings = {("s3:ListBucket", f"arn:aws:s3:::{store.bucket}", prefix) for prefix in store.listed}
        objects = {
            (NEEDED[method], f"arn:aws:s3:::{store.bucket}/{key}", "")
            for method, key in store.hits
            if method != "LIST"
        }
        yield listings | objects


@pytest.mark.slow
def test_all_that_a_run_asks_for_is_allowed(asked: set[Asked]) -> None:
    policy = statements(inputs=INPUT, outputs=OUTPUT)
    assert {action for action, _, _ in asked} == set(NEEDED.values())
    assert not [one for one in asked if not any(allowed_by(statement, one) for statement in policy)]


@pytest.mark.slow
def test_no_statement_and_no_action_of_it_is_there_for_nothing(asked: set[Asked]) -> None:
    """Inputs and output in two buckets, as the policy has them: what lies in the one is not in the other."""
    apart = {
        (action, resource.replace(INPUT, "other") if _is_output(resource, prefix) else resource, prefix)
        for action, resource, prefix in asked
    }
    for statement in statements(inputs=INPUT, outputs="other"):
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        for action in actions:
            used = [one for one in apart if one[0] == action and allowed_by(statement, one)]
            assert used, f"nothing needs {action} of {statement['Sid']}"


def _is_output(resource: str, prefix: str) -> bool:
    return f"{INPUT}/{PREFIX}/" in resource or prefix.startswith(PREFIX)


@pytest.mark.parametrize(
    ("action", "place", "prefix"),
    [
        ("s3:PutObject", "in/photos/p0.png", ""),
        ("s3:DeleteObject", "in/photos/p0.png", ""),
        ("s3:PutObject", "out/elsewhere/p0.png", ""),
        ("s3:GetObject", "out/elsewhere/p0.png", ""),
        ("s3:PutObject", "out/stylised-too/p0.png", ""),
        ("s3:ListBucket", "out", "elsewhere/"),
        ("s3:ListBucket", "foreign", "stylised/"),
        ("s3:PutBucketPolicy", "out", ""),
        ("s3:PutObjectAcl", "out/stylised/p0.png", ""),
    ],
)
def test_what_no_run_needs_is_not_allowed(action: str, place: str, prefix: str) -> None:
    policy = statements(inputs="in", outputs="out")
    one = (action, f"arn:aws:s3:::{place}", prefix)
    assert not any(allowed_by(statement, one) for statement in policy)


def test_a_missing_object_is_told_from_a_forbidden_one() -> None:
    """Asked for an object, S3 looks whether its bucket may be listed, and there is no prefix then."""
    (listing,) = (s for s in statements(inputs="in", outputs="out") if s["Sid"] == "ListOutput")
    assert list(listing["Condition"]) == ["StringLikeIfExists"], "without IfExists, new records answer 403"


@mock_aws
def test_iam_takes_it_as_a_policy() -> None:
    client = boto3.client("iam", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    client.create_policy(PolicyName="stylize", PolicyDocument=TEXT)  # moto checks the grammar as IAM does


def test_the_names_that_are_to_be_put_in_stand_nowhere_else() -> None:
    assert TEXT.count("INPUT-BUCKET") == 2
    assert TEXT.count("OUTPUT-BUCKET") == 2
    assert Path(DEPLOY / "aws/iam-policy.json").stat().st_size < 6144, "IAM's limit of a managed policy"
