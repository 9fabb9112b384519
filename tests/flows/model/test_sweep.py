from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.model.sweep import MAX_VARIANTS, TooManyVariants, add_up, labels, shown_values, variants
from stylize_core.settings.weights_file import WeightsFile

VALUES = st.one_of(
    st.integers(0, 50),
    st.floats(0, 1e15),
    st.sampled_from(
        ["content", "noise", "/a/noise.png", "/b/v2.png", "/c/Sea.jpg", "/d/sea.png", "/é/x y.png"]
    ),
    st.lists(st.sampled_from(["relu1_1", "relu2_1"]), unique=True).map(tuple),
    st.dictionaries(st.sampled_from(["relu1_1", "relu2_1"]), st.floats(0.1, 9), min_size=1),
)


def test_without_a_sweep_there_is_one_and_it_is_no_variant() -> None:
    assert list(variants(({"size": 64}, {}), ({"steps": 5}, {}))) == [({"size": 64, "steps": 5}, None)]


def test_the_first_setting_varies_slowest_and_labels_say_what_is_what() -> None:
    made = list(variants(({"steps": 5}, {"style_weight": (1.0, 10.0), "size": (64, 128)})))
    assert [variant.label for _, variant in made if variant] == [
        "style_weight=1,size=64",
        "style_weight=1,size=128",
        "style_weight=10,size=64",
        "style_weight=10,size=128",
    ]
    assert made[2][0] == {"steps": 5, "style_weight": 10.0, "size": 64}


def test_whoever_speaks_last_of_a_setting_decides_with_one_value_or_with_several() -> None:
    above = ({"steps": 5}, {"size": (64, 128), "seed": (1, 2)})
    fixed, axes = add_up(above, ({"size": 256}, {"steps": (1, 2, 3)}))
    assert (fixed, axes) == ({"size": 256}, {"seed": (1, 2), "steps": (1, 2, 3)})


def test_labels_are_values_where_they_fit_and_numbers_where_they_do_not() -> None:
    staged = WeightsFile(file="/w.pth", sha256="0" * 64)
    assert labels([None, staged]) == ("none", "v2")
    assert labels([1.0, 1.5, 1e-7, 1e15]) == ("1", "1.5", "1e-07", "1000000000000000")
    assert labels([("relu1_1", "relu2_1"), (), {"relu1_1": 2.0}]) == ("relu1_1-relu2_1", "default", "v3")
    assert labels([("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1", "relu5_2")]) == ("v1",)
    assert labels(["noise", "/a/noise.png", "/a/sea.png", "/b/SEA.png", "/a/..b c.png"]) == (
        "noise", "v2", "sea", "v4", "v5",
    )  # fmt: skip
    assert labels(["3:2", "1:1"]) == ("3x2", "1x1")
    assert labels(["/a/x.png", "/a/v1.png"]) == ("x", "v2"), "a file's name that looks like a number"


def test_where_a_label_is_a_number_people_are_shown_the_value() -> None:
    staged = WeightsFile(file="/weights/vgg.pth", sha256="0" * 64)
    assert shown_values([None, staged]) == ("none", "weights/vgg.pth (v2)")
    assert shown_values([{"relu1_1": 2.0, "relu2_1": 0.5}]) == ("relu1_1: 2, relu2_1: 0.5 (v1)",)
    assert shown_values(["noise", "/a/noise.png", "/b/sea.png"]) == ("noise", "a/noise.png (v2)", "sea")
    assert shown_values([(0, 0, 1, 0.5), (0.0, 0.25, 1.0, 1.0)]) == ("0, 0, 1, 0.5", "0, 0.25, 1, 1")
    assert shown_values([("relu1_1", "relu2_1"), ()]) == ("relu1_1, relu2_1", "default")


@given(st.lists(VALUES, max_size=12))
def test_labels_differ_fit_into_file_names_and_stay_when_values_are_added(values: list[object]) -> None:
    found = labels(values)
    assert len({label.casefold() for label in found}) == len(values)
    assert not set("".join(found)) & set("/\\,= \0")
    assert labels(values[:-1]) == found[:-1]


def test_a_thousand_variants_are_accepted_and_one_more_is_not() -> None:
    seeds = tuple(range(MAX_VARIANTS))
    assert len(list(variants(({}, {"seed": seeds})))) == MAX_VARIANTS
    with pytest.raises(TooManyVariants, match="seed x steps make 2000 variants"):
        next(variants(({}, {"seed": seeds, "steps": (1, 2)})))
