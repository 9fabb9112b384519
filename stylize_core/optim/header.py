"""The beginning of a saved state's file, which says what it is of; read without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MAGIC = b"stylize state 1\n"
DIGEST_BYTES = 32
LENGTH_BYTES = 8
START = len(MAGIC) + DIGEST_BYTES
"""Where that begins which the digest is of: a safetensors file, led by the length of its header."""
FACTS, LABELS = "facts", "labels"
LARGEST_HEADER_BYTES = 64 * 2**20
"""A loss for each of a million steps takes a third of it."""


@dataclass(frozen=True, slots=True)
class Header:
    """All of a state but its tensors.

    Attributes:
        facts: by path, as JSON has them.
        labels: what whoever keeps the state says of it.
        forms: of the tensors, by path, as safetensors has them.
        end: where their bytes begin in the file.
    """

    facts: Mapping[str, Any]
    labels: Mapping[str, str]
    forms: Mapping[str, Mapping[str, Any]]
    end: int


def read_header(blocks: Iterable[bytes | memoryview]) -> Header:
    """What the file says at its beginning; no more is read than that takes, nor compared with the digest.

    Raises:
        ValueError: it is something else, or not whole.
    """
    data, end = bytearray(), START + LENGTH_BYTES
    for block in blocks:
        data += block[: LARGEST_HEADER_BYTES + end]
        if not data.startswith(MAGIC[: len(data)]) or end > LARGEST_HEADER_BYTES:
            break
        if len(data) >= START + LENGTH_BYTES:
            end = START + LENGTH_BYTES + int.from_bytes(data[START : START + LENGTH_BYTES], "little")
        if START + LENGTH_BYTES < end <= len(data):
            return _parsed(bytes(data[START + LENGTH_BYTES : end]), end)
    raise ValueError("it is not whole, or of another version")


def _parsed(text: bytes, end: int) -> Header:
    try:
        forms = dict(json.loads(text))
        texts = forms.pop("__metadata__")
        facts, labels = (dict(json.loads(texts[name])) for name in (FACTS, LABELS))
        return Header(facts, labels, forms, end)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
