"""Weights are checked by their digest, then parsed safely, then held against the network."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
import safetensors.torch
import torch
from small_networks import tiny_state, torchvision_models
from torch import Tensor

from stylize_core.architecture import PUBLISHED, Published
from stylize_core.errors import BadWeights
from stylize_core.networks import weights as module
from stylize_core.networks.weights import (
    Weights,
    builtin_weights,
    declared_convention,
    published_path,
    published_weights,
    weights_from_bytes,
)


def _loaded(data: bytes, *, sha256: str | None = None, **options: Any) -> Weights:
    options = {"architecture": "slim", "convention": "torchvision", "source": "staged/vgg.pth", **options}
    return weights_from_bytes(data, sha256=sha256 or hashlib.sha256(data).hexdigest(), **options)


def _refusal(data: bytes, **options: Any) -> str:
    with pytest.raises(BadWeights) as caught:
        _loaded(data, **options)
    assert str(caught.value).startswith("staged/vgg.pth")
    return str(caught.value)


def _safetensors(state: dict[str, Tensor], **metadata: str) -> bytes:
    return safetensors.torch.save(state, metadata or None)


def _torch(state: object, **options: Any) -> bytes:
    out = io.BytesIO()
    torch.save(state, out, **options)
    return out.getvalue()


FORMATS: dict[str, Callable[[dict[str, Tensor]], bytes]] = {
    "safetensors": _safetensors,
    "zip": _torch,
    "legacy": lambda state: _torch(state, _use_new_zipfile_serialization=False),
}
every_format = pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)


class Canary:
    """A pickle of this creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@every_format
def test_a_state_dict_is_read_in_every_format(write: Callable[[dict[str, Tensor]], bytes]) -> None:
    state = tiny_state()
    data = write(state)
    weights = _loaded(data)
    assert set(weights.parameters) == set(state)
    assert all(torch.equal(weights.parameters[name], value) for name, value in state.items())
    assert weights.layers[-1] == "relu4_1"
    assert weights.sha256 == hashlib.sha256(data).hexdigest()
    assert (weights.source, weights.convention) == ("staged/vgg.pth", "torchvision")


def test_names_of_converted_caffe_files_are_understood() -> None:
    state = tiny_state("vgg16")
    renamed = {}
    for number, name in enumerate(
        ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv4_1")
    ):
        for part in ("weight", "bias"):
            index = (0, 2, 5, 7, 10, 12, 14, 17)[number]
            renamed[f"{name}.{part}"] = state[f"features.{index}.{part}"]
    weights = _loaded(_safetensors(renamed), architecture="vgg16", convention="caffe")
    assert weights.layers[-1] == "relu4_1"
    assert torch.equal(weights.parameters["features.17.weight"], state["features.17.weight"])


def test_other_number_formats_become_float32() -> None:
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        weights = _loaded(_safetensors({name: value.to(dtype) for name, value in tiny_state().items()}))
        assert {value.dtype for value in weights.parameters.values()} == {torch.float32}


def test_what_belongs_to_no_convolution_is_left_out() -> None:
    extra = {"classifier.0.weight": torch.zeros(3, 3), "features.1.running_mean": torch.zeros(3)}
    assert set(_loaded(_safetensors(tiny_state() | extra)).parameters) == set(tiny_state())


def test_weights_may_end_early() -> None:
    weights = _loaded(_safetensors(tiny_state(layers=3)))
    assert weights.layers == ("relu1_1", "relu1_2", "relu2_1")


def test_a_gap_ends_the_network() -> None:
    state = tiny_state()
    del state["features.5.bias"]
    assert _loaded(_safetensors(state)).layers == ("relu1_1", "relu1_2")


@every_format
def test_another_digest_is_refused_with_both(write: Callable[[dict[str, Tensor]], bytes]) -> None:
    data, expected = write(tiny_state()), "0" * 64
    found = hashlib.sha256(data).hexdigest()
    message = f"staged/vgg.pth: digest mismatch: expected sha256 {expected}, got {found}"
    assert _refusal(data, sha256=expected) == message


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("right_digest", [False, True])
def test_a_pickle_never_runs(tmp_path: Path, right_digest: bool, legacy: bool) -> None:
    canary = tmp_path / "canary"
    data = _torch({"features.0.weight": Canary(canary)}, _use_new_zipfile_serialization=not legacy)
    message = _refusal(data, sha256=None if right_digest else "0" * 64)
    assert ("digest mismatch" in message) != right_digest
    assert ("cannot be read as weights" in message) == right_digest
    assert not canary.exists()


