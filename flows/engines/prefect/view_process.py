"""The process that shows a run on a Prefect server: it hears what happens, and tells the server.

Prefect's client waits and repeats for minutes where its server is gone, keeps queues that hold up the end of
a program, and takes seconds to import. All of that happens here, where no run waits for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from flows.engines.prefect.server import users_server, why_unavailable
from flows.engines.process_child import leave_signals_to_parent
from flows.text import safe_text

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

FLOW_NAME = "stylize-batch"
LOG_NAME = "stylize.run"
WORDS_BYTES = 300
REACHED_BY = ("SSL_CERT_FILE", "SSL_CERT_DIR", "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
QUIET = {"PREFECT_LOGGING_LEVEL": "ERROR", "DO_NOT_TRACK": "1"}


class Began(NamedTuple):
    """A run has something to do; the parameters are shown with the flow run."""

    parameters: dict[str, Any]


class Said(NamedTuple):
    """A line for the flow run's log, with its level as `logging` has it."""

    level: int
    text: str


class Ended(NamedTuple):
    """The run is over; a run that did not do everything fails as `PartialFailure`."""

    complete: bool
    sentence: str


Event = Began | Said | Ended


def show(link: Connection) -> None:
    """Show what comes through the link until the run has ended, or its process is gone.

    Answers with one text: why the run could not be shown; empty if it was.
    """
    leave_signals_to_parent()  # the run says what becomes of it, and kills this process at its end
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the run's own terminal is not for Prefect's complaints
    os.environ.update(QUIET)
    answer = why_unavailable(users_server())
    try:
        if not answer:
            _show_run(_events(link))
    except Exception as error:  # whatever Prefect raises
        answer = _cause(error)
    answer += _hint() if answer else ""
    with suppress(OSError):
        link.send(answer)


def _events(link: Connection) -> Iterator[Event]:
    with suppress(EOFError, OSError):
        while (event := link.recv()) is not None:
            yield event


def _cause(error: Exception) -> str:
    """What Prefect raised, and what of the environment may be behind it; nothing that may be secret."""
    kind = type(error).__name__
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        return safe_text(f"{kind} in Prefect's settings: {place}: {first['msg']}", WORDS_BYTES)
    said = safe_text(re.sub(r"//[^/]*@", "//", str(error)), WORDS_BYTES)
    return f"{kind}: {_less_secrets(said)}"


def _hint() -> str:
    """The variables that decide how a server is reached; libraries name none of them."""
    given = [name for name in REACHED_BY if os.environ.get(name) or os.environ.get(name.lower())]
    return f"; look at {', '.join(given)}" if given else ""


def _less_secrets(text: str) -> str:
    for name in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"):
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return text


def _show_run(events: Iterator[Event]) -> None:
    """Make a flow run once there is something to do, and let its state follow the run's."""
    from prefect import Flow
    from prefect.client.orchestration import get_client
    from prefect.states import Crashed, Running

    flow: Flow[..., None] = Flow(_nothing, name=FLOW_NAME)
    with get_client(sync_client=True) as client:
        for event in events:
            if isinstance(event, Began):
                run = client.create_flow_run(flow, parameters=event.parameters, state=Running())
                last = _tell(client, run.id, events)
                state = _final_state(last) if last else Crashed(message="the run's process is gone")
                client.set_flow_run_state(run.id, state, force=True)
                return


def _tell(client: SyncPrefectClient, run_id: Any, events: Iterator[Event]) -> Ended | None:
    """Tell what is said until the run ends; None if it never did."""
    for event in events:
        if isinstance(event, Ended):
            return event
        if isinstance(event, Said):
            client.create_logs([_log_line(run_id, event)])
    return None


def _log_line(run_id: Any, said: Said) -> dict[str, Any]:
    return {
        "name": LOG_NAME,
        "level": said.level,
        "message": said.text,
        "timestamp": datetime.now(UTC).isoformat(),
        "flow_run_id": str(run_id),
    }


def _final_state(ended: Ended) -> Any:
    from prefect.states import Completed, Failed

    if ended.complete:
        return Completed(message=ended.sentence)
    return Failed(name="PartialFailure", message=ended.sentence)


def _nothing() -> None:
    """What the flow of a run that is shown runs itself."""
