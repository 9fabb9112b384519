"""One VGG-19 as several programs want it: rewritten for how each prepares pictures, under its own name."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from stylize_core.architecture import ConventionName, convolutions
from stylize_core.errors import BadWeights
from stylize_core.networks.weights import CONVENTIONS, Weights

# What the file of torchvision is called in its cache, and what classifies pictures in it, by shape: nobody
# here asks for that, but the file is read as a whole.
TORCHVISION_FILE = "vgg19-dcbb9e9d.pth"
CLASSIFIER = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}


def prepared_for(weights: Weights, convention: ConventionName) -> dict[str, Tensor]:
    """The parameters of the same network for pictures that are prepared in another way.

    Only the first layer changes: it undoes one preparation and expects the other.
    """
    old, new = weights.prepared_as, CONVENTIONS[convention]
    parameters = dict(weights.parameters)
    first = parameters["features.0.weight"].double()
    of_rgb = torch.empty_like(first)
    for place, channel in enumerate(old.channels):
        of_rgb[:, channel] = first[:, place] / old.std[channel]
    shift = torch.tensor(new.mean, dtype=torch.float64) - torch.tensor(old.mean, dtype=torch.float64)
    bias = parameters["features.0.bias"].double() + (of_rgb.sum((2, 3)) * shift).sum(1)
    laid = torch.stack([of_rgb[:, channel] * new.std[channel] for channel in new.channels], dim=1)
    return parameters | {"features.0.weight": laid.float(), "features.0.bias": bias.float()}


def stage_weights(weights: Weights, folder: Path) -> dict[ConventionName, Path]:
    """Write the weights as each program and ours read them; the files by convention.

    Raises:
        BadWeights: a convolution is missing.
    """
    missing = [place.relu for place in convolutions("vgg19") if place.relu not in weights.layers]
    if missing:
        raise BadWeights(f"{weights.source} ends before {missing[0]}; the programs load all of VGG-19")
    caffe, cache = folder / "vgg19-caffe.pth", folder / "torch/hub/checkpoints"
    torch.save(prepared_for(weights, "caffe"), caffe)
    cache.mkdir(parents=True)
    state = prepared_for(weights, "torchvision")
    for index, shape in CLASSIFIER.items():
        state[f"classifier.{index}.weight"] = torch.zeros(1).expand(shape)
        state[f"classifier.{index}.bias"] = torch.zeros(1).expand(shape[:1])
    torch.save(state, cache / TORCHVISION_FILE)
    return {"caffe": caffe, "torchvision": cache / TORCHVISION_FILE}
