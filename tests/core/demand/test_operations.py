from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_networks import torchvision_models
from torch.overrides import TorchFunctionMode

from stylize_core.architecture import CHANNELS_PER_BLOCK, INCEPTION_LAYERS, Architecture, convolutions
from stylize_core.demand.features import layers_for
from stylize_core.demand.operations import work_of
from stylize_core.networks.encoder import vgg_features
from stylize_core.settings.sketch import sketch_of
from stylize_core.settings.style import StyleSettings


class CountedProducts(TorchFunctionMode):
    """Counts the multiplications of the convolutions that are computed inside."""

    products = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func is torch.nn.functional.conv2d:
            self.products += made[0, 0].numel() * args[1].numel()
        return made


SETTINGS = st.builds(
    StyleSettings,
    encoder=st.sampled_from(["slim", "vgg19", "googlenet"]),
    steps=st.integers(1, 400),
    scales=st.integers(0, 4),
    mode=st.sampled_from(["texture", "dream"]),
    optimizer=st.sampled_from(["lbfgs", "adam"]),
)
SIDES = st.integers(64, 4000)


@given(SETTINGS, SIDES, SIDES)
def test_work_grows_with_every_step_and_ends_with_all_of_it(
    settings: StyleSettings, width: int, height: int
) -> None:
    work = work_of(settings, width=width, height=height)
    steps = [0, 1, *(stage.last for stage in work.stages), settings.steps]
    done = [work.after(step) for step in sorted(steps)]
    assert all(before <= after for before, after in itertools.pairwise(done))
    assert done[0] == 0
    assert 0 < done[-1] <= work.total
    assert work.stages[-1].last == settings.steps
    assert all(one.last == other.first for one, other in itertools.pairwise(work.stages))


@given(SETTINGS, SIDES, st.sampled_from([1.2, 2.0, 3.0]))
def test_more_pixels_are_more_work(settings: StyleSettings, side: int, factor: float) -> None:
    small = work_of(settings, width=side, height=side)
    large = work_of(settings, width=round(side * factor), height=round(side * factor))
    assert large.stages[-1].each > small.stages[-1].each


def test_a_step_at_full_size_is_worth_several_at_half_of_it() -> None:
    work = work_of(StyleSettings(size=1024, steps=200), width=1024, height=1024)
    first, second = work.stages[-2:]
    assert 3 < second.each / first.each < 4.5
    assert work.after(100) < 0.3 * work.total, "half of the steps are less than a third of the work"


@pytest.mark.parametrize("encoder", ["slim", "vgg19"])
def test_the_products_are_those_that_torch_counts(encoder: Architecture) -> None:
    layers = StyleSettings(encoder=encoder).layers
    channels, parameters = 3, {}
    for place in convolutions(encoder):
        width = CHANNELS_PER_BLOCK[encoder][place.block - 1]
        parameters[f"features.{place.index}.weight"] = torch.zeros(width, channels, 3, 3)
        parameters[f"features.{place.index}.bias"] = torch.zeros(width)
        channels = width
    with CountedProducts() as counted:
        vgg_features(torch.zeros(1, 3, 64, 96), parameters, layers=layers, architecture=encoder)
    products = sum(one.products for one in layers_for(encoder, layers, width=96, height=64))
    assert counted.products == products


def test_the_products_of_googlenet_are_those_of_torchvisions() -> None:
    counted: dict[str, int] = dict.fromkeys(INCEPTION_LAYERS, 0)
    with torch.device("meta"):
        network = torchvision_models().GoogLeNet(num_classes=1, aux_logits=False, init_weights=False).eval()
        picture = torch.empty(1, 3, 128, 96)
    for name, stage in network.named_children():
        for module in stage.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(
                    lambda module, _, made, name=name: counted.__setitem__(
                        name, counted[name] + made.numel() * module.weight[0].numel()
                    )
                )
    network(picture)
    layers = layers_for("googlenet", ("inception5b",), width=96, height=128)
    assert {one.name: one.products for one in layers} == pytest.approx(counted, rel=0.01)


def test_what_slim_makes_before_is_work_too_and_less_than_it_saves() -> None:
    plain = StyleSettings(encoder="vgg19", scales=1)
    before = work_of(replace(plain, init="slim"), width=512, height=384)
    alone, run = work_of(sketch_of(plain), width=512, height=384), work_of(plain, width=512, height=384)
    assert before.total == pytest.approx(alone.total + run.total)
    assert before.after(0) == 0
    assert before.after(1) == pytest.approx(alone.total + run.after(1))
    assert alone.total < run.after(20)
