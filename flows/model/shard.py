"""The unit of distribution: a part `i/n` of a manifest's pairs, the same on every machine and every night."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_FORM = re.compile(r"(0|[1-9][0-9]{0,5})/([1-9][0-9]{0,5})", re.ASCII)
_SUFFIX = re.compile(r"-([0-9]{1,6})-of-([0-9]{1,6})", re.ASCII)

EXPECTED = "i/n with whole numbers, i from 0 to n - 1, such as 0/4"


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `index` of `count`: the pairs whose name's SHA-256, as a number, leaves `index` modulo `count`.

    A pair's shard depends on its name and the count alone, so new pictures move no old pair elsewhere.

    Raises:
        ValueError: there is no such shard; the text says what is accepted.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a shard that does not exist."""
        if not 0 <= self.index < self.count:
            raise ValueError(EXPECTED)

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard written as `i/n`.

        >>> Shard.parse("1/4")
        Shard(index=1, count=4)

        Raises:
            ValueError: it is not written so, or there is no such shard.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(EXPECTED)
        return cls(int(match[1]), int(match[2]))

    @property
    def suffix(self) -> str:
        """What tells the files of this shard's own from those of others, in their names; empty for the whole.

        >>> Shard(1, 4).suffix
        '-1-of-4'
        """
        return "" if self.count == 1 else f"-{self.index}-of-{self.count}"

    @classmethod
    def of_suffix(cls, text: str) -> Shard | None:
        """The shard whose `suffix` this is; None if it is none's."""
        match = _SUFFIX.fullmatch(text)
        try:
            return cls() if not text else cls(int(match[1]), int(match[2])) if match else None
        except ValueError:
            return None

    def holds(self, name: str) -> bool:
        """Whether the pair of that name is in this shard.

        >>> [Shard(index, 2).holds("waves/harbour") for index in (0, 1)]
        [False, True]
        """
        return self.count == 1 or self.index_of(name, self.count) == self.index

    @staticmethod
    def index_of(name: str, count: int) -> int:
        """Which of `count` shards holds the pair of that name."""
        return int.from_bytes(hashlib.sha256(name.encode()).digest()) % count

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


WHOLE = Shard()
"""All pairs."""
