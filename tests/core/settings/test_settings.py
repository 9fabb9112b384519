"""Every limit and choice of the settings, and the one way in which each is spelled."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any, Literal, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize_core.architecture import DEFAULT_CONTENT_LAYERS, DEFAULT_STYLE_LAYERS, layer_names
from stylize_core.errors import SettingsError
from stylize_core.settings.fields import Crop, setting_fields
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.picture_size import Size
from stylize_core.settings.resolved import stages_seen
from stylize_core.settings.style import StyleSettings
from stylize_core.settings.weights_file import WeightsFile

CLASSES: tuple[Any, ...] = (StyleSettings, PictureSettings)
# What some of their words want beside them.
GOES_WITH: dict[str, dict[str, Any]] = {"bit_depth": {"format": "png"}, "init": {"encoder": "vgg19"}}
DIGEST = "0123456789abcdef" * 4


def _numbers() -> list[tuple[Any, str, type, dict[str, Any]]]:
    return [
        (cls, f.name, hint, dict(f.metadata))
        for cls in CLASSES
        for f, hint, _ in setting_fields(cls)
        if hint in (int, float)
    ]


def _choices() -> list[tuple[Any, str, tuple[Any, ...]]]:
    return [
        (cls, f.name, get_args(hint))
        for cls in CLASSES
        for f, hint, _ in setting_fields(cls)
        if get_origin(hint) is Literal
    ]


def _refused(cls: Any, key: str, value: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        cls(**{key: value})
    assert (caught.value.key, caught.value.value) == (key, value) or math.isnan(caught.value.value)  # type: ignore[arg-type]
    return str(caught.value)


def test_every_setting_is_of_a_kind_that_somebody_checks() -> None:
    """A kind that nobody knows, such as a union of words, would let any value through."""
    elsewhere = {"weights", "dream_layers", "content_layers", "style_layers", "aspect"}
    unknown = {
        f.name
        for cls in CLASSES
        for f, hint, _ in setting_fields(cls)
        if get_origin(hint) is not Literal and hint not in (int, float, bool, Size, Crop)
    }
    assert unknown == elsewhere


@pytest.mark.parametrize(("cls", "key", "kind", "limits"), _numbers())
def test_every_limit_is_accepted_and_the_next_value_beyond_it_refused(
    cls: Any, key: str, kind: type, limits: dict[str, Any]
) -> None:
    low, high = limits["gt" if "gt" in limits else "ge"], limits["le"]
    others = {"optimizer": "adam"} if key == "average" else {}

    def beyond(value: float, direction: float) -> Any:
        return value + int(math.copysign(1, direction)) if kind is int else math.nextafter(value, direction)

    if "gt" in limits:
        assert f"must be above {low}" in _refused(cls, key, low)
        cls(**{key: beyond(low, math.inf)})
    else:
        cls(**{key: low})
        assert f"must be at least {low}" in _refused(cls, key, beyond(low, -math.inf))
    cls(**{key: high}, **others)
    assert f"must be at most {high}" in _refused(cls, key, beyond(high, math.inf))


@pytest.mark.parametrize(("cls", "key", "kind", "limits"), _numbers())
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, None, "12", [1]])
def test_what_is_no_proper_number_is_refused_by_its_key(
    cls: Any, key: str, kind: type, limits: dict[str, Any], value: Any
) -> None:
    with pytest.raises(SettingsError) as caught:
        cls(**{key: value})
    assert caught.value.key == key
    assert str(caught.value).startswith(f"{key}: ")


@pytest.mark.parametrize(("cls", "key", "kind", "limits"), _numbers())
def test_numbers_too_large_for_a_float_are_refused_by_their_key(
    cls: Any, key: str, kind: type, limits: dict[str, Any]
) -> None:
    assert "it must be at most" in _refused(cls, key, 10**400)
    assert "it must be " in _refused(cls, key, -(10**400))


@pytest.mark.parametrize("key", [f.name for f, hint, _ in setting_fields(StyleSettings) if hint is int])
def test_whole_numbers_take_no_fractions(key: str) -> None:
    assert "whole number" in _refused(StyleSettings, key, 64.0)


@pytest.mark.parametrize(("cls", "key", "choices"), _choices())
def test_every_choice_is_accepted_and_others_are_refused_with_the_list(
    cls: Any, key: str, choices: tuple[Any, ...]
) -> None:
    assert len(choices) > 1
    for choice in choices:
        assert getattr(cls(**{key: choice}, **GOES_WITH.get(key, {})), key) == choice
    for other in ("", "LBFGS", None, 3, True, 8.0, [choices[0]]):
        assert "choose one of " + ", ".join(map(str, choices)) in _refused(cls, key, other)


def test_the_defaults_are_valid_and_documented() -> None:
    for cls in (*CLASSES, WeightsFile):
        assert all(f.metadata["about"] for f, _, _ in setting_fields(cls))
    assert StyleSettings() == StyleSettings()
    assert PictureSettings() == PictureSettings()


def test_settings_are_frozen() -> None:
    settings = StyleSettings()
    with pytest.raises(AttributeError):
        settings.steps = 3  # type: ignore[misc]


@pytest.mark.parametrize("encoder", ["slim", "vgg19", "vgg16"])
def test_layers_not_given_are_the_encoders_own(encoder: Any) -> None:
    settings = StyleSettings(encoder=encoder)
    assert set(settings.content_layer_weights) == set(DEFAULT_CONTENT_LAYERS[encoder])
    assert set(settings.style_layer_weights) == set(DEFAULT_STYLE_LAYERS[encoder])
    used = {*DEFAULT_CONTENT_LAYERS[encoder], *DEFAULT_STYLE_LAYERS[encoder]}
    assert settings.layers == tuple(name for name in layer_names(encoder) if name in used)


@pytest.mark.parametrize("key", ["content_layers", "style_layers"])
@pytest.mark.parametrize("layers", [["relu4_2"], {"relu4_2": 1}, ["conv1_1"], [""], ["relu1_1", 3], "relu"])
def test_unknown_layers_are_refused_with_those_that_there_are(key: str, layers: Any) -> None:
    with pytest.raises(SettingsError, match=rf"{key}: .* slim has relu1_1 to relu4_1"):
        StyleSettings(**{key: layers})


def test_a_layer_may_stand_once() -> None:
    with pytest.raises(SettingsError, match="each layer may stand once"):
        StyleSettings(style_layers=["relu1_1", "relu1_1"])


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf, True, "1", None, 1e16])
def test_layer_weights_are_positive_numbers(weight: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        StyleSettings(style_layers={"relu1_1": 1, "relu2_1": weight})
    assert caught.value.key == "style_layers.relu2_1"


def test_only_layers_that_have_a_part_in_the_loss_are_used() -> None:
    layers = {"content_layers": ["relu3_2"], "style_layers": ["relu2_1", "relu1_1"]}
    assert StyleSettings(**layers).layers == ("relu1_1", "relu2_1", "relu3_2")  # type: ignore[arg-type]
    assert StyleSettings(**layers, content_weight=0).layers == ("relu1_1", "relu2_1")  # type: ignore[arg-type]
    assert StyleSettings(**layers, style_weight=0).layers == ("relu3_2",)  # type: ignore[arg-type]


def test_total_variation_alone_uses_no_layer() -> None:
    assert StyleSettings(content_weight=0, style_weight=0, tv_weight=1).layers == ()


def test_without_any_weight_there_is_nothing_to_do() -> None:
    with pytest.raises(SettingsError, match="at least one weight must be above 0"):
        StyleSettings(content_weight=0, style_weight=0.0, tv_weight=0)


def _spelled(settings: StyleSettings | PictureSettings) -> str:
    return json.dumps(settings.canonical(), sort_keys=True)


def test_whole_and_broken_numbers_are_spelled_alike() -> None:
    assert _spelled(StyleSettings(style_weight=10)) == _spelled(StyleSettings(style_weight=10.0))
    assert _spelled(StyleSettings(tv_weight=-0.0)) == _spelled(StyleSettings(tv_weight=0))
    assert _spelled(PictureSettings(max_megapixels=50)) == _spelled(PictureSettings(max_megapixels=50.0))


def test_defaults_are_spelled_like_their_values_given() -> None:
    given_out = StyleSettings(
        content_layers=DEFAULT_CONTENT_LAYERS["slim"], style_layers=list(DEFAULT_STYLE_LAYERS["slim"])
    )
    assert _spelled(given_out) == _spelled(StyleSettings())


@given(
    weight=st.floats(1e-12, 1e15, allow_subnormal=False),
    layers=st.permutations(layer_names("slim")).flatmap(
        lambda names: st.integers(1, len(names)).map(lambda count: names[:count])
    ),
)
def test_layers_with_equal_weights_are_spelled_like_a_list(weight: float, layers: list[str]) -> None:
    mapped = StyleSettings(style_layers=dict.fromkeys(layers, weight))
    assert _spelled(mapped) == _spelled(StyleSettings(style_layers=layers))


@given(
    weights=st.dictionaries(
        st.sampled_from(layer_names("slim")), st.floats(1e-12, 1e15, allow_subnormal=False), min_size=1
    ),
    turn=st.randoms(use_true_random=False),
)
def test_the_order_of_a_mapping_is_not_spelled(weights: dict[str, float], turn: Any) -> None:
    items = list(weights.items())
    turn.shuffle(items)
    assert _spelled(StyleSettings(style_layers=dict(items))) == _spelled(StyleSettings(style_layers=weights))
    assert sum(StyleSettings(style_layers=weights).style_layer_weights.values()) == pytest.approx(1)


def test_every_setting_that_decides_the_picture_is_spelled() -> None:
    changes: dict[str, Any] = {
        "encoder": "vgg16", "size": 64, "style_scale": 2, "steps": 3, "optimizer": "adam",
        "learning_rate": 0.5, "history": 4, "init": "noise", "seed": 9, "loss": "gatys", "content_weight": 2,
        "style_weight": 2, "tv_weight": 2, "range_weight": 2, "margin": 2, "content_layers": ["relu1_2"],
        "style_layers": ["relu1_2"], "pooling": "max", "colour": "match", "mode": "content",
        "snapshot_every": 2, "statistics": "moments", "precision": "bf16", "scales": 3, "tv_form": "absolute",
        "plateau": 2, "megapixels": 2, "coarsest": 200, "diagonal_gain": 2, "whitening": 0.5,
        "forms_gain": 3,
        "style_crop": (0, 0, 1, 0.5),
    }  # fmt: skip
    with_others = {
        "aspect",
        "average",
        "dream_layers",
        "dream_rate",
        "octaves",
        "octave_scale",
        "jitter",
    }  # accepted together with other settings only; tests of their own spell them
    assert set(changes) == {f.name for f, _, _ in setting_fields(StyleSettings)} - {"weights"} - with_others
    spelled = [_spelled(StyleSettings(**{key: value})) for key, value in changes.items()]
    assert len({*spelled, _spelled(StyleSettings())}) == len(changes) + 1


@pytest.mark.parametrize(
    "elsewhere",
    [{"optimizer": "adam"}, {"statistics": "moments"}, {"mode": "content"}, {"style_weight": 0}],
    ids=str,
)
def test_whitening_is_spelled_where_it_has_a_part_only(elsewhere: dict[str, Any]) -> None:
    assert StyleSettings(whitening=0.6).canonical()["whitening"] == 0.6
    assert _spelled(StyleSettings(whitening=0.6, **elsewhere)) == _spelled(StyleSettings(**elsewhere))


@pytest.mark.parametrize("elsewhere", [{"optimizer": "adam"}, {"mode": "dream"}], ids=str)
def test_a_gain_of_forms_is_spelled_where_l_bfgs_walks_only(elsewhere: dict[str, Any]) -> None:
    assert StyleSettings(forms_gain=3).canonical()["forms_gain"] == 3
    assert _spelled(StyleSettings(forms_gain=3, **elsewhere)) == _spelled(StyleSettings(**elsewhere))


def test_snapshots_must_not_be_more_than_anybody_looks_at() -> None:
    assert StyleSettings(steps=1000, snapshot_every=1).snapshot_every == 1
    with pytest.raises(SettingsError, match="with 1001 steps it must be at least 2"):
        StyleSettings(steps=1001, snapshot_every=1)


def test_an_animation_needs_a_name_of_its_own() -> None:
    with pytest.raises(SettingsError, match="the picture itself has this suffix"):
        PictureSettings(format="webp", animation="webp")
    assert PictureSettings(format="webp", animation="gif").animation == "gif"


def test_animations_and_snapshots_leave_no_trace_where_there_are_none() -> None:
    assert "animation" not in PictureSettings().canonical()
    assert "snapshot_every" not in StyleSettings().canonical()
    assert PictureSettings(animation="gif").canonical()["animation"] == "gif"


@pytest.mark.parametrize(
    "region",
    [(0, 0, 1), [0, 0, 1, 1], "whole", None, (0, 0, 1, "1"), (0, 0, 1, 2), (-0.1, 0, 1, 1),
     (0, 0, 1, math.nan), (0, 0, True, 1), (0.5, 0, 0.5, 1), (0.6, 0, 0.4, 1), (0, 1, 1, 0)],
)  # fmt: skip
def test_a_region_is_four_shares_that_leave_something(region: Any) -> None:
    with pytest.raises(SettingsError, match=r"^style_crop: "):
        StyleSettings(style_crop=region)


def test_a_region_is_spelled_in_one_way_and_the_whole_picture_not_at_all() -> None:
    assert _spelled(StyleSettings(style_crop=(0, 0, 1, 1))) == _spelled(StyleSettings())
    assert StyleSettings(style_crop=(-0.0, 0, 1, 0.5)).canonical()["style_crop"] == [0.0, 0.0, 1.0, 0.5]


@pytest.mark.parametrize("picture_format", ["jpeg", "webp"])
def test_16_bits_need_a_format_that_holds_them(picture_format: Any) -> None:
    with pytest.raises(SettingsError, match=f"{picture_format} holds 8 bits per channel; use png or tiff"):
        PictureSettings(format=picture_format, bit_depth=16)
    assert PictureSettings(format="tiff", bit_depth=16).suffix == ".tif"


def test_every_format_has_its_ending() -> None:
    formats: tuple[Any, ...] = ("png", "jpeg", "webp", "tiff")
    assert [PictureSettings(format=name).suffix for name in formats] == [".png", ".jpg", ".webp", ".tif"]


@pytest.mark.parametrize("digest", ["", "ab", DIGEST.upper(), DIGEST[:-1], DIGEST + "0", DIGEST[:-1] + "g"])
def test_a_digest_that_cannot_be_one_is_refused(digest: str) -> None:
    with pytest.raises(SettingsError, match=r"weights\.sha256: .*64 lower-case hex digits"):
        WeightsFile(file="vgg.pth", sha256=digest)


def test_a_weights_file_names_its_convention() -> None:
    assert WeightsFile(file="vgg.pth", sha256=DIGEST).convention == "torchvision"
    with pytest.raises(SettingsError, match=r"weights\.convention: 'bgr' .* torchvision, caffe, features"):
        WeightsFile(file="vgg.pth", sha256=DIGEST, convention="bgr")  # type: ignore[arg-type]


def test_errors_travel_between_processes() -> None:
    with pytest.raises(SettingsError) as caught:
        StyleSettings(steps=0)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is SettingsError
    assert (str(copy), copy.key, copy.value) == (
        "steps: 0 is not accepted; it must be at least 1",
        "steps",
        0,
    )


def test_settings_travel_between_processes() -> None:
    settings = StyleSettings(weights=WeightsFile(file="a.pth", sha256=DIGEST), style_layers={"relu1_1": 2})
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_that_came_later_leave_the_spelling_of_older_pictures_alone() -> None:
    quiet = {f.name for f, _, _ in setting_fields(StyleSettings) if f.metadata.get("quiet")}
    assert {"mode", "aspect", "statistics", "average"} <= quiet
    assert not quiet & set(StyleSettings(size=45, diagonal_gain=1).canonical())
    assert quiet & set(StyleSettings(diagonal_gain=1).canonical()) == {"scales"}, (
        "which changed large pictures"
    )
    assert StyleSettings().canonical()["init"] == "content"


def test_a_channel_that_the_published_network_lacks_is_refused_and_a_files_is_left_to_the_file() -> None:
    wanted: Any = {"encoder": "vgg19", "mode": "dream", "dream_layers": ["relu1_1:64"]}
    with pytest.raises(SettingsError, match="'relu1_1:64' is not accepted; relu1_1 has the channels 0 to 63"):
        StyleSettings(**wanted)
    StyleSettings(**wanted, weights=WeightsFile(file="wide.pth", sha256="a" * 64))


def test_a_channel_without_a_number_is_refused_with_what_is_meant() -> None:
    with pytest.raises(SettingsError, match="and pool1 to pool4; channels have whole numbers from 0 on"):
        StyleSettings(mode="dream", dream_layers=["relu3_1:eyes"])


def test_the_smallest_size_is_spelled_by_how_many_sizes_there_are() -> None:
    """At 512 px the encoder's own 32 px mean five sizes, as 20 px do, and five by number."""
    spelled = _spelled(StyleSettings())
    assert StyleSettings().canonical()["scales"] == 5
    assert _spelled(StyleSettings(coarsest=20)) == _spelled(StyleSettings(scales=5)) == spelled
    assert _spelled(StyleSettings(coarsest=256)) == _spelled(StyleSettings(scales=2))
    assert StyleSettings(encoder="vgg19").canonical()["scales"] == 4


