"""Foreign text made fit for terminals, logs and records."""

from __future__ import annotations

MESSAGE_BYTES = 2000
"""The longest text, in bytes of UTF-8, that a failure may leave in a record."""


def safe_text(text: str, limit: int = MESSAGE_BYTES) -> str:
    """`text` on one line, fit for a terminal and a record: nothing unprintable, at most `limit` bytes.

    >>> safe_text("red \\x1b[31m\\nnext")
    'red \\\\x1b[31m\\\\nnext'
    """
    # One character becomes at least one byte, so nothing past `limit` characters can be needed.
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: limit + 1])
    if len(shown.encode()) <= limit:
        return shown
    return shown.encode()[: limit - len("…".encode())].decode(errors="ignore") + "…"


def bytes_in_words(count: int) -> str:
    """A number of bytes for people.

    >>> [bytes_in_words(count) for count in (3_400_000_000, 52_000_000, 240_000)]
    ['3.4 GB', '52 MB', '240 kB']
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}" if unit == "GB" else f"{count / size:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"
