"""What `docs/settings.md` shows of each setting, and what is to be seen there.

What a setting means stands in its field and nowhere else; here is what somebody saw who looked at the pictures.
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
        cells: results below the output of `manifests/settings.yaml`, or pictures beside it, by what stands
            under them; those of the pair of the setting's name and its sweep, if there are none.
        zoom: the part that is shown, enlarged.
        to_scale: pictures are shown in their own pixels, not in equal size.
    """

    see: str
    cells: Mapping[str, str] = field(default_factory=dict)
    zoom: Crop | None = None
    to_scale: bool = False


@dataclass(frozen=True, slots=True)
class Curves:
    """The losses of the setting's sweep, evaluation by evaluation."""

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
    "preset": Strip("From a photograph in the painting's colours to a painting that remembers a photograph."),
    "recipe": Strip(
        "The older recipe keeps every object where it is; the newer one gives the style's large forms more room."
    ),
    "encoder": Elsewhere(
        "`slim`, third in each row, has the brush work of the first blocks of VGG-19, the last in the row, at a "
        "small part of the cost. The others are downloaded once, so this page's strips do without them; deeper "
        "layers give larger forms.",
        "slim_comparison.jpg",
        "Contents, styles, results of slim and of the first three blocks of VGG-19",
    ),
    "weights": Words(
        "No picture: it names a file, and a file with the published weights gives the published look."
    ),
    "mode": Strip(
        "Both losses; what the layers know of the content; what they know of the style; and what they see in the "
        "content themselves."
    ),
    "dream_layers": Strip("Each layer, and each channel of a layer, draws a pattern of its own."),
    "dream_rate": Strip("More of it, more of the dream: the steps are the same, each goes farther."),
    "octaves": Strip("One size alone draws patterns of one size; more add larger ones beneath."),
    "octave_scale": Strip("The farther apart the sizes are, the larger are the largest patterns."),
    "jitter": Strip(
        "Enlarged: without it the grid of the network's strides shows.", zoom=(0.25, 0.1, 0.75, 0.5)
    ),
    "aspect": Strip(
        "Textures of the shape that was asked for.",
        {f"aspect: {w}:{h}": f"aspect__aspect={w}x{h}.png" for w, h in ((1, 2), (1, 1), (3, 2))},
    ),
    "size": Strip(
        "Shown in equal size. More pixels bring sharper strokes; how large these are in the picture, and what "
        "they cover, stays."
    ),
    "megapixels": Strip(
        "Shown in their own pixels. The area is what is asked for, so wide and tall pictures of a batch cost the same.",
        to_scale=True,
    ),
    "style_scale": Strip("Stones of three sizes, from one mosaic."),
    "style_crop": Strip("The whole painting, its sky alone, its field alone."),
    "colour": Strip(
        "The painting's colours; the still life's own, pixel by pixel; the still life's palette on the strokes."
    ),
    "steps": Strip(
        "The first steps bring the colours, some dozens more the strokes; after a few hundred little is left to do."
    ),
    "scales": Strip(
        "One size leaves small strokes everywhere; each smaller one before it lays larger forms."
    ),
    "coarsest": Strip(
        "The smaller it begins, the larger are the painting's forms that come in; from 128 px up objects keep "
        "their own areas of colour."
    ),
    "plateau": Curves(
        "The way is the same, and ends where the picture has all but stopped to change. The higher the value, the "
        "sooner. Made with `steps: 300` and `scales: 1`."
    ),
    "snapshot_every": Strip(
        "With `snapshot_every: 10`, some of what then lies beside the result. On the way from coarse to fine "
        "every picture is shown in the size of the result.",
        {f"step {step}": f"snapshot_every.{step:04d}.png" for step in (10, 30, 50, 100)},
    ),
    "optimizer": Strip(
        "After 60 steps at one size (`scales: 1`): L-BFGS has painted, Adam is on its way, and plain gradient "
        "descent has just begun."
    ),
    "learning_rate": Strip(
        "With `optimizer: adam`, `scales: 1`: too small a rate does not get there, too large a one leaves noise."
    ),
    "average": Strip(
        "With `optimizer: adam`, `learning_rate: 0.1`, enlarged: the average takes away the grain that such a rate leaves.",
        zoom=(0.3, 0.15, 0.8, 0.55),
    ),
    "history": Curves(
        "What is seen is how fast the loss falls, not another look: little memory is slow, and more than 10 pairs "
        "gain little. Made with `scales: 1`."
    ),
    "diagonal_gain": Strip(
        "Enlarged: without a gain slanting strokes have a fine crosshatch of upright lines; too much of it "
        "hatches them the other way.",
        zoom=(0.3, 0.1, 0.7, 0.45),
    ),
    "init": Strip(
        "From the content its edges stay; from noise all is painted anew; from the style, or another picture, that "
        "one's forms stay where the content does not object.",
        {
            f"init: {shown}": f"init__init={label}.png"
            for shown, label in (
                ("content", "content"),
                ("noise", "noise"),
                ("style", "style"),
                ("mosaic.jpg", "mosaic"),
            )
        },
    ),  # fmt: skip
    "seed": Strip(
        "With `init: noise`: another seed, another picture of the same pair, no better and no worse."
    ),
    "loss": Strip(
        "The forms weigh otherwise, so each needs a `style_weight` of its own to look alike: that is what to set "
        "anew where it is changed.",
        {
            "loss: relative, style_weight: 1000": "loss/relative.png",
            "loss: gatys, style_weight: 2e6": "loss/gatys.png",
            "loss: mean, style_weight: 1e5": "loss/mean.png",
        },
    ),
    "statistics": Strip(
        "In the style of `ink_waves`: means and covariances follow its colours and contrast more closely, and paint "
        "flat places more evenly."
    ),
    "content_weight": Strip(
        "What it does is the reverse of `style_weight`: only how the two compare to each other counts."
    ),
    "style_weight": Strip(
        "Strokes on a photograph at 10; at 1000, the default, the painting's forms take places of their own; at "
        "10000 they hide what is there."
    ),
    "tv_weight": Strip("It takes away speckle and with it fine strokes; much of it paints flat."),
    "tv_form": Strip(
        "Each under a weight that smooths about as much: a mean does not depend on the size, a sum does. The "
        "absolute differences keep edges where squares blur them.",
        {
            "mean, tv_weight: 50": "tv_form/mean.png",
            "half_squares, tv_weight: 0.00113": "tv_form/half_squares.png",
            "absolute, tv_weight: 5e-5": "tv_form/absolute.png",
            "nine_point, tv_weight: 50": "tv_form/nine_point.png",
        },
    ),
    "range_weight": Strip(
        "In the style of `ink_waves`: without it pixels leave black to white and are cut off at the end, which "
        "leaves spots."
    ),
    "precision": Words(
        "No picture: the formats look alike, and losses in fp32 are about equal at the end. They differ in time and "
        "memory ([Performance](performance.md))."
    ),
    "margin": Strip(
        "A corner, enlarged: without a margin a strip of another texture runs along the frame.",
        zoom=(0.0, 0.0, 0.3, 0.25),
    ),
    "content_layers": Strip(
        "With `style_weight: 100`: a shallow layer holds every pixel, a deep one what is where, and leaves the rest to the style."
    ),
    "style_layers": Strip(
        "Shallow layers bring colours and grain, deeper ones strokes; deep ones alone bring strokes in the wrong colours."
    ),
    "pooling": Strip("Maxima make it more restless. `slim` was trained with averages."),
}

