"""Whether staged weights reach the layers that pairs ask for, by a file's beginning. Knows no torch.

Safetensors files and .pth files begin with the names of their tensors, so one block tells. Nothing of the
file is unpickled, and its digest is the run's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flows.errors import Problem, StorageError
from flows.storage.opening import read_blocks
from flows.text import safe_text
from stylize_core.architecture import INCEPTION_LAYERS, convolutions, in_words, usable_layers
from stylize_core.settings.style import StyleSettings

_TENSOR = re.compile(rb"(?<![\w.])(features\.\d+|conv\d_\d|conv\d|inception\d[a-e])\.[\w.]*weight")


def check_weights(settings: Iterable[StyleSettings]) -> tuple[list[Problem], list[str]]:
    """Problems with files that end before a layer that is asked for, and warnings about those that are gone.

    Args:
        settings: of all pairs that are to do; each file is looked into once.
    """
    asked: dict[tuple[str, str], dict[str, StyleSettings]] = {}
    for one in {id(one): one for one in settings}.values():  # a hundred thousand pairs share a few
        if one.weights is not None:
            asked.setdefault((one.weights.file, one.encoder), {})[repr(one.layers)] = one
    problems, warnings = [], []
    for (file, encoder), several in asked.items():
        try:
            reached = layers_begun(next(read_blocks(file), b""), encoder)
        except StorageError as error:
            warnings.append(safe_text(f"{error}; no pair with these weights can be made"))
            continue
        problems += [problem for one in several.values() if (problem := _too_deep(one, file, reached))]
    return problems, warnings


def layers_begun(beginning: bytes, encoder: str) -> tuple[str, ...]:
    """The layers that a weights file reaches; none where its beginning does not say.

    >>> layers_begun(b'{"features.0.weight":{},"features.2.weight":{},"features.10.weight":{}', "vgg19")
    ('relu1_1', 'relu1_2', 'pool1')
    """
    names = {match[1].decode() for match in _TENSOR.finditer(beginning)}
    if encoder == "googlenet":
        candidates = [(layer, {layer}) for layer in INCEPTION_LAYERS]
    else:
        candidates = [
            (one.relu, {f"features.{one.index}", one.relu.replace("relu", "conv")})
            for one in convolutions(encoder)
        ]
    found: list[str] = []
    for layer, spellings in candidates:
        if names.isdisjoint(spellings):
            break
        found.append(layer)
    return usable_layers(encoder, found)


def _too_deep(settings: StyleSettings, file: str, reached: Sequence[str]) -> Problem | None:
    deep = set(settings.layers).difference(reached)
    if not reached or not deep:
        return None
    said = [
        f"`{key}` asks for {' and '.join(layer for layer in layers if layer in deep)}"
        for key, layers in _by_key(settings).items()
        if deep.intersection(layers)
    ]
    return Problem(
        "settings.weights",
        f"{safe_text(file)} has {in_words(reached)}, but {', '.join(said)}; choose layers that it has, or "
        "give weights that go further",
    )


def _by_key(settings: StyleSettings) -> dict[str, Sequence[str]]:
    """The layers that each setting asks for, its own or the encoder's, as far as the mode uses it."""
    if settings.mode == "dream":
        return {"dream_layers": [name.partition(":")[0] for name in settings.dream_layer_weights]}
    return {
        "content_layers": list(settings.content_layer_weights) if settings.uses_content else [],
        "style_layers": list(settings.style_layer_weights) if settings.uses_style else [],
    }
