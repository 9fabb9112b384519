"""The device's part: pairs that are read become pictures, several at a time where they are alike."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack

from flows.model.events import PairProgress
from flows.worker import link
from flows.worker.batch_sizer import Pace
from flows.worker.device_cache import Seen, Studio
from flows.worker.errors import Stopped
from flows.worker.optimized import Made
from flows.worker.pair_task import Work
from flows.worker.regions import core_regions
from flows.worker.timeouts import refuse_if_late
from stylize_core.errors import OutOfMemory
from stylize_core.loss.objective import Targets, mean_targets, stack_targets
from stylize_core.optim.minimise import Progress
from stylize_core.pyramid.level import AS_IT_IS, View
from stylize_core.transfer import stylize


def compute(works: Sequence[Work], studio: Studio, pace: Pace) -> None:
    """Let every work that is ready have what the device makes of it, or the reason why not."""
    for batch in _batches([work for work in works if work.is_ready], pace):
        _together(batch, studio, pace)


def _batches(works: Sequence[Work], pace: Pace) -> Iterator[list[Work]]:
    """The works in batches of one kind each; every batch is asked for after the one before it is done."""
    kinds: dict[Hashable, list[Work]] = {}
    for work in works:
        kinds.setdefault(_kind(work), []).append(work)
    for kind, alike in kinds.items():
        while alike:
            count = pace.limit(kind) if kind else 1
            yield alike[:count]
            del alike[:count]


def _kind(work: Work) -> Hashable:
    """The same for pairs that may be computed together: all settings and all shapes agree.

    None for a pair that goes alone: one that somebody watches, whose time is limited or that has regions.
    """
    pair, content, init = work.job.pair, work.content, work.init
    watched = bool(pair.snapshot_steps) or pair.picture_settings.animation != "none"
    if content is None or watched or work.regions or math.isfinite(work.job.timeout_s):
        return None
    return repr(pair.style_settings), content.picture.rgb.shape, init and init.picture.rgb.shape


def _together(batch: Sequence[Work], studio: Studio, pace: Pace) -> None:
    """Compute the batch; where it fails, its parts, so that every failure is some pair's own."""
    if len(batch) == 1:
        with batch[0].own_errors():
            _compute(batch, studio, pace)
        return
    size = _size_to_retry(batch, studio, pace)
    for at in range(0, len(batch) if size else 0, size or 1):
        _together(batch[at : at + size], studio, pace)


def _size_to_retry(batch: Sequence[Work], studio: Studio, pace: Pace) -> int:
    """Compute the batch; 0 if that went well, else how many to try together instead."""
    try:
        _compute(batch, studio, pace)
    except Stopped:
        for work in batch:
            work.stopped = True
    except OutOfMemory:
        pace.too_many(_kind(batch[0]), len(batch))
        return -(-len(batch) // 2)
    except Exception:  # whose, and what, is seen when each is alone
        return 1
    return 0


def _compute(batch: Sequence[Work], studio: Studio, pace: Pace) -> None:
    job = batch[0].job
    before = studio.forget_peak()
    size_px = job.pair.style_settings.size
    with studio.threads(size_px) as device, link.timed(job.pair.name, job.timeout_s) as watch:
        for work in batch:
            work.device = device
        began = time.monotonic()
        _optimise(batch, studio, watch)
    seconds, kind = time.monotonic() - began, _kind(batch[0])
    if kind is None:  # nothing to learn for another one
        return
    evaluations = sum(work.made.report.evaluations for work in batch if work.made)
    used = (studio.peak_memory_bytes() or 0) - before
    speed = evaluations / max(seconds, 1e-9)
    pace.learn(kind, len(batch), speed=speed, used_bytes=used, free_bytes=studio.free_bytes())


def _optimise(batch: Sequence[Work], studio: Studio, watch: link.Stopwatch) -> None:
    first, settings = batch[0], batch[0].job.pair.style_settings
    encoder = studio.encoder(settings)
    contents = [_seen(work.content) for work in batch]
    inits = [work.init.picture.rgb for work in batch if work.init]
    targets = []
    for work, content in zip(batch, contents, strict=True):
        work.precision = encoder.precision
        with work.timed("targets"):
            targets.append(_style(work, content, studio))
    frames = [work.watch() for work in batch]
    with ExitStack() as phases:
        for work in batch:
            phases.enter_context(work.timed("optimise"))
        made = stylize(
            studio.upload([content.picture.rgb for content in contents]),
            stack_targets(targets),
            settings=settings,
            encoder=encoder,
            regions=core_regions(first.regions, first.job.pair, contents[0], studio),
            measured=lambda view: _measured(batch, contents, studio, view),
            init_bchw=studio.upload(inits) if inits else None,
            callback=lambda progress: _report(batch, progress, watch),
            frames=frames[0] if len(batch) == 1 else None,
        )
        images = made.image_bchw.cpu()
    for row, work in enumerate(batch):
        terms = {name: values[row] for name, values in made.terms.items()}
        with work.own_errors():
            work.take(Made(images[row], made.reports[row], terms, len(batch)))


def _seen(content: Seen | None) -> Seen:
    if content is None:
        raise RuntimeError("prepare() comes first")
    return content


def _measured(
    batch: Sequence[Work], contents: Sequence[Seen], studio: Studio, view: View
) -> tuple[Targets, list[Targets]]:
    """What the styles and those of the regions show where pictures are seen so."""
    pairs = zip(batch, contents, strict=True)
    styles = stack_targets([_style(work, content, studio, view) for work, content in pairs])
    first = batch[0]
    regions = core_regions(first.regions, first.job.pair, contents[0], studio, view=view)
    return styles, [dict(region.style) for region in regions]


def _style(work: Work, content: Seen, studio: Studio, view: View = AS_IT_IS) -> Targets:
    """The statistics of the style, or the mean of those of a blend; none where there is no style."""
    pair = work.job.pair
    parts = [studio.style(pair, seen, content, view=view) for seen in work.styles]
    if pair.blend:
        return mean_targets(parts, [part.share for part in pair.blend])
    return parts[0] if parts else {}


def _report(batch: Sequence[Work], progress: Progress, watch: link.Stopwatch) -> None:
    if link.should_stop():
        raise Stopped
    refuse_if_late(batch[0].job, spent_s=watch.spent_s, step=progress.step)
    for work, loss in zip(batch, progress.loss, strict=True):
        link.report(PairProgress(work.job.pair.name, progress.step, loss))
