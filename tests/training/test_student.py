from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylize_core.errors import BadWeights
from stylize_core.networks.encoder import vgg_features
from training.student import first_parameters, read_student, rescaled, write_student


def test_a_rescaled_network_has_the_same_features_times_the_factors() -> None:
    parameters = first_parameters((4, 6, 8), generator=torch.Generator().manual_seed(0))
    picture = torch.randn(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    layers = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu3_4")
    before = vgg_features(picture, parameters, layers=layers, architecture="slim")
    factors = {n: torch.linspace(0.2, 5, f.shape[1]) for n, f in before.items()}
    after = vgg_features(picture, rescaled(parameters, factors), layers=layers, architecture="slim")
    for layer in layers:
        torch.testing.assert_close(after[layer], before[layer] * factors[layer].view(1, -1, 1, 1))


def test_a_written_student_comes_back_as_it_was(tmp_path: Path) -> None:
    parameters = first_parameters((4, 6, 8), generator=torch.Generator().manual_seed(0))
    write_student(tmp_path / "student", parameters, facts={})
    found, architecture = read_student(tmp_path / "student")
    assert architecture == "slim"
    assert all(torch.equal(found[name], value) for name, value in parameters.items())


def test_a_file_that_is_no_student_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not weights")
    with pytest.raises(BadWeights, match=r"notes\.txt is no safetensors file"):
        read_student(tmp_path / "notes.txt")
