"""How long a run may go on, said as time or as money."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flows.errors import BadArguments
from flows.model.durations import LONGEST_S, in_words, seconds

GRACE_S = 60.0


@dataclass(frozen=True, slots=True)
class Budget:
    """The time after which no further pair begins, counted from the run's beginning.

    Attributes:
        limit_s: infinite if there is no budget.
        spent: what is said when it is used up.
    """

    limit_s: float = math.inf
    spent: str = ""


UNLIMITED = Budget()


def budget_of(
    *, max_time: str | None, until: str | None, max_cost: float | None, cost_per_hour: float | None
) -> Budget:
    """The smallest one of a length of time, the time until a moment, and money, which is time at a price.

    Raises:
        BadArguments: a value is out of range, or a cost and its price do not come together.
    """
    budgets = (_of_time(max_time), _of_moment(until), _of_money(max_cost, cost_per_hour))
    return min(budgets, key=lambda budget: budget.limit_s)


def _of_time(max_time: str | None) -> Budget:
    if max_time is None:
        return UNLIMITED
    try:
        limit_s = seconds(max_time)
    except ValueError as error:
        raise BadArguments(f"--max-time: {max_time[:80]!r} is not accepted; it must be {error}") from None
    return Budget(limit_s, f"the time budget of {in_words(limit_s)} is used up")


def _of_moment(until: str | None) -> Budget:
    if until is None:
        return UNLIMITED
    try:
        moment = datetime.fromisoformat(until).astimezone()
    except (ValueError, OverflowError):
        raise BadArguments(
            f"--until: {until[:80]!r} is not accepted; it must be a moment such as 2030-12-31T06:00, in the "
            "time zone of this machine, or 2030-12-31T06:00Z"
        ) from None
    left_s = (moment - datetime.now(UTC)).total_seconds()
    return Budget(max(0.0, left_s), f"it is {moment.isoformat(timespec='minutes')}")


def _of_money(max_cost: float | None, cost_per_hour: float | None) -> Budget:
    if max_cost is None and cost_per_hour is None:
        return UNLIMITED
    if max_cost is None or cost_per_hour is None:
        raise BadArguments(
            "--max-cost and --cost-per-hour belong together: what the run may cost, and what the machine "
            "with all its devices costs per hour"
        )
    for option, value in (("--max-cost", max_cost), ("--cost-per-hour", cost_per_hour)):
        if not 0 < value < math.inf:
            raise BadArguments(f"{option}: {value:g} is not accepted; it must be above 0")
    limit_s = max_cost / cost_per_hour * 3600
    if limit_s < 1:
        raise BadArguments(
            f"--max-cost: {max_cost:g} pays for less than a second at {cost_per_hour:g} per hour"
        )
    if limit_s > LONGEST_S:
        raise BadArguments(
            f"--max-cost: {max_cost:g} pays for more than a year at {cost_per_hour:g} per hour; leave both "
            "out for a run without a budget"
        )
    words = f"{max_cost:g}, which is {in_words(limit_s)} at {cost_per_hour:g} per hour,"
    return Budget(limit_s, f"the cost budget of {words} is used up")


def sooner(until: str | None, max_time: str | None) -> str | None:
    """The moment at which a budget that begins here is used up, for runs that begin later; None for none.

    Raises:
        BadArguments: one of them is not accepted.
    """
    budget = min(_of_time(max_time), _of_moment(until), key=lambda budget: budget.limit_s)
    if budget == UNLIMITED:
        return None
    return (datetime.now(UTC) + timedelta(seconds=budget.limit_s)).isoformat(timespec="seconds")


@contextmanager
def watched(
    budget: Budget, *, spent_s: float, wind_down: Callable[[str], None], stop: Callable[[str], None]
) -> Iterator[None]:
    """Call `wind_down` when the budget is used up within the block, and `stop` if that goes on for a minute.

    Both are called from another thread, with what is to be said.

    Args:
        spent_s: how much of the budget is used up already.
    """
    over = threading.Event()

    def watch() -> None:
        if not over.wait(max(0.0, budget.limit_s - spent_s)):
            wind_down(budget.spent)
            if not over.wait(GRACE_S):
                stop(budget.spent)

    thread = threading.Thread(target=watch, name="budget", daemon=True)
    if budget.limit_s < threading.TIMEOUT_MAX:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join()
