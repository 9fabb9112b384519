"""Shards as flow runs of a deployment: submitted, watched, and submitted again where one was lost.

A flow run that ended by itself is over, whatever became of its pairs: their records tell, and trying again is
for the next night. One that crashed or raised, or whose machine fell silent, left pairs that nobody makes, so
its shard is submitted again, under a key that makes a repeated request for the same attempt the same flow
run. Machines that are cheap because they may be taken away take a shard along several times a night, each
time some pairs further; so only attempts in a row that came to nothing count as a reason to give up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, WorkerFilter, WorkerFilterStatus
from prefect.client.schemas.objects import State, StateType, WorkerStatus
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError, TerminationSignal
from prefect.states import Cancelled, Cancelling, Crashed

from flows.errors import BadArguments
from flows.fleet.artifacts import percent_shown
from flows.fleet.locks import Locks
from flows.model.shard import Shard
from flows.text import safe_text

RAISED = "Failed"
"""How Prefect names the state of a flow run that an exception ended."""
IN_VAIN = 3
"""Attempts in a row at a shard that ended no pair before they were lost, after which it is left."""
ATTEMPTS = 20
"""The same however many pairs ended: one that fails anew each time ends, too."""
LOOK_EVERY_S = 5.0
SILENT_AFTER_S = 150.0
"""A lock is refreshed every 10 s and stale after 120 s; a run that has had none for so long is nobody's."""
NEVER_STARTED_S = 1800.0
"""A flow run that was handed to a machine may load an image of some gigabytes before it begins."""
_PATIENCE_S = {
    StateType.RUNNING: SILENT_AFTER_S,
    StateType.CANCELLING: SILENT_AFTER_S,
    StateType.PENDING: NEVER_STARTED_S,
}
_AT_WORK = (StateType.RUNNING, StateType.CANCELLING)
"""States of flow runs that hold a lock, if their machines are still there."""
UNKNOWN_LOOKS = 2
"""After so many looks in a row a flow run that the server does not know is deleted, with what it made."""
PAGE = 200
"""Flow runs per answer; the server's own limit."""


@dataclass(slots=True)
class _Attempt:
    """A flow run that makes a shard.

    Attributes:
        in_vain: how many lost ones before it, in a row, ended no pair.
        silent: since when it has been in which state without a sign of life.
        unknown: at how many looks in a row the server did not know its flow run.
    """

    shard: Shard
    number: int
    in_vain: int = 0
    silent: tuple[StateType, float] | None = None
    unknown: int = 0

    def after_loss(self, *, went_on: bool) -> _Attempt | None:
        """The next one, now that this one is lost; None if there is to be none.

        Args:
            went_on: whether pairs had ended in this one.
        """
        in_vain = 0 if went_on else self.in_vain + 1
        if in_vain == IN_VAIN or self.number == ATTEMPTS:
            return None
        return _Attempt(self.shard, self.number + 1, in_vain)


@dataclass(frozen=True, slots=True)
class Ended:
    """How the last flow run over a shard ended.

    Attributes:
        state: its state as Prefect names it, such as `Completed` or `PartialFailure`.
        message: what it said of its end.
        lost: it did not end by itself, and neither did those before it.
    """

    shard: Shard
    state: str
    message: str
    attempts: int
    lost: bool


