"""The beginning of a saved state's file, which says what it is of; read without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MAGIC = b"stylize state 1\n"
DIGEST_BYTES = 32
FACTS, LABELS = "facts", "labels"
LARGEST_HEADER_BYTES = 64 * 2**20
"""A loss for each of a million steps takes a third of it."""

_START = len(MAGIC) + DIGEST_BYTES
_LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Header:
    """All of a state but its tensors.

    Attributes:
        facts: by path, as JSON has them.
        labels: what whoever keeps the state says of it.
    """

    facts: Mapping[str, Any]
    labels: Mapping[str, str]


def read_header(blocks: Iterable[bytes]) -> Header:
    """What the file says, which may be altered: nothing is compared with its digest; reads no further.

    Raises:
        ValueError: it is something else, or not whole.
    """
    data, end = bytearray(), _START + _LENGTH_BYTES
    for block in blocks:
        data += block
        if not data.startswith(MAGIC[: len(data)]):
            break
        if len(data) >= _START + _LENGTH_BYTES:
            end = _START + _LENGTH_BYTES + int.from_bytes(data[_START : _START + _LENGTH_BYTES], "little")
        if end > LARGEST_HEADER_BYTES:
            break
        if len(data) >= end > _START + _LENGTH_BYTES:
            return parsed_header(bytes(data[_START:end]))
    raise ValueError("it is not whole, or of another version")


def parsed_header(body: bytes) -> Header:
    """The header of a safetensors file, which begins with its length.

    Raises:
        ValueError: it cannot be read.
    """
    size = int.from_bytes(body[:_LENGTH_BYTES], "little")
    try:
        texts = json.loads(body[_LENGTH_BYTES : _LENGTH_BYTES + size])["__metadata__"]
        return Header(*(dict(json.loads(texts[name])) for name in (FACTS, LABELS)))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
