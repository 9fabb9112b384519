"""`python -m benchmarks.peers`: how other programs are started, by which network, and how they are judged."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from small_networks import tiny_weights, waves

from benchmarks.peers.__main__ import made_by, main, objective_as_saved, settings_for
from benchmarks.peers.network import CLASSIFIER, prepared_for, stage_weights
from benchmarks.peers.programs import PEERS, Call, Job, Peer, printed_evaluations, traced_evaluations
from stylize_core.architecture import ConventionName
from stylize_core.errors import BadWeights
from stylize_core.image.encode import encode_picture
from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import CONVENTIONS, Weights
from stylize_core.settings.picture import PictureSettings

NSP, KC = PEERS


def job(folder: Path) -> Job:
    return Job("python", "cuda:1", folder, folder / "content.png", folder / "style.png", size=384, steps=100)


def told(call: Call) -> dict[str, str]:
    """The options of a command by name."""
    words = [word for word in call.command if word != "-disable_check"]
    return {key.lstrip("-"): value for key, value in pairwise(words) if key[0] == "-"}


def test_neural_style_pt_gets_its_own_options(tmp_path: Path) -> None:
    call = NSP.call(Path("/checkout"), job(tmp_path))
    assert call.command[:2] == ("python", "neural_style.py")
    assert "-disable_check" in call.command
    assert call.folder == Path("/checkout")
    options = told(call)
    assert (options["gpu"], options["image_size"], options["num_iterations"]) == ("1", "384", "100")
    assert (options["init"], options["output_image"]) == ("image", str(call.picture))
    assert "vgg19" in Path(options["model_file"]).name, "by which it knows the network"


def test_style_transfer_pytorch_gets_its_own_options(tmp_path: Path) -> None:
    """And finds the weights where torchvision has put them."""
    call = KC.call(Path("/checkout"), job(tmp_path))
    assert call.command[:5] == (
        "python", "-m", "style_transfer.cli", str(tmp_path / "content.png"), str(tmp_path / "style.png"),
    )  # fmt: skip
    options = told(call)
    assert (options["min-scale"], options["end-scale"]) == ("384", "384")
    assert (options["iterations"], options["initial-iterations"]) == ("100", "100")
    assert call.environment == {"PYTHONPATH": "/checkout", "TORCH_HOME": str(tmp_path / "torch")}
    assert call.folder == tmp_path, "where it leaves its trace"


def test_evaluations_are_counted_from_what_the_programs_say(tmp_path: Path) -> None:
    said = "Iteration 1 / 3\n  Total loss: 5\nIteration 2 / 3\nIteration 3 / 3\n"
    assert printed_evaluations(said, tmp_path) == 3
    assert printed_evaluations("", tmp_path) == 0
    (tmp_path / "trace.json").write_text('{"args": {}, "iterates": [{}, {}]}')
    assert traced_evaluations("", tmp_path) == 2


def _features(weights: Weights) -> torch.Tensor:
    encoder = Encoder(weights, layers=("relu1_2",), pooling="max")
    return encoder(waves(0.3, height=32, width=32))["relu1_2"][..., 4:-4, 4:-4]


@pytest.mark.parametrize("given", CONVENTIONS)
@pytest.mark.parametrize("wanted", CONVENTIONS)
def test_a_network_for_other_preparations_sees_the_same(
    given: ConventionName, wanted: ConventionName
) -> None:
    weights = tiny_weights("vgg19", convention=given)
    rewritten = Weights("vgg19", wanted, prepared_for(weights, wanted), "0" * 64, "rewritten")
    torch.testing.assert_close(_features(rewritten), _features(weights), rtol=1e-3, atol=1e-4)


def test_files_of_weights_are_what_the_programs_load(tmp_path: Path) -> None:
    files = stage_weights(tiny_weights("vgg19"), tmp_path)
    assert files["caffe"] == tmp_path / "vgg19-caffe.pth"
    state = torch.load(files["torchvision"], weights_only=True)
    assert files["torchvision"].parent == tmp_path / "torch/hub/checkpoints"
    assert files["torchvision"].stat().st_size < 2**21, "what nobody asks for takes no room"
    assert {key: state[f"classifier.{key}.weight"].shape for key in CLASSIFIER} == CLASSIFIER
    cut = tiny_weights("vgg19", layers=12)
    with pytest.raises(BadWeights, match=r"ends before relu4_4|ends before relu5_1|ends before relu4_\d"):
        stage_weights(cut, tmp_path / "cut")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_the_objective_is_that_of_the_file_and_not_of_what_the_program_had(
    peer: Peer, tmp_path: Path
) -> None:
    weights, settings = tiny_weights("vgg19", convention=peer.convention), settings_for(peer, job(tmp_path))
    content, style = waves(0.3, height=48, width=64), waves(1.7, height=64, width=64)
    wild = content + 0.6 * (waves(2.1, height=48, width=64) - 0.5)

    def png(picture: torch.Tensor) -> bytes:
        return encode_picture(picture[0], alpha=None, settings=PictureSettings(), facts={})

    def level(picture: torch.Tensor) -> torch.Tensor:
        return (picture.clamp(0, 1) * 255).round() / 255

    encoder = Encoder(weights, layers=settings.layers, pooling=settings.network_pooling)
    objective = Objective(
        encoder=encoder,
        content=content_targets(encoder, level(content), settings),
        style=style_targets(encoder, level(style), settings),
        settings=settings,
    )
    found = objective_as_saved(png(wild), png(content), png(style), settings=settings, weights=weights)
    assert found == pytest.approx(float(objective(level(wild))[0]), rel=1e-4)
    narrower = objective_as_saved(
        png(wild[..., :-1]), png(content), png(style), settings=settings, weights=weights
    )
    assert narrower == pytest.approx(found, rel=0.5)


def test_a_program_that_fails_is_shown_with_its_last_words(tmp_path: Path) -> None:
    words = (sys.executable, "-c", "print('no such option'); raise SystemExit(2)")
    peer = Peer(
        "theirs",
        "caffe",
        lambda folder, job: Call(words, tmp_path, {}, tmp_path / "o.png"),
        printed_evaluations,
    )
    with pytest.raises(RuntimeError, match=r"theirs left no picture \(exit code 2\):\nno such option"):
        made_by(peer, tmp_path, job(tmp_path))


def test_without_a_checkout_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--weights", "w.pth"])
    assert "give a checkout: --neural-style-pt DIR or --style-transfer-pytorch DIR" in capsys.readouterr().err
