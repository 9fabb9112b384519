"""Everything that the core can refuse or fail at, as one tree.

StylizeError
  SettingsError        a setting is out of range, unknown or contradicts another
  BadImage             bytes that are not a picture we accept, or a broken one
    ImageTooLarge      more pixels than allowed, judged from the header
    ImageTooSmall      fewer pixels than the encoder can see
  BadWeights           weights absent, altered, or of another network
  MissingExtra         an optional part of the installation is needed and not there
  DeviceUnavailable    a device was asked for and is not there
  OutOfMemory          the device's memory does not hold the pair
  Diverged             the optimisation left the finite numbers for good

`kind` is the word that records and reports use; it never changes for a given class.
"""

from __future__ import annotations

from typing import ClassVar


class StylizeError(Exception):
    """Any failure that `stylize_core` raises on purpose; its text is fit for a user."""

    kind: ClassVar[str] = "error"


class SettingsError(StylizeError):
    """One setting is wrong; `key` and `value` say which."""

    kind = "settings"

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(key, value, expected)
        self.key, self.value, self.expected = key, value, expected

    def __str__(self) -> str:
        return f"{self.key}: {self.value!r} is not accepted; {self.expected}"


class BadImage(StylizeError):
    """The bytes are not a complete picture of an accepted format."""

    kind = "bad_image"


class ImageTooLarge(BadImage):
    """The header announces more pixels than allowed; nothing was decoded."""

    kind = "too_large"


class ImageTooSmall(BadImage):
    """The picture is too small for the network to see anything in it."""

    kind = "too_small"


class BadWeights(StylizeError):
    """The weights are missing, not the promised bytes, or do not fit the network."""

    kind = "bad_weights"


class MissingExtra(StylizeError):
    """A setting needs a library that is installed on demand only; the text says how."""

    kind = "missing_extra"


class DeviceUnavailable(StylizeError):
    """The device that was asked for does not exist on this machine."""

    kind = "device_unavailable"


class OutOfMemory(StylizeError):
    """The device, or the machine, ran out of memory while it worked on the pair."""

    kind = "out_of_memory"


class Diverged(StylizeError):
    """The loss stayed non-finite after every remedy."""

    kind = "diverged"
