"""The fields of settings: how they describe themselves, are checked against that, and are spelled."""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, field, fields
from functools import cache
from typing import Any, Literal, TypeVar

from stylize_core.errors import SettingsError
from stylize_core.settings.picture_size import Size

S = TypeVar("S")

Crop = tuple[float, float, float, float]
"""Left, top, right and bottom, in shares of a picture's sides."""

WHOLE: Crop = (0.0, 0.0, 1.0, 1.0)


def setting(default: Any, about: str, *, quiet: bool = False, **limits: float) -> Any:
    """A documented dataclass field; `limits` are any of ge, gt, le.

    A `quiet` one is not spelled while it has its default: pictures that do not use it keep their identity.
    """
    return field(default=default, metadata={"about": about, "quiet": quiet, **limits})


def setting_fields(cls: type) -> Iterator[tuple[Field[Any], Any, Any]]:
    """Each field of a settings class with its resolved type and its default."""
    hints = _hints(cls)
    for f in fields(cls):
        yield f, hints[f.name], None if f.default is MISSING else f.default


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Resolving annotations takes a millisecond, and a manifest may build a hundred thousand settings."""
    return typing.get_type_hints(cls)


def documented(settings: type[S]) -> type[S]:
    """The settings class with every field in its docstring: meaning, range and default."""
    lines = []
    for f, hint, default in setting_fields(settings):
        if typing.get_origin(hint) is Literal:
            takes = "one of " + ", ".join(map(str, typing.get_args(hint)))
        else:
            takes = range_in_words(f.metadata).strip()
        told = "; ".join(part for part in (f.metadata["about"], takes) if part)
        lines.append(f"    {f.name}: {told}; {default!r} unless given.")
    settings.__doc__ = "\n".join([inspect.cleandoc(settings.__doc__ or ""), "", "Attributes:", *lines])
    return settings


def range_in_words(limits: Mapping[str, Any]) -> str:
    """What the limits ge, gt and le leave, in words that go on behind `a number`.

    >>> range_in_words({"ge": 0, "le": 16})
    ' from 0 to 16'
    """
    said = {name: f"{limit:g}" if isinstance(limit, float) else str(limit) for name, limit in limits.items()}
    low = f" from {said['ge']}" if "ge" in said else f" above {said['gt']}" if "gt" in said else ""
    if "le" not in said:
        return low
    return f"{low} to {said['le']}" if "ge" in said else f"{low} and at most {said['le']}"


def check_fields(settings: Any) -> None:
    """Hold every field of a settings object against its type and limits.

    Raises:
        SettingsError: naming key, value and what is expected.
    """
    for f, hint, _ in setting_fields(type(settings)):
        if typing.get_origin(hint) is Literal:
            check_choice(settings, f.name, f.name)
        elif hint in (int, float):
            check_number(f.name, getattr(settings, f.name), hint, f.metadata)
        elif hint == Size:
            check_size(f.name, getattr(settings, f.name), f.metadata)
        elif hint == Crop:
            _check_crop(f.name, getattr(settings, f.name), f.metadata)


def check_choice(settings: Any, name: str, key: str) -> None:
    """Refuse, under the name `key`, a value that the field's type does not list.

    Raises:
        SettingsError: naming key, value and the choices.
    """
    cls: type = settings.__class__
    choices = typing.get_args(_hints(cls)[name])
    value = getattr(settings, name)
    if not any(value == choice and type(value) is type(choice) for choice in choices):
        raise SettingsError(key, value, "choose one of " + ", ".join(str(choice) for choice in choices))


def check_number(key: str, value: Any, kind: type, limits: Mapping[str, Any]) -> None:
    """Refuse what is no finite number of that kind, or beyond the limits ge, gt and le.

    Raises:
        SettingsError: naming key, value and what is expected.
    """
    accepted = (int,) if kind is int else (int, float)
    proper = isinstance(value, accepted) and not isinstance(value, bool)
    if not proper or (isinstance(value, float) and not math.isfinite(value)):
        raise SettingsError(key, value, f"it must be a finite {'whole ' if kind is int else ''}number")
    if "ge" in limits and value < limits["ge"]:
        raise SettingsError(key, value, f"it must be at least {limits['ge']}")
    if "gt" in limits and value <= limits["gt"]:
        raise SettingsError(key, value, f"it must be above {limits['gt']}")
    if "le" in limits and value > limits["le"]:
        raise SettingsError(key, value, f"it must be at most {limits['le']}")


def check_size(key: str, value: Any, limits: Mapping[str, Any]) -> None:
    """Refuse what is neither `original` nor a number of pixels within the limits.

    Raises:
        SettingsError: naming key, value and what is expected.
    """
    if isinstance(value, str):
        if value != "original":
            raise SettingsError(key, value, "it must be a whole number of pixels, or `original`")
    else:
        check_number(key, value, int, limits)


def _check_crop(key: str, region: Any, limits: Mapping[str, Any]) -> None:
    if not isinstance(region, tuple) or len(region) != 4:
        raise SettingsError(key, region, "it must be (left, top, right, bottom), each from 0 to 1")
    for share in region:
        check_number(key, share, float, limits)
    left, top, right, bottom = region
    if left >= right or top >= bottom:
        raise SettingsError(key, list(region), "left must be below right, and top below bottom")


def plain(settings: Any, *, leave_out: str = "") -> dict[str, Any]:
    """Field values by name, with 10 and 10.0, and 0.0 and -0.0, spelled alike where a float is meant."""
    return {
        f.name: _plain_value(getattr(settings, f.name), hint)
        for f, hint, default in setting_fields(type(settings))
        if f.name != leave_out and not (f.metadata.get("quiet") and getattr(settings, f.name) == default)
    }


def every_value(settings: Any) -> dict[str, Any]:
    """All field values by name as `plain` spells them, those included that are left as they are."""
    return {
        f.name: _plain_value(getattr(settings, f.name), hint) for f, hint, _ in setting_fields(type(settings))
    }


def _plain_value(value: Any, hint: Any) -> Any:
    if hint == Crop:
        return [float(share) + 0.0 for share in value]
    return float(value) + 0.0 if hint is float else value
