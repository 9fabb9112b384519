"""What is expected of a plan on this machine: seconds, memory and bytes, pair by pair."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from flows.errors import StorageError
from flows.manifest.model import Manifest
from flows.model.estimate import Expected, Knowledge, Prospect, device_kind, kind_of, look_of
from flows.model.observed import Observed
from flows.model.pair import Pair
from flows.planning.plan import Plan, PlannedPair
from flows.planning.shapes import Shapes
from flows.records.experience import (
    Experience,
    load_experience,
    measured_style_pixels,
    observed_in,
)
from flows.records.last_report import last_report
from flows.records.store import read_record
from flows.running.sizing import LAST_REPORT, NOTHING, seconds_per_pair_of
from flows.storage.base import Storage
from flows.storage.location import is_remote
from flows.storage.opening import open_storage
from flows.text import bytes_in_words, safe_text
from flows.worker.devices import cpu_workers, lacks_drivers
from flows.worker.fitting.memory_room import machine_memory
from stylize_core.demand.memory import peak_memory
from stylize_core.demand.operations import Work, work_of
from stylize_core.demand.rungs import LADDER, WHOLE, Rung
from stylize_core.settings.picture_size import SMALLEST_PX
from stylize_core.settings.style import StyleSettings

log = logging.getLogger("stylize.run")

RECORDS_READ = 12
"""So many records of an output are read where this machine has no experience of its own."""


# Why so many: what is known of the machine, and what is worked out once for many pairs.
@dataclass(slots=True)
class Machine:
    """A device of this machine, and what is known of it.

    Attributes:
        device: its kind, see `device_kind`; empty if nobody can tell.
        workers: how many there will be.
        memory_bytes: of the device; None if nobody knows.
    """

    device: str
    workers: int
    knowledge: Knowledge
    memory_bytes: int | None
    shapes: Shapes = field(default_factory=Shapes)
    _known: dict[tuple[int, ...], Expected] = field(default_factory=dict)

    def expect(self, pair: Pair) -> Expected:
        """What is expected of a pair here; pairs that share settings and shapes are counted once.

        An estimate that fails costs nothing but itself: what is wrong with a pair is its worker's to find.
        """
        width, height = self.shapes.result(pair)
        style_pixels = self._style_pixels(pair)
        settings = id(pair.style_settings), id(pair.picture_settings)
        key = (*settings, width, height, style_pixels or 0, len(pair.regions))
        if key not in self._known:
            try:
                self._known[key] = self._judged(self._expected(pair, width, height, style_pixels))
            except Exception as error:
                log.warning("no estimate of %s: %s", safe_text(pair.name), safe_text(str(error)))
                self._known[key] = self._unknown(pair, width, height)
        return replace(self._known[key], pair=pair)

    def _expected(self, pair: Pair, width: int, height: int, style_pixels: int | None) -> Expected:
        settings, pixels, known = pair.style_settings, width * height, self.knowledge
        kind = kind_of(settings, self.device)
        work = work_of(settings, width=width, height=height, style_pixels=style_pixels)
        device_s = known.seconds(kind, pixels=pixels, work=work.total)
        memory = self._needs(pair, settings, width, height, style_pixels)
        if self.device != "cpu":
            memory = round(memory * known.memory(kind, pixels=pixels))
        return Expected(
            pair,
            kind,
            width,
            height,
            work,
            seconds=None if device_s is None else device_s + (known.beside(kind, pixels=pixels) or 0.0),
            device_s=device_s,
            memory_bytes=memory,
            output_bytes=known.output_bytes(look_of(pair.picture_settings), pixels=pixels),
        )

    def _unknown(self, pair: Pair, width: int, height: int) -> Expected:
        """A pair of which nobody knows what it takes."""
        kind = kind_of(pair.style_settings, self.device)
        work = Work.unknown(pair.style_settings, width, height)
        return Expected(
            pair, kind, width, height, work, seconds=None, device_s=None, memory_bytes=None, output_bytes=None
        )

    def _judged(self, one: Expected) -> Expected:
        """The same in a way that fits, or with why it cannot."""
        room, whole = self.memory_bytes, one.memory_bytes
        if room is None or whole is None or whole <= room:
            return one
        as_a_whole = self._needs_of(one, WHOLE)
        for rung in LADDER[1:]:
            needed = round(whole * self._needs_of(one, rung) / as_a_whole)
            if needed <= room:
                return replace(one, memory_bytes=needed, rung=rung)
        trouble = (
            f"it needs about {bytes_in_words(needed)} even {rung.words()}, and there are "
            f"{bytes_in_words(room)}; {self._what_fits(one, room)}"
        )
        return replace(one, memory_bytes=needed, rung=rung, trouble=trouble)

    def _needs_of(self, one: Expected, rung: Rung) -> int:
        pair, styles = one.pair, self._style_pixels(one.pair)
        return self._needs(pair, pair.style_settings, one.width, one.height, styles, rung=rung)

    def _what_fits(self, one: Expected, room: int) -> str:
        """Which size of the same, and which network, would."""
        settings = one.pair.style_settings

        def needs(asked: StyleSettings, share: float) -> int:
            sides = (round(one.width * share), round(one.height * share))
            return self._needs(one.pair, asked, *sides, None, rung=LADDER[-1])

        edge = max(one.width, one.height)
        fits = largest(lambda px: needs(settings, px / edge) <= room, most=edge)
        found = [f"`size: {fits}`"] if fits else []
        if settings.encoder in ("vgg16", "vgg19") and settings.mode != "dream":
            slim = StyleSettings(encoder="slim", size=settings.size, history=settings.history)
            found += ["`encoder: slim` at this size"] if needs(slim, 1.0) <= room else []
        return f"{' or '.join(found)} would fit" if found else "no size of it would fit"

    def _style_pixels(self, pair: Pair) -> int | None:
        sizes = [measured_style_pixels(pair, *shape) for shape in self.shapes.styles(pair)]
        return max(sizes, default=None)

    # Why so many: a picture, its style, and how it is made.
    def _needs(
        self,
        pair: Pair,
        settings: StyleSettings,
        width: int,
        height: int,
        style_pixels: int | None,
        *,
        rung: Rung = WHOLE,
    ) -> int:
        """Bytes of the device under these settings of the pair; of a CPU those of the worker's process."""
        on_cpu = self.device == "cpu"
        demand = peak_memory(
            settings,
            width=max(1, width),
            height=max(1, height),
            style_pixels=style_pixels,
            on_cpu=on_cpu,
            rung=rung,
            regions=len(pair.regions),
            shown=pair.is_shown,
        )
        return demand.process if on_cpu else demand.device


