"""Paths and URIs as they stand in a manifest, made absolute."""

from __future__ import annotations

import glob
import os
import posixpath
import re
from pathlib import Path, PurePath
from typing import Literal

from flows.model.names import CONTROL
from flows.storage.globs import literal
from flows.storage.location import S3, Location, is_bucket, is_remote, scheme_of

_VARIABLE = re.compile(r"(?:^|/)(\$(?:\w+|\{\w+\}))(?:/|$)")

Kind = Literal["picture", "pattern", "output", "list", "listed"]
"""What a path names: `list` is a file that names pictures, `listed` one of these, whose `*` is a letter."""


def absolute(text: str, folder: str, *, kind: Kind) -> str:
    """`text` as an absolute path or `s3://` URI; relative paths start at `folder`.

    Nothing is expanded, because a schedule has another home and other variables than the one who wrote the
    manifest: `~` and `$NAME` as a whole part of a path are refused.

    A pattern keeps its `*`, `?`, `[..]` and `**`; `folder` is escaped in it, so that a folder called `[old]`
    works.

    Raises:
        ValueError: saying what is wrong, fit for a user.
    """
    _check_text(text, kind)
    if is_remote(text):
        return _checked_s3(text, kind)
    start = glob.escape(folder) if kind == "pattern" else folder
    if is_remote(folder) and not text.startswith("/"):
        return _checked_s3(_below(start, text), kind)
    return str(PurePath(start, text))


def one_spelling(uri: str) -> str:
    """A local path without `.`, `..` and doubled slashes; an S3 URI as it is, where these are letters."""
    return uri if is_remote(uri) else os.path.normpath(uri)


def folder_of(source: str) -> str:
    """Where the relative paths of the manifest at `source` start."""
    return source.rpartition("/")[0] if is_remote(source) else str(Path(source).parent)


def _below(folder: str, text: str) -> str:
    """`text` from an S3 prefix on; keys have no `..`, so it is resolved here.

    Raises:
        ValueError: it leaves the bucket.
    """
    above = Location.parse(folder)
    key = posixpath.normpath(posixpath.join(above.key, text))
    if key == ".." or key.startswith("../"):
        raise ValueError(f"it leads out of the bucket {above.bucket}; name the other bucket with s3://")
    slash = "/" if text.endswith("/") else ""
    return Location(above.scheme, above.bucket, "" if key == "." else key + slash).uri


def is_pattern(path: str) -> bool:
    """Whether `path`, made absolute as a pattern, may stand for several pictures."""
    return literal(path) is None


def _check_text(text: str, kind: Kind) -> None:
    if not text.strip():
        raise ValueError("it is empty; name a path or an s3:// URI")
    if bad := CONTROL.search(text):
        raise ValueError(f"the control character {bad.group()!r} is not allowed in a path")
    scheme = scheme_of(text)
    if scheme and not text.startswith(f"{S3}://"):
        raise ValueError(f"'{scheme}:' is not supported; name a local path or s3://bucket/key")
    if text == "~" or text.startswith("~/"):
        raise ValueError("`~` is not expanded; write the whole path, or `./~` for a folder of that name")
    if not text.startswith("./") and (variable := _VARIABLE.search(text)):
        raise ValueError(
            f"variables such as {variable.group(1)} are not expanded; write its value, or `./` and the name "
            "if a folder of the manifest is called so"
        )
    if kind in ("picture", "listed") and text.endswith("/"):
        raise ValueError("it names a folder; name one picture")
    if kind == "picture" and set(text) & set("*?"):
        raise ValueError("patterns are for contents and styles; name exactly one file here")
    if kind == "list" and (text.endswith("/") or set(text) & set("*?")):
        raise ValueError("a list is one file; name it in full")
    if kind == "pattern" and any("**" in part and part != "**" for part in text.split("/")):
        raise ValueError("'**' must stand alone between slashes, as in 'photos/**/*.jpg'")


def _checked_s3(uri: str, kind: Kind) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not is_bucket(bucket):
        raise ValueError("write s3://bucket/key; the bucket's name is missing or not one that S3 allows")
    if kind == "output":
        return f"s3://{bucket}/{key}".rstrip("/")
    if not key and kind in ("picture", "list", "listed"):
        raise ValueError("a bucket alone is not a file; write s3://bucket/key")
    return uri