def test_sizes_that_are_not_doubled_are_spelled_as_such() -> None:
    """At 384 px the encoder's own begin with 32 px, doubled ones with 24 or 48."""
    assert StyleSettings(size=384).canonical()["scales"] == 5
    assert StyleSettings(size=384).canonical()["coarsest"] == 0
    for doubled in (StyleSettings(size=384, scales=5), StyleSettings(size=384, coarsest=20)):
        assert (doubled.canonical()["scales"], doubled.canonical().get("coarsest")) == (5, None)
    assert "coarsest" not in StyleSettings(size=512).canonical(), "where 32 px are doubled four times"


@pytest.mark.parametrize("asked", [{"megapixels": 0.3}, {"size": "original"}])
def test_where_only_the_content_tells_the_size_the_smallest_one_is_spelled(asked: dict[str, Any]) -> None:
    assert StyleSettings(**asked).canonical()["coarsest"] == 0, "the encoder's own, exactly"
    assert StyleSettings(**asked, coarsest=32).canonical()["coarsest"] == 32, "at least"
    assert "coarsest" not in StyleSettings(**asked, coarsest=256).canonical(), "as before there were recipes"
    for without in ({"scales": 2}, {"loss": "gatys"}, {"mode": "content"}, {"mode": "dream"}):
        assert "coarsest" not in StyleSettings(**asked, **without).canonical()


