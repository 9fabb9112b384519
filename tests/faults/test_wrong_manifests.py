"""Rows 33 to 38: manifests that are broken, hostile or merely surprising, before the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import ROOT
from small_batch import draw

from flows.errors import ManifestError
from flows.manifest.load import load_manifest

MEMORY_BYTES = 2 * 2**30
CPU_S = 60

# Each manifest is given to `stylize run` in one process, which no bomb may blow up.
EACH_IN_TURN = f"""
import contextlib, io, json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
from flows.cli.app import main
said = {{}}
for path in sys.argv[1:]:
    sys.argv = ["stylize", "run", path]
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            main()
        except SystemExit as end:
            said[path] = (end.code, errors.getvalue())
print(json.dumps(said))
"""

HEAD = "version: 1\noutput: out\n"
PAIR = "content: p.png, style: p.png"
PRODUCT = HEAD + "contents: [p.png]\nstyles: [p.png]\n"


def bomb(level: int, *, merge: bool) -> bytes:
    """Every line stands for ten times the one before it."""
    lines = ["version: 1", "l0: &l0 {a: 1, b: 2}"]
    for n in range(1, level + 1):
        aliases = ", ".join([f"*l{n - 1}"] * 10)
        lines.append(f"l{n}: &l{n} {{ {'<<' if merge else 'all'}: [{aliases}] }}")
    return "\n".join(lines).encode()


BOMBS = {
    **{f"merge-{level}": bomb(level, merge=True) for level in (2, 6, 12, 100)},
    **{f"alias-{level}": bomb(level, merge=False) for level in (2, 6, 12, 100)},
}
BROKEN = {
    "deep": (b"[" * 20_000, "nested deeper than 32 levels"),
    "deep-keys": (b"{a: " * 20_000, "nested deeper than 32 levels"),
    "nul": (PRODUCT.encode() + b"name: a\0b\n", "line 5: character '\\x00' is not allowed"),
    "utf8": (PRODUCT.encode() + b"name: \xff\n", "line 5: byte 0xff is not UTF-8"),
    "utf16": (PRODUCT.encode("utf-16"), "byte 0xff is not UTF-8"),
    "tabs": (HEAD.encode() + b"\tcontents: []\n", "line 3"),
    "two": (PRODUCT.encode() + b"---\n" + PRODUCT.encode(), "line 5: a second document begins here"),
    "empty": (b"", "the file is empty"),
    "blank": (b"\n# nothing\n", "the file is empty"),
    "huge": (PRODUCT.encode() + b"#" * (33 * 2**20), "larger than 32 MiB"),
}
MISTAKES = """version: 1
output: out
contents: [p.png]
styles: [p.png]
settings: {stpes: 5, size: big}
pairs:
  - {content: p.png}
  - {content: p.png, styel: p.png}
