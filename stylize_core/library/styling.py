"""One picture in the style of another, by all that a worker of a batch does for a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from stylize_core.architecture import Architecture
from stylize_core.device import choose_device, choose_precision, threads_for
from stylize_core.dream.objective import check_channels
from stylize_core.errors import BadWeights, SettingsError
from stylize_core.image.crop import crop
from stylize_core.image.decode import Picture
from stylize_core.image.metadata.reading import NOTHING
from stylize_core.image.resize import brought_to
from stylize_core.loss.targets import Targets
from stylize_core.networks.encoder import Encoder, encoder_for
from stylize_core.networks.weights import Weights, weights_by_name, weights_from_bytes
from stylize_core.optim.watching import Callback
from stylize_core.pyramid.level import ViewSpec, targets_seen
from stylize_core.settings.fields import WHOLE, Crop
from stylize_core.settings.needs import lacking
from stylize_core.settings.picture_size import PictureSize
from stylize_core.settings.presets import PRESETS, PresetName, laid_out
from stylize_core.settings.recipes import NEWEST, RECIPES, Recipe
from stylize_core.settings.style import StyleSettings
from stylize_core.settings.weights_file import WeightsFile
from stylize_core.transfer import Stylized
from stylize_core.transfer import stylize as stylize_tensors

NETWORKS_KEPT = 2  # weights of up to half a gigabyte


# Why so many: two pictures, how they are compared, who looks on and where; most have defaults.
def stylize(
    content: Picture | None,
    style: Picture | None = None,
    *,
    settings: StyleSettings | None = None,
    preset: PresetName = "none",
    recipe: Recipe | None = None,
    on_progress: Callback | None = None,
    device: str = "auto",
    tile_px: int = 0,
    **changes: Any,
) -> Picture:
    """A picture with the content of one and the style of another: the one that `stylize one` makes of them.

    Both come whole, as `open_picture` gives them: they are cut and scaled here, as the settings say. Further
    calls find the weights loaded.

    Args:
        content: what is to be seen; None only for `mode="texture"`.
        style: how it is to be painted; None only for the modes `content` and `dream`.
        settings: every setting; None for the defaults, or for the preset's.
        preset: settings with a name, such as `draft`, `bold` or `paper`; not beside `settings`.
        recipe: which of our own defaults to use, by number, None for the newest: an older one keeps the look
            of work that has begun; presets are the same with each. Not beside `settings`.
        on_progress: told every ten evaluations or so, with `step`, `steps` and `loss`, a tuple of one number.
            An exception from it ends the work and comes out of this call.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:<n>` or `mps`.
        tile_px: longest side of the tiles in which the network sees large pictures, px, which takes less
            memory; 0: all at once.
        changes: settings by name, such as `size=512, steps=300, encoder="vgg19"`, over those above. `init`
            may also be a picture to start from.

    Returns:
        the picture: `rgb` [3, H, W] in 0..1 on the CPU, its long edge as `size` or `megapixels` say; `alpha`
        (none for a texture) and `metadata` of the content; its `decisions` say what was decided on the way.

    Raises:
        TypeError: something else than pictures was given; tensors go to `stylize_tensors`.
        SettingsError: a setting is unknown, out of range or against another, or a picture is missing.
        BadWeights: the network's weights could not be had, or are not what was promised.
        DeviceUnavailable: there is no such device, or it lacks the precision.
        ImageTooSmall: a picture is too small for the network.
        ImageTooLarge: `size="original"` or `megapixels` would make more than 16383 px.
        OutOfMemory: the memory does not hold the work; a smaller `size`, or `tile_px`, may help.
        Diverged: the loss left the finite numbers for good.
    """
    init = changes.get("init")
    given = _settings(settings, preset, recipe, changes)
    for one in (content, style, *([] if init is None or isinstance(init, str) else [init])):
        if one is not None and not isinstance(one, Picture):
            raise TypeError(
                f"stylize takes pictures, as open_picture gives them, not {type(one).__name__}; for tensors "
                "there is stylize_tensors"
            )
    if reason := lacking(given, content=content is not None, style=style is not None):
        raise SettingsError("mode", given.mode, reason)
    canvas, sized = _canvas(content, style, given)
    start, painting = _start(init, style, sized), _painting(style, sized)
    made = _made(canvas, painting, start, sized, on_progress, device, tile_px)
    of_style = [] if painting is None else [f"the style: {said}" for said in painting.decisions]
    return Picture(
        rgb=made.image_bchw[0].cpu(),
        alpha=None if sized.mode == "texture" else canvas.alpha,
        source_format="",
        source_mode="",
        decisions=(*canvas.decisions, *of_style, *made.reports[0].decisions),
        metadata=NOTHING if content is None else canvas.metadata,
    )


def _settings(
    settings: StyleSettings | None, preset: PresetName, recipe: Recipe | None, changes: Mapping[str, Any]
) -> StyleSettings:
    """The settings that are meant.

    Raises:
        SettingsError: one of them is unknown or not accepted.
    """
    known = [field.name for field in fields(StyleSettings)]
    for key, value in changes.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            raise SettingsError(
                key, value, "there is no such setting" + "".join(f"; did you mean {one}?" for one in near)
            )
    if preset not in PRESETS:
        raise SettingsError("preset", preset, f"it must be one of {', '.join(PRESETS)}")
    if recipe not in (None, *RECIPES):
        raise SettingsError("recipe", recipe, f"it must be one of {', '.join(map(str, RECIPES))}")
    for key, value in (("preset", None if preset == "none" else preset), ("recipe", recipe)):
        if value is not None and settings is not None:
            raise SettingsError(key, value, "`settings` say everything already; give one of them")
    given = dict(changes)
    if isinstance(given.get("init"), Picture):
        given["init"] = "image"
    elif given.get("init", settings and settings.init) == "image":
        raise SettingsError("init", "image", "give the picture itself to start from")
    laid = laid_out({"preset": preset, "recipe": recipe or NEWEST, **given})
    meant = replace(settings, **given) if settings else StyleSettings(**laid)
    if meant.snapshot_every:
        why = "snapshots are files of a batch; leave it out, or give `frames` to stylize_tensors"
        raise SettingsError("snapshot_every", meant.snapshot_every, why)
    return meant


def _canvas(
    content: Picture | None, style: Picture | None, settings: StyleSettings
) -> tuple[Picture, StyleSettings]:
    """The content in the size of the result, and the settings with that size in px.

    For a texture without one it is the style, of which nothing but the shape counts here.
    """
    size = settings.picture_size
    if content is not None:
        canvas = _used(content, size, enlarge=True)
    else:
        assert style is not None  # noqa: S101 `lacking` has seen to it
        canvas = _used(style, size, part=settings.style_crop, enlarge=True)
    return canvas, replace(settings, size=max(canvas.rgb.shape[-2:]), megapixels=0.0)


def _start(init: Any, style: Picture | None, sized: StyleSettings) -> Picture | None:
    """The picture to start from, in the size of the result; None where the settings say another start."""
    if isinstance(init, Picture):
        return _used(init, sized.picture_size, enlarge=True)
    if sized.init == "style" and style is not None:
        return _used(style, sized.picture_size, part=sized.style_crop, enlarge=True)
    return None


def _painting(style: Picture | None, sized: StyleSettings) -> Picture | None:
    """The style, no larger than it is measured."""
    if style is None:
        return None
    size = sized.picture_size.of_style(sized.style_scale)
    return _used(style, size, part=sized.style_crop, enlarge=False)


def _used(picture: Picture, size: PictureSize, *, part: Crop = WHOLE, enlarge: bool) -> Picture:
    """The part of a picture that is used, in the size that it is used in."""
    cut = crop(picture, part, source="the style")
    used = cut.rgb.shape[-1], cut.rgb.shape[-2]
    return brought_to(cut, size.edge_for(*used), used=used, enlarge=enlarge)[0]


# Why so many: all that `stylize` has made of what it was given.
def _made(
    canvas: Picture,
    style: Picture | None,
    start: Picture | None,
    sized: StyleSettings,
    on_progress: Callback | None,
    device: str,
    tile_px: int,
) -> Stylized:
    where, size = choose_device(device), sized.picture_size
    precision = choose_precision(sized.precision, where, size=size.expected_px)
    with threads_for(where, small=size.is_small):
        encoder = encoder_for(
            sized, _weights(sized.encoder, sized.weights), device=where, precision=precision
        )
        if sized.mode == "dream":
            check_channels(encoder, sized)
        content_bchw = canvas.rgb[None].to(where)

        def measured(view: ViewSpec) -> tuple[Targets, Sequence[Targets]]:
            return _style_targets(view, encoder, style, content_bchw, sized), ()

        return stylize_tensors(
            content_bchw,
            measured(ViewSpec(tile_px=tile_px))[0],
            settings=sized,
            encoder=encoder,
            init_bchw=None if start is None else start.rgb[None].to(where),
            measured=measured,
            callback=on_progress,
            tile_px=tile_px,
        )


def _style_targets(
    view: ViewSpec,
    encoder: Encoder,
    style: Picture | None,
    content_bchw: torch.Tensor,
    settings: StyleSettings,
) -> Targets:
    if style is None:
        return {}
    return targets_seen(
        view,
        encoder,
        style.rgb[None].to(encoder.device),
        settings,
        alpha_b1hw=None if style.alpha is None else style.alpha[None].to(encoder.device),
        content_bchw=None if settings.colour == "style" else content_bchw,
        meant_px=settings.picture_size.style_px(settings.style_scale),
    )


@lru_cache(NETWORKS_KEPT)
def _weights(name: Architecture, staged: WeightsFile | None) -> Weights:
    """The weights of an encoder: staged in a local file, built in or published."""
    if staged is None:
        return weights_by_name(name)
    try:
        data = Path(staged.file).read_bytes()
    except OSError as error:
        raise BadWeights(f"{staged.file} cannot be read: {error.strerror}; name a local file") from error
    return weights_from_bytes(
        data,
        sha256=staged.sha256,
        architecture=name,
        convention=staged.convention,
        source=staged.file,
    )
