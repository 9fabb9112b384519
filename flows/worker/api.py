"""What a supervisor asks of a worker, wherever that is: in a process of its own, or here in a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flows.model.pair import Job, Outcome
from flows.model.sheet import SheetJob
from stylize_core.settings.style import StyleSettings


class Worker(Protocol):
    """One device and all that is kept warm for it.

    Attributes:
        device: its name, such as `cuda:0`, as the supervisor chose it.
    """

    device: str

    def describe(self) -> str:
        """Be ready, and name the device as records do.

        Raises:
            DeviceUnavailable: there is no such device.
            WorkerCrashed: the worker could not start.
        """

    def check_weights(self, settings: StyleSettings) -> str:
        """Load the weights that the settings ask for, before any pair depends on them; their sha256.

        Raises:
            BadWeights: they are not what was promised, or end before a layer that is used.
            SettingsError: a dream is about a channel that they do not have.
            StorageError: they could not be read.
        """

    def run_pairs(self, jobs: Sequence[Job], ahead: Sequence[Job]) -> tuple[Outcome, ...]:
        """Make the pictures and records of `jobs`, and begin to read what the next call will bring.

        A failure becomes a record and an outcome. A pair that is done already is skipped.

        Args:
            jobs: computed together where they may be.
            ahead: the jobs of the next call; empty if nothing follows, and then nothing stays behind either.

        Returns:
            How pairs of this call and of the one before it ended: of all whose records are written by now.

        Raises:
            WorkerCrashed: the worker died or was given up; a pair of `jobs`, of the call before or of `ahead`
                may be to blame.
            WorkerStopped: `stop` came first.
        """

    def make_sheet(self, job: SheetJob) -> bool:
        """Draw a contact sheet and write it; False if the run ends and nothing was written."""

    def stop(self) -> None:
        """End what is going on soon, and begin nothing more. Waits for nothing: signal handlers call it."""

    def close(self, grace_s: float = 5.0) -> None:
        """Stop, and give up what has not ended after `grace_s` seconds; calls in flight return."""
