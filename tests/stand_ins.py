"""Programs of clusters that no test machine has: what they are asked is written down, and then judged.

A judge gets the words and the folder in which they were said, and fails where the real program would not
understand them or not find a file. `docker run` goes further: what the image would run is run.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import yaml
from botocore import xform_name
from botocore.validate import ParamValidator
from commands import ROOT
from deployed import put_stylize_into

ASKED = "STAND_INS_ASKED"
_STAND_IN = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["{ASKED}"], "a") as asked:
    asked.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
if "--parsable" in sys.argv:
    print(77)
"""
# Prefect is real, but for the programs that do not end; their words are judged by what `--help` lists.
_PREFECT = f"""#!/bin/sh
case "$1 $2" in
  "server start" | "worker start") exec prefect-that-stays "$@" ;;
  *) exec "{sys.executable}" -m prefect "$@" ;;
esac
"""


def put_programs_into(folder: Path) -> Path:
    """The real `stylize` and `prefect`, and a stand-in for each program that is judged; the folder."""
    put_stylize_into(folder)
    for name, text in [("prefect", _PREFECT), *((name, _STAND_IN) for name in JUDGES)]:
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    return folder


def said(asked: Path) -> list[list[str]]:
    """The command lines that the stand-ins got."""
    return [json.loads(line) for line in asked.read_text().splitlines()] if asked.exists() else []


def _options(
    words: list[str], *, flags: Collection[str] = (), valued: Collection[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Options and the words between them; fails at an option that is not among these."""
    given, rest, waiting = {}, [], list(words)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if not name.startswith("-"):
            rest.append(name + equals + value)
        elif name in flags:
            given[name] = ""
        else:
            assert name in valued, f"{name} is not an option that is known here"
            given[name] = value if equals else waiting.pop(0)
    return given, rest


def _docker(words: list[str], folder: Path) -> None:
    judge = {"build": _docker_build, "run": _docker_run, "compose": _docker_compose}[words[0]]
    judge(words[1:], folder)


def _docker_build(words: list[str], folder: Path) -> None:
    given, (context,) = _options(words, valued={"-t", "--target"})
    file = folder / context / "Dockerfile"
    target = given.get("--target", "")
    assert not target or f" AS {target}\n" in file.read_text()
    assert given["-t"] == "stylize" or given["-t"].endswith(f"-{target}")


def _docker_run(words: list[str], folder: Path) -> None:
    image = words.index("stylize")
    given, rest = _options(words[:image], flags={"--rm"}, valued={"--gpus", "--user", "-v", "-w"})
    assert not rest
    assert given["--user"] == f"{os.getuid()}:{os.getgid()}", "the output is to belong to who runs it"
    assert given["-v"] == f"{folder}:{given['-w']}", "the image is to see this folder"
    done = subprocess.run(words[image + 1 :], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _docker_compose(words: list[str], folder: Path) -> None:
    given, rest = _options(words, flags={"--build", "--detach"}, valued={"-f"})
    assert rest == ["up"]
    assert (folder / given["-f"]).is_file()
    text = (folder / given["-f"]).read_text()
    beside = ((folder / given["-f"]).parent / ".env").read_text()
    for name in re.findall(r"\$\{(\w+):\?", text):
        assert re.search(f"^{name}=[A-Za-z0-9]+$", beside, re.MULTILINE), f"nothing sets {name}"


def _kubectl(words: list[str], folder: Path) -> None:
    given, rest = _options(words, valued={"-f", "-l"})
    assert rest in (["create"], ["get", "jobs"], ["create", "serviceaccount", "stylize"])
    if rest == ["create"]:
        assert (folder / given["-f"]).is_file()


def _sbatch(words: list[str], folder: Path) -> None:
    script = next(number for number, word in enumerate(words) if not word.startswith("-"))
    given, _ = _options(words[:script], flags={"--parsable"}, valued={"--dependency"})
    assert (folder / words[script]).is_file()
    assert re.fullmatch(r"afterany:\d+", given.get("--dependency", "afterany:77"))


def _sky(words: list[str], folder: Path) -> None:
    given, (jobs, launch, file) = _options(words, valued={"--env"})
    assert (jobs, launch) == ("jobs", "launch")
    assert given["--env"].partition("=")[0] in yaml.safe_load((folder / file).read_text())["envs"]


def _aws(words: list[str], folder: Path) -> None:
    """By the model of the service that the tool itself makes its options of."""
    service, operation, *options = words
    model = botocore.session.get_session().get_service_model(service)
    (name,) = (name for name in model.operation_names if xform_name(name, "-") == operation)
    shape = model.operation_model(name).input_shape
    assert shape
    members = {f"--{xform_name(member, '-')}": member for member in shape.members}
    given, rest = _options(options, valued={*members, "--cli-input-json"})
    assert not rest
    read = {option: _argument(value, folder) for option, value in given.items()}
    request = json.loads(read.pop("--cli-input-json", "{}")) | {
        members[option]: _shorthand(value, shape.members[members[option]]) for option, value in read.items()
    }
    assert ParamValidator().validate(request, shape).generate_report() == ""


def _argument(value: str, folder: Path) -> str:
    return (folder / value.removeprefix("file://")).read_text() if value.startswith("file://") else value


def _shorthand(value: str, shape: Any) -> object:
    """A value as the AWS command line reads it: a text, or `name=value,...` for structures and maps."""
    if shape.type_name not in ("structure", "map"):
        return value
    pairs = dict(part.split("=", 1) for part in value.split(","))
    if shape.type_name == "map":
        return pairs
    return {k: int(v) if shape.members[k].type_name == "integer" else v for k, v in pairs.items()}


def _prefect(words: list[str], _: Path) -> None:
    known = _help_of_prefect(*words[:2])
    for word in words[2:]:
        if word.startswith("-"):
            assert re.search(rf"(?<![\w-]){re.escape(word.partition('=')[0])}(?![\w-])", known), word


@cache
def _help_of_prefect(*words: str) -> str:
    environment = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "prefect", *words, "--help"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


JUDGES: dict[str, Callable[[list[str], Path], None]] = {
    "aws": _aws,
    "docker": _docker,
    "kubectl": _kubectl,
    "prefect-that-stays": _prefect,
    "sbatch": _sbatch,
    "sky": _sky,
}
