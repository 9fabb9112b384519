"""Lengths of time as people write them: `90`, `90s`, `10m`, `1.5h`, `1h30m`, `2d`."""

from __future__ import annotations

import re

_NUMBER = r"[0-9]+(\.[0-9]+)?"
FORM = rf"({_NUMBER}|(?=.)({_NUMBER}d)?({_NUMBER}h)?({_NUMBER}m)?({_NUMBER}s)?)"
LONGEST_S = 366 * 86400.0
EXPECTED = "a length of time from 1s to 366d, such as 90s, 10m, 1h30m or a number of seconds"

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0}


def seconds(text: str) -> float:
    """How many seconds `text` means.

    >>> seconds("1h30m")
    5400.0

    Raises:
        ValueError: it is no length of time, or one below a second or above a year; the text says what is.
    """
    if len(text) > 40 or not re.fullmatch(FORM, text, re.ASCII):
        raise ValueError(EXPECTED)
    parts = re.findall(r"([0-9.]+)([dhms]?)", text)
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 1.0 <= total <= LONGEST_S:
        raise ValueError(EXPECTED)
    return total


def in_words(total_s: float) -> str:
    """The length of time to the second, shortest where it says the same.

    >>> in_words(5400.0)
    '1h30m'
    """
    left, words = round(total_s), ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        words += f"{count}{unit}" if count else ""
    return words or "0s"
