"""What a worker makes of exceptions: a kind and a sentence for the record, and nothing that holds memory."""

from __future__ import annotations

from flows.errors import BatchError
from flows.text import safe_text
from stylize_core.device import is_out_of_memory
from stylize_core.errors import StylizeError


class Stopped(Exception):
    """The parent wants the process to end; nothing of the pair in flight is kept."""


def without_frames(error: Exception) -> Exception:
    """The error, with no traceback of its own or of its causes to keep tensors and pictures alive."""
    causes: list[BaseException | None] = [error]
    while (one := causes.pop()) is not None:
        one.__traceback__ = None
        causes.append(one.__cause__ or one.__context__)
    return error


def described(error: Exception) -> tuple[str, str]:
    """The error's kind, and a sentence fit for a user and a record."""
    if isinstance(error, StylizeError | BatchError):
        return error.kind, safe_text(str(error))
    if isinstance(error, MemoryError):
        return "out_of_memory", "the machine's memory did not hold the pair; use a smaller size"
    if is_out_of_memory(error):  # outside the optimisation, such as for the statistics of a style
        said = safe_text(str(error).partition("\n")[0])
        return "out_of_memory", f"the pair does not fit into memory; use a smaller size: {said}"
    return "internal", safe_text(f"{type(error).__name__}: {error}")