# Why so many: one round of looking at flow runs, and what follows from each state that they may be in.
class Submissions:
    """The flow runs of one fleet.

    Args:
        deployment: of the flow that makes a shard, as `flow/deployment`.
        parameters: of that flow, beside `shard` and `job`.
        fleet: what is equal for all attempts at this fleet, such as the id of its flow run.
        name: what a shard's flow run is called.
        locks: tell whether somebody is at work on a shard whose flow run has not ended.
        note: told of what deserves a line in the log.
    """

    def __init__(
        self,
        deployment: str,
        parameters: Mapping[str, Any],
        *,
        fleet: str,
        name: Callable[[Shard], str],
        locks: Locks,
        note: Callable[[str], None],
    ) -> None:
        self._deployment, self._parameters = deployment, dict(parameters)
        self._fleet, self._name = fleet, name
        self._locks, self._note = locks, note
        self._at_work: dict[UUID, _Attempt] = {}

    def ended(self, shards: Iterable[Shard]) -> Iterator[Ended]:
        """Submit all shards, and tell how each one ended, as they end."""
        with get_client(sync_client=True) as client:
            waiting = [_Attempt(shard, 1) for shard in shards]
            while waiting or self._at_work:
                for attempt in waiting[:PAGE]:
                    self._submit(attempt)
                del waiting[:PAGE]
                for run, state in self._over(client):
                    attempt = self._at_work.pop(run)
                    if again := self._again(client, run, state, attempt):
                        self._note(f"shard {attempt.shard} was lost ({_words(state)}); it is submitted again")
                        waiting.append(again)
                    else:
                        yield _ended(attempt, state)
                if not waiting:
                    time.sleep(LOOK_EVERY_S)

    def _again(
        self, client: SyncPrefectClient, run: UUID, state: State[Any], attempt: _Attempt
    ) -> _Attempt | None:
        """The next attempt at a shard whose flow run has ended, if it was lost and there is to be one."""
        if not _lost(state):
            return None
        try:
            percent = self._patiently(percent_shown, client, run)
        except PrefectHTTPStatusError:  # such as of who may not read artifacts
            percent = 0.0
        return attempt.after_loss(went_on=percent > 0)

    @contextmanager
    def cancelled_along(self) -> Iterator[None]:
        """If the block ends because the fleet's own flow run is cancelled, cancel those of its shards, too.

        A fleet that merely loses its machine leaves its shards at work.
        """
        try:
            yield
        except TerminationSignal:
            with get_client(sync_client=True) as client:
                for run in self._at_work if is_being_cancelled(self._fleet) else ():
                    with suppress(httpx.HTTPError):  # the others are to be cancelled all the same
                        client.set_flow_run_state(run, Cancelling(message="the fleet was cancelled"))
            raise

    def _submit(self, attempt: _Attempt) -> None:
        shard = attempt.shard
        key = f"{self._fleet}/{shard}/{attempt.number}"
        parameters = self._parameters | {"shard": str(shard), "job": f"{self._fleet}/{shard}"}
        run = self._patiently(
            run_deployment,
            self._deployment,
            parameters=parameters,
            flow_run_name=self._name(shard),
            idempotency_key=key,
            timeout=0,
        )
        self._at_work[run.id] = attempt

    def _over(self, client: SyncPrefectClient) -> Iterator[tuple[UUID, State[Any]]]:
        """The flow runs that have ended since the last look; those that fell silent have by the next one."""
        for ids in _pages(list(self._at_work)):
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=ids))
            found = self._patiently(client.read_flow_runs, flow_run_filter=wanted, limit=PAGE)
            states = {run.id: run.state for run in found}
            for run in ids:
                if run in states:
                    self._at_work[run].unknown = 0
                state = states[run] if run in states else self._unknown(run)
                if state is None:
                    continue
                if state.is_final():
                    yield run, state
                elif why := self._why_silent(self._at_work[run], state):
                    # Not by force: one that has ended since it was looked at stays as it has ended.
                    end = Cancelled if state.type == StateType.CANCELLING else Crashed
                    self._patiently(client.set_flow_run_state, run, end(message=why))

    def _unknown(self, run: UUID) -> State[Any] | None:
        """How a flow run has ended that the server does not know: somebody has deleted it."""
        attempt = self._at_work[run]
        attempt.unknown += 1
        if attempt.unknown < UNKNOWN_LOOKS:
            return None
        return Crashed(message="Prefect does not know its flow run any more; it was deleted")

    def _why_silent(self, attempt: _Attempt, state: State[Any]) -> str:
        """Why nobody works on a flow run any more that has not ended; empty if somebody may."""
        limit = _PATIENCE_S.get(state.type)
        if limit is None or (state.type in _AT_WORK and not self._locks.nobody_holds(attempt.shard)):
            attempt.silent = None
            return ""
        now = time.monotonic()
        if attempt.silent is None or attempt.silent[0] != state.type:
            attempt.silent = (state.type, now)
        if now - attempt.silent[1] < limit:
            return ""
        return f"{state.type.value}, and without a sign of life for {limit:.0f} s"

    def _patiently(self, ask: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """The server's answer to such a call, however long it is away."""
        told = False
        while True:
            try:
                answer = ask(*given, **named)
            except (httpx.TransportError, PrefectHTTPStatusError) as error:
                if isinstance(error, PrefectHTTPStatusError) and error.response.status_code < 500:
                    raise
                if not told:
                    self._note(f"Prefect does not answer ({type(error).__name__}); it is asked until it does")
                told = True
                time.sleep(LOOK_EVERY_S)
            else:
                return answer


def is_being_cancelled(run: str | None) -> bool:
    """Whether somebody cancels that flow run; no where the server does not tell."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(run)).state if run else None
    except (httpx.HTTPError, ObjectNotFound):
        return False
    return state is not None and state.is_cancelling()


def slots_of(deployment: str) -> int:
    """How many runs of a deployment can be at work at the same time: its pool's limit, else its workers.

    Raises:
        BadArguments: there is no such deployment, or no pool behind it.
    """
    with get_client(sync_client=True) as client:
        try:
            pool = client.read_deployment_by_name(deployment).work_pool_name
        except (ObjectNotFound, ValueError):
            raise BadArguments(
                f"deployment: Prefect knows no {safe_text(deployment, 80)!r}; "
                "name one as flow/deployment, or deploy it: prefect deploy --all"
            ) from None
        if pool is None:
            raise BadArguments(f"deployment: {safe_text(deployment, 80)!r} has no work pool")
        limit = client.read_work_pool(pool).concurrency_limit
        online = WorkerFilter(status=WorkerFilterStatus(any_=[WorkerStatus.ONLINE]))
        return limit or max(1, len(client.read_workers_for_work_pool(pool, worker_filter=online)))


def _pages(ids: list[UUID]) -> Iterator[list[UUID]]:
    yield from (ids[at : at + PAGE] for at in range(0, len(ids), PAGE))


def _lost(state: State[Any] | None) -> bool:
    """Whether a flow run did not come to its own end: it crashed, or an exception nobody expected ended it.

    Its own ends have names of their own.
    """
    if state is None:
        return False
    return state.type == StateType.CRASHED or (state.type == StateType.FAILED and state.name == RAISED)


def _words(state: State[Any] | None) -> str:
    return "no state" if state is None else f"{state.name}: {state.message or 'no message'}"


def _ended(attempt: _Attempt, state: State[Any] | None) -> Ended:
    name = state.name or "" if state else ""
    return Ended(attempt.shard, name, (state and state.message) or "", attempt.number, _lost(state))
