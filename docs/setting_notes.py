"""What `docs/settings.md` shows of each setting, and what is to be seen there.

What a setting means stands in its field and nowhere else; here is what somebody saw who looked at the
pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylize_core.settings.fields import Crop


@dataclass(frozen=True, slots=True)
class Strip:
    """Results side by side.

    Attributes:
        see: what is to be seen.
        cells: results below the output of `manifests/settings.yaml`, or pictures beside it, by their
            captions; those of the sweep of the pair that is called as the setting, if there are none.
        zoom: the part that is shown, enlarged.
        to_scale: pictures are shown in their own pixels, not in equal size.
    """

    see: str
    cells: Mapping[str, str] = field(default_factory=dict)
    zoom: Crop | None = None
    to_scale: bool = False


@dataclass(frozen=True, slots=True)
class Curves:
    """The losses of the sweep of the pair that is called as the setting, evaluation by evaluation."""

    see: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A picture that the documentation has already: a file of `docs/images`, and its alternative text."""

    see: str
    picture: str
    alt: str


@dataclass(frozen=True, slots=True)
class Words:
    """Why there is no picture."""

    see: str


Note = Strip | Curves | Elsewhere | Words

PAIR = Strip(
    "The content and the style of most strips: `still_life` and `flow`.",
    {"still_life": "images/contents/still_life.jpg", "flow": "images/styles/flow.jpg"},
)

OPTIMISATION: Mapping[str, Note] = {
    "preset": Strip(
        "From a still life in the painting's colours to a painting in which a still life can be guessed."
    ),
    "recipe": Strip(
        "The first recipe keeps every object where it is; the second gives the painting's forms more room, "
        "and the third lets them be larger."
    ),
    "encoder": Elsewhere(
        "Content, style, `slim`, and the first three blocks of VGG-19: `slim` has their brush work at a "
        "small part of the cost. The other networks have to be downloaded, so the strips of this page do "
        "without them; their deeper layers give larger forms.",
        "slim_comparison.jpg",
        "Contents, styles, results of slim and of the first three blocks of VGG-19",
    ),
    "weights": Words(
        "No picture: it names a file, and a file with the published weights gives the published look."
    ),
    "mode": Strip(
        "Both losses together; what a layer knows of the content, from noise; what the layers know of the "
        "style, from noise; what they see in the content themselves."
    ),
    "dream_layers": Strip("Each layer, and each channel of a layer, draws a pattern of its own."),
    "dream_rate": Strip("The same steps, each going farther: more of the dream."),
    "octaves": Strip("One size alone draws small patterns; more of them put larger ones beneath."),
    "octave_scale": Strip("The farther apart the sizes are, the larger is the largest pattern."),
    "jitter": Strip(
        "Enlarged: without it the grid of the network's strides shows.", zoom=(0.25, 0.1, 0.75, 0.5)
    ),
    "aspect": Strip("Textures of the shape that was asked for."),
    "size": Strip(
        "Shown in equal size. More pixels bring finer strokes; where the painting's forms lie, and how large "
        "they are in the picture, stays."
    ),
    "megapixels": Strip(
        "Shown in their own pixels. Wide and tall pictures of one batch get the same area, and cost the "
        "same.",
        to_scale=True,
    ),
    "style_scale": Strip("In the style of `mosaic`: its stones in three sizes."),
    "style_crop": Strip("The whole painting; its sky alone; its wheat alone."),
    "colour": Strip(
        "The painting's colours; the still life's own, place by place; the still life's palette on the "
        "strokes."
    ),
    "steps": Strip("First come the colours, then the strokes, at last the painting's large forms."),
    "scales": Strip(
        "One size leaves the still life's own areas; each smaller one before it adds larger forms."
    ),
    "coarsest": Strip("The smaller the first size is, the larger are the forms that the painting brings in."),
    "plateau": Curves(
        "The way is the same, and ends where the picture has all but stopped to change: the higher the "
        "value, the sooner. Made with `steps: 300` and `scales: 1`."
    ),
    "snapshot_every": Strip(
        "With `snapshot_every: 10`: four of the ten pictures that then lie beside the result. What is made "
        "from coarse to fine is shown in the size of the result.",
        {f"step {step}": f"snapshot_every.{step:04d}.png" for step in (10, 30, 50, 100)},
    ),
    "optimizer": Strip(
        "With `steps: 60` and `scales: 1`: L-BFGS has painted, Adam is on its way, plain gradient descent "
        "has just begun."
    ),
    "learning_rate": Strip(
        "With `optimizer: adam` and `scales: 1`: too small a rate does not get there, too large a one leaves "
        "noise."
    ),
    "average": Strip(
        "With `optimizer: adam`, `learning_rate: 0.1` and `scales: 1`: the average takes away the grain "
        "that such a rate leaves."
    ),
    "history": Curves(
        "Not another look, but how fast the loss falls: little memory is slow, and more than the default "
        "gains little. Made with `scales: 1`."
    ),
    "whitening": Strip(
        "With `steps: 40` and `scales: 1`: after as many steps there are longer strokes, and fewer of the "
        "content's greys are left."
    ),
    "diagonal_gain": Strip(
        "In the style of `impasto`, enlarged: without a gain there is a fine weave of upright and level "
        "lines; too much of it hatches along the diagonals.",
        zoom=(0.55, 0.02, 0.9, 0.3),
    ),
    "forms_gain": Strip(
        "With `steps: 40` and `scales: 1`: at 2 the painting's colours lie in broader areas; at 8 its fine "
        "strokes have hardly begun."
    ),
    "init": Strip(
        "With `style_weight: 100`. From the content its edges stay; from noise all is painted anew; from the "
        "style, or from another picture, that one's forms stay where the content does not object. "
        "`init: slim` is for larger encoders ([guide](guide.md#a-full-network-sooner)), not at hand here."
    ),
    "seed": Strip(
        "With `init: noise` and `style_weight: 100`: another seed, other strokes, no better and no worse."
    ),
    "loss": Strip(
        "Each form weighs otherwise, so `style_weight` has to be found anew where `loss` is changed.",
        {
            "loss: relative, style_weight: 1000": "loss/relative.png",
            "loss: gatys, style_weight: 4e7": "loss/gatys.png",
            "loss: mean, style_weight: 2e6": "loss/mean.png",
        },
    ),
    "statistics": Strip(
        "In the style of `ink_waves`: means and covariances follow its colours and contrast more closely, "
        "and paint flat places more evenly."
    ),
    "content_weight": Strip(
        "The reverse of `style_weight`: what counts is how large the two are beside each other."
    ),
    "style_weight": Strip(
        "Little puts strokes on the still life; much lets the painting's forms take places of their own."
    ),
    "tv_weight": Strip("It takes away speckle, and with it fine strokes; much of it blurs."),
    "tv_form": Strip(
        "Enlarged, each under a weight that smooths: means do not depend on the size, sums do, so their "
        "weights are small. Absolute differences leave edges where squares blur them.",
        {
            "mean, tv_weight: 500": "tv_form/mean.png",
            "half_squares, tv_weight: 0.0113": "tv_form/half_squares.png",
            "absolute, tv_weight: 5e-4": "tv_form/absolute.png",
            "nine_point, tv_weight: 500": "tv_form/nine_point.png",
        },
        zoom=(0.1, 0.1, 0.7, 0.5),
    ),
    "range_weight": Strip(
        "In the style of `ink_waves`, the lower left corner enlarged: without it bright places are cut off "
        "at white and lose their strokes.",
        zoom=(0.0, 0.72, 0.45, 1.0),
    ),
    "precision": Words(
        "No picture: the formats look alike, and their losses in fp32 are about equal at the end. They "
        "differ in time and memory ([Performance](performance.md))."
    ),
    "margin": Strip(
        "The lower right corner, enlarged: without a margin a frame of a pixel or two runs along the edges.",
        zoom=(0.65, 0.75, 1.0, 1.0),
    ),
    "content_layers": Strip(
        "With `style_weight: 100`: a shallow layer holds every edge, a deep one what is where, and leaves "
        "the rest to the style."
    ),
    "style_layers": Strip(
        "Shallow layers bring colours and grain, deeper ones strokes; deep ones alone bring strokes in the "
        "wrong colours. With `slim`, `relu4_1` beside the usual ones adds larger forms."
    ),
    "pooling": Strip("Maxima paint more harshly. `slim` was trained with averages."),
}

