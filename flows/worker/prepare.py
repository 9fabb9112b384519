"""The first stage of a pair: everything that it is made of is read, and it turns out whether it is done."""

from __future__ import annotations

from dataclasses import replace

from flows.model.identity import Ingredients, identity, ingredients_of
from flows.model.pair import Job, Pair
from flows.model.regions import roles
from flows.records.ownership import own_record, refuse_foreign_files
from flows.records.store import makes_done, read_record
from flows.storage.opening import open_storage
from flows.worker.device_cache import DeviceCache
from flows.worker.read import LoadedPicture, Reading
from flows.worker.regions import load_regions
from flows.worker.stages import Broken, DoneBefore, PairLog, PairTask, Prepared, guarded
from stylize_core.settings.picture_size import PictureSize


def prepare(job: Job, cache: DeviceCache) -> Prepared | DoneBefore | Broken:
    """Read and decode everything that the pair is made of."""
    task = PairTask(job, PairLog(device=cache.device.describe()))
    return guarded(task, lambda: _prepared(task, cache))


def _prepared(task: PairTask, cache: DeviceCache) -> Prepared | DoneBefore:
    log = task.log
    with log.timed("read"):
        content = _canvas(task, cache)
        pair = _sized(task.job.pair, content)
        init = _init_picture(task, pair, cache)
        styles = _styles(task, pair, cache)
        regions = load_regions(pair, content, cache)
        log.others |= roles(tuple(region.sources for region in regions))
    log.ingredients = ingredients = _ingredients(task)
    storage, careful = open_storage(task.job.output), not task.job.replace_foreign
    record = own_record(storage, pair) if careful else read_record(storage, pair.record_name)
    if record and not task.job.force and makes_done(record, pair, identity(ingredients), storage):
        if task.job.checkpoint_s:  # the run that made it may have been killed right after it
            cache.shelf.forget(task.job.output, identity(ingredients))
        return DoneBefore(task, record)
    if careful:  # the plan has looked already, but some time ago
        refuse_foreign_files(storage, pair, record)
    return Prepared(task, pair, content, styles, regions, init, ingredients, record, cache.shelf)


def _canvas(task: PairTask, cache: DeviceCache) -> LoadedPicture:
    """The content; for a texture without one the style, of which nothing but the shape counts here."""
    pair = task.job.pair
    size = pair.style_settings.picture_size
    if pair.content is not None:
        return _logged(task, cache, "content", Reading(pair.content, pair.picture_settings), size)
    if pair.style is None:
        raise ValueError("a pair has a content, a style or both")
    reading = Reading(pair.style, pair.picture_settings, pair.style_settings.style_crop)
    return cache.picture(reading, size=size, enlarge=True)


def _sized(pair: Pair, content: LoadedPicture) -> Pair:
    """The pair with the size in px that its content has been brought to."""
    edge = max(content.picture.rgb.shape[-2:])
    return replace(pair, style_settings=replace(pair.style_settings, size=edge, megapixels=0.0))


def _init_picture(task: PairTask, pair: Pair, cache: DeviceCache) -> LoadedPicture | None:
    settings, size = pair.style_settings, pair.style_settings.picture_size
    if settings.init == "style" and pair.style is not None:
        reading = Reading(pair.style, pair.picture_settings, settings.style_crop)
    elif pair.init is not None:
        reading = Reading(pair.init, pair.picture_settings)
    else:
        return None
    return _logged(task, cache, "init", reading, size)


def _styles(task: PairTask, pair: Pair, cache: DeviceCache) -> tuple[LoadedPicture, ...]:
    """The style, and the others of a blend; nothing where there is no style."""
    log = task.log
    if pair.style is None:
        return ()
    styles = [cache.style_picture(pair.style, pair)]
    log.sources["style"] = styles[0].source
    for at, part in enumerate(pair.blend[1:], start=1):
        styles.append(cache.style_picture(part.picture, pair))
        log.others[f"style[{at}]"] = styles[-1].source
    return tuple(styles)


def _logged(
    task: PairTask, cache: DeviceCache, role: str, reading: Reading, size: PictureSize
) -> LoadedPicture:
    """A picture in the size of the result."""
    loaded = cache.picture(reading, size=size, enlarge=True)
    task.log.sources[role] = loaded.source
    return loaded


def _ingredients(task: PairTask) -> Ingredients:
    pair = task.job.pair
    digests = {role: source.sha256 for role, source in task.log.sources.items()}
    others = {role: source.sha256 for role, source in task.log.others.items()}
    init = digests.get("init", "") if pair.style_settings.init == "image" else ""
    return ingredients_of(pair, digests.get("content", ""), digests.get("style", ""), init, others=others)
