"""The device's part: pairs that are read become pictures, several at a time where they are alike."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from torch import Tensor

from flows.model.events import PairProgress
from flows.records.record import Optimisation
from flows.text import bytes_in_words
from flows.worker import link
from flows.worker.device_cache import DeviceCache
from flows.worker.errors import Stopped
from flows.worker.fitting.batch_sizer import BatchSizer
from flows.worker.fitting.ladder import expected_bytes
from flows.worker.keeping.checkpoints import (
    CheckpointKeeper,
    found_checkpoint,
    is_kept,
    say_unused,
)
from flows.worker.publish import snapshot_writer
from flows.worker.read import naming
from flows.worker.regions import styled_regions
from flows.worker.snapshots import SnapshotWriter
from flows.worker.stages import Abandoned, Broken, Failed, Optimized, Prepared, guarded
from flows.worker.timeouts import refuse_if_late
from flows.worker.torch_environment import give_back_memory, keep_memory
from stylize_core.demand.rungs import WHOLE, Rung
from stylize_core.device import is_out_of_memory
from stylize_core.errors import Diverged, OutOfMemory
from stylize_core.loss.targets import Targets, mean_targets, stack_targets
from stylize_core.optim.state import UnfitState
from stylize_core.optim.watching import Checkpoints, StepProgress, Underway
from stylize_core.pyramid.level import ViewSpec
from stylize_core.transfer import Stylized, stylize

Batch = Sequence[Prepared]
Ended = list[Optimized | Broken]


def optimize(pairs: Batch, cache: DeviceCache, sizer: BatchSizer) -> Ended:
    """What the device makes of each pair, or the reason why not; in the order in which they were computed."""
    ended: Ended = []
    for batch in _batches(pairs, sizer):
        ended += _together(batch, cache, sizer)
    return ended


def _batches(pairs: Batch, sizer: BatchSizer) -> Iterator[Batch]:
    """The pairs in batches of one kind each; every batch is asked for after the one before it is done."""
    kinds: dict[Hashable, list[Prepared]] = {}
    for pair in pairs:
        kinds.setdefault(_kind(pair), []).append(pair)
        if sizer.batch != 1 and (why := _why_alone(pair)):
            pair.task.log.decisions += (f"computed alone, not in a batch: {why}",)
    for kind, alike in kinds.items():
        while alike:
            count = sizer.limit(kind) if kind and sizer.ladder.is_whole(_footprint(alike[0])) else 1
            yield alike[:count]
            del alike[:count]


def _kind(prepared: Prepared) -> Hashable:
    """One value for all pairs that may be computed together: all settings and all shapes agree.

    None for a pair that goes alone. Those of one batch have one timeout, since they share their time.
    """
    if _why_alone(prepared):
        return None
    job, content, init = prepared.task.job, prepared.content, prepared.init
    shapes = content.picture.rgb.shape, init and init.picture.rgb.shape
    return repr(prepared.pair.style_settings), shapes, job.timeout_s


def _why_alone(prepared: Prepared) -> str:
    """Why a pair is not computed together with others; empty if it may be."""
    if is_kept(prepared):
        return "it goes on from a checkpoint"
    if prepared.task.job.pair.is_shown:
        return "its snapshots or its film show one picture at a time"
    return "its regions have shapes of their own" if prepared.regions else ""


def _together(batch: Batch, cache: DeviceCache, sizer: BatchSizer) -> Ended:
    """Compute the batch; where it fails, its parts, so that every failure is some pair's own."""
    if len(batch) == 1:
        ended = guarded(batch[0].task, lambda: _fitted(batch, cache, sizer))
        return ended if isinstance(ended, list) else [ended]
    kind = _kind(batch[0])
    try:
        return _computed(batch, cache, sizer)
    except Stopped:
        return [Abandoned(prepared.task) for prepared in batch]
    except OutOfMemory:
        sizer.too_many(kind, len(batch))
        size = -(-len(batch) // 2)
    except Exception:  # whose, and what, is seen when each is alone
        size = 1
    parts = (batch[at : at + size] for at in range(0, len(batch), size))
    return [one for part in parts for one in _together(part, cache, sizer)]


def _footprint(prepared: Prepared) -> Hashable:
    """One value for all pairs that take as much memory."""
    pair, shape = prepared.pair, prepared.content.picture.rgb.shape
    return repr(pair.style_settings), shape, len(prepared.regions), pair.is_shown


def _fitted(batch: Batch, cache: DeviceCache, sizer: BatchSizer) -> Ended:
    """Compute a single pair in as much memory as there is.

    Raises:
        OutOfMemory: it does not fit in any way.
    """
    (prepared,), kind = batch, _footprint(batch[0])
    log, needs = prepared.task.log, partial(expected_bytes, prepared, cache)
    while True:
        room = cache.device.room_bytes()
        rung = sizer.ladder.choose(kind, needs, room)
        try:
            ended = _computed(batch, cache, sizer, rung)
        except (OutOfMemory, RuntimeError) as error:
            if not (isinstance(error, OutOfMemory) or is_out_of_memory(error)):
                raise
            failure = str(error).partition("\n")[0]
            if not isinstance(error, OutOfMemory):
                height, width = prepared.content.picture.rgb.shape[-2:]
                where = f"the styles' statistics for {width}x{height} px do not fit on {cache.device.torch}"
                failure = f"{where}: {failure}"
        else:
            if rung != WHOLE:
                log.decisions += (f"computed {rung.words()}, for lack of memory",)
            return ended
        # Outside the handler, so that no traceback keeps the tensors alive.
        log.decisions += (f"did not fit {rung.words()}",)
        if not sizer.ladder.step_down(kind):
            free = f", of which {bytes_in_words(room)} are free" if room is not None else ""
            raise OutOfMemory(f"{failure}; it needs about {bytes_in_words(needs(rung))} {rung.words()}{free}")


def _computed(batch: Batch, cache: DeviceCache, sizer: BatchSizer, rung: Rung = WHOLE) -> Ended:
    job, device = batch[0].task.job, cache.device
    keep_memory(in_tiles=bool(rung.tile_px))
    before, kind = device.forget_peak(), _kind(batch[0])
    size_px = batch[0].pair.style_settings.picture_size.expected_px
    with device.threads(size_px) as name, link.timed(_called(batch), job.timeout_s * len(batch)) as watch:
        for prepared in batch:
            prepared.task.log.device = name
        began = time.monotonic()
        ended = _optimized(batch, cache, watch, rung)
    seconds = time.monotonic() - began
    if kind is None:  # nothing to learn for another one
        return ended
    logs = (prepared.task.log for prepared in batch)
    evaluations = sum(log.optimisation.evaluations for log in logs if log.optimisation)
    used = (device.peak_memory_bytes() or 0) - before
    speed = evaluations / max(seconds, 1e-9)
    sizer.learn(kind, len(batch), speed=speed, used_bytes=used, free_bytes=device.free_bytes())
    return ended


def _called(batch: Batch) -> str:
    """Whose time it is: the pair's, or a name that is no pair's, so that no one of several is blamed."""
    first = batch[0].task.job.pair.name
    return first if len(batch) == 1 else f"one of {len(batch)} pairs from {first} on"


def _optimized(batch: Batch, cache: DeviceCache, watch: link.Stopwatch, rung: Rung) -> Ended:
    targets = []
    for prepared in batch:
        prepared.task.log.precision = cache.encoder(prepared.pair.style_settings).precision
        with prepared.task.log.timed("targets"):
            targets.append(_style(prepared, cache, ViewSpec(tile_px=rung.tile_px)))
    with ExitStack() as writers:
        snapshots = [writers.enter_context(snapshot_writer(prepared)) for prepared in batch]
        with ExitStack() as phases, naming(batch[0].content.source.uri):
            for prepared in batch:
                phases.enter_context(prepared.task.log.timed("optimise"))
            made = _stylized(batch, cache, targets, snapshots, watch, rung)
            images = made.image_bchw.cpu()
        writers.pop_all()  # from here on each is ended with its own pair
    peak = cache.device.peak_memory_bytes()
    rows = enumerate(zip(batch, snapshots, strict=True))
    return [_row(one, writer, made, images[row], row, peak) for row, (one, writer) in rows]


def _stylized(
    batch: Batch,
    cache: DeviceCache,
    targets: Sequence[Targets],
    writers: Sequence[SnapshotWriter],
    watch: link.Stopwatch,
    rung: Rung,
) -> Stylized:
    first, settings = batch[0], batch[0].pair.style_settings
    inits = [prepared.init.picture.rgb for prepared in batch if prepared.init]
    made = partial(
        stylize,
        cache.device.upload([prepared.content.picture.rgb for prepared in batch]),
        stack_targets(targets),
        settings=rung.settings(settings),
        encoder=cache.encoder(settings),
        regions=styled_regions(
            first.regions, first.pair, first.content, cache, view=ViewSpec(tile_px=rung.tile_px)
        ),
        measured=lambda view: _measured(batch, cache, view),
        init_bchw=cache.device.upload(inits) if inits else None,
        callback=lambda progress: _report(batch, progress, watch),
        frames=writers[0].frames if len(batch) == 1 else None,
        tile_px=rung.tile_px,
    )
    keeper = CheckpointKeeper(batch, writers)

    def keep(state: Underway) -> None:
        if rung.tile_px and state.step == state.began + 1:  # the size before has left its vectors
            give_back_memory()
        keeper(state)

    begin = found_checkpoint(first, writers[0]) if len(batch) == 1 else None
    try:
        return made(checkpoints=Checkpoints(keep, begin))
    except UnfitState as error:
        say_unused(first, error)
        writers[0].begin_anew()
    return made(checkpoints=Checkpoints(keep))


def _row(
    prepared: Prepared, writer: SnapshotWriter, made: Stylized, image: Tensor, row: int, peak: int | None
) -> Optimized | Broken:
    """One row of what was made, written down; a picture that could not be kept finite is a failure."""
    log, report = prepared.task.log, made.reports[row]
    log.peak_memory_bytes = peak
    if report.stop_reason == "diverged":
        writer.give_up()
        message = (
            f"the loss was not finite after {report.evaluations} evaluations and no remedy helped; "
            f"last finite loss {report.best_loss:.6g}; try smaller weights or another init"
        )
        return Failed(prepared.task, Diverged(message))
    log.batch, log.decisions = len(made.reports), (*log.decisions, *report.decisions)
    log.optimisation = Optimisation(
        evaluations=report.evaluations,
        accepted_steps=report.accepted_steps,
        stop_reason=report.stop_reason,
        first_loss=report.loss_curve[0],
        last_loss=report.best_loss,
        loss_curve=report.loss_curve,
        loss_terms={name: values[row] for name, values in made.terms.items()},
    )
    return Optimized(prepared, image, writer)


def _measured(batch: Batch, cache: DeviceCache, view: ViewSpec) -> tuple[Targets, list[Targets]]:
    """What the styles and those of the regions show where pictures are seen so."""
    styles = stack_targets([_style(prepared, cache, view) for prepared in batch])
    first = batch[0]
    regions = styled_regions(first.regions, first.pair, first.content, cache, view=view)
    return styles, [dict(region.style) for region in regions]


def _style(prepared: Prepared, cache: DeviceCache, view: ViewSpec) -> Targets:
    """The statistics of the style, or the mean of those of a blend; none where there is no style."""
    pair = prepared.pair
    parts = [cache.style(pair, loaded, prepared.content, view=view) for loaded in prepared.styles]
    return mean_targets(parts, [part.share for part in pair.blend])


def _report(batch: Batch, progress: StepProgress, watch: link.Stopwatch) -> None:
    # Each has a part of the time of all; where that is not enough each is tried alone, with all of its own.
    refuse_if_late(batch[0].task.job, spent_s=watch.spent_s / len(batch), step=progress.step)
    for prepared, loss in zip(batch, progress.loss, strict=True):
        link.report(PairProgress(prepared.task.job.pair.name, progress.step, loss))
