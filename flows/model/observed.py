"""What a pair took, as far as that says how long others like it will take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """What has one speed: equal kinds differ by their work alone.

    Attributes:
        device: as `device_kind` has it.
        encoder: the network's name.
        precision: as it was asked for.
        solver: the optimizer; `dream` for a dream, which has none.
        small: whether one CPU thread computes it.
    """

    device: str
    encoder: str
    precision: str
    solver: str
    small: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What a pair took.

    Attributes:
        pixels: of the result.
        work: of this pair alone, see `Work.total`.
        device_s: of the device, for this pair's share of its batch.
        beside_s: reading, encoding and writing, which go on beside the device.
        look: how the result is written, see `look_of`.
        output_bytes: of the result's file.
        memory: what the device held at most over what was expected; None if it was not measured.
    """

    kind: Kind
    pixels: int
    work: float
    device_s: float
    beside_s: float
    look: str
    output_bytes: int
    memory: float | None = None
