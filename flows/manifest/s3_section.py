"""What a manifest says of single buckets."""

from __future__ import annotations

from flows.errors import Problem
from flows.manifest.model import S3_KEYS
from flows.manifest.settings import Setting
from flows.manifest.values import known_entries, read_value
from flows.manifest.yaml_tree import Node, Refused, Table
from flows.storage.access import BucketAccess, Encryption
from flows.storage.location import is_bucket

_KINDS = {"unsigned": bool, "requester_pays": bool, "encryption": Encryption, "kms_key": str}


def read_access(node: Node, problems: list[Problem]) -> dict[str, BucketAccess]:
    """By bucket, how it is asked, as far as that is right."""
    if not isinstance(node, Table) or not node.entries:
        message = "this must map buckets to what they want, as in `open-data: {unsigned: true}`"
        problems.append(Problem(node.where, message, node.line))
        return {}
    found: dict[str, BucketAccess] = {}
    for bucket, (line, child) in node.entries.items():
        if not is_bucket(bucket):
            problems.append(Problem(child.where, "this is no name of a bucket; leave out `s3://`", line))
            continue
        try:
            found[bucket] = _access(child, problems)
        except Refused as refused:
            problems.append(refused.problem)
    return found


def _access(node: Node, problems: list[Problem]) -> BucketAccess:
    given = known_entries(node, S3_KEYS, problems)
    values = {key: read_value(_setting(key), child, "", problems) for key, child in given.items()}
    access = BucketAccess(**values)  # type: ignore[arg-type]  # of the kinds above
    if access.unsigned and len(values) > 1:
        raise Refused(node, "`unsigned` goes alone: without credentials nobody pays and nothing is written")
    if access.kms_key and not access.encryption.startswith("aws:kms"):
        raise Refused(given["kms_key"], "a key belongs to `encryption: aws:kms`; add that")
    return access


def _setting(key: str) -> Setting:
    return Setting(key, _KINDS[key], None, "", {}, False)
