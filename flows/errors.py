"""Everything that the batch can refuse or fail at, as one tree.

BatchError
  ManifestError        the manifest is not valid; carries every problem found
  BadArguments         the command's arguments are not valid
  AlreadyRunning       another run holds the output
  WorkerCrashed        a worker process died under a pair
    TimedOut           a pair took longer than its timeout
    WorkerWedged       a worker process lived on, but fell silent or got nowhere, and was killed
  WorkerStopped        a worker process was told to end before the pair was done
  StorageError         reading or writing failed
    StorageTransient   it may work later; retries are used up
      CredentialsAway  whoever gives out credentials does not answer; fatal once retries are used up
    NotFound           no such object, file or bucket
    Denied             no permission for this one
    Oversized          larger than whoever reads it takes
  ForeignFile          a file of somebody else's stands where a result goes
    StorageFatal       credentials, bucket or disk: every further pair would fail as well

`kind` is the word that records and reports use. A `fatal` error ends the run early; any other costs one pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class BatchError(Exception):
    """Any failure that `flows` raises on purpose; its text is fit for a user."""

    kind: ClassVar[str] = "error"
    fatal: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a manifest.

    Attributes:
        where: the path of the key, such as `pairs[3].settings.steps`.
        message: what is wrong and what to do.
        line: line in the file, from 1, where known.
    """

    where: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.where}: {self.message}" if self.where else f"{place}{self.message}"


class ManifestError(BatchError):
    """The manifest is not valid; nothing was started."""

    kind = "manifest"

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        super().__init__(source, problems)
        self.source, self.problems = source, tuple(problems)

    def __str__(self) -> str:
        return "\n".join([f"{self.source} is not a valid manifest:", *(f"  {p}" for p in self.problems)])


class BadArguments(BatchError):
    """The command's arguments are not valid; nothing was started."""

    kind = "arguments"


class AlreadyRunning(BatchError):
    """Another run writes to the same output."""

    kind = "already_running"


class WorkerCrashed(BatchError):
    """The worker process died while it worked on the pair."""

    kind = "crashed"


class TimedOut(WorkerCrashed):
    """A pair took longer than its timeout: its worker noticed, or was killed because it did not."""

    kind = "timeout"

    def __init__(self, text: str, pair: str) -> None:
        super().__init__(text, pair)
        self.pair = pair

    def __str__(self) -> str:
        return str(self.args[0])


class WorkerWedged(WorkerCrashed):
    """The worker process was there but gave no sign of life, or got nowhere with the pair, and was killed."""

    kind = "wedged"


class WorkerStopped(BatchError):
    """The run ends early, so the worker process ended before the pair was done; nobody is to blame."""

    kind = "stopped"


class StorageError(BatchError):
    """Storage could not be read or written."""

    kind = "storage"


class StorageTransient(StorageError):
    """Storage kept failing in a way that usually passes, until the retries were used up."""

    kind = "storage_transient"


class CredentialsAway(StorageTransient):
    """Credentials could not be had just now, which passes mostly; if it does not, every pair would fail."""

    kind = "storage_fatal"
    fatal = True


class NotFound(StorageError):
    """The object, file or bucket does not exist."""

    kind = "not_found"


class Denied(StorageError):
    """This object may not be read or written with the credentials at hand."""

    kind = "denied"


class Oversized(StorageError):
    """The object is larger than whoever reads it takes, and was not read."""

    kind = "oversized"


class ForeignFile(BatchError):
    """A file that is not of this program stands where a result goes, and may not be replaced."""

    kind = "foreign_file"


class StorageFatal(StorageError):
    """Storage fails for every pair alike: expired credentials, a missing bucket, a full disk."""

    kind = "storage_fatal"
    fatal = True


class BucketUnusable(StorageFatal):
    """Nothing in this bucket can be had: it is missing, switched off or in another region."""
