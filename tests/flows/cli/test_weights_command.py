from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path

import pytest
import torch
from rich.console import Console
from small_batch import draw

import stylize_core
from flows.cli.weights import describe_weights, print_weights
from flows.errors import NotFound
from flows.manifest.load import load_manifest
from flows.planning.plan import make_plan
from stylize_core.errors import BadWeights, SettingsError

SLIM = Path(stylize_core.__file__).parent / "networks/pretrained/slim.safetensors"


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """A weights file under a name that YAML must not misread."""
    return Path(shutil.copy(SLIM, tmp_path / "my weights, {v2}: #1.safetensors"))


def describe(name: str | None, architecture: str = "slim") -> dict[str, object]:
    return describe_weights(name, architecture=architecture, fetch=False)[0]


def test_all_known_weights_are_listed() -> None:
    names = [facts["name"] for facts in describe_weights(None, architecture="vgg19", fetch=False)]
    assert names == ["slim", "vgg19", "vgg16", "googlenet"]


def test_the_built_in_weights_are_named_by_their_digest() -> None:
    assert describe("slim")["sha256"] == hashlib.sha256(SLIM.read_bytes()).hexdigest()


def test_published_weights_that_are_not_there_say_how_to_get_them() -> None:
    assert describe("vgg19")["where"] == "not downloaded yet: stylize weights vgg19 --fetch"


def test_what_is_printed_for_a_file_works_in_a_manifest(staged: Path, tmp_path: Path) -> None:
    snippet = describe(str(staged))["in a manifest"]
    draw(tmp_path / "a.png", 1)
    pair = "pairs: [{content: a.png, style: a.png, name: b}]"
    loaded = load_manifest(tmp_path / "m.yaml", text=f"version: 1\noutput: out\n{snippet}\n{pair}\n")
    settings = make_plan(loaded).pairs[0].pair.style_settings
    assert settings.weights is not None
    assert settings.weights.file == str(staged)
    assert settings.weights.sha256 == hashlib.sha256(SLIM.read_bytes()).hexdigest()


def test_a_relative_file_is_named_so_that_a_manifest_elsewhere_finds_it(
    staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(staged.parent)
    assert str(staged) in str(describe(staged.name)["in a manifest"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nope\.pth does not exist"):
        describe(str(tmp_path / "nope.pth"))


def test_a_file_that_holds_no_weights_is_refused_without_dangerous_advice(tmp_path: Path) -> None:
    for name in ("a.png", "b.pth"):
        path = draw(tmp_path / "a.png", 1).rename(tmp_path / name)
        with pytest.raises(BadWeights, match=name) as refusal:
            describe(str(path))
        assert "weights_only" not in str(refusal.value)
        assert "arbitrary code" not in str(refusal.value)


def test_half_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "half.pth")
    with pytest.raises(BadWeights, match="half"):
        describe(str(tmp_path / "half.pth"))


def test_an_unknown_network_is_a_mistake_in_the_arguments(staged: Path) -> None:
    with pytest.raises(SettingsError, match="--architecture"):
        describe(str(staged), architecture="resnet")


def test_facts_are_printed_one_on_a_line(staged: Path) -> None:
    text = io.StringIO()
    print_weights([{"name": "[red]a\x1b[31m" + "long " * 50}, {"name": "b"}], Console(file=text, width=40))
    assert text.getvalue().count("\n") == 4
    assert "[red]a\\x1b[31m" in text.getvalue()
