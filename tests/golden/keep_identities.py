"""Keeps the identities anew: `python tests/golden/keep_identities.py`, with a raised `ALGORITHM_VERSION`.

A pair whose identity changes is out of date for every user who has made it: what took a night is made again.
`tests/flows/model/test_stored_identities.py` holds every later version against those that are kept.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from flows.manifest.load import load_manifest  # noqa: E402
from flows.model.identity import identity, ingredients_of  # noqa: E402
from flows.model.pair import Input, Pair  # noqa: E402
from flows.planning.plan import make_plan  # noqa: E402

MANIFEST, KEPT = HERE / "identities.yaml", HERE / "identities.json"
PICTURES = [
    *("photos/a.png", "photos/b.png", "paintings/s.png", "paintings/t.png", "paintings/u.png"),
    *("masks/sky.png", "masks/part.png", "masks/house.png", "masks/face.png"),
]


def identities(home: Path) -> dict[str, str]:
    """The identity of each pair of the manifest by its name; `home` is empty and gets its files."""
    for name in PICTURES:
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).touch()
    manifest = home / "m.yaml"
    manifest.write_bytes(MANIFEST.read_bytes())
    plan = make_plan(load_manifest(manifest))
    return {one.pair.name: _identity(one.pair, home) for one in plan.pairs}


def _identity(pair: Pair, home: Path) -> str:
    """As if each picture had the digest of its own name, so that no encoder of pictures has a say."""

    def digest(picture: Input | None) -> str:
        name = str(Path(picture.uri).relative_to(home.resolve())) if picture else ""
        return hashlib.sha256(name.encode()).hexdigest() if name else ""

    others = {role: digest(picture) for role, picture in pair.others.items()}
    given = (digest(pair.content), digest(pair.style), digest(pair.init))
    return identity(ingredients_of(pair, *given, others=others))


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        KEPT.write_text(json.dumps(identities(Path(folder)), indent=1, sort_keys=True) + "\n")
