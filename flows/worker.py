"""One pair from bytes to bytes, inside a worker process. Knows nothing of Prefect.

The order never changes: read, decode, optimise, encode, write the picture, write the record. Whatever goes
wrong with a pair is written down as that pair's record and costs no other pair anything.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Literal

import torch

from flows import pool
from flows.errors import BatchError
from flows.evolution import CONTENT_TYPES, Evolution
from flows.identity import Ingredients, identity
from flows.pairs import Input, Job, Outcome
from flows.plan import ingredients_of
from flows.publish import read_record, replace_record, withdraw_unfinished
from flows.records import Extra, Failure, Optimisation, Output, Record, Source, safe_text, versions
from flows.storage import Storage, open_storage
from flows.storage_retries import retries_so_far
from flows.studio import Seen, Studio
from stylize_core.device import describe_device, is_out_of_memory
from stylize_core.errors import Diverged, StylizeError
from stylize_core.image import encode_picture
from stylize_core.minimise import Progress, RowReport
from stylize_core.objective import Targets, mean_targets
from stylize_core.settings import WHOLE, StyleSettings
from stylize_core.settings_fields import Crop
from stylize_core.transfer import Stylized, stylize

log = logging.getLogger("stylize.worker")

_studio: Studio | None = None


class _Stopped(Exception):
    """The parent wants the process to end; nothing of the pair in flight is kept."""


def start(device: str, threads: int | None = None) -> None:
    """Make this process a worker for `device`, with that many CPU threads if given.

    Raises:
        DeviceUnavailable: there is no such device.
    """
    global _studio
    if threads:
        torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # records say fp32, so fp32 it is
    _studio = Studio(device)


def describe() -> str:
    """This worker's device, as records name it."""
    return describe_device(_ready().device)


def check_weights(settings: StyleSettings) -> str:
    """Load the weights that the settings ask for, before any pair depends on them; their sha256.

    Raises:
        BadWeights: they are not what was promised, or end before a layer that is used.
        StorageError: they could not be read.
    """
    studio = _ready()
    studio.encoder(settings)
    return studio.weights(settings).sha256


def run_pair(job: Job) -> Outcome:
    """Make one picture and its record; a failure becomes a record and an outcome, never an exception.

    A pair that another worker finished meanwhile is skipped.
    """
    before = retries_so_far()
    return replace(_outcome(job), retries=retries_so_far() - before)


def _outcome(job: Job) -> Outcome:
    began = time.monotonic()
    work = _Work(job, open_storage(job.output), _ready())
    try:
        status = work.run()
        return Outcome(job.pair.name, status, seconds=time.monotonic() - began)
    except _Stopped:
        work.withdraw()
        return Outcome(job.pair.name, "stopped", seconds=time.monotonic() - began)
    except Exception as error:  # the one broad catch of the batch: it records
        return work.fail(error, seconds=time.monotonic() - began)


def _ready() -> Studio:
    if _studio is None:
        raise RuntimeError("call start() first: this process has no device yet")
    return _studio