@pytest.mark.parametrize(
    ("asked", "width", "height"),
    [
        ({"size": "original"}, 12000, 2900),
        ({"size": 16383}, 16383, 3000),
        ({"size": 512, "coarsest": 1}, 512, 384),
        ({"size": 1024, "coarsest": 2}, 1024, 768),
    ],
)
def test_a_size_too_small_to_see_is_left_out_of_ten_as_of_five(
    asked: dict[str, Any], width: int, height: int
) -> None:
    """There may be more sizes than `scales` takes."""
    settings = StyleSettings(**asked)
    planned = settings.stages(max(width, height))
    seen = stages_seen(settings, width=width, height=height, least=8)
    assert len(planned) == 10
    assert len(seen) < 10
    assert min(width, height) * seen[0].share >= 8
    assert [stage.share for stage in seen] == [2.0**-number for number in range(len(seen))][::-1]


@given(
    long_edge=st.integers(32, 16383),
    narrow=st.floats(0.005, 1),
    steps=st.integers(1, 1000),
    coarsest=st.integers(0, 64),
    least=st.sampled_from([1, 2, 4, 8, 16]),
)
def test_whatever_the_shape_the_sizes_that_are_seen_are_those_of_so_many_by_number(
    long_edge: int, narrow: float, steps: int, coarsest: int, least: int
) -> None:
    settings = StyleSettings(size=long_edge, steps=steps, coarsest=coarsest)
    shorter = max(1, round(long_edge * narrow))
    seen = stages_seen(settings, width=long_edge, height=shorter, least=least)
    assert len(seen) == 1 or shorter * seen[0].share >= least
    assert (seen[0].first, seen[-1].last, seen[-1].share) == (0, steps, 1)
    if len(seen) < len(settings.stages(long_edge)) and len(seen) <= 8:
        by_number = StyleSettings(size=long_edge, steps=steps, scales=len(seen))
        assert seen == by_number.stages(long_edge)
