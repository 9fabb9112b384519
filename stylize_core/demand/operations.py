"""How much work a picture is, stage by stage, and how much of it is done after some step. Knows no torch.

The unit is one multiplication of a convolution. It says how pictures compare, not how long anything takes:
that is measured (`flows/model/estimate.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from stylize_core.architecture import least_side
from stylize_core.demand.features import layers_for, parameter_numbers
from stylize_core.settings.resolved import SMALLEST_OCTAVE, around_of, octaves_of, stages_seen
from stylize_core.settings.sketch import sketch_of
from stylize_core.settings.style import StyleSettings

# What a number costs that only passes through memory, as in the solver's sums and a ReLU: so many products.
PASSING = 12
# Passes over the solver's vectors for each pair that L-BFGS remembers, and beside them.
PASSES_PER_PAIR, PASSES = 6, 40
# What an evaluation costs however small the picture is: its some hundred calls of the library, and for every
# weight that it is read and brought into the form that convolutions want (`python -m benchmarks estimates`).
EACH, EACH_PARAMETER = 250e6, 2500.0


@dataclass(frozen=True, slots=True)
class StageWork:
    """One size on the way from coarse to fine.

    Attributes:
        width: px.
        height: px.
        first: evaluations before it.
        last: evaluations at its end.
        before: work before its first evaluation, from the beginning of all.
        each: work of one evaluation.
    """

    width: int
    height: int
    first: int
    last: int
    before: float
    each: float

    @property
    def end(self) -> float:
        """All work until its end."""
        return self.before + self.each * (self.last - self.first)


@dataclass(frozen=True, slots=True)
class Work:
    """All of a picture's work.

    Attributes:
        stages: from coarse to fine; never empty.
        total: the last loss terms included.
    """

    stages: tuple[StageWork, ...]
    total: float

    @staticmethod
    def unknown(settings: StyleSettings, width: int, height: int) -> Work:
        """What stands for the work of a picture, px, of which nobody can tell: the least evaluations."""
        only = StageWork(width, height, 0, settings.steps, 0.0, EACH)
        return Work((only,), only.end)

    def after(self, step: int) -> float:
        """The work that is done after so many evaluations, 0 to `total`."""
        if step <= 0:
            return 0.0
        stage = self.stage(step)
        return min(self.total, stage.before + stage.each * (step - stage.first))

    def stage(self, step: int) -> StageWork:
        """The stage that the evaluation with that number, from 1, belongs to."""
        return next((one for one in self.stages if step <= one.last), self.stages[-1])


def _evaluation(settings: StyleSettings, width: int, height: int) -> float:
    """Work of one loss and gradient, and of the solver's turn after it."""
    layers = tuple(layers_for(settings.encoder, settings.layers, width=width, height=height))
    styles = settings.style_layer_weights if settings.uses_style else {}
    products = 2.0 * sum(layer.products for layer in layers)
    products += sum(2 * layer.channels * layer.numbers for layer in layers if layer.name in styles)
    passing = 4 * sum(layer.numbers for layer in layers)
    history = settings.history if settings.optimizer == "lbfgs" and settings.mode != "dream" else 0
    passing += 3 * width * height * (PASSES + PASSES_PER_PAIR * history)
    return EACH + EACH_PARAMETER * parameter_numbers(layers) + products + PASSING * passing


def work_of(settings: StyleSettings, *, width: int, height: int, style_pixels: int | None = None) -> Work:
    """What a picture of that size takes with these settings.

    Args:
        width: of the result, px.
        height: of the result, px.
        style_pixels: of the style as it is measured; in the shape of the result if left out.
    """
    ratio = settings.style_scale**2 if style_pixels is None else style_pixels / max(1, width * height)
    found: list[StageWork] = []
    done = 0.0
    if settings.init == "slim":
        before = sketch_of(settings)
        done = work_of(before, width=width, height=height, style_pixels=style_pixels).total
    for share, first, last in _sizes(settings, width, height):
        wide, high = (max(1, round(side * share)) for side in (width, height))
        around = around_of(settings, width=wide, height=high)
        each = _evaluation(settings, wide + 2 * around, high + 2 * around)
        # The targets: a pass forward of the content, one of the style.
        begins = each / 2 * (settings.uses_content + ratio * settings.uses_style)
        found.append(StageWork(wide, high, first, last, done + begins, each))
        done = found[-1].end
    return Work(tuple(found), done + found[-1].each / 2)


def _sizes(settings: StyleSettings, width: int, height: int) -> list[tuple[float, int, int]]:
    """Share of the long edge, first and last evaluation of each stage."""
    least = least_side(settings.layers)
    if settings.mode == "dream":
        found = octaves_of(settings, width=width, height=height, least=max(SMALLEST_OCTAVE, least))
    else:
        found = stages_seen(settings, width=width, height=height, least=least)
    return [(stage.share, stage.first, stage.last) for stage in found]
