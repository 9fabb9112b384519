"""The JSON Schema by which editors complete and check manifests; made from the descriptions, never by hand.

It is draft 7, which every YAML language server reads. What a schema cannot say (layers of the encoder in use,
settings that contradict each other, paths) is checked when the manifest is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from flows.manifest.model import (
    BLEND_KEYS,
    CHECKPOINT,
    CONTENT_KEYS,
    DEVICE,
    FOREIGN_FILES,
    LIST_FORMATS,
    NO_CHECKPOINT,
    PAIR_KEYS,
    REGION_KEYS,
    REQUIRED,
    S3_KEYS,
    STYLE_KEYS,
    TOP_KEYS,
)
from flows.manifest.settings import SETTINGS, WEIGHTS_KEYS, Setting
from flows.model.durations import FORM
from flows.storage.access import ENCRYPTIONS
from flows.storage.location import BUCKET
from stylize_core.architecture import ARCHITECTURES, layer_names
from stylize_core.settings.fields import Crop
from stylize_core.settings.layers import Layers
from stylize_core.settings.picture_size import Size
from stylize_core.settings.weights_file import WeightsFile

_TEXT = {"type": "string", "minLength": 1}
_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum"}


def manifest_schema() -> dict[str, Any]:
    """The schema of a whole manifest."""
    settings = {"allOf": [{"$ref": "#/definitions/settings"}]}  # beside a bare $ref, a description is ignored
    sweep = {"allOf": [{"$ref": "#/definitions/sweep"}]}
    several = {"settings": settings, "sweep": sweep}
    blend = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "number", "minimum": 0}}
    blended = _object(BLEND_KEYS, REQUIRED["blend"], {"blend": blend})
    weight = {"type": "number", "exclusiveMinimum": 0, "default": 1}
    region_style = {"anyOf": [_TEXT, {**blended, "required": ["blend"]}]}
    region = _object(REGION_KEYS, REQUIRED["region"], {"style": region_style, "weight": weight})
    region["dependencies"] = {"style_mask": ["style"]}
    styled = {"style": {"anyOf": [_TEXT, blended]}, "regions": _list(region)}
    pair = _object(PAIR_KEYS, REQUIRED["pair"], several | styled)
    pair["anyOf"] = [{"required": [role]} for role in ("content", "style")]
    content = _entry(CONTENT_KEYS, {}, ("content", "list"))
    style = _entry(STYLE_KEYS, several | {"blend": blend}, ("style", "list", "blend"))
    types: dict[str, dict[str, Any]] = {
        "version": {"const": 1},
        "device": {"type": "string", "pattern": f"^({DEVICE})$"},
        "batch": {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 9999}]},
        "timeout": {"anyOf": [{"type": "number", "minimum": 1}, {"type": "string", "pattern": f"^{FORM}$"}]},
        "checkpoint": {
            "anyOf": [
                {"const": NO_CHECKPOINT},
                {"type": "number", "minimum": 1},
                {"type": "string", "pattern": f"^{FORM}$"},
            ],
            "default": CHECKPOINT,
        },
        "settings": settings,
        "sweep": sweep,
        "sheet": {"type": "boolean", "default": True},
        "html": {"type": "boolean", "default": True},
        "exclude": _list(_TEXT),
        "allow_empty": {"type": "boolean", "default": False},
        "foreign_files": {"enum": list(FOREIGN_FILES), "default": FOREIGN_FILES[0]},
        "s3": _s3(),
        "contents": _list({"anyOf": [_TEXT, content]}),
        "styles": _list({"anyOf": [_TEXT, style]}),
        "pairs": _list(pair),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "stylize manifest",
        **_object(TOP_KEYS, REQUIRED["top"], types),
        "anyOf": [{"required": [key]} for key in ("contents", "styles", "pairs")],
        "definitions": {"settings": _settings(SETTINGS), "sweep": _sweep(SETTINGS)},
    }


def _entry(
    keys: Mapping[str, str], types: Mapping[str, dict[str, Any]], kinds: tuple[str, ...]
) -> dict[str, Any]:
    """An entry that stands for pictures in one of several ways."""
    entry = _object(keys, (), {**types, "format": {"enum": list(LIST_FORMATS)}})
    entry["oneOf"] = [{"required": list(REQUIRED[kind])} for kind in kinds]
    entry["dependencies"] = {
        "column": ["list"],
        "format": ["list"],
        "list": {"properties": dict.fromkeys(("name", "blend"), False)},
    }
    return entry


def _s3() -> dict[str, Any]:
    """What buckets want, by their names."""
    flag = {"type": "boolean", "default": False}
    types: dict[str, dict[str, Any]] = {
        "unsigned": flag,
        "requester_pays": flag,
        "encryption": {"enum": list(ENCRYPTIONS)},
    }
    names = {"pattern": f"^{BUCKET}$"}
    access = _object(S3_KEYS, (), types)
    kms = {"required": ["encryption"], "properties": {"encryption": {"pattern": "^aws:kms"}}}
    access["dependencies"] = {"kms_key": kms}
    access["if"] = {"required": ["unsigned"], "properties": {"unsigned": {"const": True}}}
    access["then"] = {"maxProperties": 1}
    return {"type": "object", "minProperties": 1, "propertyNames": names, "additionalProperties": access}


def _list(entry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": entry}


def _object(
    keys: Mapping[str, str], required: tuple[str, ...], types: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """A mapping with these keys and no others; a key without a type of its own holds text."""
    described = {key: {**types.get(key, _TEXT), "description": about} for key, about in keys.items()}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": described,
    }


def _settings(settings: Mapping[str, Setting]) -> dict[str, Any]:
    required = [key for key, setting in settings.items() if setting.required]
    properties = {key: _setting(setting) for key, setting in settings.items()}
    closed = {"type": "object", "additionalProperties": False, "properties": properties}
    return closed | ({"required": required} if required else {})


def _sweep(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """A mapping of settings to lists of their values."""
    properties = {
        key: {**_list(_type(setting)), "uniqueItems": True, "description": setting.about}
        for key, setting in settings.items()
    }
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": properties}


def _setting(setting: Setting) -> dict[str, Any]:
    """One setting; its default stands with it where it is a plain value."""
    described = {**_type(setting), "description": setting.about}
    if isinstance(setting.default, (bool, int, float, str)):
        described["default"] = setting.default
    return described


def _type(setting: Setting) -> dict[str, Any]:
    if setting.key == "init":  # a word, or the path of a picture
        return _TEXT
    if get_origin(setting.kind) is Literal:
        return {"enum": list(get_args(setting.kind))}
    if setting.kind == Layers:
        return _layers(channels=setting.key == "dream_layers")
    if setting.kind == Size:
        number = {"type": "integer", **{_LIMITS[name]: limit for name, limit in setting.limits.items()}}
        return {"anyOf": [number, {"const": "original"}]}
    if setting.kind == Crop:
        share = {"type": "number", **{_LIMITS[name]: limit for name, limit in setting.limits.items()}}
        return {"type": "array", "minItems": 4, "maxItems": 4, "items": share}
    if setting.kind == WeightsFile | None:
        return {"anyOf": [{"type": "null"}, _settings(WEIGHTS_KEYS)]}
    if setting.key == "sha256":
        return {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    plain = {int: "integer", float: "number", bool: "boolean", str: "string"}[setting.kind]
    return {"type": plain, **{_LIMITS[name]: limit for name, limit in setting.limits.items()}}


def _layers(*, channels: bool) -> dict[str, Any]:
    every = sorted({name for encoder in ARCHITECTURES for name in layer_names(encoder)})
    name = {"pattern": f"^({'|'.join(every)})(:(0|[1-9][0-9]{{0,3}}))?$"} if channels else {"enum": every}
    weights = {"type": "object", "propertyNames": name}
    return {
        "anyOf": [
            {"type": "array", "uniqueItems": True, "items": name},
            {**weights, "additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
        ]
    }
