"""Where weights come from. The digest is checked first; only then are the bytes parsed, and only safely."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPException
from importlib import resources
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from stylize_core.architecture import (
    PACKAGED,
    PUBLISHED,
    Architecture,
    ConventionName,
    Convolution,
    Published,
    convolutions,
)
from stylize_core.errors import BadWeights
from stylize_core.networks.inception import inception_parameters, inception_reach


@dataclass(frozen=True, slots=True)
class Convention:
    """How a picture in RGB 0..1 is prepared: `((rgb - mean) / std)`, channels reordered."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: tuple[int, int, int] = (0, 1, 2)


CONVENTIONS: Mapping[str, Convention] = {
    "torchvision": Convention(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "features": Convention(mean=(0.48235, 0.45882, 0.40784), std=(1 / 255, 1 / 255, 1 / 255)),
    # The original Caffe models see BGR in 0..255 minus the mean of their training pictures.
    "caffe": Convention(
        mean=(123.68 / 255, 116.779 / 255, 103.939 / 255), std=(1 / 255, 1 / 255, 1 / 255), channels=(2, 1, 0)
    ),
}
# torchvision's GoogLeNet was converted from a network that saw pictures in -1..1.
_GOOGLENET = Convention(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Convolutions with all that is needed to use them rightly.

    Attributes:
        parameters: `features.<index>.weight` [C_out, C_in, 3, 3] and `.bias` [C_out], or GoogLeNet's under
            torchvision's names; float32, on the CPU.
        sha256: digest of the file that they came from.
        source: where they came from, for messages and records.
    """

    architecture: Architecture
    convention: ConventionName
    parameters: Mapping[str, Tensor]
    sha256: str
    source: str

    @property
    def prepared_as(self) -> Convention:
        """How pictures are prepared for them."""
        return _GOOGLENET if self.architecture == "googlenet" else CONVENTIONS[self.convention]

    @property
    def layers(self) -> tuple[str, ...]:
        """The ReLU layers that these weights reach; the pooling after a whole block is reached with it."""
        if self.architecture == "googlenet":
            return inception_reach(self.parameters)
        return tuple(
            c.relu for c in convolutions(self.architecture) if f"features.{c.index}.weight" in self.parameters
        )


def builtin_bytes(name: str = "slim") -> bytes:
    """A file of the built-in encoder; see `PACKAGED`."""
    return resources.files("stylize_core").joinpath(f"networks/pretrained/{name}.safetensors").read_bytes()


def builtin_weights() -> Weights:
    """The built-in encoder `slim`; the digest is that of its first three blocks."""
    data, source = builtin_bytes(), "built-in slim"
    digest = hashlib.sha256(data).hexdigest()
    front = weights_from_bytes(
        data, sha256=digest, architecture="slim", convention="torchvision", source=source
    )
    block, _ = _parse(builtin_bytes(PACKAGED[1]), source)
    both = {**front.parameters, **block}
    return replace(front, parameters=_fitting(both, convolutions("slim"), source=source, architecture="slim"))


def weights_by_name(name: Architecture) -> Weights:
    """The weights of an encoder that nobody staged: `slim` is built in, the others are published.

    Raises:
        BadWeights: see `published_weights`.
    """
    return builtin_weights() if name == "slim" else published_weights(name)


def published_weights(name: str) -> Weights:
    """torchvision's pretrained network, downloaded once into torch's own cache and checked at every start.

    `name` is `vgg19`, `vgg16` or `googlenet`.

    Raises:
        BadWeights: the download failed, or the bytes are not the published ones.
    """
    published = PUBLISHED[name]
    path = published_path(name)
    if not path.exists():
        _download(published, path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadWeights(f"{path} cannot be read: {error.strerror}; make it readable or delete it") from error
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(published.sha256_prefix):
        raise BadWeights(
            f"{path} is not {name} as published: its sha256 begins with {digest[:8]}, not "
            f"{published.sha256_prefix}; delete it and run again to download it anew"
        )
    return weights_from_bytes(
        data,
        sha256=digest,
        architecture=published.architecture,
        convention=published.convention,
        source=f"torchvision {published.enum}.{published.member}",
    )


def published_path(name: str) -> Path:
    """Where torch keeps, or would keep, the published weights."""
    return Path(torch.hub.get_dir()) / "checkpoints" / published_url(name).rsplit("/", 1)[-1]


def published_url(name: str) -> str:
    """Where torchvision has the published weights."""
    return str(_published(name).url)


def published_mib(name: str) -> float:
    """How large the published file is, in MiB, as torchvision says."""
    return float(_published(name).meta["_file_size"])


def weights_from_bytes(
    data: bytes, *, sha256: str, architecture: Architecture, convention: ConventionName, source: str
) -> Weights:
    """Weights out of a safetensors or .pth file.

    Args:
        data: the whole file.
        sha256: what its digest must be; checked before anything is parsed.
        architecture: the network that the file must fit; it may end early, after any convolution.
        convention: how pictures are prepared for it.
        source: name of the file, for messages.

    Raises:
        BadWeights: another digest, an unreadable or unsafe file, or tensors that do not fit.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise BadWeights(f"{source}: digest mismatch: expected sha256 {sha256}, got {digest}")
    state, declared = _parse(data, source)
    if declared.get("convention", convention) != convention:
        raise BadWeights(
            f"{source} says that it is made for pictures in the convention {declared['convention']!r}, "
            f"but {convention!r} is asked for; set weights.convention accordingly"
        )
    if architecture == "googlenet":
        parameters = inception_parameters(state, source=source)
    else:
        parameters = _fitting(state, convolutions(architecture), source=source, architecture=architecture)
    return Weights(
        architecture=architecture,
        convention=convention,
        parameters=parameters,
        sha256=digest,
        source=source,
    )


def declared_convention(data: bytes, *, source: str) -> ConventionName | None:
    """The convention that a file's own metadata names; None where it names none.

    Raises:
        BadWeights: the file cannot be read.
    """
    named = _parse(data, source)[1].get("convention")
    return cast("ConventionName", named) if named in CONVENTIONS else None


def _parse(data: bytes, source: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """Tensors and declared metadata; a pickle is only ever read by torch's restricted loader."""
    try:
        if data[8:9] == b"{":
            return safetensors.torch.load(data), _metadata(data)
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors, zipfile, pickle and torch each raise their own kinds
        raise BadWeights(f"{source} cannot be read as weights: {_reason(error)}") from error
    if not isinstance(state, Mapping):
        raise BadWeights(f"{source} holds a {type(state).__name__}, not a state dict of tensors")
    return state, {}


def _reason(error: Exception) -> str:
    """The error's first line; but torch's advice to load a pickle unsafely must not reach anybody."""
    if isinstance(error, pickle.UnpicklingError):
        return (
            "it is neither a safetensors file nor a .pth state dict of plain tensors; nothing else is loaded"
        )
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return dict(header.get("__metadata__", {}))


def _fitting(
    state: Mapping[str, Any], chain: tuple[Convolution, ...], *, source: str, architecture: str
) -> dict[str, Tensor]:
    """The leading convolutions of `chain` found in `state`, checked to fit one another."""
    kept: dict[str, Tensor] = {}
    channels = 3
    for convolution in chain:
        named = _weight_and_bias(state, convolution)
        if named is None:
            break
        weight, bias = named
        if any(v.layout != torch.strided or v.is_meta or not v.is_floating_point() for v in named):
            raise BadWeights(f"{source}: {convolution.relu} holds no plain real numbers")
        if (
            0 in weight.shape
            or weight.ndim != 4
            or weight.shape[1:] != (channels, 3, 3)
            or bias.shape != weight.shape[:1]
        ):
            raise BadWeights(
                f"{source}: {convolution.relu} has a weight of shape {tuple(weight.shape)}; "
                f"{architecture} needs (C, {channels}, 3, 3)"
            )
        channels = weight.shape[0]
        kept[f"features.{convolution.index}.weight"] = weight.to(torch.float32)
        kept[f"features.{convolution.index}.bias"] = bias.to(torch.float32)
    if not kept:
        raise BadWeights(f"{source} has no features.0.weight: it is no state dict of {architecture}")
    if not all(bool(torch.isfinite(value).all()) for value in kept.values()):
        raise BadWeights(f"{source} holds values that are not finite")
    return kept


def _weight_and_bias(state: Mapping[str, Any], convolution: Convolution) -> tuple[Tensor, Tensor] | None:
    """By torchvision's index, or by the paper's name as the first converted Caffe files have it."""
    for stem in (f"features.{convolution.index}", convolution.relu.replace("relu", "conv")):
        weight, bias = state.get(f"{stem}.weight"), state.get(f"{stem}.bias")
        if isinstance(weight, Tensor) and isinstance(bias, Tensor):
            return weight, bias
    return None


def _published(name: str) -> Any:
    import torchvision

    return getattr(torchvision.models, PUBLISHED[name].enum)[PUBLISHED[name].member]


def _download(published: Published, path: Path) -> None:
    download: Callable[..., None] = torch.hub.download_url_to_file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download(
            published_url(published.architecture),
            str(path),
            hash_prefix=published.sha256_prefix,
            progress=False,
        )
    except (OSError, RuntimeError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise BadWeights(
            f"{published.architecture}: downloading {path.name} failed: {error}; stage the file yourself and "
            "name it under `weights:` with its sha256, or use the built-in encoder slim"
        ) from error
