"""`python -m mutants [part of a name ...]`: plant them, and print which test kills each."""

from __future__ import annotations

import sys

from mutants.catalogue import chosen, misfit
from mutants.planting import Verdict, plant, unharmed


def main(words: list[str]) -> int:
    """0 if every chosen mutant is killed; 1 if one survives, fits no longer or cannot be judged."""
    mutants = chosen(words)
    misfits = [f"{mutant.name}: {why}" for mutant in mutants if (why := misfit(mutant))]
    if not mutants or misfits:
        print("\n".join(misfits) or f"no mutant is called like {' or '.join(words)}")
        return 1
    if trouble := unharmed(mutants):
        print(trouble)
        return 1
    verdicts = []
    for mutant in mutants:
        verdicts.append(plant(mutant))
        print(_line(verdicts[-1]), flush=True)
    alive = [verdict for verdict in verdicts if not verdict.killer]
    print(f"{len(verdicts) - len(alive)} of {len(verdicts)} killed")
    return 1 if alive else 0


def _line(verdict: Verdict) -> str:
    return f"{verdict.mutant.name:56} {verdict}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
