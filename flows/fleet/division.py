"""Into how many shards a night is divided, and what each of them has to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from flows.model.shard import Shard
from flows.planning.plan import Plan


@dataclass(frozen=True, slots=True)
class Division:
    """The shards of a manifest that have something to do.

    Attributes:
        count: of all shards.
        todo: how many pairs each shard has to do that has any; by its index.
    """

    count: int
    todo: dict[int, int]

    @property
    def shards(self) -> tuple[Shard, ...]:
        """Those with something to do, the fullest first, so that the last to end is a small one."""
        return tuple(Shard(index, self.count) for index, _ in Counter(self.todo).most_common())


def divided(plan: Plan, count: int) -> Division:
    """What the shards of such a division have to do."""
    todo = Counter(Shard.index_of(planned.pair.name, count) for planned in plan.todo)
    return Division(count, dict(todo))
