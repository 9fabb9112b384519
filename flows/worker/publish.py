"""The last stage of a pair: the picture, then its record; or the record that says why there is no picture."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from os import SEEK_END

from torch import Tensor

from flows.errors import BatchError, ForeignFile, StorageError
from flows.model.identity import Ingredients, identity
from flows.model.pair import Outcome, OutcomeStatus
from flows.records.experience import observed_in
from flows.records.failed import failed_record, settings_facts
from flows.records.probe import require_writable
from flows.records.record import Failure, Output, Record
from flows.records.store import (
    announce_files,
    keep_picture,
    record_failure,
    replace_record,
    withdraw_unfinished,
)
from flows.storage.base import Storage
from flows.storage.opening import open_storage
from flows.storage.spool import contents, digest, spool
from flows.text import safe_text
from flows.worker.errors import described
from flows.worker.snapshots import CONTENT_TYPES, SnapshotWriter
from flows.worker.stages import (
    Abandoned,
    Broken,
    DoneBefore,
    Failed,
    Optimized,
    PairTask,
    Prepared,
    guarded,
)
from stylize_core.image.encode import write_picture
from stylize_core.image.metadata.reading import NOTHING, Metadata


def snapshot_writer(prepared: Prepared) -> SnapshotWriter:
    """Whoever wants to see the picture on its way; the block that enters it must end it."""
    task = prepared.task
    return SnapshotWriter(
        task.job.pair,
        _storage(task),
        alpha=_alpha(prepared),
        facts=_facts(task, prepared.ingredients),
        metadata=_metadata(prepared),
        announce=lambda names: _announce(task, names),
        keep=bool(task.job.checkpoint_s),
    )


def publish(step: Optimized | DoneBefore | Broken) -> Outcome:
    """Write what has become of a pair; how it has ended, once that is durable."""
    ended: Outcome | Broken
    if isinstance(step, Optimized):
        try:
            ended = guarded(step.task, lambda: _published(step))
        finally:
            step.snapshots.give_up()
    elif isinstance(step, DoneBefore):
        ended = guarded(step.task, lambda: _with_sources_of_today(step))
    else:
        ended = step
    task = step.task
    if isinstance(ended, Failed):
        return _record_failure(task, ended.error)
    if isinstance(ended, Abandoned):
        _withdraw(task)
        return _outcome(task, "stopped")
    return ended


def _published(made: Optimized) -> Outcome:
    """The picture first, durable; then the record that makes it count; then what the old one left."""
    task, pair, image = made.task, made.task.job.pair, made.image
    kind = pair.picture_settings.format
    with spool(image.numel() * pair.picture_settings.bit_depth // 8) as file:
        with task.log.timed("encode"):
            facts = _facts(task, made.prepared.ingredients)
            owned = _metadata(made.prepared)
            write_picture(
                file,
                image,
                alpha=_alpha(made.prepared),
                settings=pair.picture_settings,
                facts=facts,
                metadata=owned,
            )
            if said := owned.decision(pair.picture_settings.metadata):
                task.log.decisions += (said,)
        output = Output(
            name=pair.output_name,
            size_bytes=file.seek(0, SEEK_END),
            sha256=digest(file),
            width=image.shape[-1],
            height=image.shape[-2],
            format=kind,
        )
        with task.log.timed("write"):
            storage = _storage(task)
            snapshots, animation = made.snapshots.finish(image)
            done = _known(task, Record(
                status="done",
                name=pair.name,
                identity=identity(made.prepared.ingredients),
                ingredients=made.prepared.ingredients,
                output=output,
                snapshots=snapshots,
                animation=animation,
            ))  # fmt: skip
            kept = keep_picture(
                storage,
                pair,
                done,
                contents(file),
                content_type=CONTENT_TYPES[kind],
                before=made.prepared.record,
            )
    if task.job.checkpoint_s:
        made.prepared.shelf.forget(task.job.output, made.prepared.identity)
    return replace(_outcome(task, "done"), observed=observed_in(done, pair)) if kept else _doubled(task)


def _doubled(task: PairTask) -> Outcome:
    """How a pair ends that another run has made meanwhile."""
    return replace(_outcome(task, "skipped"), double_work=True)


def _with_sources_of_today(step: DoneBefore) -> Outcome:
    """Let the record name the inputs as they are called now, or every plan asks for the pair again."""
    task = step.task
    fresh = step.record.model_copy(update=task.log.sources | {"others": task.log.others})
    if fresh != step.record:
        replace_record(_storage(task), task.job.pair.record_name, fresh)
    return _outcome(task, "skipped")


def _record_failure(task: PairTask, error: Exception) -> Outcome:
    """Record the failure, unless it would hit every pair alike or storage itself is the trouble."""
    kind, message = described(error)
    if isinstance(error, BatchError) and error.fatal:
        return _outcome(task, "failed", kind, message, fatal=True)
    if isinstance(error, ForeignFile):  # nothing of ours may stand there, a record least of all
        return _outcome(task, "failed", kind, message)
    failure = Failure(kind=kind, message=message, attempts=task.job.attempts + 1, phase=task.log.phase)
    record = _failed(task, failure)
    unread = isinstance(error, StorageError) and not _of_the_output(task, error)
    try:
        recorded = record_failure(_storage(task), task.job.pair, record, unread=unread)
    except BatchError as second:
        in_vain = _of_the_output(task, error) and not second.fatal
        worst = (_why_unwritable(task) if in_vain else None) or second
        return _outcome(task, "failed", worst.kind, safe_text(str(worst)), fatal=worst.fatal)
    told = recorded or unread or task.job.force  # the picture from before stays, with its record
    return _outcome(task, "failed", kind, message) if told else _doubled(task)


def _of_the_output(task: PairTask, error: Exception) -> bool:
    """Whether storage failed once every input had been read: then the device works in vain."""
    return isinstance(error, StorageError) and task.log.ingredients is not None


def _why_unwritable(task: PairTask) -> BatchError | None:
    """Why nothing at all can be written to the output; None if it is this pair's own place that is closed."""
    try:
        require_writable(_storage(task))
    except BatchError as error:
        return error
    return None