def test_a_bare_pickle_never_runs(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert "cannot be read as weights" in _refusal(pickle.dumps(Canary(canary), protocol))
    assert not canary.exists()
    pickle.loads(pickle.dumps(Canary(canary)))
    assert canary.exists(), "the canary never sang, so nothing was shown"


@every_format
def test_no_cut_file_gets_through(write: Callable[[dict[str, Tensor]], bytes]) -> None:
    data = write(tiny_state(layers=2))
    for length in [*range(0, 64, 5), *range(64, len(data), 97), len(data) - 1]:
        with pytest.raises(BadWeights):
            _loaded(data[:length])


@every_format
def test_a_flipped_bit_is_caught_by_the_digest(write: Callable[[dict[str, Tensor]], bytes]) -> None:
    data = write(tiny_state(layers=2))
    digest = hashlib.sha256(data).hexdigest()
    for place in range(0, len(data), 211):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        assert "digest mismatch" in _refusal(bytes(flipped), sha256=digest)


@every_format
def test_flipped_bits_under_their_own_digest_are_read_or_refused_and_never_worse(
    write: Callable[[dict[str, Tensor]], bytes],
) -> None:
    data = write(tiny_state(layers=1))
    for place in range(min(len(data), 700)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        try:
            weights = _loaded(bytes(flipped))
        except BadWeights:
            continue
        assert all(bool(torch.isfinite(value).all()) for value in weights.parameters.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features.0.weight": torch.zeros(4, 1, 3, 3)}, r"relu1_1 has a weight of shape (4, 1, 3, 3)"),
        ({"features.0.weight": torch.zeros(4, 3, 5, 5)}, "slim needs (C, 3, 3, 3)"),
        ({"features.0.weight": torch.zeros(4, 27)}, "relu1_1 has a weight of shape (4, 27)"),
        ({"features.0.weight": torch.zeros(0, 3, 3, 3), "features.0.bias": torch.zeros(0)}, "(0, 3, 3, 3)"),
        ({"features.2.weight": torch.zeros(4, 5, 3, 3)}, "relu1_2 has a weight of shape (4, 5, 3, 3)"),
        ({"features.2.bias": torch.zeros(5)}, "relu1_2 has"),
        ({"features.7.weight": torch.full((8, 8, 3, 3), torch.nan)}, "holds values that are not finite"),
        ({"features.7.bias": torch.tensor([torch.inf] * 8)}, "holds values that are not finite"),
        ({"features.0.bias": torch.tensor([1e300] * 4, dtype=torch.float64)}, "values that are not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_their_layer(changes: dict[str, Tensor], message: str) -> None:
    assert message in _refusal(_safetensors(tiny_state() | changes))


@pytest.mark.parametrize(
    "odd",
    [
        torch.zeros(4, 3, 3, 3, device="meta"),
        torch.zeros(4, 3, 3, 3).to_sparse(),
        torch.zeros(4, 3, 3, 3, dtype=torch.complex64),
    ],
    ids=["meta", "sparse", "complex"],
)
@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
def test_tensors_of_odd_kinds_are_refused(odd: Tensor) -> None:
    assert "relu1_1" in _refusal(_torch(tiny_state() | {"features.0.weight": odd}))


@pytest.mark.parametrize("content", [[], 3, "weights", torch.zeros(3), None])
def test_a_file_without_a_state_dict_is_refused(content: object) -> None:
    kind = type(content).__name__
    assert f"holds a {kind}, not a state dict of tensors" in _refusal(_torch(content))


@pytest.mark.parametrize(
    "content", [{}, {"model": {"features.0.weight": 1}}, {3: 4}, {"a.weight": torch.zeros(1)}]
)
def test_a_state_dict_of_something_else_is_refused(content: object) -> None:
    message = "has no features.0.weight: it is no state dict of vgg19"
    assert message in _refusal(_torch(content), architecture="vgg19")


@pytest.mark.parametrize("data", [b"", b"{", b"PK\x03\x04", b"<!DOCTYPE html>", bytes(100), b"\x80\x02."])
def test_bytes_that_are_no_weights_are_refused(data: bytes) -> None:
    assert "cannot be read as weights: " in _refusal(data)


def test_the_declared_convention_must_be_the_one_asked_for() -> None:
    data = _safetensors(tiny_state(), convention="caffe")
    assert declared_convention(data, source="a") == "caffe"
    assert _loaded(data, convention="caffe").convention == "caffe"
    message = _refusal(data)
    assert "in the convention 'caffe', but 'torchvision' is asked for; set weights.convention" in message


def test_without_a_declared_convention_the_one_asked_for_holds() -> None:
    for data in (_safetensors(tiny_state()), _torch(tiny_state()), _safetensors(tiny_state(), author="me")):
        assert declared_convention(data, source="a") is None
        assert _loaded(data, convention="features").convention == "features"


def test_an_unknown_declared_convention_is_refused_and_not_guessed() -> None:
    data = _safetensors(tiny_state(), convention="bgr")
    assert declared_convention(data, source="a") is None
    assert "'bgr'" in _refusal(data)


def test_the_built_in_weights_reach_their_last_layer() -> None:
    weights = builtin_weights()
    assert weights.layers[-1] == "relu4_1"
    assert (weights.architecture, weights.source) == ("slim", "built-in slim")


class Shop(HTTPServer):
    """Serves one file on loopback and counts how often it was asked."""

    body: bytes = b""
    status = 200
    raw: bytes | None = None
    asked = 0


class _Counter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        shop = cast("Shop", self.server)
        shop.asked += 1
        if shop.raw is not None:
            self.wfile.write(shop.raw)
            return
        self.send_response(shop.status)
        self.send_header("Content-Length", str(len(shop.body)))
        self.end_headers()
        self.wfile.write(shop.body)

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """torchvision's own download path, led to a server here with small weights under their right name."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Shop(("127.0.0.1", 0), _Counter)
    server.body = _torch(tiny_state("vgg19"))
    prefix = hashlib.sha256(server.body).hexdigest()[:8]
    published = Published("vgg19", "VGG19_Weights", "IMAGENET1K_V1", "torchvision", prefix, "none")
    monkeypatch.setattr(module, "PUBLISHED", {**PUBLISHED, "vgg19": published})
    entry = torchvision_models().VGG19_Weights.IMAGENET1K_V1.value
    url, real = f"http://127.0.0.1:{server.server_port}/models/vgg19-{prefix}.pth", entry.url
    object.__setattr__(entry, "url", url)
    hub = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path / "hub"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    object.__setattr__(entry, "url", real)
    torch.hub.set_dir(hub)


def _left_behind() -> list[Path]:
    folder = published_path("vgg19").parent
    return list(folder.iterdir()) if folder.is_dir() else []


def test_published_weights_are_downloaded_once(shop: Shop) -> None:
    for _ in range(2):
        weights = published_weights("vgg19")
        assert weights.layers[-1] == "relu5_4"
        assert weights.source == "torchvision VGG19_Weights.IMAGENET1K_V1"
        assert weights.sha256 == hashlib.sha256(shop.body).hexdigest()
    assert shop.asked == 1
    assert _left_behind() == [published_path("vgg19")]


def test_other_bytes_than_the_published_are_refused_and_leave_nothing(shop: Shop) -> None:
    shop.body = _torch(tiny_state("vgg19", seed=1))
    with pytest.raises(BadWeights, match=r"downloading vgg19-.*failed: invalid hash value") as caught:
        published_weights("vgg19")
    assert "stage the file yourself" in str(caught.value)
    assert _left_behind() == []


def test_a_download_that_ends_early_is_refused_and_leaves_nothing(shop: Shop) -> None:
    whole = len(shop.body)
    shop.raw = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % whole + shop.body[: whole // 2]
    with pytest.raises(BadWeights, match=r"downloading vgg19-.*failed"):
        published_weights("vgg19")
    assert _left_behind() == []


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_server_that_refuses_is_told_with_the_next_step(shop: Shop, status: int) -> None:
    shop.status = status
    with pytest.raises(BadWeights, match=f"HTTP Error {status}") as caught:
        published_weights("vgg19")
    assert "name it under `weights:` with its sha256, or use the built-in encoder slim" in str(caught.value)
    assert _left_behind() == []


def test_a_server_that_speaks_no_http_is_told_likewise(shop: Shop) -> None:
    shop.raw = b"220 mail.example ESMTP\r\n"
    with pytest.raises(BadWeights, match="stage the file yourself"):
        published_weights("vgg19")


def test_a_server_that_hangs_up_is_told_likewise(shop: Shop) -> None:
    shop.raw = b""
    with pytest.raises(BadWeights, match="stage the file yourself"):
        published_weights("vgg19")


def test_a_cache_that_cannot_be_written_is_told_likewise(shop: Shop) -> None:
    folder = published_path("vgg19").parent
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")
    with pytest.raises(BadWeights, match="stage the file yourself"):
        published_weights("vgg19")
    assert shop.asked == 0


def test_a_cached_file_that_was_altered_is_refused_by_name(shop: Shop) -> None:
    published_weights("vgg19")
    path = published_path("vgg19")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BadWeights, match=r"is not vgg19 as published.*delete it and run again") as caught:
        published_weights("vgg19")
    assert str(path) in str(caught.value)
    assert shop.asked == 1


def test_a_cached_file_that_cannot_be_read_is_refused_by_name(shop: Shop) -> None:
    published_path("vgg19").mkdir(parents=True)
    with pytest.raises(BadWeights, match=r"vgg19-\w+\.pth"):
        published_weights("vgg19")
