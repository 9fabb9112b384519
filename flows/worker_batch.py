"""The device's part: pairs that are read become pictures, several at a time where they are alike."""

from __future__ import annotations

from collections.abc import Sequence

from flows import pool
from flows.studio import Seen, Studio
from flows.supervision import refuse_if_late
from flows.worker_pair import Made, Stopped, Work
from flows.worker_regions import core_regions
from stylize_core.minimise import Progress
from stylize_core.objective import Targets, mean_targets
from stylize_core.transfer import stylize


def compute(works: Sequence[Work], studio: Studio) -> None:
    """Let every work that is ready have what the device makes of it, or the reason why not."""
    for work in works:
        if work.is_ready:
            with work.own_errors():
                _compute(work, studio)


def _compute(work: Work, studio: Studio) -> None:
    with pool.timed(work.job.pair.name, work.job.timeout_s) as watch:
        _optimise(work, studio, watch)


def _optimise(work: Work, studio: Studio, watch: pool.Stopwatch) -> None:
    pair, content, init = work.job.pair, work.content, work.init
    if content is None:
        raise RuntimeError("prepare() comes first")
    settings = pair.style_settings
    encoder = studio.encoder(settings)
    work.precision = encoder.precision
    studio.forget_peak()
    with work.timed("targets"):
        targets = _style(work, content, studio)
    frames = work.watch()
    with work.timed("optimise"):
        made = stylize(
            studio.upload([content.picture.rgb]),
            targets,
            settings=settings,
            encoder=encoder,
            regions=core_regions(work.regions, pair, content, studio),
            init_bchw=None if init is None else studio.upload([init.picture.rgb]),
            callback=lambda progress: _report(work, progress, watch),
            frames=frames,
        )
        image = made.image_bchw[0].cpu()
    terms = {name: values[0] for name, values in made.terms.items()}
    work.take(Made(image, made.reports[0], terms, 1))


def _style(work: Work, content: Seen, studio: Studio) -> Targets:
    """The statistics of the style, or the mean of those of a blend; none where there is no style."""
    pair = work.job.pair
    parts = [studio.style(pair, seen, content) for seen in work.styles]
    if pair.blend:
        return mean_targets(parts, [part.share for part in pair.blend])
    return parts[0] if parts else {}


def _report(work: Work, progress: Progress, watch: pool.Stopwatch) -> None:
    if pool.should_stop():
        raise Stopped
    refuse_if_late(work.job, spent_s=watch.spent_s, step=progress.step)
    pool.report(pool.Progress(work.job.pair.name, progress.step, progress.loss[0]))