def _announce(task: PairTask, names: tuple[str, ...]) -> None:
    """A record of the files to come, so that whoever replaces it knows what a dead run left."""
    failure = Failure(
        kind="unfinished",
        message="the run ended, or still goes on, while snapshots were written; run it again",
        attempts=task.job.attempts + 1,
        phase=task.log.phase,
    )
    record = _failed(task, failure).model_copy(update={"unfinished": names})
    announce_files(_storage(task), task.job.pair, record, keep_done=task.job.force)


def _withdraw(task: PairTask) -> None:
    """Leave nothing of a pair that was stopped but what its checkpoint needs.

    Where storage does not let us, its record stays.
    """
    if task.log.kept:
        return
    with suppress(BatchError):
        withdraw_unfinished(_storage(task), task.job.pair.record_name)


def _failed(task: PairTask, failure: Failure) -> Record:
    """The record of a failure with all that is known of the pair.

    Its identity is what the plan expected where it did not come to ingredients, so that tries are counted.
    """
    record = failed_record(task.job, failure)
    if ingredients := task.log.ingredients:
        update = {"ingredients": ingredients, "identity": identity(ingredients)}
        record = record.model_copy(update=update)
    return _known(task, record)


def _known(task: PairTask, record: Record) -> Record:
    """The record with what the pair's log and settings say, whatever became of it."""
    log = task.log
    return record.model_copy(
        update={
            **log.sources,
            "others": record.others | log.others,
            "device": log.device,
            "precision": log.precision,
            **settings_facts(task.job),
            "timings_s": {name: round(value, 4) for name, value in log.timings_s.items()},
            "peak_memory_bytes": log.peak_memory_bytes,
            "optimisation": log.optimisation,
            "batch": log.batch,
            "decisions": log.decisions,
        }
    )


def _facts(task: PairTask, ingredients: Ingredients) -> dict[str, str]:
    """The record's key facts, for inside the picture; no times, so equal runs give equal bytes."""
    pair = task.job.pair
    facts = {
        "Software": f"stylize {version('stylize')}",
        "stylize:name": pair.name,
        "stylize:identity": identity(ingredients),
        "stylize:content": ingredients.content,
        "stylize:style": ingredients.style,
        "stylize:encoder": pair.style_settings.encoder,
        "stylize:steps": str(pair.style_settings.steps),
        "stylize:seed": str(pair.style_settings.seed),
    }
    return {key: value for key, value in facts.items() if value}


def _alpha(prepared: Prepared) -> Tensor | None:
    """The transparency that the result has."""
    mode = prepared.task.job.pair.style_settings.mode
    return None if mode == "texture" else prepared.content.picture.alpha


def _metadata(prepared: Prepared) -> Metadata:
    """What belongs to the content's owner; a texture has no content."""
    return NOTHING if prepared.pair.content is None else prepared.content.picture.metadata


def _outcome(
    task: PairTask, status: OutcomeStatus, kind: str = "", message: str = "", *, fatal: bool = False
) -> Outcome:
    log = task.log
    return Outcome(task.job.pair.name, status, kind, message, fatal, log.seconds, effort=log.effort)


def _storage(task: PairTask) -> Storage:
    return open_storage(task.job.output)