colour: style
"""
TWINS = {
    "same": ("a", "a"),
    "case": ("Wave", "wave"),
    "sharp": ("stra\u00dfe", "STRASSE"),
    "form": ("\u00e9", "\u00c9"),
    "kelvin": ("\u212a", "k"),
}
NAUGHTY = {
    "up": "../up", "up-later": "a/../../b", "absolute": "/etc/cron.d/x", "dot": ".", "dots": "..",
    "hidden": ".ssh", "hidden-below": "a/.ssh/keys", "lock": ".stylize.lock", "empty": "", "blank": "  ",
    "empty-part": "a//b", "slash-end": "a/", "nul": "a\0b", "newline": "a\nb", "ansi": "a\x1b[2Jb",
    "bell": "a\x07b", "delete": "a\x7fb", "c1": "a\x9bb", "line-separator": "a\u2028b",
    "windows": "..\\up", "drive": "C:\\x", "uri": "s3://bucket/key", "file-uri": "file:///etc/passwd",
    "long": "w" * 201, "long-bytes": "\u00e9" * 101, "deep": "/".join(["w" * 90] * 10),
    "report": "report", "Report": "Report", "below-report": "report.json/a",
}  # fmt: skip


@dataclass(frozen=True)
class Refusals:
    """How the command answered each manifest, by its name."""

    home: Path
    answers: dict[str, tuple[int, str]]

    def nothing_was_written(self) -> bool:
        files = {path.name for path in self.home.rglob("*") if path.is_file()}
        return files == {"p.png", *(f"{name}.yaml" for name in self.answers)}

    def refused(self, name: str, *words: str) -> str:
        code, said = self.answers[name]
        assert code == 2, said
        assert "Traceback" not in said
        assert all(word in said for word in words), said
        assert said.isprintable() or said.replace("\n", "").isprintable()
        return said


def _manifests() -> dict[str, bytes]:
    twins = {
        f"twins-{name}": f"{HEAD}pairs: [{{{PAIR}, name: {first}}}, {{{PAIR}, name: {second}}}]\n".encode()
        for name, (first, second) in TWINS.items()
    }
    naughty = {
        f"naughty-{key}": f"{HEAD}pairs:\n  - {{{PAIR}, name: {json.dumps(name)}}}\n".encode()
        for key, name in NAUGHTY.items()
    }
    broken = {name: data for name, (data, _) in BROKEN.items()}
    return {**BOMBS, **broken, "mistakes": MISTAKES.encode(), **twins, **naughty}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Refusals:
    """Every manifest of this module, given to `stylize run`."""
    home = tmp_path_factory.mktemp("wrong")
    draw(home / "p.png", 1)
    paths = {name: home / f"{name}.yaml" for name in _manifests()}
    for name, data in _manifests().items():
        paths[name].write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", EACH_IN_TURN, *map(str, paths.values())],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: dict[str, Any] = json.loads(done.stdout)
    return Refusals(home, {name: tuple(answers[str(path)]) for name, path in paths.items()})


def test_row_33_bombs_of_aliases_and_merge_keys_are_refused_within_the_limits(refusals: Refusals) -> None:
    for name in BOMBS:
        refusals.refused(name, "line 2: l0: anchors and aliases are not supported")
    with pytest.raises(RecursionError):
        yaml.safe_load("[" * 20_000)  # what the limits are there for


@pytest.mark.parametrize("name", BROKEN)
def test_row_34_what_is_no_single_document_of_text_is_refused_with_its_line(
    refusals: Refusals, name: str
) -> None:
    refusals.refused(name, BROKEN[name][1])


def test_row_35_all_mistakes_are_listed_at_once_with_line_key_and_nearest_word(refusals: Refusals) -> None:
    said = refusals.refused("mistakes")
    for words in (
        "line 5: settings.stpes",
        "steps",
        "line 5: settings.size",
        "line 7: pairs[0]",
        "line 8: pairs[1].styel",
        "style",
        "line 9: colour",
    ):
        assert words in said, said
    assert refusals.nothing_was_written()


@pytest.mark.parametrize("word", ["no", "on", "12:30:45", "010", "0x1f", "1.10", "1e3", "null", "2026-11-01"])
def test_row_36_words_that_yaml_takes_for_something_else_stay_words(word: str) -> None:
    text = f"{HEAD}pairs: [{{content: {word}, style: s.png, name: {word}}}]\n"
    (pair,) = load_manifest("/jobs/m.yaml", text=text).pairs
    assert (pair.content, pair.name) == (f"/jobs/{word}", word)


@pytest.mark.parametrize("number", ["010", "12:30", "1_000", "0x40", "yes", "1.0e2x", ".5.", "'64'"])
def test_row_36_numbers_in_disguise_are_refused(number: str) -> None:
    with pytest.raises(ManifestError, match=r"settings\.size"):
        load_manifest("/jobs/m.yaml", text=f"{PRODUCT}settings: {{size: {number}}}\n")


@pytest.mark.parametrize("name", TWINS)
def test_row_37_names_that_some_file_system_takes_for_one_are_refused(refusals: Refusals, name: str) -> None:
    said = refusals.refused(
        f"twins-{name}", "line 3", "give one of the pictures or the pair a name of its own"
    )
    assert "is taken" in said or "are one name where case does not count" in said


@pytest.mark.parametrize("name", NAUGHTY)
def test_row_38_names_that_leave_the_output_or_act_are_refused(refusals: Refusals, name: str) -> None:
    refusals.refused(f"naughty-{name}", "line 4", "name")
    assert refusals.nothing_was_written()
