"""Contact sheets: which ones a plan has, what they show, and which of them are out of date. Knows no torch.

A sheet carries a digest of all that it shows. It is drawn again when that is another one, so nothing else
has to be remembered, and a sheet that somebody deletes comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from flows.errors import NotFound
from flows.model.sheet import DIGEST_FACT, Sheet, SheetJob
from flows.model.sweep import Axes
from flows.planning.candidates import Candidate, sheet_candidates
from flows.planning.inputs import stem
from flows.records.ownership import stored_facts
from flows.storage.base import Storage

ONE_ROW = 6
"""Values of a single swept setting that stand in one row; more are broken into rows of even length."""


def sheets_of(candidates: Iterable[Candidate]) -> tuple[Sheet, ...]:
    """The contact sheets of everything that is swept."""
    return tuple(_sheet(candidate, shown) for candidate, shown in sheet_candidates(candidates).items())


def is_current(job: SheetJob, storage: Storage) -> bool:
    """Whether the sheet that is there shows just this.

    Raises:
        StorageError: it could not be read.
    """
    try:
        return stored_facts(storage, job.sheet.name).get(DIGEST_FACT) == job.digest
    except NotFound:
        return False


def _sheet(candidate: Candidate, shown: Sequence[Candidate]) -> Sheet:
    by_place = {variant.at: one.name for one in shown if (variant := one.variant)}
    axes = candidate.variant.shown if candidate.variant else ()
    title = candidate.title(stem)
    return (
        _one_axis(candidate, title, axes, by_place)
        if len(axes) == 1
        else _table(candidate, title, axes, by_place)
    )


def _one_axis(candidate: Candidate, title: str, axes: Axes, pairs: Mapping[tuple[int, ...], str]) -> Sheet:
    """A row, or several where it would be long, with a caption below each cell."""
    ((key, labels),) = axes
    rows = -(-len(labels) // ONE_ROW)
    captions = tuple(f"{key} = {label}" for label in labels)
    names = tuple(pairs.get((at,), "") for at in range(len(labels)))
    return Sheet(candidate.name + ".png", title, -(-len(labels) // rows), (), (), captions, names)


def _table(candidate: Candidate, title: str, axes: Axes, pairs: Mapping[tuple[int, ...], str]) -> Sheet:
    """The first setting down, the second across; for more, such tables below one another."""
    (first, downwards), (second, across), *others = axes
    row_labels: list[str] = []
    names: list[str] = []
    for further in product(*(range(len(labels)) for _, labels in others)):
        said = [f"{key} = {labels[at]}" for (key, labels), at in zip(others, further, strict=True)]
        for row, label in enumerate(downwards):
            row_labels.append("\n".join([_headed(first, label), *said]))
            names += [pairs.get((row, column, *further), "") for column in range(len(across))]
    heads = tuple(f"{second} = {label}" for label in across)
    return Sheet(candidate.name + ".png", title, len(across), heads, tuple(row_labels), (), tuple(names))


def _headed(key: str, label: str) -> str:
    """A label of several words gets lines of its own."""
    return f"{key} =\n{label}" if ", " in label else f"{key} = {label}"