READING_AND_WRITING: Mapping[str, Note] = {
    "format": Words("No picture: the pixels are the same, but for what JPEG and lossy files drop."),
    "bit_depth": Words(
        "No picture: screens show 8 bits. With 16, skies and other gradients can be edited further without banding."
    ),
    "quality": Strip("With `format: jpeg`, enlarged.", zoom=(0.3, 0.15, 0.7, 0.45)),
    "animation": Elsewhere(
        "With `animation: gif`, `snapshot_every: 8` and `init: noise`.",
        "guide/evolution.gif",
        "A film from noise to a painting of a harbour",
    ),
    "metadata": Words("No picture: it is about what is written beside the pixels."),
    "dpi": Words("No picture: it changes the size on paper, and no pixel."),
    "frames": Words(
        "No picture: it says which input is taken, and the first frame is stylised like any picture."
    ),
    "max_megapixels": Words("No picture: it says what is refused, or read in parts; the result is the same."),
}

OF_WEIGHTS: Mapping[str, Note] = {
    "file": Words("No picture: see [`weights`](#weights)."),
    "sha256": Words("No picture: a file with another digest is refused."),
    "convention": Words(
        "No picture: it has to be the one of the file. Under a wrong one the network sees other colours and other "
        "contrasts, and results are off without an error."
    ),
}

OF_PAIRS: Mapping[str, Note] = {
    "blend": Strip(
        "Half of each: colours and strokes of both, nowhere side by side.",
        {
            "flow": "blend/flow.png",
            "{flow: 1, mosaic: 1}": "blend/both.png",
            "mosaic": "blend/mosaic.png",
        },
    ),
    "regions": Strip(
        "A harbour in `mosaic`; its sky, white in the first mask, is painted like the sky of `flow`, its water like "
        "`ink_waves`.",
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
