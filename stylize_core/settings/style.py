"""What a user may set for one picture: frozen, validated, free of torch, YAML and paths.

The fields carry their own documentation, ranges and defaults; schema and reference are generated from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from stylize_core.architecture import (
    DEFAULT_CONTENT_LAYERS,
    DEFAULT_DREAM_LAYERS,
    DEFAULT_ENCODER,
    DEFAULT_STYLE_LAYERS,
    Architecture,
)
from stylize_core.settings.checks import check_style
from stylize_core.settings.fields import WHOLE, Crop, check_fields, documented
from stylize_core.settings.fields import setting as _setting
from stylize_core.settings.layers import Layers, normalised
from stylize_core.settings.picture_size import LARGEST_PX, SMALLEST_PX, PictureSize, Size
from stylize_core.settings.recipes import DEFAULTS
from stylize_core.settings.resolved import Start, layers_of, stages_of, start_of
from stylize_core.settings.schedule import Stage
from stylize_core.settings.spelling import spelled
from stylize_core.settings.weights_file import WeightsFile


# Why so many: a field for each setting, and what follows from several of them.
@documented
@dataclass(frozen=True, kw_only=True, slots=True)
class StyleSettings:
    """How one picture is optimised.

    Raises:
        SettingsError: naming the first key whose value is out of range.
    """

    encoder: Architecture = _setting(
        DEFAULT_ENCODER, "the network: the built-in `slim`, a full VGG, or `googlenet`, made for dreams"
    )
    weights: WeightsFile | None = _setting(None, "a staged weights file instead of the published weights")
    mode: Literal["transfer", "content", "texture", "dream"] = _setting(
        "transfer",
        "`content`: the content loss alone, which shows what layers know; `texture`: the style loss alone; "
        "`dream`: what layers see in the content grows",
        quiet=True,
    )
    dream_layers: Layers = _setting(
        (),
        "what grows in `mode: dream`: layers, or single channels such as `relu3_1:17`; none given: the "
        "encoder's own",
        quiet=True,
    )
    dream_rate: float = _setting(
        0.001, "how far a pixel moves in a step of a dream, on average, of 0..1", quiet=True, gt=0, le=1
    )
    octaves: int = _setting(
        4,
        "sizes in which is dreamt, one after the other; `steps` are shared among them",
        quiet=True,
        ge=1,
        le=20,
    )
    octave_scale: float = _setting(
        1.4, "how much larger each of these sizes is than the one before", quiet=True, ge=1.1, le=4
    )
    jitter: int = _setting(
        32, "px of a random shift, by the seed, before each step of a dream", quiet=True, ge=0, le=1024
    )
    aspect: str = _setting(
        "",
        "width to height of a texture, such as `3:2`, instead of the content's or, without one, the style's",
        quiet=True,
    )
    size: Size = _setting(
        512, "long edge of the picture, px; `original`: the content's", ge=SMALLEST_PX, le=LARGEST_PX
    )
    megapixels: float = _setting(
        0.0,
        "area of the picture, in millions of pixels, instead of its long edge; 0: `size` decides",
        quiet=True,
        ge=0,
        le=268,
    )
    style_scale: float = _setting(
        1.0,
        "long edge of the style relative to `size`, whatever its file has; larger gives larger strokes",
        ge=0.1,
        le=4,
    )
    style_crop: Crop = _setting(
        WHOLE,
        "the part of the style that is used: left, top, right and bottom in shares of its sides",
        quiet=True,
        ge=0,
        le=1,
    )
    colour: Literal["style", "luminance", "match"] = _setting(
        "style",
        "`style`: the style's colours; `luminance`: the content's, only luminance is stylised; `match`: the "
        "content's, given to the style beforehand",
        quiet=True,
    )
    steps: int = _setting(200, "evaluations of the loss and its gradient", ge=1, le=100_000)
    scales: int = _setting(
        0,
        "at how many sizes the picture is optimised, each twice the one before, which gives larger strokes "
        "in less time; the last one has half of the `steps`, or less beyond six; 0: from `coarsest` up, or "
        "the last one alone for `mode: content` and `loss: gatys`",
        quiet=True,
        ge=0,
        le=8,
    )
    coarsest: int = _setting(
        DEFAULTS["coarsest"],
        "with `scales: 0`, px that the long edge has at least at the smallest size; less gives larger forms "
        "of the style; 0: exactly the encoder's own, 32 for `slim`, 64 for the others",
        quiet=True,
        ge=0,
        le=LARGEST_PX,
    )
    plateau: float = _setting(
        0.0,
        "a picture that changes by less than this within 50 steps (root mean square, in steps of 8 bits) is "
        "ready before its `steps` are used up; 0: never",
        quiet=True,
        ge=0,
        le=16,
    )
    snapshot_every: int = _setting(
        0,
        "a numbered picture beside the result after every so many steps; 0: none",
        quiet=True,
        ge=0,
        le=100_000,
    )
    optimizer: Literal["lbfgs", "adam", "gd"] = _setting("lbfgs", "the solver; `gd`: plain gradient descent")
    learning_rate: float = _setting(
        0.02,
        "Adam's step, or the first one of `gd`, in units of the 0..1 pixel range; L-BFGS takes none",
        gt=0,
        le=10,
    )
    average: float = _setting(
        0.0,
        "how much of the average of all pictures on the way stays at each step; the average is the result; "
        "for `adam` and `gd`; 0: none",
        quiet=True,
        ge=0,
        le=0.9999,
    )
    history: int = _setting(10, "curvature pairs that L-BFGS remembers", ge=1, le=100)
    whitening: float = _setting(
        0.0,
        "share of the steps at full size, the first ones, in which what is strong in a style's Gram matrices "
        "counts less, so that L-BFGS brings what is weak along sooner",
        quiet=True,
        ge=0,
        le=0.9,
    )
    diagonal_gain: float = _setting(
        DEFAULTS["diagonal_gain"],
        "how many times as far L-BFGS goes along fine slanting structure as along upright, where a style "
        "counts; 0: the encoder's own, 1.6 against the crosshatch of `slim`, 1 for the others",
        quiet=True,
        ge=0,
        le=4,
    )
    forms_gain: float = _setting(
        1.0, "how many times as far L-BFGS goes along large forms as along the rest", quiet=True, ge=1, le=8
    )
    init: Literal["auto", Start] = _setting(
        "auto",
        "the picture to start from; in a manifest also a path; `auto`: the content, or noise in the modes "
        "`content` and `texture`; `slim`: what that encoder makes of it first, for a larger one",
    )
    seed: int = _setting(0, "seed of the noise that `init: noise` starts from", ge=0, le=2**63 - 1)
    loss: Literal["relative", "gatys", "mean"] = _setting(
        "relative",
        "`relative`: free of units; `gatys`: the forms of the 2015 paper; `mean`: mean squared differences, "
        "as in most programs",
    )
    statistics: Literal["gram", "moments"] = _setting(
        "gram",
        "what of a style counts: `gram`: products of features, as in the 2015 paper; `moments`: means and "
        "covariances, by Wasserstein's distance",
        quiet=True,
    )
    content_weight: float = _setting(1.0, "weight of the content loss", ge=0, le=1e15)
    style_weight: float = _setting(DEFAULTS["style_weight"], "weight of the style loss", ge=0, le=1e15)
    tv_weight: float = _setting(0.0, "weight of the total variation", ge=0, le=1e15)
    tv_form: Literal["mean", "half_squares", "absolute", "nine_point"] = _setting(
        "mean",
        "the total variation: `mean` of squared differences of neighbours; half their sum; the sum of "
        "absolute differences; or a mean over all eight neighbours",
        quiet=True,
    )
    range_weight: float = _setting(
        DEFAULTS["range_weight"],
        "weight of the mean squared excess of pixels over 0..1, in units of the style loss with any `loss`; "
        "0: cut off at the end only",
        ge=0,
        le=1e15,
    )
    precision: Literal["auto", "fp32", "tf32", "bf16"] = _setting(
        "auto",
        "number format inside the network: `auto` is `bf16` where hardware is faster in it and `size` is "
        "at least 256, else `fp32`; everything else is computed in fp32, and what bf16 is too coarse for "
        "is finished in fp32; `tf32` on CUDA only",
        quiet=True,
    )
    margin: int = _setting(
        8,
        "px around the picture that are optimised with it and cut off at the end, at most 1/24 of its "
        "shorter side, and what a thin one lacks; without any, padding leaves strips along the frame",
        ge=0,
        le=256,
    )
    content_layers: Layers = _setting((), "layer names, or names with weights; none given: the encoder's own")
    style_layers: Layers = _setting((), "layer names, or names with weights; none given: the encoder's own")
    pooling: Literal["average", "max"] = _setting(
        "average", "how the network shrinks its features; in a dream, and in `googlenet`, always by maxima"
    )

    def __post_init__(self) -> None:
        """Check every field against its own description, and all of them together."""
        check_fields(self)
        check_style(self)

    @property
    def uses_content(self) -> bool:
        """Whether the content loss has a part in the picture."""
        return self.mode in ("transfer", "content") and self.content_weight > 0

    @property
    def uses_style(self) -> bool:
        """Whether the style loss has a part in the picture."""
        return self.mode in ("transfer", "texture") and self.style_weight > 0

    @property
    def start(self) -> Start:
        """What `init` means in this mode."""
        return start_of(self)

    def stages(self, long_edge: int) -> tuple[Stage, ...]:
        """The sizes at which a picture of that long edge is optimised, from coarse to fine."""
        return stages_of(self, long_edge)

    @property
    def chooses_sizes(self) -> bool:
        """Whether it depends on the long edge at how many sizes the picture is optimised."""
        return self.mode in ("transfer", "texture") and self.loss != "gatys" and not self.scales

    @property
    def picture_size(self) -> PictureSize:
        """What decides the size of the picture: `size`, or `megapixels` instead."""
        return PictureSize(self.size, self.megapixels)

    @property
    def aspect_ratio(self) -> float | None:
        """Width over height of a texture; None for the content's."""
        width, _, height = self.aspect.partition(":")
        return float(width) / float(height) if self.aspect else None

    @property
    def content_layer_weights(self) -> dict[str, float]:
        """The content layers with weights that sum to 1."""
        return normalised(self.content_layers or DEFAULT_CONTENT_LAYERS[self.encoder])

    @property
    def style_layer_weights(self) -> dict[str, float]:
        """The style layers with weights that sum to 1."""
        return normalised(self.style_layers or DEFAULT_STYLE_LAYERS[self.encoder])

    @property
    def dream_layer_weights(self) -> dict[str, float]:
        """What grows in a dream, channels as `layer:channel`, with weights that sum to 1."""
        return normalised(self.dream_layers or DEFAULT_DREAM_LAYERS[self.encoder])

    @property
    def network_pooling(self) -> Literal["average", "max"]:
        """How the network shrinks its features; dreams see eyes by maxima, and blurs by averages."""
        return "max" if self.mode == "dream" or self.encoder == "googlenet" else self.pooling

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that has a part in the loss, from the picture inwards."""
        return layers_of(self)

    def canonical(self) -> dict[str, Any]:
        """Every value that decides how the picture looks, spelled in one way only.

        The weights file is left out: its digest stands in the identity on its own. So is what the mode does
        not use, and the number of sizes where it is one.
        """
        return spelled(self)
