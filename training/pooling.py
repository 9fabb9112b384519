"""The gain of average pooling that keeps VGG-19's features at the level that max pooling gives them.

    python -m training.pooling --teacher FILE --pictures DIR

Averages of non-negative features are smaller than maxima, so deeper layers would fade against their biases.
Prints, for every layer behind a pooling, its RMS under max pooling over that under averages with the
project's gain.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from stylize_core.architecture import convolutions
from stylize_core.networks.encoder import vgg_features
from stylize_core.networks.vgg import AVERAGE_POOL_GAIN
from stylize_core.networks.weights import Weights
from training.pictures import read_pictures
from training.teacher import prepared, read_teacher

LONG_EDGE = 512


@torch.no_grad()
def levels(weights: Weights, pictures: Iterable[Tensor], *, pooling: str) -> dict[str, float]:
    """RMS of each layer's features over uint8 pictures [3, H, W], layer name to level."""
    squares: dict[str, float] = {}
    counts: dict[str, int] = {}
    for picture in pictures:
        image = prepared(picture[None].float() / 255)
        found = vgg_features(
            image, weights.parameters, layers=weights.layers, architecture="vgg19", pooling=pooling
        )
        for layer, features in found.items():
            squares[layer] = squares.get(layer, 0.0) + float(features.square().sum())
            counts[layer] = counts.get(layer, 0) + features.numel()
    return {layer: math.sqrt(squares[layer] / counts[layer]) for layer in squares}


def ratios(largest: Mapping[str, float], averaged: Mapping[str, float]) -> dict[str, float]:
    """Level under max pooling over level under this project's average pooling; 1 where the gain is right."""
    behind = {c.relu for c in convolutions("vgg19") if c.block > 1}
    return {layer: largest[layer] / averaged[layer] for layer in largest if layer in behind}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `--help` describes it."""
    parser = argparse.ArgumentParser(
        prog="python -m training.pooling", description="Measure the gain of average pooling."
    )
    parser.add_argument("--teacher", type=Path, required=True, help="VGG-19 state dict")
    parser.add_argument("--pictures", type=Path, required=True, help="photographs and paintings")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    weights = read_teacher(given.teacher)
    pictures = read_pictures(given.pictures, long_edge=LONG_EDGE)
    largest, averaged = (levels(weights, pictures, pooling=pooling) for pooling in ("max", "average"))
    print(f"level under max pooling over level under averages times {AVERAGE_POOL_GAIN}")
    for layer, ratio in ratios(largest, averaged).items():
        print(f"{layer}  {ratio:.3f}")


if __name__ == "__main__":
    main()
