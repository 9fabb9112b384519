"""Which of a manifest's pairs a run is asked for, where that is not all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice

NEAREST = 5
"""How many names are offered for one that no pair has."""
_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of a manifest's pairs, by their names and by what became of them.

    Attributes:
        only: patterns with `*`, `?` and `[..]`, which may go across slashes; a pair is asked for if one fits
            its name, and every pair is if there are none.
        limit: so many pairs that are to do at most, the first ones; None for all.
        failed: pairs whose last try left a record that says so, and no others.
        force: what is done is made again.

    Raises:
        ValueError: the limit is below 1.
    """

    only: tuple[str, ...] = ()
    limit: int | None = None
    failed: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        """Refuse a limit that no run could mean."""
        if self.limit is not None and self.limit < 1:
            raise ValueError("a whole number from 1")

    def names(self, name: str) -> bool:
        """Whether a pair of that name may be asked for.

        >>> Selection(("lion*",)).names("lion__waves"), Selection(("Lion*",)).names("lion__waves")
        (True, False)
        """
        return not self.only or any(fnmatchcase(name, pattern) for pattern in self.only)

    def words(self) -> str:
        """The selection as the command is told it; empty for everything.

        >>> Selection(("lion*", "sea"), limit=3).words()
        '--only lion* --only sea --limit 3'
        """
        return " ".join(self.options())

    def options(self) -> list[str]:
        """The command's options that mean it.

        >>> Selection(("lion*",), force=True).options()
        ['--only', 'lion*', '--force']
        """
        only = [word for pattern in self.only for word in ("--only", pattern)]
        limit = [] if self.limit is None else ["--limit", str(self.limit)]
        return only + limit + [f"--{word}" for word in ("failed", "force") if getattr(self, word)]


EVERYTHING = Selection()


def nearest(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that are most like what somebody has asked for in vain.

    >>> nearest("loin*", ["sea__waves", "lion__waves", "lion__starry"])
    ['lion__waves', 'lion__starry']
    """
    looked_at = list(islice(names, _LOOKED_AT))
    plain = pattern.strip("*?")
    by_start: dict[str, list[str]] = {}
    for name in looked_at:
        by_start.setdefault(name[: len(plain)], []).append(name)
    starts = get_close_matches(plain, by_start, n=NEAREST, cutoff=0.5)
    found = [name for start in starts for name in by_start[start]]
    return (found or get_close_matches(plain, looked_at, n=NEAREST, cutoff=0.3))[:NEAREST]
