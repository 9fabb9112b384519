"""A command line that is not understood is answered in one sentence, with the words that were meant."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup

from flows.manifest.model import TOP_KEYS
from flows.manifest.settings import SETTINGS
from flows.model.synonyms import meant_key
from flows.records.exit_codes import INVALID
from flows.text import safe_text

_T = TypeVar("_T")
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[
    1
]  # the parent of all, which typer does not export
_COMMANDS = {
    "dry-run": "plan", "list": "plan", "check": "plan", "validate": "plan", "resume": "run", "start": "run",
    "batch": "run", "transfer": "one", "stylize": "one", "stylise": "one", "image": "one", "grid": "explore",
    "download": "weights", "models": "weights", "new": "init", "prune": "clean", "gc": "clean",
}  # fmt: skip
"""Words for commands that other programs have."""
_IN_THE_MANIFEST = "settings stand in the manifest, under `settings:`"
_IMPLIED = {
    "plan": {
        "dry_run": "`plan` does nothing anyway; leave it out",
        "set": _IN_THE_MANIFEST,
        "s": _IN_THE_MANIFEST,
    },
    "run": {"set": _IN_THE_MANIFEST, "s": _IN_THE_MANIFEST},
    "status": {"failed": "it lists what failed anyway; leave it out"},
    "clean": {
        "dry_run": "nothing is removed without --delete; leave it out",
        "force": "say --delete to remove what is listed",
    },
    "weights": {"download": "it is called --fetch here"},
    "one": {
        "content": "the photograph comes first, without an option",
        "style": "the painting comes second, without an option",
        "contents": "the photograph comes first, without an option",
        "styles": "the painting comes second, without an option",
        "output": "say -o FILE",
    },
}
_PLAIN = re.compile(r"[\w.:,/-]{1,40}")


class Commands(TyperGroup):
    """The commands; what is wrong with a command line is said in a sentence where that is known."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the words of the command line, which are kept for what is said of them."""
        self._words = list(args)
        return self._explained(lambda: super(Commands, self).make_context(info_name, args, parent, **extra))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the words name."""
        if split := _split_setting(self._words):
            _refuse(split)
        return self._explained(lambda: super(Commands, self).invoke(ctx))

    def _explained(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except _USAGE_ERROR as error:
            if sentence := explained(error, self._words, self.commands):
                _refuse(sentence)
            raise


def explained(error: Exception, words: Sequence[str], commands: Any) -> str:
    """What is wrong with the words, and what was meant; empty where only the parser knows."""
    option = str(getattr(error, "option_name", ""))
    context: Any = getattr(error, "ctx", None)
    command = str(context.info_name) if context and context.parent else ""
    if option and hasattr(error, "possibilities"):
        option = _whole(option, words)
        known = [name for one in context.command.params for name in one.opts] if context else []
        return safe_text(_unknown_option(option, command, words, known, error.possibilities or ()))
    if "unexpected extra argument" in str(getattr(error, "message", "")):
        return _too_many(command)
    first = words[0] if words else ""
    if meant := _COMMANDS.get(first):
        return f"stylize: there is no command {first!r}; `stylize {meant}` does that"
    if first and first not in commands and "." in first:
        kind = "run" if first.endswith((".yaml", ".yml")) else "one"
        return safe_text(f"stylize: {first[:80]!r} is no command; say `stylize {kind} {first[:80]}`")
    return ""


def _too_many(command: str) -> str:
    """What is said of more paths than a command takes, as a shell makes them of a pattern without quotes."""
    if command in ("one", "explore"):
        many = "for more of them write a manifest: `stylize init FOLDER`"
        return f"stylize {command}: it takes one photograph and one painting; {many}"
    if command in ("plan", "run", "status", "clean", "shards", "doctor"):
        return f"stylize {command}: it takes one manifest; its pictures stand in there"
    return ""


def _unknown_option(
    option: str, command: str, words: Sequence[str], known: Sequence[str], near: Sequence[str]
) -> str:
    key = option.lstrip("-").replace("-", "_").lower()
    name = f"stylize {command}".rstrip()
    said = f"{name}: there is no option {option}"
    takes_settings = "--set" in known
    meant = key if key in SETTINGS or key in TOP_KEYS else ""
    for accepted in (SETTINGS, TOP_KEYS):
        meant = meant or meant_key(key, accepted)
    if implied := _IMPLIED.get(command, {}).get(meant or key) or _IMPLIED.get(command, {}).get(key):
        return f"{said}; {implied}"
    if f"--{meant}" in known:
        return f"{said}; it is called --{meant} here"
    if meant in SETTINGS and takes_settings:
        value = _value_of(option, words) or "VALUE"
        return f"{said}; it is a setting: say -s {meant}={value}"
    if meant in SETTINGS:
        return f"{said}; it is a setting: write it into the manifest, under `settings:` as `{meant}`"
    if meant:
        return f"{said}; the manifest says it: `{meant}:`"
    if near:
        return f"{said}; did you mean {' or '.join(near)}?"
    return f"{said}; `{name} --help` lists those that there are"


def _whole(option: str, words: Sequence[str]) -> str:
    """The word of `-image_size 512`, of which the parser knows the first letter only."""
    one_dash = (word for word in words if word.startswith(option) and re.fullmatch(r"-[a-z]\w+", word))
    return option if option.startswith("--") else next(one_dash, option)


def _value_of(option: str, words: Sequence[str]) -> str:
    """What stands behind an option, if that can be its value."""
    for at, word in enumerate(words):
        if word == option and at + 1 < len(words) and _PLAIN.fullmatch(words[at + 1]):
            return "" if words[at + 1].startswith("-") else words[at + 1]
        if word.startswith(option + "=") and _PLAIN.fullmatch(word[len(option) + 1 :]):
            return word[len(option) + 1 :]
    return ""


def _split_setting(words: Sequence[str]) -> str:
    """What to write instead of `-s size 64` or `-size 64`; empty if nobody has written that."""
    for word, value in pairwise(words):
        if word.startswith("-s") and word[1:] in SETTINGS and _PLAIN.fullmatch(value):
            return f"{word} {value}: a setting stands behind -s; say -s {word[1:]}={value}"
    for word, key, value in zip(words, words[1:], words[2:], strict=False):
        name = key if key in SETTINGS else meant_key(key, SETTINGS)
        if word in ("-s", "--set") and "=" not in key and name and _PLAIN.fullmatch(value):
            return f"{word} {key} {value}: a setting is one word; say {word} {name}={value}"
    return ""


def _refuse(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    raise typer.Exit(INVALID)
