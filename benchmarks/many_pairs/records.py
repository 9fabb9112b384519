"""Plans over a hundred thousand pairs, none of them done or all: seconds and memory of the commands."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.many_pairs.batch import ROOT, Cost, in_rounds, median_s, row, stylize
from flows.manifest.load import load_manifest
from flows.model.identity import identity, ingredients_of
from flows.model.pair import Input
from flows.planning.plan import PlannedPair, make_plan
from flows.records.record import Optimisation, Output, Record, Source, versions

CONTENTS = 1000
OLDER = ", older checkout"
STEPS = 200
MANIFEST = "version: 1\noutput: {output}\nsettings: {{steps: {steps}}}\ncontents: ['c/*']\nstyles: ['s/*']\n"


def records_table(*, pairs: int, rounds: int, against: Path | None = None) -> Table:
    """What a plan costs before anything is done, and a run when everything is.

    Args:
        against: an older checkout, whose commands take turns with ours; the table then has the ratios.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fresh, finished = write_manifests(folder, pairs)
        _finish(finished)
        asked = {
            "plan, nothing done": ("plan", str(fresh)),
            "plan, everything done": ("plan", str(finished)),
            "run, everything done": ("run", str(finished)),
        }
        ways = {way: _command(words, ROOT) for way, words in asked.items()}
        if against:
            ways |= {way + OLDER: _command(words, against) for way, words in asked.items()}
        costs: dict[str, list[Cost]] = in_rounds(ways, rounds)
    head = ("command", "seconds", "spread", "peak memory")
    table = Table(*head, *(("time to older", "memory to older") if against else ()), title=f"{pairs} pairs")
    for way, found in costs.items():
        older = costs.get(f"{way}{OLDER}")
        table.add_row(way, *row(found), *(_ratios(found, older) if older else ()))
    return table


def _command(words: tuple[str, str], checkout: Path) -> Callable[[int], Cost]:
    return lambda _: stylize(*words, checkout=checkout)


def _ratios(ours: Sequence[Cost], older: Sequence[Cost]) -> tuple[str, str]:
    """Median time and peak memory of ours, divided by the older checkout's."""
    peaks = [max(cost.peak_bytes for cost in costs) for costs in (ours, older)]
    return f"{median_s(ours) / median_s(older):.2f}", f"{peaks[0] / peaks[1]:.2f}"


def write_manifests(folder: Path, pairs: int) -> tuple[Path, Path]:
    """Two manifests over the same inputs, one for an output that stays empty.

    Args:
        pairs: 1 or more; above a thousand, rounded up to thousands.
    """
    contents = min(CONTENTS, pairs)
    for kind, count in (("c", contents), ("s", -(-pairs // contents))):
        (folder / kind).mkdir()
        for number in range(count):
            (folder / kind / f"{number:04d}.png").write_bytes(f"{kind}{number}".encode())
    paths = folder / "fresh.yaml", folder / "finished.yaml"
    for path in paths:
        path.write_text(MANIFEST.format(output=path.stem, steps=STEPS))
    return paths


def _finish(manifest: Path) -> None:
    plan = make_plan(load_manifest(str(manifest)))
    Path(plan.output).mkdir()
    leave_results(plan.todo, Path(plan.output))


def leave_results(todo: Iterable[PlannedPair], output: Path) -> None:
    """Pictures and records as a run would have left them; not flushed, which would take an hour."""
    made = versions()
    for planned in todo:
        record = _record(planned, made)
        (output / planned.pair.output_name).write_bytes(b"a picture")
        (output / planned.pair.record_name).write_bytes(record.to_bytes())


def _record(planned: PlannedPair, made: dict[str, str]) -> Record:
    pair = planned.pair
    if pair.content is None or pair.style is None:
        raise RuntimeError("every pair of this manifest has both")
    ingredients = ingredients_of(pair, pair.content.sha256, pair.style.sha256, "")
    return Record(
        status="done",
        name=pair.name,
        identity=identity(ingredients),
        ingredients=ingredients,
        content=_source(pair.content),
        style=_source(pair.style),
        output=Output(
            name=pair.output_name, size_bytes=9, sha256="0" * 64, width=512, height=384, format="png"
        ),
        device="cpu (4 threads)",
        precision="fp32",
        versions=made,
        seed=0,
        optimisation=_optimisation(),
        timings_s={"read": 0.1, "targets": 0.2, "optimise": 30.0, "encode": 0.1, "write": 0.1},
    )


def _optimisation() -> Optimisation:
    curve = [1.0 / (number + 7) for number in range(STEPS)]
    return Optimisation(
        evaluations=STEPS,
        accepted_steps=STEPS - 5,
        stop_reason="steps",
        first_loss=curve[0],
        last_loss=curve[-1],
        loss_curve=curve,
        loss_terms={"content": 0.1, "style": 0.2},
    )


def _source(given: Input) -> Source:
    return Source(uri=given.uri, sha256=given.sha256, token=given.token, width=512, height=384)
