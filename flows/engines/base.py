"""What a run asks of an engine: workers for pairs, wherever these are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from flows.model.pair import Job, Outcome
from flows.model.sheet import SheetJob
from stylize_core.settings.style import StyleSettings


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Which workers an engine is to start.

    Attributes:
        slots: the device of each, such as `("cuda:0", "cuda:1")`.
        threads: CPU threads of each; None for PyTorch's own choice.
        batch: how many alike pairs a worker computes together; None for what it finds out itself.
    """

    slots: tuple[str, ...]
    threads: int | None = None
    batch: int | None = None


class Engine(Protocol):
    """Workers with their supervision. Every method but `stop` and `wind_down` belongs to one thread."""

    def start(self, spec: WorkerSpec) -> tuple[str, ...]:
        """Start every worker; their devices as records name them.

        Raises:
            BatchError: a worker could not start.
            StylizeError: there is no such device.
            WorkerStopped: `stop` came first.
        """

    def check_weights(self, settings: StyleSettings) -> str:
        """Load weights before any pair depends on them; their sha256. See `Worker.check_weights`."""

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Do the jobs; how each pair that was begun has ended, as soon as that is known and durable.

        A worker's death costs the pairs in its hands an attempt and nobody else anything. After `wind_down`
        and `stop` no further pair is begun, and those that were not do not come out.
        """

    def make_sheet(self, job: SheetJob) -> bool:
        """Draw a contact sheet on any worker; False if the run ends and nothing was written."""

    def wind_down(self) -> None:
        """Begin no further pair; those in flight end as they will."""

    def stop(self) -> None:
        """Give up the pairs in flight within a step or so. Waits for nothing: signal handlers call it."""

    def close(self) -> None:
        """End every worker."""
