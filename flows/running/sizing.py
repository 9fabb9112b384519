"""Into how many shards a manifest is divided for several machines: pure arithmetic over what was measured.

Another division of an unfinished output is fine between runs, as records say what is done; while a shard of
one division is at work, its lock refuses all shards of another.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.errors import BadArguments
from flows.model.durations import LONGEST_S
from flows.model.shard import Shard

AIM_MIN = 17.5
"""Minutes for a shard: long beside its start, short beside what the death of a machine may cost."""
SHORTEST_MIN = 2.0
"""Minutes for a shard that is not the only one of its slot: ten times what its start takes, 10 to 18 s."""
SHARDS_PER_SLOT = 8
"""So many at least, where there is work for them: at the end a slot waits for an eighth of its work."""
MOST_SHARDS = 2000
MOST_SLOTS = 100_000
PILOT_PAIRS = 20

GIVEN = "given"
LAST_REPORT = "the last report"
PILOT = "a pilot shard"
NOTHING = "nothing: a guess"


@dataclass(frozen=True, slots=True)
class Sizing:
    """How many shards, and what that follows from.

    Attributes:
        pairs: that are to do.
        slots: how many shards are at work at the same time.
        shards: 1 to 2,000.
        seconds_per_pair: that one device takes; None if nobody knows.
        measured_by: where that is known from.
        minutes_per_shard: that one slot takes; None if nobody knows.
    """

    pairs: int
    slots: int
    shards: int
    seconds_per_pair: float | None
    measured_by: str
    minutes_per_shard: float | None

    @property
    def wall_s(self) -> float | None:
        """Seconds until the last shard ends, if every slot takes the next one at once."""
        if self.minutes_per_shard is None:
            return None
        return math.ceil(self.shards / self.slots) * self.minutes_per_shard * 60

    def cost(self, per_hour: float) -> float | None:
        """What the slots that are needed cost for that long; None if nobody knows.

        Args:
            per_hour: the price of one slot for an hour, above 0.

        Raises:
            BadArguments: it is not.
        """
        _check("--cost-per-hour", per_hour, 0 < per_hour < math.inf, "above 0")
        return None if self.wall_s is None else min(self.slots, self.shards) * self.wall_s / 3600 * per_hour


# Why so many: what a division follows from.
def choose_shards(
    pairs: int,
    *,
    slots: int,
    seconds_per_pair: float | None,
    measured_by: str = GIVEN,
    devices: int = 1,
) -> Sizing:
    """The division for so many pairs: shards of 15 to 20 minutes, at least 8 for each slot, at most 2,000.

    Where 8 for each slot would be shorter than two minutes there are fewer, but one for each slot. There are
    never more shards than pairs, and never none; where pairs are few or slots many, shards are shorter. Where
    nothing was measured there are 8 for each slot. Equal arguments give equal divisions.

    Args:
        pairs: that are to do, 0 or more.
        slots: how many shards will be at work at the same time, 1 to 100,000.
        seconds_per_pair: that one device takes, above 0; None if nobody knows.
        measured_by: where that is known from, in words.
        devices: that each slot has, 1 or more.

    Raises:
        BadArguments: one of them is out of range.
    """
    _check("--slots", slots, 1 <= slots <= MOST_SLOTS, f"from 1 to {MOST_SLOTS}")
    _check("--devices-per-slot", devices, 1 <= devices <= MOST_SLOTS, f"from 1 to {MOST_SLOTS}")
    if seconds_per_pair is None:
        shards = _within(SHARDS_PER_SLOT * slots, pairs)
        return Sizing(pairs, slots, shards, None, NOTHING, None)
    fits = 0 < seconds_per_pair <= LONGEST_S
    _check("--seconds-per-pair", seconds_per_pair, fits, f"above 0, and {LONGEST_S:.0f} (a year) at most")
    minutes = pairs * seconds_per_pair / devices / 60
    shards = _within(max(round(minutes / AIM_MIN), _per_slot(minutes / slots) * slots), pairs)
    return Sizing(pairs, slots, shards, seconds_per_pair, measured_by, minutes / shards)


def pilot_shard(pairs: int) -> Shard:
    """About 20 pairs, to be run where nothing was measured: the first shard of a division that fine."""
    return Shard(0, min(max(1, pairs // PILOT_PAIRS), 999_999))


def seconds_per_pair_of(report: Mapping[str, Any]) -> float | None:
    """Seconds of one device for each pair that a run made, its start and its waits included.

    Args:
        report: as `last_report` gives it, which is somebody else's text until it is looked at.

    Returns:
        None if the report does not tell, or the run made nothing.
    """
    done, device_s = report.get("done"), report.get("device_seconds")
    if not isinstance(done, int) or not isinstance(device_s, int | float):
        return None
    if not (1 <= done <= sys.maxsize and 0 < device_s <= sys.maxsize):  # nothing that a run has written
        return None
    found = device_s / done
    return found if 0 < found <= LONGEST_S else None


def _per_slot(minutes: float) -> int:
    """How many shards a slot gets at least for so many minutes of work: none too short, one in any case."""
    return max(1, min(SHARDS_PER_SLOT, int(minutes / SHORTEST_MIN)))


def _within(shards: int, pairs: int) -> int:
    return max(1, min(shards, MOST_SHARDS, pairs))


def _check(option: str, value: float, fits: bool, expected: str) -> None:
    if not fits:
        raise BadArguments(f"{option}: {value:g} is not accepted; it must be {expected}")
