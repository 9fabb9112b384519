"""Which files a pattern means: `*`, `?`, `[..]` within one part of a path, `**` for folders at any depth.

`[*]`, `[?]` and `[[]` stand for the letters themselves. Case counts on every platform. A name that starts
with a dot is hidden: only a part that spells the dot finds it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import translate
from functools import lru_cache

_ESCAPED = re.compile(r"\[([*?\[])\]")
_WILD = re.compile(r"[*?\[]")


def literal(text: str) -> str | None:
    """The one path that `text` means, or None if it may mean several.

    >>> literal("/in/[[]old]/a.jpg"), literal("/in/*.jpg")
    ('/in/[old]/a.jpg', None)
    """
    return None if _WILD.search(_ESCAPED.sub("", text)) else _ESCAPED.sub(r"\1", text)


def split_pattern(pattern: str) -> tuple[str, tuple[str, ...]]:
    """The folder above the first part with a wildcard, and the parts from there on.

    >>> split_pattern("/in/[[]old]/2024-*/**/a?.png")
    ('/in/[old]', ('2024-*', '**', 'a?.png'))
    """
    parts = pattern.split("/")
    first = next((i for i, part in enumerate(parts) if literal(part) is None), len(parts) - 1)
    folder = "/".join(literal(part) or "" for part in parts[:first])
    rest = parts[first:]
    return folder, tuple(p for i, p in enumerate(rest) if p != "**" or rest[i - 1 : i] != ["**"])


def literal_start(part: str) -> str:
    """Letters that every match of `part` begins with.

    >>> literal_start("2024-*"), literal_start("[ab]c")
    ('2024-', '')
    """
    found = _WILD.search(part)
    return part[: found.start()] if found else part


def part_matches(part: str, name: str) -> bool:
    """Whether one part of a path fits one part of a pattern.

    >>> part_matches("*.jpg", "a.jpg"), part_matches("*.jpg", "a.JPG"), part_matches("*", ".hidden")
    (True, False, False)
    """
    if not name or (name.startswith(".") and not part.startswith(".")):
        return False
    return _compiled(part).match(name) is not None


def loosened(part: str) -> tuple[str, ...]:
    """Parts of patterns that take what `part` takes with any suffix or none, and with letters in any case.

    >>> loosened("IMG_*.jpg")
    ('[Ii][Mm][Gg]_*', '[Ii][Mm][Gg]_*.*')
    """
    without = re.sub(r"\.[^.\[\]]*$", "", part) or part
    pieces = re.split(r"(\[.[^\]]*\])", without)  # letters that stand in brackets stay as they are
    anyhow = "".join(p if at % 2 else re.sub(r"[^\W\d_]", _either_case, p) for at, p in enumerate(pieces))
    return anyhow, anyhow + ".*"


def _either_case(match: re.Match[str]) -> str:
    letter = match.group()
    cases = {letter.lower(), letter.upper()}
    return "".join(("[", *sorted(cases), "]")) if all(len(case) == 1 for case in cases) else letter


def path_matches(parts: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the path of a file below the pattern's folder fits the pattern.

    >>> path_matches(("**", "*.jpg"), ("a", "b", "c.jpg")), path_matches(("*.jpg",), ("a", "c.jpg"))
    (True, False)
    """
    reached = {0}
    for name in names:
        reached = {after for at in reached for after in _after(parts, at, name)}
    return len(parts) in reached or (parts[-1] == "**" and len(parts) - 1 in reached)


def _after(parts: Sequence[str], at: int, name: str) -> Iterator[int]:
    """Where in the pattern a walk may stand after `name` if it stood at `at` before."""
    if at == len(parts):
        return
    if parts[at] != "**":
        if part_matches(parts[at], name):
            yield at + 1
        return
    if part_matches("*", name):
        yield at
    yield from _after(parts, at + 1, name)


def find_files(folder: str, parts: Sequence[str], *, unreadable: Callable[[OSError], None]) -> Iterator[str]:
    """The regular files, or links to them, below a local folder that fit; some perhaps more than once.

    `**` does not follow links to folders, because they could lead round in circles.

    Args:
        unreadable: told of each folder that may hold matches and cannot be listed; the others are searched.
            One that does not exist holds none.
    """
    part, rest = parts[0], tuple(parts[1:])
    if part == "**":
        yield from find_files(folder, rest or ("*",), unreadable=unreadable)
    for entry in entries_of(folder, unreadable=unreadable):
        if part == "**":
            if part_matches("*", entry.name) and entry.is_dir(follow_symlinks=False):
                yield from find_files(entry.path, parts, unreadable=unreadable)
        elif part_matches(part, entry.name):
            if rest and is_folder(entry):
                yield from find_files(entry.path, rest, unreadable=unreadable)
            elif not rest and _may_be_file(entry):
                yield entry.path


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    """Whether reading it may be tried; where nobody can tell, reading says why it fails."""
    try:
        return entry.is_file()
    except OSError:
        return True


def entries_of(folder: str, *, unreadable: Callable[[OSError], None]) -> list[os.DirEntry[str]]:
    """What a local folder holds: nothing where there is none, or where `unreadable` is told of it."""
    try:
        with os.scandir(folder or "/") as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        unreadable(error)
        return []


@lru_cache(maxsize=1024)
def _compiled(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))
