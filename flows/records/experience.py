"""What this user's runs on this machine have measured, kept in a small file of the user's cache.

It decides nothing but estimates, so whatever is wrong with it costs an estimate and no more. Its name has the
versions and the machine in it: another PyTorch has other speeds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import tempfile
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.model.estimate import Knowledge, device_kind, kind_of, look_of
from flows.model.observed import Kind, Observed
from flows.model.pair import Pair
from flows.records.record import Record
from stylize_core.demand.memory import peak_memory
from stylize_core.demand.operations import work_of
from stylize_core.settings.picture_size import pixels_of

log = logging.getLogger("stylize.run")

FOLDER = "STYLIZE_CACHE"
"""The environment variable that names another folder for the file."""
MOST_OF_A_KIND = 24
MOST = 400
LARGEST_BYTES = 2**20

_Seconds = Annotated[float, Field(ge=0, le=1e9)]
_Positive = Annotated[float, Field(gt=0, le=1e30)]
_Count = Annotated[int, Field(gt=0, le=2**60)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Kind(_Strict):
    device: str
    encoder: str
    precision: str
    solver: str
    small: bool


class _Observed(_Strict):
    kind: _Kind
    pixels: _Count
    work: _Positive
    device_s: _Seconds
    beside_s: _Seconds
    look: str
    output_bytes: _Count
    memory: Annotated[float, Field(gt=0, le=1e6)] | None = None


class Experience(_Strict):
    """What the file says.

    Attributes:
        observed: the newest last.
        start_s: from a run's beginning to its first pair, by the kind of its device.
        devices: those of the last run, as records name them.
        memory_bytes: of devices other than the CPU, by the kind of device.
    """

    observed: tuple[_Observed, ...] = ()
    start_s: dict[str, _Seconds] = Field(default_factory=dict)
    devices: tuple[str, ...] = ()
    memory_bytes: dict[str, _Count] = Field(default_factory=dict)

    def knowledge(self, device: str) -> Knowledge:
        """What is known of devices of a kind."""
        found = tuple(_known(one) for one in self.observed if one.kind.device == device)
        source = "earlier runs on this machine" if found else ""
        return Knowledge(found, self.start_s.get(device), source)

    def with_more(
        self, observed: Iterable[Observed], *, start_s: float | None, devices: tuple[str, ...]
    ) -> Experience:
        """The same after another run."""
        fresh = [_Observed.model_validate(_plain(one)) for one in observed]
        starts = {} if start_s is None else {device_kind(name): start_s for name in devices}
        return Experience(
            observed=_newest([*self.observed, *fresh]),
            start_s={**self.start_s, **starts},
            devices=devices or self.devices,
            memory_bytes=self.memory_bytes,
        )


def _plain(one: Observed) -> dict[str, object]:
    names = ("pixels", "work", "device_s", "beside_s", "look", "output_bytes", "memory")
    kind = {name: getattr(one.kind, name) for name in ("device", "encoder", "precision", "solver", "small")}
    return {"kind": kind, **{name: getattr(one, name) for name in names}}


def _known(one: _Observed) -> Observed:
    kind = Kind(**one.kind.model_dump())
    return Observed(
        kind, one.pixels, one.work, one.device_s, one.beside_s, one.look, one.output_bytes, one.memory
    )


def _newest(observed: list[_Observed]) -> tuple[_Observed, ...]:
    """The newest of each kind and size, in their order."""
    kept: list[_Observed] = []
    counts: Counter[tuple[object, int]] = Counter()
    for one in reversed(observed):
        place = (_known(one).kind, one.pixels.bit_length())
        counts[place] += 1
        if counts[place] <= MOST_OF_A_KIND and len(kept) < MOST:
            kept.append(one)
    return tuple(reversed(kept))


def observed_in(record: Record, pair: Pair) -> Observed | None:
    """What the record of a pair says of its device's speed; None if it does not tell."""
    try:
        return _observed_in(record, pair)
    except Exception as error:  # what estimates learn is worth neither a picture nor a run
        log.info("nothing was learned of %s: %s", pair.name, error)
        return None


def _observed_in(record: Record, pair: Pair) -> Observed | None:
    output, made = record.output, record.optimisation
    timings = record.timings_s
    if output is None or made is None or not record.device or "optimise" not in timings:
        return None
    device, settings = device_kind(record.device), pair.style_settings
    style = record.style
    style_pixels = None
    if style and style.width and style.height:
        style_pixels = measured_style_pixels(pair, style.width, style.height)
    size = {"width": output.width, "height": output.height, "style_pixels": style_pixels}
    memory = None
    if record.peak_memory_bytes and device != "cpu":
        demand = peak_memory(
            settings,
            **size,  # type: ignore[arg-type]
            batch=record.batch,
            on_cpu=False,
            regions=len(pair.regions),
            shown=pair.is_shown,
        )
        memory = record.peak_memory_bytes / max(1, demand.device)
    return Observed(
        kind_of(settings, device),
        pixels=output.width * output.height,
        work=work_of(settings, **size).total,  # type: ignore[arg-type]
        device_s=timings["optimise"] / record.batch + timings.get("targets", 0.0),
        beside_s=sum(timings.get(name, 0.0) for name in ("read", "encode", "write")),
        look=look_of(pair.picture_settings),
        output_bytes=max(1, output.size_bytes),
        memory=memory,
    )


def measured_style_pixels(pair: Pair, width: int, height: int) -> int:
    """How many pixels a style of that size is measured in."""
    settings = pair.style_settings
    left, top, right, bottom = settings.style_crop
    wide, high = width * (right - left), height * (bottom - top)
    return pixels_of(wide, high, settings.picture_size.style_px(settings.style_scale))


def experience_file() -> Path:
    """Where the experience of this user with this machine and these versions lies."""
    chosen = os.environ.get(FOLDER)
    home = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "stylize"
    facts = [platform.node(), platform.machine(), str(os.cpu_count()), *map(_version, ("stylize", "torch"))]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    return home.expanduser() / f"measured-{key}.json"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def load_experience() -> Experience:
    """What earlier runs measured; nothing where nobody can read it."""
    try:
        path = experience_file()
        if path.stat().st_size > LARGEST_BYTES:
            return Experience()
        return Experience.model_validate_json(path.read_bytes())
    except (OSError, RuntimeError, ValidationError):
        return Experience()


def save_experience(experience: Experience) -> None:
    """Replace the file as a whole; one that cannot be written is logged and costs nothing."""
    try:
        path = experience_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(experience.model_dump(mode="json"), separators=(",", ":"))
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)
    except (OSError, RuntimeError) as error:
        log.info("what was measured could not be kept: %s", error)
