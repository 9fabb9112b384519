"""Plans over a hundred thousand pictures that a folder holds or a list names: seconds and memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from benchmarks.many_pairs.batch import Cost, in_rounds, row, stylize

MANIFEST = "version: 1\noutput: out\ncontents: [{contents}]\nstyles: [s.png]\n"
WAYS = {
    "a folder": "pictures/",
    "a CSV of as many lines": "{list: feed.csv}",
    "JSON Lines of as many lines": "{list: feed.jsonl}",
}


def lists_table(*, pictures: int, rounds: int) -> Table:
    """What a plan costs by the way in which its pictures are named; all three plan the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, pictures)
        manifests = {way: folder / f"{number}.yaml" for number, way in enumerate(WAYS)}
        for way, path in manifests.items():
            path.write_text(MANIFEST.format(contents=WAYS[way]))
        costs = in_rounds({way: _plan_of(path) for way, path in manifests.items()}, rounds)
    table = Table("contents", "seconds", "spread", "peak memory", title=f"plans over {pictures} pictures")
    for way, found in costs.items():
        table.add_row(way, *row(found))
    return table


def _plan_of(manifest: Path) -> Callable[[int], Cost]:
    return lambda _: stylize("plan", str(manifest))


def _write(folder: Path, pictures: int) -> None:
    """Pictures that no plan looks into further than to hash them, and lists of them all."""
    (folder / "pictures").mkdir()
    names = [f"pictures/{number:06d}.png" for number in range(pictures)]
    for name in names:
        (folder / name).write_bytes(name.encode())
    (folder / "s.png").write_bytes(b"a style")
    lines = "".join(f"{number},{name},a picture of a feed\n" for number, name in enumerate(names))
    (folder / "feed.csv").write_text(f"id,image,about\n{lines}")
    (folder / "feed.jsonl").write_text("".join(f"{json.dumps({'image': name})}\n" for name in names))
