"""What a planted bug is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One small bug, and the tests of which at least one has to fail under it.

    Attributes:
        name: what the bug does, in a few words with hyphens; unique among all.
        file: where it is planted, relative to the project's root.
        before: the text that is replaced; occurs exactly once in the file.
        after: what takes its place.
        tests: what pytest is asked to run, `file` or `file::test`, relative to the project's root.
    """

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]
