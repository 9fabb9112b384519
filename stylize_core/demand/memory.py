"""How much memory a picture takes at its peak, before anything is computed. Knows no torch.

What is counted is what `Encoder`, `Objective` and the solvers hold at the same time: the features of a pass
forward, the gradients by the layers that losses read, the vectors of the solver. The few factors that cannot
be counted, of libraries and of the allocator, were measured (`python -m benchmarks estimates`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from stylize_core.architecture import goes_winograds_way
from stylize_core.demand.features import Layer, kept_numbers, layers_for, parameter_numbers
from stylize_core.demand.rungs import WHOLE, Rung
from stylize_core.large_pictures import is_large
from stylize_core.sections import Section, sections
from stylize_core.settings.resolved import around_of
from stylize_core.settings.style import StyleSettings

Precision = Literal["fp32", "tf32", "bf16"]

FLOAT = 4
PLANES = 3
# Vectors of a picture's size beside the pairs of L-BFGS: content and start, trial, best, gradient, direction,
# where the walker is; the loss's gradient, and what a turn of the solver makes for a moment. First-order
# solvers, which are not walked in parts, come to about as many.
VECTORS = 14
# Of large pictures, which L-BFGS walks in parts: content, trial, best, gradient, that of the loss; the
# direction in bfloat16.
LARGE_VECTORS = 5.5
# What is shown on the way: the result so far; on a CPU what waits for the thread that writes it as well.
SHOWN = 1
SHOWN_WAITING = 3
# A unit of a region: its number in eight bytes, its share, and the root of that.
GUIDE = 8 + 2 * FLOAT
HALF = 2
# Kernels of Winograd's filtering have 36 places instead of 9. They serve both ways and are counted for each:
# what lies unused between large features came to as much in `python -m benchmarks large`.
WINOGRAD = 4
# Where vectors of a solver lie in between, the C library finds no room for features in what was freed before
# and takes so much more of them.
SCATTERED = 0.4
# A process with torch, its thread pools and the loaded code, on a CPU; GoogLeNet's comes from torchvision.
PROCESS_BYTES = 610 * 10**6
# Files that torchvision publishes; one is in memory twice while it is read.
PUBLISHED_BYTES = {"vgg19": 548 * 10**6, "vgg16": 528 * 10**6, "googlenet": 50 * 10**6}


@dataclass(frozen=True, slots=True)
class Demand:
    """What a batch takes at its peak, bytes.

    Attributes:
        device: on the device, beside what its driver takes.
        process: of the worker's process on a CPU, PyTorch and the network included; `device` is part of it.
    """

    device: int
    process: int


# Why so many: all that memory depends on.
def peak_memory(
    settings: StyleSettings,
    *,
    width: int,
    height: int,
    style_pixels: int | None = None,
    batch: int = 1,
    precision: Precision = "fp32",
    on_cpu: bool = True,
    rung: Rung = WHOLE,
    regions: int = 0,
    shown: bool = False,
) -> Demand:
    """What pictures take that are made together.

    Args:
        width: of the result, px.
        height: of the result, px.
        style_pixels: of the style as it is measured; as many as of the result, times `style_scale` twice, if
            left out.
        batch: how many pictures are made together.
        precision: what the network computes in.
        on_cpu: whether the device is a CPU.
        rung: how much of a picture is in memory at a time.
        regions: how many parts have styles of their own.
        shown: whether snapshots or a film are made on the way.
    """
    if style_pixels is None:
        style_pixels = round(width * height * settings.style_scale**2)
    around = around_of(settings, width=width, height=height)
    wide, high = width + 2 * around, height + 2 * around
    layers = tuple(layers_for(settings.encoder, settings.layers, width=wide, height=high))
    pictures = batch * FLOAT * PLANES * wide * high
    finished = settings.mode != "dream" and settings.optimizer == "lbfgs"  # in fp32
    number = HALF if precision == "bf16" and not finished else FLOAT
    formats = {number, HALF} if precision == "bf16" else {number}
    large = is_large(PLANES * wide * high) and settings.optimizer == "lbfgs"
    # Vectors of a solver scatter what is let go: not of large pictures, nor where features are much larger.
    wide_features = any(_by_winograd(layer, FLOAT) for layer in layers)
    reused = on_cpu and (wide_features or (large and not rung.tile_px))
    held = _in_sections(settings, layers, number, wide, high, rung, reused=reused)
    evaluated = batch * held
    if on_cpu:
        evaluated *= _scattered(settings)
    if rung.tile_px:
        evaluated += batch * (HALF if large else FLOAT) * _content_targets(settings, layers)
    pairs = _solver_vectors(rung.settings(settings))
    solver = pictures * (pairs / 2 + LARGE_VECTORS if large else pairs + VECTORS)
    solver += pictures * _vectors_beside(settings, shown=shown, on_cpu=on_cpu)
    if regions:
        solver += _guides(settings, layers) + FLOAT * (regions + 1) * wide * high
    styled = 0.0
    if settings.uses_style:
        share = min(1.0, held / _evaluation(settings, layers, number, reused=reused))
        styled = share * number * kept_numbers(settings.encoder, layers) * style_pixels / (wide * high)
        styled += 4 * FLOAT * PLANES * style_pixels
    device = max(evaluated + solver, styled) + 2 * FLOAT * parameter_numbers(layers)  # as read, and as loaded
    device += sum(_kernels(layers, held_in, on_cpu=on_cpu) for held_in in formats)
    loading = 2 * PUBLISHED_BYTES.get(settings.encoder, 0) if settings.weights is None else 0
    return Demand(round(device), round(PROCESS_BYTES + max(device, loading)))


def _vectors_beside(settings: StyleSettings, *, shown: bool, on_cpu: bool) -> int:
    """Vectors of a picture's size that only some pairs keep while they are walked."""
    compared = settings.plateau > 0 and settings.mode != "dream"
    return compared + (SHOWN + (SHOWN_WAITING if on_cpu else 0) if shown else 0)


