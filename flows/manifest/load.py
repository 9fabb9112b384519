"""The manifest: what a run is to make, read from YAML and checked as a whole before anything starts."""

from __future__ import annotations

import sys
from pathlib import Path

from flows.errors import ManifestError, Problem, StorageError
from flows.manifest.check import check_manifest
from flows.manifest.model import Manifest
from flows.manifest.paths import folder_of
from flows.manifest.yaml_tree import MAX_BYTES, read_yaml
from flows.storage.location import absolute_path, is_remote
from flows.storage.opening import read_uri

MAX_PROBLEMS = 50
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".heic")
STDIN = "-"


def load_manifest(path: str | Path, *, text: str | None = None) -> Manifest:
    """Read and check the manifest at `path`, a local path or `s3://` URI, or `text` as if it stood there.

    Args:
        path: `-` for what comes from standard input, whose relative paths start in the working folder.

    Raises:
        ManifestError: carrying every problem found, in the order of their lines.
    """
    piped = str(path) == STDIN and text is None
    place = absolute_path(str(path))
    source, folder = "<stdin>" if piped else place, folder_of(place)
    problems: list[Problem] = []
    if text is None and place.lower().endswith(_PICTURES):
        advice = "`stylize one PHOTO PAINTING -o OUT` stylises one, `stylize init FOLDER` writes a manifest"
        raise ManifestError(source, [Problem("", f"this is a picture; {advice}")])
    data = _read_file(place, problems, piped=piped) if text is None else text.encode("utf-8", "surrogatepass")
    root = None if data is None else read_yaml(data, problems)
    manifest = None if root is None else check_manifest(root, source, folder=folder, problems=problems)
    if manifest is None or problems:
        raise ManifestError(source, _in_order(problems))
    return manifest


def _read_file(source: str, problems: list[Problem], *, piped: bool) -> bytes | None:
    try:
        if piped:
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        if is_remote(source):
            return read_uri(source)
        with Path(source).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError, StorageError) as error:
        reason = getattr(error, "strerror", None) or error
        advice = "; `stylize init FOLDER` writes one" if isinstance(error, FileNotFoundError) else ""
        advice = (
            "; `stylize init` writes one for its pictures" if isinstance(error, IsADirectoryError) else advice
        )
        problems.append(Problem("", f"the manifest cannot be read: {reason}{advice}"))
        return None


def _in_order(problems: list[Problem]) -> list[Problem]:
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    if len(ordered) <= MAX_PROBLEMS:
        return ordered
    return [*ordered[:MAX_PROBLEMS], Problem("", f"and {len(ordered) - MAX_PROBLEMS} more problems")]
