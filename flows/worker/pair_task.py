"""What a worker does for one pair before and after the device's part: from bytes, and to bytes and a record.

The order never changes: read, decode, optimise, encode, write the picture, write the record. Whatever goes
wrong with a pair waits until its turn to be recorded has come, and costs no other pair anything.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version

import torch

from flows.errors import BatchError
from flows.model.identity import Ingredients, identity
from flows.model.pair import Input, Job, Outcome
from flows.model.regions import roles
from flows.planning.plan import ingredients_of
from flows.records.record import Failure, Output, Record, Source, versions
from flows.records.store import read_record, replace_record, why_not_done, withdraw_unfinished
from flows.storage.base import Storage, open_storage
from flows.text import safe_text
from flows.worker.device_cache import Seen, Studio
from flows.worker.errors import Stopped, described, without_frames
from flows.worker.optimized import Made
from flows.worker.regions import SeenRegion, see_regions
from flows.worker.snapshots import CONTENT_TYPES, Evolution
from stylize_core.device import describe_device
from stylize_core.errors import Diverged
from stylize_core.image.decode import encode_picture
from stylize_core.optim.minimise import Frames
from stylize_core.settings.fields import WHOLE, Crop

log = logging.getLogger("stylize.worker")


@dataclass(slots=True, eq=False)
class Work:
    """A pair in flight and all that is known about it so far, so that any failure can be recorded.

    `prepare`, the device's part and `finish` run one after another, in whatever threads; an error of one
    leaves nothing for the next ones to do but to record it.
    """

    job: Job
    studio: Studio
    storage: Storage = field(init=False)
    phase: str = "prepare"
    timings_s: dict[str, float] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    others: dict[str, Source] = field(default_factory=dict)
    content: Seen | None = None
    styles: list[Seen] = field(default_factory=list)
    regions: tuple[SeenRegion, ...] = ()
    init: Seen | None = None
    ingredients: Ingredients | None = None
    evolution: Evolution | None = None
    made: Made | None = None
    device: str | None = None
    precision: str | None = None
    peak_memory_bytes: int | None = None
    error: Exception | None = None
    stopped: bool = False
    done_before: bool = False
    _open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        """Find the output; nothing is contacted yet."""
        self.storage = open_storage(self.job.output)

    @property
    def is_ready(self) -> bool:
        """Whether the device is to do its part."""
        return not (self.error or self.stopped or self.done_before)

    def prepare(self) -> None:
        """Read and decode everything that the pair is made of; find out whether it is done already."""
        with self.own_errors():
            with self.timed("read"):
                self.content = self._canvas()
                self.init = self._init_picture()
                self._see_styles()
                self.regions = see_regions(self.job.pair, self.content, self.studio)
                self.others |= roles(tuple(region.sources for region in self.regions))
            self.ingredients = self._identify()
            if made_before := self._done_already(self.ingredients):
                self.done_before = True
                self._name_sources_in(made_before)

    def watch(self) -> Frames | None:
        """Whoever wants to see the picture on its way, until `finish`."""
        if self.content is None or self.ingredients is None:
            raise RuntimeError("prepare() comes first")
        evolution = Evolution(
            self.job.pair,
            self.storage,
            alpha=self._alpha(self.content),
            facts=self._facts(self.ingredients),
            announce=self._announce,
        )
        self.evolution = self._open.enter_context(evolution)
        return evolution.frames

    def take(self, made: Made) -> None:
        """Keep what the device has made; a picture that could not be kept finite is a failure.

        Raises:
            Diverged: it is such a picture.
        """
        self.peak_memory_bytes = self.studio.peak_memory_bytes()
        report = made.report
        if report.stop_reason == "diverged":
            raise Diverged(
                f"the loss was not finite after {report.evaluations} evaluations and no remedy helped; "
                f"last finite loss {report.best_loss:.6g}; try smaller weights or another init"
            )
        self.made = made

    def finish(self) -> Outcome:
        """Write the picture, then the record; or the record that says why there is no picture.

        Returns how the pair has ended, once that is durable.
        """
        with self._open, self.own_errors():
            if self.is_ready:
                self._publish()
        return self._outcome()

    def _outcome(self) -> Outcome:
        name = self.job.pair.name
        if self.error:
            return self._failed(self.error)
        if self.stopped:
            self._withdraw()
            return Outcome(name, "stopped", seconds=self.seconds)
        return Outcome(name, "skipped" if self.done_before else "done", seconds=self.seconds)

    @property
    def seconds(self) -> float:
        """Time that the pair's own phases took; what ran beside them is not counted."""
        return sum(self.timings_s.values())

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        """Whatever goes wrong inside is this pair's, and waits for `finish` to be recorded."""
        try:
            yield
        except Stopped:
            self.stopped = True
        except Exception as error:  # the one broad catch of the batch: it records
            if described(error)[0] == "internal":
                name = safe_text(self.job.pair.name)
                log.exception("pair=%s phase=%s internal error", name, self.phase)
            self.error = without_frames(error)

    def _withdraw(self) -> None:
        """Leave nothing of a pair that was stopped; where storage does not let us, its record stays."""
        with suppress(BatchError):
            withdraw_unfinished(self.storage, self.job.pair.record_name)

    def _failed(self, error: Exception) -> Outcome:
        """Record the failure, unless it would hit every pair alike or storage itself is the trouble."""
        kind, message = described(error)
        fatal = isinstance(error, BatchError) and error.fatal
        outcome = Outcome(self.job.pair.name, "failed", kind, message, fatal=fatal, seconds=self.seconds)
        if fatal:
            return outcome
        failure = Failure(kind=kind, message=message, attempts=self.job.attempts + 1, phase=self.phase)
        try:
            self._write_record(self._record(status="failed", failure=failure))
        except BatchError as second:
            text = safe_text(str(second))
            return Outcome(self.job.pair.name, "failed", second.kind, text, second.fatal, self.seconds)
        return outcome

    def _see(self, role: str, source: Input, *, region: Crop = WHOLE) -> Seen:
        settings = self.job.pair.style_settings
        seen = self.studio.picture(
            source, self.job.pair.picture_settings, long_edge=settings.size, enlarge=True, region=region
        )
        self.sources[role] = seen.source
        return seen

    def _canvas(self) -> Seen:
        """The content; for a texture without one the style, of which nothing but the shape counts here."""
        pair = self.job.pair
        if pair.content is not None:
            return self._see("content", pair.content)
        if pair.style is None:
            raise ValueError("a pair has a content, a style or both")
        settings = pair.style_settings
        return self.studio.picture(
            pair.style,
            pair.picture_settings,
            long_edge=settings.size,
            enlarge=True,
            region=settings.style_crop,
        )

    def _see_styles(self) -> None:
        """The style, and the others of a blend; nothing where there is no style."""
        pair = self.job.pair
        if pair.style is None:
            return
        self.styles.append(self.studio.style_picture(pair.style, pair))
        self.sources["style"] = self.styles[0].source
        for at, part in enumerate(pair.blend[1:], start=1):
            self.styles.append(self.studio.style_picture(part.picture, pair))
            self.others[f"style[{at}]"] = self.styles[-1].source

    def _init_picture(self) -> Seen | None:
        pair = self.job.pair
        if pair.style_settings.init == "style" and pair.style is not None:
            return self._see("init", pair.style, region=pair.style_settings.style_crop)
        return None if pair.init is None else self._see("init", pair.init)

    def _identify(self) -> Ingredients:
        digests = {role: source.sha256 for role, source in self.sources.items()}
        others = {role: source.sha256 for role, source in self.others.items()}
        init = digests.get("init", "") if self.job.pair.style_settings.init == "image" else ""
        content, style = digests.get("content", ""), digests.get("style", "")
        return ingredients_of(self.job.pair, content, style, init, others=others)

    def _done_already(self, ingredients: Ingredients) -> Record | None:
        """The record of exactly this picture, if both are there: a chunk came twice, or an input moved."""
        pair = self.job.pair
        record = read_record(self.storage, pair.record_name)
        if record is None:
            return None
        stat = self.storage.stat(pair.output_name)
        size = None if stat is None else stat.size
        reason = why_not_done(record, pair, identity(ingredients), ingredients=ingredients, size=size)
        return None if reason else record

    def _name_sources_in(self, record: Record) -> None:
        """Let the record name the inputs as they are called now, or every plan asks for the pair again."""
        fresh = record.model_copy(update=self.sources | {"others": self.others})
        if fresh != record:
            self._write_record(fresh)

    def _announce(self, names: tuple[str, ...]) -> None:
        """A record of the files to come, so that whoever replaces it knows what a dead run left."""
        failure = Failure(
            kind="unfinished",
            message="the run ended, or still goes on, while snapshots were written; run it again",
            attempts=self.job.attempts + 1,
            phase=self.phase,
        )
        self._write_record(self._record(status="failed", failure=failure, unfinished=names))

    def _alpha(self, content: Seen) -> torch.Tensor | None:
        """The transparency that the result has."""
        return None if self.job.pair.style_settings.mode == "texture" else content.picture.alpha

    def _publish(self) -> None:
        """The picture first, durable; then the record that makes it count; then what the old one left."""
        pair, content, ingredients = self.job.pair, self.content, self.ingredients
        if self.made is None or self.evolution is None or content is None or ingredients is None:
            raise RuntimeError("the device's part comes first")
        image, kind = self.made.image, pair.picture_settings.format
        with self.timed("encode"):
            alpha, facts = self._alpha(content), self._facts(ingredients)
            data = encode_picture(image, alpha=alpha, settings=pair.picture_settings, facts=facts)
        output = Output(
            name=pair.output_name,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            width=image.shape[-1],
            height=image.shape[-2],
            format=kind,
        )
        with self.timed("write"):
            snapshots, animation = self.evolution.finish(image)
            self.storage.write(pair.output_name, data, content_type=CONTENT_TYPES[kind])
            done = self._record(status="done", output=output)
            self._write_record(done.model_copy(update={"snapshots": snapshots, "animation": animation}))

    def _write_record(self, record: Record) -> None:
        replace_record(self.storage, self.job.pair.record_name, record)

    def _record(
        self,
        *,
        status: str,
        output: Output | None = None,
        failure: Failure | None = None,
        unfinished: tuple[str, ...] = (),
    ) -> Record:
        settings = self.job.pair.style_settings
        return Record.model_validate(
            {
                "status": status,
                "name": self.job.pair.name,
                # what the plan expected, where it did not come to ingredients, so that tries are counted
                "identity": identity(self.ingredients) if self.ingredients else self.job.identity,
                "ingredients": self.ingredients,
                **self.sources,
                "others": self.others,
                "output": output,
                "failure": failure,
                "unfinished": unfinished,
                "device": self.device or describe_device(self.studio.device),
                "precision": self.precision,
                "versions": versions(),
                "seed": settings.seed,
                "optimisation": None if self.made is None else self.made.optimisation(),
                "timings_s": {name: round(value, 4) for name, value in self.timings_s.items()},
                "peak_memory_bytes": self.peak_memory_bytes,
                "batch": self.made.batch if self.made else 1,
                "decisions": tuple(self.made.report.decisions) if self.made else (),
            }
        )

    def _facts(self, ingredients: Ingredients) -> dict[str, str]:
        """The record's key facts, for inside the picture; no times, so equal runs give equal bytes."""
        settings = self.job.pair.style_settings
        facts = {
            "Software": f"stylize {version('stylize')}",
            "stylize:name": self.job.pair.name,
            "stylize:identity": identity(ingredients),
            "stylize:content": ingredients.content,
            "stylize:style": ingredients.style,
            "stylize:encoder": settings.encoder,
            "stylize:steps": str(settings.steps),
            "stylize:seed": str(settings.seed),
        }
        return {key: value for key, value in facts.items() if value}

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Count the time inside to that phase, which is where a failure happened."""
        self.phase, began = phase, time.monotonic()
        try:
            yield
        finally:
            self.timings_s[phase] = time.monotonic() - began
