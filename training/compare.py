"""Pictures by a student beside pictures by its teacher, with the same layers and settings.

    python -m training.compare --teacher FILE --contents DIR --styles DIR --out sheet.jpg

A row per pair: content, style, the student's picture, the teacher's. The n-th content meets the n-th style.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.image.encode import encode_picture
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import Weights, builtin_weights
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.recipes import defaults_of
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import stylize
from training.pictures import read_pictures
from training.teacher import read_teacher

GAP = 6


def sheet(
    contents: Sequence[Tensor],
    styles: Sequence[Tensor],
    encoders: Sequence[Weights],
    *,
    settings: StyleSettings,
) -> Tensor:
    """The comparison as one picture, [3, H, W], RGB 0..1.

    Args:
        contents: uint8 [3, h, w], one per row, already at the size to work at.
        styles: as many of them.
        encoders: one column of results each; all use the layers that `settings` names.
        settings: how to stylise.
    """
    rows = []
    for content, style in zip(contents, styles, strict=True):
        made = [stylised(content, style, weights, settings=settings) for weights in encoders]
        rows.append([content / 255, style / 255, *made])
    return _stacked([_framed(row, rows) for row in rows], dim=1)


def stylised(content: Tensor, style: Tensor, weights: Weights, *, settings: StyleSettings) -> Tensor:
    """One result, [3, h, w], RGB 0..1; `content` and `style` are uint8 [3, h, w]."""
    encoder = Encoder(weights, layers=settings.layers, pooling=settings.pooling)
    return stylize(content[None] / 255, style[None] / 255, settings=settings, encoder=encoder).image_bchw[0]


def _framed(row: Sequence[Tensor], rows: Iterable[Sequence[Tensor]]) -> Tensor:
    """The row's pictures side by side, each in the middle of a cell as wide as its column's widest."""
    height = max(picture.shape[1] for picture in row)
    widths = [max(picture.shape[2] for picture in column) for column in zip(*rows, strict=True)]
    cells = [_centred(picture, height, width) for picture, width in zip(row, widths, strict=True)]
    return _stacked(cells, dim=2)


def _centred(picture_chw: Tensor, height: int, width: int) -> Tensor:
    above, left = (height - picture_chw.shape[1]) // 2, (width - picture_chw.shape[2]) // 2
    below, right = height - picture_chw.shape[1] - above, width - picture_chw.shape[2] - left
    return functional.pad(picture_chw, (left, right, above, below), value=1.0)


def _stacked(pictures: Sequence[Tensor], *, dim: int) -> Tensor:
    shape = list(pictures[0].shape)
    shape[dim] = GAP
    gap = torch.ones(shape)
    return torch.cat([part for picture in pictures for part in (picture, gap)][:-1], dim=dim)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `--help` describes it."""
    parser = argparse.ArgumentParser(
        prog="python -m training.compare", description="Draw slim's pictures beside its teacher's."
    )
    parser.add_argument("--teacher", type=Path, required=True, help="VGG-19 state dict")
    parser.add_argument("--contents", type=Path, required=True, help="folder of content pictures")
    parser.add_argument("--styles", type=Path, required=True, help="folder of style pictures")
    parser.add_argument("--out", type=Path, required=True, help="JPEG to write")
    parser.add_argument("--rows", type=int, default=3)
    parser.add_argument("--size", type=int, default=StyleSettings().size, help="long edge, px")
    parser.add_argument("--steps", type=int, default=StyleSettings().steps)
    parser.add_argument("--content-layers", type=_names, default=(), help="none given: slim's own")
    parser.add_argument(
        "--style-layers", type=_names, default=(), help="none given: those of its first three blocks"
    )
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    contents, styles = (read_pictures(d, long_edge=given.size) for d in (given.contents, given.styles))
    rows = min(given.rows, len(contents), len(styles))
    picture = sheet(
        contents[:rows],
        styles[:rows],
        [builtin_weights(), read_teacher(given.teacher)],
        settings=StyleSettings(
            size=given.size,
            steps=given.steps,
            content_layers=given.content_layers,
            style_layers=given.style_layers or defaults_of(2)["style_layers"],
        ),
    )
    jpeg = PictureSettings(format="jpeg", quality=65)
    given.out.write_bytes(encode_picture(picture, alpha=None, settings=jpeg, facts={}))


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


if __name__ == "__main__":
    main()
