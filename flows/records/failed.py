"""What a record can say of a pair that nobody has read yet, and the record of a pair that has no picture."""

from __future__ import annotations

import json
import math
from typing import Any

from flows.model.identity import effective_settings, identity, ingredients_of
from flows.model.pair import Input, Job, Pair
from flows.records.record import Failure, Record, Source, versions
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings


def failed_record(job: Job, failure: Failure) -> Record:
    """The record of a pair without a picture, with all that its plan knew; whoever has read more adds it."""
    inputs = {"content": job.pair.content, "style": job.pair.style, "init": job.pair.init}
    record = Record(
        status="failed", name=job.pair.name, identity=job.identity, failure=failure, **settings_facts(job)
    )
    update: dict[str, Any] = {role: _source(given) for role, given in inputs.items() if given}
    update["others"] = {role: _source(given) for role, given in job.pair.others.items()}
    return _with_ingredients(record.model_copy(update=update), job)


def settings_facts(job: Job) -> dict[str, Any]:
    """What a record says of how its pair is made, whatever becomes of it."""
    pair = job.pair
    timeout = {"timeout": None if math.isinf(job.timeout_s) else job.timeout_s}
    settings = effective_settings(pair.style_settings, pair.picture_settings) | timeout
    seed = pair.style_settings.seed
    return {"settings": settings, "seed": seed, "versions": versions(), "manifest": job.manifest}


def as_recorded(style: StyleSettings, picture: PictureSettings) -> dict[str, Any]:
    """All settings that are in force, as the record of such a pair will have them."""
    found: dict[str, Any] = json.loads(json.dumps(effective_settings(style, picture)))
    return found


def speaks_of_the_same(record: Record, pair: Pair) -> bool:
    """Whether a record is of the versions of pictures and of the settings that the pair has now.

    For pairs that failed before anybody knew what they are made of, which have no identity. A picture that
    was not there has no version, so nobody knows whether it is the same now.
    """
    given = {"content": pair.content, "style": pair.style, "init": pair.init} | pair.others
    # With `init: style` the record has a picture to start from that is none of the pair's own.
    init = record.init if pair.init else None
    known = {"content": record.content, "style": record.style, "init": init} | record.others
    wanted = {role: (one.uri, one.token) for role, one in given.items() if one}
    before = {role: (one.uri, one.token) for role, one in known.items() if one}
    if wanted != before or not all(token for _, token in wanted.values()):
        return False
    settings = {key: value for key, value in record.settings.items() if key != "timeout"}
    return settings == as_recorded(pair.style_settings, pair.picture_settings)


def _source(given: Input) -> Source:
    return Source(uri=given.uri, sha256=given.sha256, token=given.token)


def _with_ingredients(record: Record, job: Job) -> Record:
    """The record with what the pair is made of, if the plan knew every digest."""
    pair = job.pair
    content, style, init = (given.sha256 if given else "" for given in (pair.content, pair.style, pair.init))
    others = {role: given.sha256 for role, given in pair.others.items()}
    found = ingredients_of(pair, content, style, init, others=others)
    known = job.identity and identity(found) == job.identity
    return record.model_copy(update={"ingredients": found}) if known else record
