"""What a shard asks of object storage, counted at a real HTTP store while real runs use it."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.many_pairs.batch import ROOT, stylize
from flows.model.shard import WHOLE
from flows.storage.lock import LOCK_NAME, hold_output
from flows.storage.opening import open_storage

if TYPE_CHECKING:
    from object_store import ObjectStore

FEW, MANY = 4, 12
LISTED = 5000
REFRESHES = 10
MANIFEST = """version: 1
output: {root}/out-{pairs}
settings: {{encoder: slim, size: 64, steps: 1}}
contents: ["{root}/contents-{pairs}/*"]
styles: ["{root}/style.png"]
"""


@dataclass(frozen=True, slots=True)
class StoreTerms:
    """Requests by method; GET includes HEAD.

    Attributes:
        per_pair: read, computed, written and recorded.
        per_shard: beside its pairs and long listings: lock, first page of each listing, style, report.
        per_refresh: of the lock, for each of its signs of life.
        names_per_list: how many names a page of a listing has.
    """

    per_pair: dict[str, float]
    per_shard: dict[str, float]
    per_refresh: float
    names_per_list: float


def store_terms() -> StoreTerms:
    """Two runs over different numbers of pairs tell what each pair costs and what the run does."""
    sys.path.append(str(ROOT / "tests"))
    import pytest
    from object_store import running_object_store  # the store that the tests use

    with (
        running_object_store() as store,
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
    ):
        store.lead_clients_here(patch)
        few, many = (_of_run(store, Path(folder), pairs) for pairs in (FEW, MANY))
        methods = ("GET", "LIST", "PUT", "DELETE")
        held, per_refresh = _of_lock(store)
        per_pair = {method: (many[method] - few[method]) / (MANY - FEW) for method in methods}
        beside = {method: few[method] + held[method] - FEW * per_pair[method] for method in methods}
        return StoreTerms(per_pair, beside, per_refresh, _of_list(store))


def _of_run(store: ObjectStore, folder: Path, pairs: int) -> Counter[str]:
    """The requests of a whole run, without those to its lock, which depend on time."""
    for number in range(pairs):
        store.put(f"contents-{pairs}/{number}.png", _picture(number))
    store.put("style.png", _picture(pairs))
    path = folder / f"{pairs}.yaml"
    path.write_text(MANIFEST.format(root=store.root, pairs=pairs))
    store.hits.clear()
    stylize("run", str(path), "--device", "cpu", "--workers", "1")
    return _counted((method, key) for method, key in store.hits if LOCK_NAME not in key)


def _of_lock(store: ObjectStore) -> tuple[Counter[str], float]:
    """To take the lock and give it back; and for each sign of life."""
    storage = open_storage(f"{store.root}/locked")
    store.hits.clear()
    with hold_output(storage, WHOLE, job=""):
        pass
    held = _counted(hit for hit in store.hits if LOCK_NAME in hit[1])
    with hold_output(storage, WHOLE, job="", refresh_s=0.01):
        store.hits.clear()
        while store.count("PUT") < REFRESHES:
            time.sleep(0.01)
        return held, (store.count("GET") + store.count("PUT")) / store.count("PUT")


def _of_list(store: ObjectStore) -> float:
    store.put_many(f"many/{number}" for number in range(LISTED))
    store.hits.clear()
    return sum(1 for _ in open_storage(f"{store.root}/many").list()) / store.count("LIST")


def _counted(hits: Iterable[tuple[str, str]]) -> Counter[str]:
    return Counter("GET" if method == "HEAD" else method for method, _ in hits)


def _picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()