@dataclass(slots=True)
class _Work:
    """A pair in flight and all that is known about it so far, so that any failure can be recorded."""

    job: Job
    storage: Storage
    studio: Studio
    phase: str = "prepare"
    timings_s: dict[str, float] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    others: dict[str, Source] = field(default_factory=dict)
    ingredients: Ingredients | None = None

    def run(self) -> Literal["done", "skipped"]:
        pair, settings = self.job.pair, self.job.pair.style_settings
        self.studio.forget_peak()
        with self._timed("read"):
            content = self._canvas()
            init = self._init_picture()
        with self._timed("targets"):
            encoder = self.studio.encoder(settings)
            style = self._style(content)
        ingredients = self.ingredients = self._identify()
        if made_before := self._done_already(ingredients):
            self._name_sources_in(made_before)
            return "skipped"
        alpha = None if settings.mode == "texture" else content.picture.alpha
        facts = self._facts(ingredients)
        evolution = Evolution(pair, self.storage, alpha=alpha, facts=facts, announce=self._announce)
        with evolution:
            with self._timed("optimise"):
                made = stylize(
                    content.picture.rgb[None],
                    style,
                    settings=settings,
                    encoder=encoder,
                    init_bchw=None if init is None else init.picture.rgb[None],
                    callback=self._report,
                    frames=evolution.frames,
                )
            report = made.reports[0]
            if report.stop_reason == "diverged":
                raise Diverged(
                    f"the loss was not finite after {report.evaluations} evaluations and no remedy helped; "
                    f"last finite loss {report.best_loss:.6g}; try smaller weights or another init"
                )
            with self._timed("encode"):
                image = made.image_bchw[0].cpu()
                data = encode_picture(image, alpha=alpha, settings=pair.picture_settings, facts=facts)
            with self._timed("write"):
                self._publish(data, image, made, *evolution.finish(image))
        return "done"

    def _style(self, content: Seen) -> Targets:
        """The statistics of the style, or the mean of those of a blend; none where there is no style."""
        pair = self.job.pair
        if pair.style is None:
            return {}
        self.sources["style"], targets = self.studio.style(pair, content)
        if not pair.blend:
            return targets
        parts = [targets]
        for role, picture in pair.others.items():
            self.others[role], targets = self.studio.style(replace(pair, style=picture), content)
            parts.append(targets)
        return mean_targets(parts, [part.share for part in pair.blend])

    def withdraw(self) -> None:
        """Leave nothing of a pair that was stopped; where storage does not let us, its record stays."""
        with suppress(BatchError):
            withdraw_unfinished(self.storage, self.job.pair.record_name)

    def fail(self, error: Exception, *, seconds: float) -> Outcome:
        """Record the failure, unless it would hit every pair alike or storage itself is the trouble."""
        kind, message = _described(error)
        fatal = isinstance(error, BatchError) and error.fatal
        if kind == "internal":
            log.error(
                "pair=%s phase=%s internal error", safe_text(self.job.pair.name), self.phase, exc_info=error
            )
        outcome = Outcome(self.job.pair.name, "failed", kind, message, fatal=fatal, seconds=seconds)
        if fatal:
            return outcome
        failure = Failure(kind=kind, message=message, attempts=self.job.attempts + 1, phase=self.phase)
        try:
            self._write_record(self._record(status="failed", failure=failure))
        except BatchError as second:
            return Outcome(
                self.job.pair.name, "failed", second.kind, safe_text(str(second)), second.fatal, seconds
            )
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
        record = read_record(self.storage, self.job.pair.record_name)
        if record is None or record.output is None or record.identity != identity(ingredients):
            return None
        stat = self.storage.stat(record.output.name)
        return record if stat is not None and stat.size == record.output.size_bytes else None

    def _name_sources_in(self, record: Record) -> None:
        """Let the record name the inputs as they are called now, or every plan asks for the pair again."""
        fresh = record.model_copy(update=self.sources | {"others": self.others})
        if fresh != record:
            self._write_record(fresh)

    def _report(self, progress: Progress) -> None:
        if pool.should_stop():
            raise _Stopped
        pool.report(pool.Progress(self.job.pair.name, progress.step, progress.loss[0]))

    def _announce(self, names: tuple[str, ...]) -> None:
        """A record of the files to come, so that whoever replaces it knows what a dead run left."""
        failure = Failure(
            kind="unfinished",
            message="the run ended, or still goes on, while snapshots were written; run it again",
            attempts=self.job.attempts + 1,
            phase=self.phase,
        )
        self._write_record(self._record(status="failed", failure=failure, unfinished=names))

    def _publish(
        self,
        data: bytes,
        image: torch.Tensor,
        made: Stylized,
        snapshots: tuple[Extra, ...],
        animation: Extra | None,
    ) -> None:
        """The picture first, durable; then the record that makes it count; then what the old one left."""
        pair = self.job.pair
        output = Output(
            name=pair.output_name,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            width=image.shape[-1],
            height=image.shape[-2],
            format=pair.picture_settings.format,
        )
        self.storage.write(pair.output_name, data, content_type=CONTENT_TYPES[pair.picture_settings.format])
        done = self._record(status="done", output=output, made=made)
        self._write_record(done.model_copy(update={"snapshots": snapshots, "animation": animation}))

    def _write_record(self, record: Record) -> None:
        replace_record(self.storage, self.job.pair.record_name, record)

    def _record(
        self,
        *,
        status: str,
        output: Output | None = None,
        failure: Failure | None = None,
        made: Stylized | None = None,
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
                "device": describe_device(self.studio.device),
                "precision": "fp32",
                "versions": versions(),
                "seed": settings.seed,
                "optimisation": None if made is None else _optimisation(made),
                "timings_s": {name: round(value, 4) for name, value in self.timings_s.items()},
                "peak_memory_bytes": self.studio.peak_memory_bytes(),
                "decisions": tuple(made.reports[0].decisions) if made else (),
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
    def _timed(self, phase: str) -> Iterator[None]:
        self.phase, began = phase, time.monotonic()
        try:
            yield
        finally:
            self.timings_s[phase] = time.monotonic() - began


def _optimisation(made: Stylized) -> Optimisation:
    report: RowReport = made.reports[0]
    return Optimisation(
        evaluations=report.evaluations,
        accepted_steps=report.accepted_steps,
        stop_reason=report.stop_reason,
        first_loss=report.loss_curve[0],
        last_loss=report.best_loss,
        loss_curve=report.loss_curve,
        loss_terms={name: values[0] for name, values in made.terms.items()},
    )


def _described(error: Exception) -> tuple[str, str]:
    if isinstance(error, StylizeError | BatchError):
        return error.kind, safe_text(str(error))
    if isinstance(error, MemoryError):
        return "out_of_memory", "the machine's memory did not hold the pair; use a smaller size"
    if is_out_of_memory(error):  # outside the optimisation, such as for the statistics of a style
        said = safe_text(str(error).partition("\n")[0])
        return "out_of_memory", f"the pair does not fit into memory; use a smaller size: {said}"
    return "internal", safe_text(f"{type(error).__name__}: {error}")
