"""The settings that a manifest may hold, as the settings' own fields describe them, and how they add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Literal, NamedTuple, get_args, get_origin

from stylize_core.errors import SettingsError
from stylize_core.settings.fields import Crop, range_in_words, setting_fields
from stylize_core.settings.layers import Layers
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.picture_size import Size
from stylize_core.settings.presets import PresetName, laid_out
from stylize_core.settings.recipes import NEWEST, Recipe
from stylize_core.settings.style import StyleSettings
from stylize_core.settings.weights_file import WeightsFile

INIT_WORDS = ("auto", "content", "noise", "style", "slim")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as its field describes it; `kind` is the field's type."""

    key: str
    kind: Any
    default: Any
    about: str
    limits: Mapping[str, float]
    required: bool

    @property
    def words(self) -> tuple[str, ...]:
        """The words that it takes, if it takes words."""
        if self.kind is bool:
            return ("true", "false")
        return tuple(map(str, get_args(self.kind))) if get_origin(self.kind) is Literal else ()


def described(cls: type) -> dict[str, Setting]:
    """The settings of a settings class by key."""
    found = {}
    for f, kind, default in setting_fields(cls):
        limits = {name: f.metadata[name] for name in ("ge", "gt", "le") if name in f.metadata}
        found[f.name] = Setting(f.name, kind, default, f.metadata["about"], limits, f.default is MISSING)
    return found


STYLE_SETTINGS = described(StyleSettings)
PICTURE_SETTINGS = described(PictureSettings)
WEIGHTS_KEYS = described(WeightsFile)
PRESET = Setting(
    "preset",
    PresetName,
    "none",
    "settings by name instead of the defaults below: by intent, such as `bold` or `draft`, or another "
    "program's; whatever else is set is laid over them",
    {},
    False,
)
RECIPE = Setting(
    "recipe",
    Recipe,
    NEWEST,
    "which of our own defaults to use, by number: an older one keeps the look of results that were made with "
    "it; presets are the same with each",
    {},
    False,
)
SETTINGS = {"preset": PRESET, "recipe": RECIPE} | STYLE_SETTINGS | PICTURE_SETTINGS


def accepted(setting: Setting) -> str:
    """What a manifest may say for `setting`, in words."""
    if setting.key == "init":
        return f"one of {', '.join(INIT_WORDS)}, or the path of a picture"
    if get_origin(setting.kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(setting.kind))
    if setting.kind in (int, float):
        noun = "a whole number" if setting.kind is int else "a number"
        return noun + range_in_words(setting.limits)
    if setting.kind == Size:
        return f"a whole number{range_in_words(setting.limits)}, or original"
    if setting.kind == Layers:
        return "a list of layer names, or a mapping of layer names to weights above 0"
    if setting.kind == Crop:
        return "a list `[left, top, right, bottom]` of numbers" + range_in_words(setting.limits)
    if setting.kind == WeightsFile | None:
        return f"null, or a mapping with {', '.join(WEIGHTS_KEYS)}"
    return {bool: "true or false", str: "text"}[setting.kind]


class BuiltSettings(NamedTuple):
    """Settings as objects, and the absolute path or URI of the picture to start from, if there is one."""

    style: StyleSettings
    picture: PictureSettings
    init: str | None


class SettingsBuilder:
    """Builds settings objects from settings by key, each once for equal values, for as long as it lives.

    A manifest may name a hundred thousand pairs under a handful of settings.
    """

    def __init__(self) -> None:
        self._built: dict[str, BuiltSettings] = {}

    def build(self, settings: Mapping[str, object]) -> BuiltSettings:
        """The settings as objects; see `build`."""
        key = settings_key(settings)
        if key not in self._built:
            self._built[key] = build(settings)
        return self._built[key]


def settings_key(settings: Mapping[str, object]) -> str:
    """One text for all settings by key that have equal values, in whatever order they were given."""
    return repr(sorted(settings.items()))


def build(settings: Mapping[str, object]) -> BuiltSettings:
    """The settings as objects.

    A recipe and a preset become the settings that they stand for, less those that are given; nothing else is
    left of them.

    Raises:
        SettingsError: if two settings contradict each other.
    """
    preset = settings.get("preset", PRESET.default)
    given = laid_out(settings)
    image = given["init"] if given.get("init", "content") not in INIT_WORDS else None
    if image is not None:
        given["init"] = "image"
    if settings.get("megapixels") and "size" in settings:
        raise SettingsError("megapixels", settings["megapixels"], "`size` is given as well; give one of them")
    style = {key: value for key, value in given.items() if key in STYLE_SETTINGS}
    picture = {key: value for key, value in given.items() if key in PICTURE_SETTINGS}
    try:
        return BuiltSettings(StyleSettings(**style), PictureSettings(**picture), image)
    except SettingsError as error:
        if error.key.partition(".")[0] in settings or preset == PRESET.default:
            raise
        advice = f"{error.expected}; `preset: {preset}` sets it, so set it yourself as well"
        raise SettingsError(error.key, error.value, advice) from None
