"""What a manifest's folders and patterns pass over, each file with the reason: nothing is lost unseen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from flows.text import safe_text

Why = Literal["ours", "no picture", "excluded", "passed over", "not searched", "in the way"]
EXAMPLES = 5
"""How many names a line about many files gives."""

_SENTENCES: dict[Why, str] = {
    "ours": "left out {files}, made by stylize; to use such a picture as an input, name it in full",
    "no picture": "left out {files}: what ends in .json is no picture",
    "excluded": "left out {files}, as `exclude` says",
    "passed over": "passed over {files}, which may be pictures but fit no folder or pattern",
    "not searched": "did not search {files}, inside a folder of the manifest; `**` searches at any depth",
    "in the way": "left out {files}, where this run puts a result",
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file, or a folder, that was found and is not taken.

    Attributes:
        uri: absolute local path or URI.
        why: a word for the reason.
    """

    uri: str
    why: Why


def sentences(left_out: Iterable[LeftOut]) -> list[str]:
    """One for each reason, with the number of files and the first of them."""
    by_reason: dict[Why, list[str]] = {}
    for item in left_out:
        by_reason.setdefault(item.why, []).append(item.uri)
    return [
        text.format(files=counted(by_reason[why], "folder" if why == "not searched" else "file"))
        for why, text in _SENTENCES.items()
        if why in by_reason
    ]


def counted(names: list[str], noun: str) -> str:
    """How many there are, and the first of them by name.

    >>> counted(["a", "b", "c", "d", "e", "f", "g"], "file")
    '7 files (a, b, c, d, e and 2 more)'
    >>> counted(["a"], "file")
    '1 file (a)'
    """
    plural = "s" if len(names) > 1 else ""
    more = f" and {len(names) - EXAMPLES} more" if len(names) > EXAMPLES else ""
    return f"{len(names)} {noun}{plural} ({', '.join(map(safe_text, names[:EXAMPLES]))}{more})"
