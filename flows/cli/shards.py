"""The command `stylize shards`: into how many shards a manifest is best divided, and what that would take."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Console

from flows.cli.answers import print_json
from flows.cli.arguments import Json, ManifestPath
from flows.cli.exits import errors_become_exit_codes
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.model.durations import in_words
from flows.planning.plan import make_plan
from flows.running.estimating.prospects import seconds_of_a_pair
from flows.running.sizing import (
    MOST_SHARDS,
    SHARDS_PER_SLOT,
    Sizing,
    choose_shards,
    pilot_shard,
)
from flows.text import safe_text


def shards(
    manifest: ManifestPath,
    *,
    slots: Annotated[int, typer.Option(help="How many shards will be at work at the same time.")],
    devices_per_slot: Annotated[int, typer.Option(help="Devices that each of them has.")] = 1,
    seconds_per_pair: Annotated[
        float | None, typer.Option(help="Of one device; as in the last run if left out.")
    ] = None,
    cost_per_hour: Annotated[
        float | None, typer.Option(help="What a slot costs per hour, in the currency of the cost.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say into how many shards to divide a manifest for several machines, and how long they will take."""
    with errors_become_exit_codes():
        choice = choose(
            load_manifest(manifest),
            manifest,
            slots=slots,
            devices=devices_per_slot,
            seconds_per_pair=seconds_per_pair,
            cost_per_hour=cost_per_hour,
        )
        if as_json:
            print_json(choice.facts())
        else:
            print_choice(choice, Console())


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command says.

    Attributes:
        cost: of all pairs; None without a price, or if nobody knows how long they take.
        start: lines that run the shards; none if there is nothing to do.
        pilot: a line that runs enough to measure a pair; empty if that is known.
    """

    sizing: Sizing
    cost_per_hour: float | None
    cost: float | None
    start: tuple[str, ...]
    pilot: str

    def facts(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        return asdict(self.sizing) | {
            "wall_s": self.sizing.wall_s,
            "cost": self.cost,
            "start": list(self.start),
            "pilot": self.pilot,
        }


# Why so many: each but the first two is an option of the command line.
def choose(
    manifest: Manifest,
    name: str,
    *,
    slots: int,
    devices: int,
    seconds_per_pair: float | None,
    cost_per_hour: float | None,
) -> Choice:
    """A division for what is to do; the time of a pair is the given one, else that of the last run.

    Args:
        name: of the manifest, as the command was given it.

    Raises:
        BadArguments: an option is out of range.
        ManifestError: the manifest cannot be expanded.
        StorageError: the output cannot be read.
    """
    sized = partial(choose_shards, slots=slots, devices=devices)
    _cost(sized(0, seconds_per_pair=seconds_per_pair), cost_per_hour)  # bad options, before a long plan
    plan = make_plan(manifest)
    pairs = len(plan.todo)
    if seconds_per_pair is None:
        found, measured_by = seconds_of_a_pair(plan, manifest)
        sizing = sized(pairs, seconds_per_pair=found, measured_by=measured_by)
    else:
        sizing = sized(pairs, seconds_per_pair=seconds_per_pair)
    run = f"stylize run {shlex.quote(name)}"
    start = (f"{run} --shard 0/{sizing.shards}", f"{run} --shard auto/{sizing.shards}") if pairs else ()
    pilot = f"{run} --shard {pilot_shard(pairs)}" if pairs and sizing.seconds_per_pair is None else ""
    return Choice(sizing, cost_per_hour, _cost(sizing, cost_per_hour), start, pilot)


def _cost(sizing: Sizing, per_hour: float | None) -> float | None:
    return None if per_hour is None else sizing.cost(per_hour)


def print_choice(choice: Choice, console: Console) -> None:
    """The choice for people, line by line."""
    for line in _lines(choice):
        console.print(safe_text(line), markup=False, highlight=False, soft_wrap=True)


def _lines(choice: Choice) -> list[str]:
    sizing = choice.sizing
    lines = [f"{_counted(sizing.pairs, 'pair')} to do"]
    if not choice.start:
        return lines
    lines.append(_measured(choice))
    lines.append(_divided(sizing))
    if sizing.wall_s is not None:
        lines.append(f"about {in_words(sizing.wall_s)} on {_counted(sizing.slots, 'slot')}")
    if choice.cost is not None:
        lines.append(f"about {choice.cost:.2f} at {choice.cost_per_hour:g} per hour and slot")
    by_hand, in_array = choice.start
    last = sizing.shards - 1
    lines.append(f"one after the other, 0 to {last}:  {by_hand}")
    lines.append(f"in a job array of {sizing.shards} tasks, 0 to {last}:  {in_array}")
    return lines


def _measured(choice: Choice) -> str:
    found = choice.sizing.seconds_per_pair
    if found is None:
        return (
            f"nobody has measured how long a pair takes: run a pilot, {choice.pilot}, and ask again, "
            "or say --seconds-per-pair"
        )
    return f"{found:.3g} s of a device per pair ({choice.sizing.measured_by})"


def _divided(sizing: Sizing) -> str:
    why = ""
    if sizing.shards == MOST_SHARDS:
        why = ", the most there are"
    elif sizing.shards == sizing.pairs:
        why = ", one for each pair"
    elif sizing.shards <= SHARDS_PER_SLOT * sizing.slots:
        why = f", {sizing.shards // sizing.slots} for each slot"
    length = "" if sizing.minutes_per_shard is None else f" of {in_words(60 * sizing.minutes_per_shard)}"
    return f"{_counted(sizing.shards, 'shard')}{length}{why}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
