"""Staged weights that end early are refused by the plan, which loads no torch to see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from small_batch import draw, manifest

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.planning.plan import Plan, make_plan
from stylize_core.architecture import convolutions

SETTINGS = "encoder: vgg19, weights: {file: w, sha256: " + "0" * 64 + "}"
Writer = Callable[[dict[str, torch.Tensor], Path], object]
WRITERS: dict[str, Writer] = {
    "safetensors": lambda state, path: safetensors.torch.save_file(state, path),
    "zip": lambda state, path: torch.save(state, path),
    "pickle": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
}


def state(depth: int, *, of_caffe: bool = False) -> dict[str, torch.Tensor]:
    """The first convolutions of a VGG-19, as far as names go."""
    found: dict[str, torch.Tensor] = {}
    for one in convolutions("vgg19")[:depth]:
        stem = one.relu.replace("relu", "conv") if of_caffe else f"features.{one.index}"
        found |= {f"{stem}.weight": torch.zeros(2, 2), f"{stem}.bias": torch.zeros(2)}
    return found


def plan(home: Path, settings: str = SETTINGS) -> Plan:
    for at, name in enumerate(("photos/p.png", "paintings/s.png")):
        draw(home / name, at)
    return make_plan(load_manifest(manifest(home, settings=settings)))


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("of_caffe", [False, True])
def test_a_layer_behind_the_end_of_the_file_is_refused_by_name(
    tmp_path: Path, kind: str, of_caffe: bool
) -> None:
    WRITERS[kind](state(8, of_caffe=of_caffe), tmp_path / "w")
    with pytest.raises(ManifestError) as refused:
        plan(tmp_path)
    (problem,) = refused.value.problems
    assert str(problem) == (
        f"settings.weights: {tmp_path / 'w'} has relu1_1 to relu3_4 and pool1 to pool3, but `content_layers` "
        "asks for relu4_2, `style_layers` asks for relu4_1 and relu5_1; choose layers that it has, or give "
        "weights that go further"
    )


@pytest.mark.parametrize(
    ("depth", "layers"),
    [
        (13, ""),
        (8, ", content_layers: [relu3_4], style_layers: [relu1_1, pool3]"),
        (8, ", mode: content, content_layers: [relu3_1]"),
    ],
)
def test_layers_that_the_file_has_are_planned(tmp_path: Path, depth: int, layers: str) -> None:
    safetensors.torch.save_file(state(depth), tmp_path / "w")
    assert plan(tmp_path, SETTINGS + layers).counts["todo"] == 1


def test_what_cannot_be_read_is_left_to_the_run_and_told(tmp_path: Path) -> None:
    assert plan(tmp_path).warnings[-1].endswith("; no pair with these weights can be made")
    (tmp_path / "w").write_bytes(b"something else")
    assert plan(tmp_path).warnings == ()
