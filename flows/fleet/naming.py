"""How operators recognise a flow run: its name and its tags, from manifest, output and shard."""

from __future__ import annotations

import logging

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.model.shard import WHOLE, Shard
from flows.text import safe_text

NAME_LETTERS = 60
_log = logging.getLogger(__name__)


def run_name(manifest: str, output: str, shard: Shard = WHOLE) -> str:
    """The manifest's name, where its pictures go, and which part of them.

    >>> run_name("s3://bucket/nights/tonight.yaml", "s3://bucket/out/tonight", Shard(1, 4))
    'tonight.yaml to out/tonight 1/4'
    """
    tail = "/".join(output.rstrip("/").rsplit("/", 2)[-2:])
    words = f"{manifest.rsplit('/', 1)[-1]} to {tail}"
    return safe_text(words, NAME_LETTERS) + ("" if shard == WHOLE else f" {shard}")


def tags(manifest: str, output: str, shard: Shard = WHOLE) -> list[str]:
    """What flow runs are filtered by."""
    named = [f"manifest:{safe_text(manifest, 200)}", f"output:{safe_text(output, 200)}"]
    return named if shard == WHOLE else [*named, f"shard:{shard}"]


def introduce(manifest: str, output: str, shard: Shard = WHOLE) -> None:
    """Give the flow run that this is its name and its tags; a server that is away costs it those alone."""
    if not flow_run.id:
        return
    try:
        with get_client(sync_client=True) as client:
            known = set(flow_run.tags or ())
            client.update_flow_run(
                flow_run.id,
                name=run_name(manifest, output, shard),
                tags=sorted(known.union(tags(manifest, output, shard))),
            )
    except Exception as error:  # whatever Prefect raises: a name is not worth a run
        _log.warning("the flow run keeps its name: %s", safe_text(f"{type(error).__name__}: {error}"))
