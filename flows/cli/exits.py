"""What becomes of errors: one clear text, and the exit code that `flows.records.exit_codes` gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from flows.errors import AlreadyRunning, BadArguments, BatchError, ManifestError
from flows.records import exit_codes as codes
from flows.streams import lost_answer
from flows.text import safe_text
from stylize_core.errors import SettingsError, StylizeError


@contextmanager
def errors_become_exit_codes() -> Iterator[None]:
    """Errors that users can mend become one clear text and the design's exit code; others stay tracebacks.

    A command whose answer is all that it is for ends its block in the usual way, and has failed if that was
    lost; one whose work is done leaves the block by its exit code.
    """
    try:
        yield
        if why := lost_answer():
            raise typer.Exit(_refuse(answer_lost(why), codes.NOTHING_STARTED))
    except (ManifestError, BadArguments, SettingsError) as error:
        raise typer.Exit(_refuse(str(error), codes.INVALID)) from error
    except AlreadyRunning as error:
        raise typer.Exit(_refuse(str(error), codes.ALREADY_RUNNING)) from error
    except (BatchError, StylizeError) as error:
        raise typer.Exit(_refuse(str(error), codes.NOTHING_STARTED)) from error
    except KeyboardInterrupt:
        raise typer.Exit(_refuse("interrupted", codes.INTERRUPTED)) from None


def answer_lost(why: str) -> str:
    """What is said where standard output did not take what was printed."""
    return f"standard output could not be written: {why}; let it go to another place"


def _refuse(text: str, code: int) -> int:
    lines = [safe_text(line) for line in text.splitlines()]
    Console(stderr=True, soft_wrap=True).print("\n".join(lines), markup=False, highlight=False)
    return code
