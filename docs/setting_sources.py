"""What the pictures of `docs/settings.md` are made of: pairs of `manifests/settings.yaml`. Knows no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from docs.setting_notes import NOTES, Curves, Note, Strip
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.manifest.settings import SETTINGS
from flows.planning.plan import Plan, make_plan

ROOT = Path(__file__).parent.parent
MANIFESTS = ROOT / "manifests"
MANIFEST = MANIFESTS / "settings.yaml"
FOLDER = ROOT / "docs" / "images" / "settings"
MADE = "made.json"
LAYOUT = 1
"""Raised whenever the same results would be put together otherwise."""

Drawn = Strip | Curves


def drawn_notes() -> dict[str, Drawn]:
    """The notes whose pictures are made of the manifest, by setting."""
    return {key: note for key, note in NOTES.items() if isinstance(note, Strip | Curves)}


def picture_name(key: str, note: Note) -> str:
    """What the picture of a setting is called, in the folder of the pictures."""
    return f"{key}.svg" if isinstance(note, Curves) else f"{key}.jpg"


@cache
def manifest() -> Manifest:
    """`manifests/settings.yaml` as it is read."""
    return load_manifest(MANIFEST)


@cache
def plan() -> Plan:
    """What it asks for."""
    return make_plan(manifest())


def cells(key: str, note: Drawn) -> dict[str, str]:
    """The files side by side by their captions: results, or pictures beside the manifest."""
    if isinstance(note, Strip) and note.cells:
        return dict(note.cells)
    (entry,) = (entry for entry in manifest().pairs if entry.name == key)
    (sheet,) = (sheet for sheet in plan().sheets if sheet.name == f"{key}__sheet.png")
    outputs = {one.pair.name: one.pair.output_name for one in plan().pairs}
    captions = (_caption(key, value) for value in entry.sweep[key])
    return {caption: outputs[name] for caption, name in zip(captions, sheet.pairs, strict=True)}


def _caption(key: str, value: object) -> str:
    return f"{key}: {_written(value)}" + (" (default)" if value == SETTINGS[key].default else "")


def _written(value: object) -> str:
    """A value as a manifest has it; of a picture's path the file."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value).rpartition("/")[2]


@cache
def identities() -> Mapping[str, str]:
    """What each file below the output is, by the identity of the pair that makes it."""
    return dict(_identities())


def _identities() -> Iterator[tuple[str, str]]:
    for planned in plan().pairs:
        for name in (planned.pair.output_name, *planned.pair.extra_names):
            yield name, planned.identity


def digests() -> dict[str, str]:
    """What every picture is made of, in one word each."""
    return {picture_name(key, note): _digest(key, note) for key, note in drawn_notes().items()}


def _digest(key: str, note: Drawn) -> str:
    shape = [note.zoom, note.to_scale] if isinstance(note, Strip) else []
    shown = [[caption, file, _version(file)] for caption, file in cells(key, note).items()]
    return hashlib.sha256(json.dumps([LAYOUT, shape, shown]).encode()).hexdigest()[:16]


def _version(file: str) -> str:
    known = identities().get(file)
    return known or hashlib.sha256((MANIFESTS / file).read_bytes()).hexdigest()


def made() -> dict[str, str]:
    """The digests of what the pictures that are there were made of."""
    path = FOLDER / MADE
    found: Any = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return dict(found)


def outdated() -> list[Path]:
    """The pictures that are not there, or were made of something else."""
    then = made()
    return [
        FOLDER / name
        for name, digest in digests().items()
        if then.get(name) != digest or not (FOLDER / name).is_file()
    ]
