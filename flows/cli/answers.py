"""What a command answers on standard output, for people and for scripts."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

from flows.cli.exits import answer_lost
from flows.streams import lost_answer
from flows.text import safe_text


def print_json(value: Any) -> None:
    """The value as stable JSON."""
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True) + "\n")


def print_line(text: str) -> None:
    """One line, whatever the text holds."""
    Console(soft_wrap=True).print(safe_text(text), markup=False, highlight=False)


def say_if_lost() -> None:
    """The exit code is about pictures, so what was printed and is lost gets a line."""
    if why := lost_answer():
        sys.stderr.write(answer_lost(why) + "\n")
