"""States: dataclasses of tensors, plain values and other states, which can be copied, saved and restored.

What is saved knows no classes: tensors and plain values by their paths, such as `solver.pairs.buffer`. It is
read back into a state of the same form, place by place, so nothing in a file decides what is built.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import chain
from math import prod
from typing import Any, BinaryIO, TypeVar, cast

import torch
from torch import Tensor

from stylize_core.optim.header import (
    DIGEST_BYTES,
    FACTS,
    LABELS,
    LENGTH_BYTES,
    MAGIC,
    START,
    read_header,
)

_FORMATS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}

_DTYPES = {name: dtype for dtype, name in _FORMATS.items()}

T = TypeVar("T")


class UnfitState(Exception):
    """What was saved is not whole, or not a state of the form that is asked for."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A state apart from what it is the state of.

    Attributes:
        tensors: by path; those of a living state are its own.
        facts: all other values by path, as JSON has them.
        labels: what whoever keeps it says of it.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Of its tensors, which is nearly all of it."""
        return sum(value.nbytes for value in self.tensors.values())

    def write_to(self, file: BinaryIO) -> None:
        """Write a digest of all that follows, and a safetensors file with all but tensors in its header.

        One tensor at a time is copied to the CPU, since a state may fill the memory that there is.
        """
        texts = {FACTS: json.dumps(dict(self.facts)), LABELS: json.dumps(dict(self.labels))}
        header: dict[str, object] = {"__metadata__": texts}
        # The widest numbers first and the header filled up, so that each lies where its format wants it.
        tensors = dict(sorted(self.tensors.items(), key=lambda item: -item[1].itemsize))
        end = 0
        for path, value in tensors.items():
            place = [end, end := end + value.nbytes]
            form = {"dtype": _FORMATS[value.dtype], "shape": list(value.shape), "data_offsets": place}
            header[path] = form
        text = json.dumps(header).encode()
        text += b" " * (-(START + LENGTH_BYTES + len(text)) % 8)
        file.write(MAGIC + bytes(DIGEST_BYTES))
        digest = hashlib.sha256()
        for block in chain((len(text).to_bytes(LENGTH_BYTES, "little"), text), map(_raw, tensors.values())):
            digest.update(block)
            file.write(block)
        file.seek(len(MAGIC))
        file.write(digest.digest())

    @staticmethod
    def read_from(file: BinaryIO) -> Saved:
        """What `write_to` wrote; its tensors are the file's own bytes, of which none is copied.

        Args:
            file: a file on disk, whose pages come into memory as they are asked for, or one in memory.

        Raises:
            UnfitState: it is something else, or was altered.
        """
        data = _mapped(file)
        if not data or hashlib.sha256(data[START:]).digest() != data[len(MAGIC) : START]:
            raise UnfitState("it is not whole, or of another version")
        try:
            header = read_header([data])
            tensors = {path: _tensor(data, form, header.end) for path, form in header.forms.items()}
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise UnfitState(f"it cannot be read: {error}") from error
        return Saved(tensors, header.facts, header.labels)


def _mapped(file: BinaryIO) -> memoryview:
    """All bytes of a file; changes of them reach nobody."""
    if isinstance(file, io.BytesIO):
        return memoryview(bytearray(file.getbuffer()))
    size = file.seek(0, io.SEEK_END)
    return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) if size else b"")


def _tensor(data: memoryview, form: Mapping[str, Any], start: int) -> Tensor:
    """A tensor in place, checked against the bytes that there are."""
    shape, dtype = list(map(int, form["shape"])), _DTYPES[form["dtype"]]
    begin, end = (start + int(offset) for offset in form["data_offsets"])
    count = prod(shape)
    if (
        min([0, *shape]) < 0
        or not start <= begin <= end <= len(data)
        or count * dtype.itemsize != end - begin
    ):
        raise ValueError("a tensor does not lie where it is said to")
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(data, dtype=dtype, count=count, offset=begin).view(shape)


def saved(state: object) -> Saved:
    """All that a state holds; its tensors are the state's own, and go on with it."""
    tensors = buffers(state)
    return Saved(tensors, {path: value for path, value in _places(state) if path not in tensors})


def restore(state: object, found: Saved) -> None:
    """Let a state be what was saved; its buffers stay where they are.

    Raises:
        UnfitState: it is of another form; then the state is as it was.
    """
    places = dict(_places(state))
    tensors = {path: value for path, value in places.items() if isinstance(value, Tensor)}
    if tensors.keys() != found.tensors.keys() or places.keys() - tensors.keys() != found.facts.keys():
        raise UnfitState("it has other parts")
    for path, value in tensors.items():
        if (value.shape, value.dtype) != (found.tensors[path].shape, found.tensors[path].dtype):
            raise UnfitState(f"its {path} has another form")
    for path, fact in found.facts.items():
        if not _alike(places[path], fact):
            raise UnfitState(f"its {path} is of another kind")
    for path, value in tensors.items():
        value.copy_(found.tensors[path])
    for path, fact in found.facts.items():
        _set(state, path, fact)


def keep_rows(state: object, rows: Tensor) -> None:
    """Of every tensor of a state, keep the given rows, by their numbers; buffers are made anew."""
    _each_tensor(state, lambda value: value[rows])


def one_row(state: T, row: int) -> T:
    """The state of one row alone, whose tensors are views."""
    alone = _copied(state)
    _each_tensor(alone, lambda value: value[row : row + 1])
    return alone


def buffers(state: object) -> dict[str, Tensor]:
    """Every tensor of a state by its path."""
    return {path: value for path, value in _places(state) if isinstance(value, Tensor)}


def _raw(value: Tensor) -> bytes | memoryview:
    """A tensor's values as they lie in memory, without a copy where it is on the CPU."""
    flat = value.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().data if flat.numel() else b""


def _places(state: object, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is neither a dataclass nor a list of such, with its path."""
    for name, value in _parts(state):
        if is_dataclass(value) or _is_list_of_states(value):
            yield from _places(value, f"{path}{name}.")
        else:
            yield path + name, value


def _parts(state: object) -> list[tuple[str, Any]]:
    if isinstance(state, list):
        return [(str(at), value) for at, value in enumerate(state)]
    return [(one.name, getattr(state, one.name)) for one in fields(cast("Any", state))]


def _is_list_of_states(value: object) -> bool:
    return isinstance(value, list) and bool(value) and is_dataclass(value[0])


def _each_tensor(state: object, change: Callable[[Tensor], Tensor]) -> None:
    for path, value in buffers(state).items():
        _set(state, path, change(value))


def _set(state: object, path: str, value: object) -> None:
    *owners, name = path.split(".")
    for owner in owners:
        state = state[int(owner)] if isinstance(state, list) else getattr(state, owner)
    setattr(state, name, value)


def _copied(state: T) -> T:
    """A state of its own that shares all tensors and plain values."""
    made = copy.copy(state)
    for name, value in _parts(state):
        if is_dataclass(value):
            setattr(made, name, _copied(value))
    return made


def _alike(one: object, other: object) -> bool:
    """Whether values are of one kind; a whole number may stand for any number."""
    if isinstance(one, float):
        return isinstance(other, float) or type(other) is int
    return type(one) is type(other)
