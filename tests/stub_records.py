"""What workers would leave behind, without the art: records and pictures of plans, for tests of planning."""

from __future__ import annotations

from hashlib import sha256

from flows.model.identity import identity, ingredients_of
from flows.model.pair import Input, Pair
from flows.planning.plan import Plan
from flows.records.record import Failure, Output, Record, Source
from flows.storage.opening import open_storage, read_uri, stat_uri
from stylize_core.image.facts import facts_text

PICTURE = facts_text({"stylize:name": "a picture of ours"}).encode()


def digest_of(picture: Input | None) -> str:
    return sha256(read_uri(picture.uri)).hexdigest() if picture else ""


def finished(pair: Pair, *, picture: bytes = PICTURE, failure: Failure | None = None) -> Record:
    """The record that a worker would leave, from the bytes that it would read."""
    made_of = ingredients_of(pair, *map(digest_of, (pair.content, pair.style, pair.init)))
    sources = {
        role: Source(uri=given.uri, sha256=digest, token=found.token)
        for role, given, digest in (
            ("content", pair.content, made_of.content),
            ("style", pair.style, made_of.style),
        )
        if given and (found := stat_uri(given.uri))
    }
    return Record(
        status="failed" if failure else "done",
        name=pair.name,
        identity=identity(made_of),
        ingredients=made_of,
        content=sources["content"],
        style=sources["style"],
        output=None if failure else picture_facts(pair, picture),
        failure=failure,
    )


def picture_facts(pair: Pair, picture: bytes) -> Output:
    digest = sha256(picture).hexdigest()
    return Output(
        name=pair.output_name, size_bytes=len(picture), sha256=digest, width=4, height=3, format="png"
    )


def do_all(plan: Plan, *, picture: bytes = PICTURE) -> None:
    """Leave behind what workers would, without the art."""
    storage = open_storage(plan.output)
    for planned in plan.todo:
        storage.write(planned.pair.output_name, picture)
        storage.write(planned.pair.record_name, finished(planned.pair, picture=picture).to_bytes())
