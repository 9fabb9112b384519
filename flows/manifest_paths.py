"""Paths and URIs as they stand in a manifest, made absolute."""

from __future__ import annotations

import glob
import re
from pathlib import PurePath
from typing import Literal

from flows.manifest_names import CONTROL
from flows.patterns import literal

Kind = Literal["picture", "pattern", "output"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")


def absolute(text: str, folder: str, *, kind: Kind) -> str:
    """`text` as an absolute path or `s3://` URI; relative paths start at `folder`, `~` is an ordinary letter.

    A pattern keeps its `*`, `?`, `[..]` and `**`; `folder` is escaped in it, so that a folder called `[old]`
    works.

    Raises:
        ValueError: saying what is wrong, fit for a user.
    """
    _check_text(text, kind)
    if text.startswith("s3://"):
        return _checked_s3(text, kind)
    start = glob.escape(folder) if kind == "pattern" else folder
    return str(PurePath(start, text))


def is_pattern(path: str) -> bool:
    """Whether `path`, made absolute as a pattern, may stand for several pictures."""
    return literal(path) is None


def _check_text(text: str, kind: Kind) -> None:
    if not text.strip():
        raise ValueError("it is empty; name a path or an s3:// URI")
    if bad := CONTROL.search(text):
        raise ValueError(f"the control character {bad.group()!r} is not allowed in a path")
    scheme = _SCHEME.match(text)
    if scheme and not text.startswith("s3://"):
        raise ValueError(f"'{scheme[1]}:' is not supported; name a local path or s3://bucket/key")
    if kind == "picture" and text.endswith("/"):
        raise ValueError("it names a folder; name one picture")
    if kind == "picture" and set(text) & set("*?"):
        raise ValueError("patterns are for contents and styles; name exactly one file here")
    if kind == "pattern" and any("**" in part and part != "**" for part in text.split("/")):
        raise ValueError("'**' must stand alone between slashes, as in 'photos/**/*.jpg'")


def _checked_s3(uri: str, kind: Kind) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("write s3://bucket/key; the bucket's name is missing or not one that S3 allows")
    if kind == "output":
        return f"s3://{bucket}/{key}".rstrip("/")
    if not key and kind == "picture":
        raise ValueError("a bucket alone is not a file; write s3://bucket/key")
    return uri