READING_AND_WRITING: Mapping[str, Note] = {
    "format": Words("No picture: the same pixels in another file, but for what JPEG drops."),
    "bit_depth": Words(
        "No picture: screens show 8 bits. With 16, skies and other gradients bear further editing without "
        "bands."
    ),
    "quality": Strip(
        "With `format: jpeg`, enlarged: blocks, and colours that run.", zoom=(0.3, 0.15, 0.7, 0.45)
    ),
    "animation": Elsewhere(
        "With `animation: gif`, `snapshot_every: 8` and `init: noise`, as the "
        "[guide](guide.md#watching-it-happen) has it.",
        "guide/evolution.gif",
        "A film from noise to a painting of a harbour",
    ),
    "metadata": Words("No picture: it is about what is written beside the pixels."),
    "dpi": Words("No picture: it changes the size on paper, and no pixel."),
    "frames": Words("No picture: a first frame is stylised as any other picture is."),
    "max_megapixels": Words(
        "No picture: it says what is refused or read in parts, and the result looks the same."
    ),
}

OF_WEIGHTS: Mapping[str, Note] = {
    "file": Words("No picture: see [`weights`](#weights)."),
    "sha256": Words("No picture: a file with another digest is refused."),
    "convention": Words(
        "No picture: it has to be that of the file. Under a wrong one the network sees other colours and "
        "contrasts, and the result is off without an error."
    ),
}

OF_PAIRS: Mapping[str, Note] = {
    "blend": Strip(
        "Colours and strokes of both, mixed, and nowhere side by side.",
        {
            "flow": "blend/flow.png",
            "flow: 1, mosaic: 1": "blend/both.png",
            "mosaic": "blend/mosaic.png",
        },
    ),
    "regions": Strip(
        "A harbour in `mosaic`; its sky, white in the first mask, is painted as the sky of `flow`, its water "
        "as `ink_waves`.",
        {
            "mask of the sky": "images/masks/town_sky.png",
            "mask of the water": "images/masks/town_water.png",
            "with both regions": "regions.png",
        },
    ),
}

NOTES: Mapping[str, Note] = {
    "pair": PAIR,
    **OPTIMISATION,
    **READING_AND_WRITING,
    **OF_WEIGHTS,
    **OF_PAIRS,
}
