"""A pair's record: the small JSON file beside its picture that says the picture is done, or why it is not.

The record is written last, so a picture without a readable record is not done. Reading is strict for that
reason: whatever is cut short, foreign or from a newer program is `UnreadableRecord`, never a crash.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from importlib.metadata import version
from platform import python_version
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from flows.model.identity import Ingredients
from flows.text import safe_text

RECORD_VERSION = 1
_TIMES_AND_PLACES = (
    "timings_s", "finished_at", "peak_memory_bytes", "batch", "device", "versions", "manifest",
)  # fmt: skip


class UnreadableRecord(ValueError):
    """These bytes are no record that this program can use.

    Attributes:
        newer: the record is sound, but a newer version of the program wrote it.
        damaged: it begins as our records do, or is empty as after a power cut; nobody else loses it.
    """

    def __init__(self, reason: str, *, newer: bool = False, damaged: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.newer, self.damaged = reason, newer, damaged


def versions() -> dict[str, str]:
    """The programs that make a picture, for its record."""
    packages = ("stylize", "torch", "torchvision", "pillow", "numpy")
    return {name: version(name) for name in packages} | {"python": python_version()}


def _finite(value: float | None) -> float | None:
    """JSON has no NaN: a number that is not finite is not known."""
    return value if value is not None and math.isfinite(value) else None


def _finite_items(values: list[float]) -> list[float]:
    return values if all(map(math.isfinite, values)) else [v for v in values if math.isfinite(v)]


def _finite_entries(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if math.isfinite(value)}


Number = Annotated[float | None, AfterValidator(_finite)]
Numbers = Annotated[list[float], AfterValidator(_finite_items)]
NamedNumbers = Annotated[dict[str, float], AfterValidator(_finite_entries)]
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class _Section(BaseModel):
    """Part of a record: immutable, exact about types, patient with keys of a newer minor version."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Source(_Section):
    """A picture that was read: what and which version; sizes in px as decoded."""

    uri: str
    sha256: str = ""
    token: str = ""
    width: int | None = None
    height: int | None = None
    decisions: tuple[str, ...] = ()


class Output(_Section):
    """The picture that was made; `name` is its place below the output, suffix included."""

    name: str
    size_bytes: int
    sha256: str
    width: int
    height: int
    format: str


class Extra(_Section):
    """A file beside the picture; `name` is its place below the output."""

    name: str
    size_bytes: int
    sha256: str


class Failure(_Section):
    """Why there is no picture.

    Attributes:
        kind: the error's word, such as `bad_image`.
        message: fit for a user; escaped and capped to `MESSAGE_BYTES` by whoever builds it through here.
        attempts: how often the pair was tried, earlier runs included.
        phase: what was going on, such as `read` or `optimise`.
    """

    kind: str
    message: Annotated[str, BeforeValidator(lambda text: safe_text(text) if isinstance(text, str) else text)]
    attempts: int = 1
    phase: str | None = None


class Optimisation(_Section):
    """How the optimisation went; `loss_terms` are the weighted terms at the result."""

    evaluations: int
    accepted_steps: int
    stop_reason: str
    first_loss: Number = None
    last_loss: Number = None
    loss_curve: Numbers = Field(default_factory=list)
    loss_terms: NamedNumbers = Field(default_factory=dict)