def largest(fits: Callable[[int], bool], *, most: int) -> int | None:
    """The largest size up to `most`, px, that fits, in steps of 32; None if none does."""
    low, high = SMALLEST_PX // 32, most // 32
    if not fits(32 * low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(32 * middle) else (low, middle - 1)
    return 32 * low


def prospect_of(
    plan: Plan, manifest: Manifest, *, devices: Sequence[str] = (), workers: int | None = None
) -> Prospect:
    """What is expected of everything that the plan has to do.

    Args:
        devices: of each worker, as records name them, where a run has started them; else they are taken for
            those that a run would choose.
        workers: how many a run is asked for; None for its own choice.
    """
    machine = machine_for(plan, manifest, devices=devices, workers=workers)
    pairs = tuple(machine.expect(planned.pair) for planned in plan.todo)
    known = machine.knowledge
    return Prospect(pairs, machine.workers, known.start_s, known.source)


def machine_for(
    plan: Plan, manifest: Manifest, *, devices: Sequence[str] = (), workers: int | None = None
) -> Machine:
    """The device that the plan would be done on, and what is known of it."""
    experience = load_experience()
    found = [device_kind(name) for name in devices] or expected_devices(manifest.device, experience)
    device = found[0] if found else ""
    if device == "cpu" and not devices:
        sizes = [planned.pair.style_settings.picture_size.expected_px for planned in plan.todo]
        found = ["cpu"] * (workers or cpu_workers(sizes))
    knowledge = experience.knowledge(device)
    if device and not knowledge.observed and not (devices and is_remote(plan.output)):  # a run asks no more
        knowledge = of_output(plan, device) or knowledge
    memory = machine_memory() if device == "cpu" else experience.memory_bytes.get(device)
    return Machine(device, workers or max(1, len(found)), knowledge, memory)


def expected_devices(name: str, experience: Experience) -> list[str]:
    """The kinds of the devices that `device: name` will mean here, without asking torch; none if it must be.

    What is no CPU is known by the last run.
    """
    before = [device_kind(one) for one in experience.devices]
    if name == "cpu" or (name == "auto" and lacks_drivers()):
        return ["cpu"]
    wanted = name.partition(":")[0]
    return [one for one in before if wanted == "auto" or one.startswith(wanted)]


def of_output(plan: Plan, device: str) -> Knowledge | None:
    """What the records of pairs that are done tell; None if they tell nothing of such a device."""
    done = [planned for planned in plan.pairs if planned.status == "done"]
    found = [
        one
        for one in observed_of(spread(done, RECORDS_READ), open_storage(plan.output))
        if one.kind.device == device
    ]
    return Knowledge(tuple(found), None, "the records of this output") if found else None


def observed_of(done: Sequence[PlannedPair], storage: Storage) -> list[Observed]:
    """What the records of these pairs tell, as far as they can be read."""
    found = []
    for planned in done:
        try:
            record = read_record(storage, planned.pair.record_name)
        except StorageError:
            break  # it is about an estimate only: nothing is asked again
        if record and (observed := observed_in(record, planned.pair)):
            found.append(observed)
    return found


def spread(pairs: Sequence[PlannedPair], most: int) -> Sequence[PlannedPair]:
    """So many of them at most, from all over."""
    return pairs[:: max(1, len(pairs) // most)][:most]


def seconds_of_a_pair(plan: Plan, manifest: Manifest) -> tuple[float | None, str]:
    """Seconds of one device for a pair that is to do, on average, and where that is known from.

    The last report comes first: it is of the machines that the output is made on, which this one need not be.
    """
    if (found := seconds_per_pair_of(last_report(open_storage(manifest.output)))) is not None:
        return found, LAST_REPORT
    prospect = prospect_of(plan, manifest)
    found = None if prospect.unknown else prospect.seconds_per_pair
    return found, prospect.source if found else NOTHING