def _guides(settings: StyleSettings, layers: tuple[Layer, ...]) -> int:
    """Bytes of the units that count for regions which share a picture out: their numbers and shares."""
    styles = settings.style_layer_weights if settings.uses_style else {}
    return GUIDE * sum(layer.units for layer in layers if layer.name in styles)


# Why so many: what a picture and its network are, and how it goes through.
def _in_sections(
    settings: StyleSettings,
    layers: tuple[Layer, ...],
    number: int,
    wide: int,
    high: int,
    rung: Rung,
    *,
    reused: bool,
) -> float:
    """Bytes of a loss and its gradient, of the section that takes most.

    Beside a tile there is what every section before it was given, and the gradients by what this one was
    given and by what it handed on.
    """
    cut = sections(settings.encoder, settings.layers, width=wide, height=high, tile_px=rung.tile_px)
    whole, most, given = {layer.name: layer for layer in layers}, 0.0, 0.0
    for section in cut:
        side = (_seen(section, wide), _seen(section, high))
        share = side[0] * side[1] / (wide * high)
        names = [name for name in whole if _is_within(section, name)]
        own = tuple(replace(whole[name], units=round(share * whole[name].units)) for name in names)
        handed = whole[section.layers[-1]].numbers * number if section.hands_on else 0
        before = whole[f"pool{section.first - 1}"].numbers * number if section.first > 1 else 0
        most = max(most, given + before + handed + _evaluation(settings, own, number, reused=reused))
        given += handed
    return most


def _seen(section: Section, side: int) -> int:
    """How much of a side, px, a tile sees."""
    return min(side, section.side + 2 * section.rim) if section.side else side


def _is_within(section: Section, layer: str) -> bool:
    """Whether a layer is computed in that section."""
    if section.architecture == "googlenet":
        return True
    return section.first <= int(layer[4]) <= (section.last or int(layer[4]))


def _by_winograd(layer: Layer, number: int) -> bool:
    """Whether a CPU computes a layer by Winograd's filtering; GoogLeNet's are torchvision's own."""
    return layer.name.startswith("relu") and goes_winograds_way(
        layer.given, layer.channels, number_bytes=number
    )


def _content_targets(settings: StyleSettings, layers: tuple[Layer, ...]) -> float:
    """How many numbers the content's features have, which are kept of all of the picture."""
    wanted = settings.content_layer_weights if settings.uses_content else {}
    return sum(layer.numbers for layer in layers if layer.name in wanted)


def _evaluation(settings: StyleSettings, layers: tuple[Layer, ...], number: int, *, reused: bool) -> float:
    """Bytes of a loss and its gradient where most is there.

    On the way back that is what is still kept of the way forward, down to some layer, with the gradients by
    its result, by what it was given and of the loss. Where what is let go finds no use at once, it is all
    that is kept and every gradient of the loss.
    """
    contents = settings.content_layer_weights if settings.uses_content else {}
    styles = settings.style_layer_weights if settings.uses_style else {}
    content = 3 * FLOAT * sum(layer.numbers for layer in layers if layer.name in contents)
    kept = [kept_numbers(settings.encoder, layers[: at + 1]) for at in range(len(layers))]
    seeds = [layer.numbers * (layer.name in contents or layer.name in styles) for layer in layers]
    passing = [2 * layer.numbers for layer in layers]
    if reused:
        most = max(map(sum, zip(kept, seeds, passing, strict=True)), default=0)
    else:
        most = max(kept, default=0) + sum(seeds) + max(passing, default=0)
    return number * most + content


def _scattered(settings: StyleSettings) -> float:
    """The factor by which the CPU's allocator holds more features than there are."""
    return 1 + SCATTERED if _solver_vectors(settings) else 1.0


def _solver_vectors(settings: StyleSettings) -> int:
    if settings.mode == "dream":
        return 0
    return 2 * settings.history if settings.optimizer == "lbfgs" else 2


def _kernels(layers: tuple[Layer, ...], number: int, *, on_cpu: bool) -> int:
    """Bytes of a network's kernels in a number format, and of those turned round."""
    winograd = [layer for layer in layers if on_cpu and _by_winograd(layer, number)]
    more = (WINOGRAD - 1) * parameter_numbers(tuple(winograd))
    return 2 * number * (parameter_numbers(layers) + more)