# Why so many: a field for each fact of a record.
class Record(_Section):
    """All that is known about one pair. A failed one lacks whatever was not reached.

    Attributes:
        others: the pictures beside content, style and init by their role, such as `style[1]` of a blend.
        snapshots: the picture on its way, in the order of the steps.
        animation: the film of that way.
        unfinished: names below the output where a try that has not ended may have put such files.
        manifest: what the run that wrote this was told to make; empty in
            records of older versions.
        identity: hash of the ingredients; the plan's, which may be empty, if the pair failed before all of
            them were known.
        settings: every setting with the value that was in force, and `timeout` in seconds, None for no limit.
        decisions: what the program decided for the user, one sentence each.
        timings_s: seconds per phase, by a monotonic clock; `optimise` is that of all pairs in the batch.
        peak_memory_bytes: what the device held at most, for all pairs in the batch; on a CPU what the
            worker's process held.
        batch: how many pairs were computed together.
        finished_at: UTC; for people, and for the order in which `--force` makes pictures again.
    """

    record_version: int = RECORD_VERSION
    status: Literal["done", "failed"]
    name: str
    manifest: str = ""
    identity: str
    ingredients: Ingredients | None = None
    content: Source | None = None
    style: Source | None = None
    init: Source | None = None
    others: dict[str, Source] = Field(default_factory=dict)
    output: Output | None = None
    snapshots: tuple[Extra, ...] = ()
    animation: Extra | None = None
    unfinished: tuple[str, ...] = ()
    failure: Failure | None = None
    device: str | None = None
    precision: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    optimisation: Optimisation | None = None
    timings_s: NamedNumbers = Field(default_factory=dict)
    peak_memory_bytes: int | None = None
    batch: int = 1
    decisions: tuple[str, ...] = ()
    finished_at: Moment = Field(default_factory=lambda: datetime.now(UTC))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """A done record without its picture, or a failed one without its reason, says nothing."""
        if self.status == "done" and not (self.output and self.ingredients and self.identity):
            raise ValueError("a done record needs identity, ingredients and output")
        if self.status == "failed" and self.failure is None:
            raise ValueError("a failed record needs its failure")
        return self

    @property
    def files(self) -> frozenset[str]:
        """The names below the output of all files that the record speaks of."""
        return frozenset(self.sizes) | frozenset(self.unfinished)

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes in bytes of those files that were finished, by name."""
        made = (self.output, self.animation, *self.snapshots)
        return {file.name: file.size_bytes for file in made if file is not None}

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The record that `to_bytes` wrote.

        Raises:
            UnreadableRecord: anything else, every proper beginning of a record included.
        """
        if not data.endswith(b"}\n"):
            reason = "it is cut short" if data else "it is empty"
            raise UnreadableRecord(reason, damaged=_begins_like_ours(data))
        try:
            record = cls.model_validate_json(data)
        except ValidationError as error:
            raise _unreadable(data, error) from None
        if "record_version" not in record.model_fields_set:
            raise UnreadableRecord("it is no record of stylize: it has no record_version")
        if record.record_version != RECORD_VERSION:
            raise _other_version(record.record_version)
        return record

    def to_bytes(self) -> bytes:
        """Stable JSON: sorted keys, ASCII, one value a line, a newline at the end."""
        plain = self.model_dump(mode="json")
        return json.dumps(plain, sort_keys=True, indent=1, allow_nan=False).encode("ascii") + b"\n"


class _Version(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    record_version: int


def _unreadable(data: bytes, error: ValidationError) -> UnreadableRecord:
    """Tell a newer version's record, which this program must leave alone, from a broken or foreign one."""
    try:
        version = _Version.model_validate_json(data).record_version
    except ValidationError:
        version = RECORD_VERSION
    if version != RECORD_VERSION:
        return _other_version(version)
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    reason = safe_text(": ".join(filter(None, (place, first["msg"]))), 200)
    return UnreadableRecord(reason, damaged=_begins_like_ours(data))


def _begins_like_ours(data: bytes) -> bool:
    """Whether `to_bytes` may have begun so: its keys are sorted."""
    start = b'{"animation":'
    squeezed = data[: 2 * len(start)].translate(None, b" \n\r\t")
    return squeezed.startswith(start) or start.startswith(squeezed)


def _other_version(version: int) -> UnreadableRecord:
    if version > RECORD_VERSION:
        return UnreadableRecord(f"it is from a newer version (record_version {version})", newer=True)
    return UnreadableRecord(f"record_version {version} does not exist")


def timeless(data: bytes) -> bytes:
    """A record less its times, its memory and its machine, for comparing two runs byte by byte.

    Raises:
        UnreadableRecord: `data` is no record.
    """
    plain = Record.parse(data).model_dump(mode="json", exclude=set(_TIMES_AND_PLACES))
    for name in ("content", "style", "init"):
        if plain[name]:
            del plain[name]["token"]
    for source in plain["others"].values():
        del source["token"]
    return json.dumps(plain, sort_keys=True, indent=1).encode("ascii") + b"\n"
