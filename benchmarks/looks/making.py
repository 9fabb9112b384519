"""Pictures made in several ways of the same pairs, each with what was measured of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from benchmarks.looks.measures import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    clipped,
    content_distance,
    crosshatch,
    grain,
    looks_apart,
    style_distances,
)
from benchmarks.pictures import IMAGES, weights_for
from flows.errors import Problem
from flows.manifest.settings import build
from flows.manifest.values import read_settings
from flows.manifest.yaml_tree import read_yaml
from stylize_core.device import choose_precision
from stylize_core.image.decode import decode_picture
from stylize_core.image.resize import resize
from stylize_core.loss.targets import Targets
from stylize_core.networks.encoder import Encoder
from stylize_core.pyramid.level import AS_IT_IS, ViewSpec, targets_seen
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.picture_size import LARGEST_PX
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import stylize

READING = PictureSettings(max_megapixels=4000)
CPU = torch.device("cpu")


# Why so many: a field for each figure of a row of the table.
@dataclass(frozen=True, slots=True)
class Made:
    """One picture [1, 3, H, W] and what was measured of it.

    Attributes:
        style: distances by long edge, px.
        grain: in steps of 8 bits.
        hatch: fine structure along rows and columns by slanting one.
        dark, bright: shares of clipped samples.
        apart: the style distance from this pair in this look at the first size; None at that size itself.
        forms: how far the large forms are apart from those, in steps of 8 bits.
    """

    pair: str
    look: str
    size: int
    image_bchw: Tensor
    style: Mapping[int, float]
    content: float
    grain: float
    hatch: float
    dark: float
    bright: float
    seconds: float
    apart: float | None = None
    forms: float | None = None

    @property
    def mean(self) -> float:
        """The style distance, over all edges alike."""
        return fmean(self.style.values())


def read_look(text: str) -> StyleSettings:
    """The settings that a manifest would have under `settings: {...}`, spelled like `scales: 4, steps: 100`.

    Raises:
        ValueError: one line for each thing that is wrong.
        SettingsError: settings that contradict each other.
    """
    problems: list[Problem] = []
    node = read_yaml(f"{{{text}}}".encode(), problems, where="look")
    given = read_settings(node, str(Path.cwd()), problems) if node is not None else {}
    if problems:
        raise ValueError(f"--look {text!r}: " + "\n".join(map(str, problems)))
    return build(given).style


def pairs_of(contents: Sequence[Path], styles: Sequence[Path]) -> list[tuple[Path, Path]]:
    """The n-th content with the n-th style; of fewer contents or styles, those come again from the first.

    Raises:
        ValueError: there are none of either.
    """
    if not contents or not styles:
        raise ValueError("looks need contents and styles; name at least one picture of each, or neither")
    count = max(len(contents), len(styles))
    return list(zip(islice(cycle(contents), count), islice(cycle(styles), count), strict=True))


def own_pictures(kind: str) -> list[Path]:
    """The project's own example pictures: `contents` or `styles`."""
    return sorted((IMAGES / kind).glob("*.jpg"))


def judge_of(file: str | None) -> Encoder:
    """Who measures: the VGG-19 of that file, at least to relu3_4, else the built-in `slim`."""
    weights = weights_for("vgg19" if file else "slim", file)
    return Encoder(
        weights, layers=(*STYLE_LAYERS, CONTENT_LAYER), pooling="max" if file else "average"
    )  # each as it was trained


def make_all(
    pairs: Sequence[tuple[Path, Path]],
    looks: Mapping[str, StyleSettings],
    sizes: Sequence[int],
    file: str | None,
    *,
    style_px: int = LARGEST_PX,
) -> Iterator[Made]:
    """Every pair at every size in every look; the looks take turns, so that drift hits all alike.

    Styles are used as if their files had a long edge of at most `style_px`; judged by what they have.
    """
    judge, first = judge_of(file), dict[tuple[str, str], Tensor]()
    for size in sizes:
        for pair in pairs:
            for name, settings in looks.items():
                made = _made(pair, name, replace(settings, size=size), judge, file, style_px)
                if (
                    before_bchw := first.setdefault((made.pair, name), made.image_bchw)
                ) is not made.image_bchw:
                    apart, forms = looks_apart(judge, before_bchw, made.image_bchw)
                    made = replace(made, apart=apart, forms=forms)
                yield made


# Why so many: a pair, how it is made, and who judges it.
def _made(
    pair: tuple[Path, Path],
    look: str,
    settings: StyleSettings,
    judge: Encoder,
    file: str | None,
    style_px: int,
) -> Made:
    size = settings.picture_size.expected_px
    content = _picture(pair[0], size)
    style = _picture(pair[1], size)
    meant_px = settings.picture_size.style_px(settings.style_scale)
    painting = _picture(pair[1], min(meant_px, style_px), enlarge=False)
    network = _network(settings, file)

    def measured(view: ViewSpec) -> tuple[Targets, Sequence[Targets]]:
        """As a run does it."""
        return targets_seen(view, network, painting, settings, content_bchw=content, meant_px=meant_px), ()

    began = time.perf_counter()
    targets, _ = measured(AS_IT_IS)
    made = stylize(content, targets, settings=settings, encoder=network, measured=measured)
    image = made.image_bchw.clamp(0, 1)
    seconds = time.perf_counter() - began
    dark, bright = clipped(image)
    return Made(
        pair=f"{pair[0].stem} x {pair[1].stem}",
        look=look,
        size=size,
        image_bchw=image,
        style=style_distances(judge, image, style),
        content=content_distance(judge, image, content),
        grain=grain(image, style),
        hatch=crosshatch(image),
        dark=dark,
        bright=bright,
        seconds=seconds,
    )


def _network(settings: StyleSettings, file: str | None) -> Encoder:
    """The network as a worker on this machine's processor builds it."""
    precision = choose_precision(settings.precision, CPU, size=settings.picture_size.expected_px)
    return Encoder(
        weights_for(settings.encoder, file),
        layers=settings.layers,
        pooling=settings.network_pooling,
        dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
    )


def _picture(path: Path, long_edge: int, *, enlarge: bool = True) -> Tensor:
    decoded = decode_picture(path.read_bytes(), source=str(path), settings=READING)
    return resize(decoded, long_edge=long_edge, enlarge=enlarge).rgb[None]
