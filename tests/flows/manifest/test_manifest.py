from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from object_store import ObjectStore
from settings_of import resolve_settings

from docs.manifest_reference import EXPECT, ROOT, invalid_examples
from flows.errors import ManifestError
from flows.manifest import yaml_tree as manifest_yaml
from flows.manifest.load import MAX_PROBLEMS, load_manifest
from flows.manifest.model import Manifest
from flows.manifest.settings import SettingsBuilder
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings
from stylize_core.settings.weights_file import WeightsFile

BASE = "version: 1\noutput: out\ncontents: [photos/*.jpg]\nstyles: [paintings/*.jpg]\n"
PAIRS = "version: 1\noutput: out\npairs:\n"


def load(text: str) -> Manifest:
    return load_manifest("/jobs/spring/m.yaml", text=text)


def problems_of(text: str) -> list[str]:
    with pytest.raises(ManifestError) as refused:
        load(text)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize("path", invalid_examples(), ids=lambda path: path.stem)
def test_each_example_of_a_mistake_is_refused_for_that_mistake_alone(path: Path) -> None:
    expected = path.read_bytes().split(b"\n")[0].decode()
    assert expected.startswith(EXPECT)
    with pytest.raises(ManifestError) as refused:
        load_manifest(path)
    (problem,) = refused.value.problems
    assert expected.removeprefix(EXPECT) in str(problem)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", ["quickstart", "s3", "sweep"])
def test_the_examples_are_valid(name: str) -> None:
    manifest = load_manifest(ROOT / "manifests" / f"{name}.yaml")
    for style in manifest.styles:
        resolve_settings(manifest, style.settings)
    assert manifest.contents


def test_everything_in_a_manifest_is_found_again() -> None:
    digest = "0123456789abcdef" * 4
    found = load(f"""
version: 1
output: ../results
name: "{{style}}/{{content}}"
device: cuda:1
settings: {{encoder: vgg19, size: 640, style_weight: 2, content_layers: [relu3_1, relu4_2]}}
contents: [photos/*.jpg, s3://bucket/photos/*.png, {{image: a.jpg, name: harbour}}]
styles:
  - /abs/starry.jpg
  - {{name: waves, image: ./wave.jpg, settings: {{init: a.png, style_layers: {{relu1_1: 2, relu2_1: 1e-1}}}}}}
pairs:
  - {{content: c.jpg, style: s3://bucket/s.jpg, name: sub/one,
     settings: {{weights: {{file: w.pth, sha256: {digest}}}, format: tiff, bit_depth: 16, init: noise}}}}
""")
    assert (found.source, found.folder, found.output) == (
        "/jobs/spring/m.yaml",
        "/jobs/spring",
        "/jobs/spring/../results",
    )
    assert (found.name, found.device) == ("{style}/{content}", "cuda:1")
    assert [(e.image, e.name, e.line) for e in found.contents] == [
        ("/jobs/spring/photos/*.jpg", None, 7),
        ("s3://bucket/photos/*.png", None, 7),
        ("/jobs/spring/a.jpg", "harbour", 7),
    ]
    assert [(e.image, e.name, e.line) for e in found.styles] == [
        ("/abs/starry.jpg", None, 9),
        ("/jobs/spring/wave.jpg", "waves", 10),
    ]
    (pair,) = found.pairs
    assert (pair.content, pair.style, pair.name, pair.line) == (
        "/jobs/spring/c.jpg",
        "s3://bucket/s.jpg",
        "sub/one",
        12,
    )
    style, picture, init = resolve_settings(found, found.styles[1].settings, pair.settings)
    assert init is None
    assert style == StyleSettings(
        encoder="vgg19",
        size=640,
        style_weight=2.0,
        content_layers=("relu3_1", "relu4_2"),
        style_layers={"relu1_1": 2.0, "relu2_1": 0.1},
        init="noise",
        weights=WeightsFile(file="/jobs/spring/w.pth", sha256=digest),
    )
    assert picture == PictureSettings(format="tiff", bit_depth=16)


def test_a_picture_to_start_from_is_handed_out_as_an_absolute_path() -> None:
    found = load(BASE + "settings: {init: ../first.png}\n")
    style, _, init = resolve_settings(found)
    assert (style.init, init) == ("image", "/jobs/spring/../first.png")


def test_the_style_overrides_the_defaults_and_the_pair_overrides_both() -> None:
    found = load(BASE + "settings: {size: 100, steps: 100, seed: 100}\n")
    style, _, _ = resolve_settings(found, {"size": 200, "steps": 200}, {"size": 300})
    assert (style.size, style.steps, style.seed) == (300, 200, 100)


def test_null_takes_a_staged_weights_file_back() -> None:
    staged = f"settings: {{encoder: vgg19, weights: {{file: w.pth, sha256: {'0' * 64}}}}}\n"
    found = load(BASE.replace("[paintings/*.jpg]", "[{image: a.jpg, settings: {weights: null}}]") + staged)
    assert resolve_settings(found)[0].weights is not None
    assert resolve_settings(found, found.styles[0].settings)[0].weights is None


def test_equal_settings_are_one_object_so_that_many_pairs_cost_little() -> None:
    found = load(BASE)
    builder = SettingsBuilder()
    assert builder.build({**found.settings, "size": 64}) is builder.build({"size": 64, **found.settings})


def test_all_problems_are_named_at_once_in_the_order_of_their_lines() -> None:
    said = problems_of(
        """\
version: 3
output: s3://
nam: x
settings: {size: 1, stepps: 2, content_layers: [relu9_1], bit_depth: 16, format: webp}
contents: [photos/*.jpg]
styles:
  - {image: a.jpg, settings: {size: 17000}}
pairs:
  - {content: a.jpg}
"""
    )
    assert [line.split(": ")[:2] for line in said] == [
        ["line 1", "version"],
        ["line 2", "output"],
        ["line 3", "nam"],
        ["line 4", "settings.stepps"],
        ["line 4", "settings.size"],
        ["line 4", "settings.content_layers"],
        ["line 4", "settings.bit_depth"],
        ["line 7", "styles[0].settings.size"],
        ["line 9", "pairs[0]"],
    ]


def test_thousands_of_problems_are_cut_to_a_readable_number() -> None:
    text = PAIRS + "".join("  - {content: a.jpg, style: b.jpg, size: 1}\n" for _ in range(1000))
    said = problems_of(text)
    assert len(said) == MAX_PROBLEMS + 1
    assert said[-1] == f"and {1000 - MAX_PROBLEMS} more problems"


def test_a_wrong_default_is_reported_where_it_stands_and_not_again_under_each_style() -> None:
    styles = "[{image: a.jpg, settings: {size: 100}}, {image: b.jpg, settings: {size: 200}}]"
    said = problems_of(BASE.replace("[paintings/*.jpg]", styles) + "settings: {style_layers: [relu5_1]}\n")
    reach = "relu1_1 to relu4_1 and pool1 to pool4"
    assert said == [f"line 5: settings.style_layers: 'relu5_1' is not accepted; slim has {reach}"]


def test_a_mistyped_encoder_is_not_followed_by_complaints_about_its_layers() -> None:
    said = problems_of(BASE + "settings: {encoder: vgg91, content_layers: [relu4_2]}\n")
    assert len(said) == 1
    assert "settings.encoder" in said[0]


def test_a_pair_that_takes_its_encoder_from_a_style_is_left_to_the_plan() -> None:
    styles = "[{image: b.jpg, settings: {encoder: vgg19}}]"
    pair = "pairs: [{content: a.jpg, style: b.jpg, settings: {content_layers: [relu4_2]}}]\n"
    found = load(BASE.replace("[paintings/*.jpg]", styles) + pair)
    style, _, _ = resolve_settings(found, found.styles[0].settings, found.pairs[0].settings)
    assert style.content_layers == ("relu4_2",)


@pytest.mark.parametrize("word", ["no", "on", "010", "12:30:45", "1.10", "null", "0x10", "2026-01-01"])
def test_text_stays_as_it_is_written(word: str) -> None:
    found = load(f"version: 1\noutput: {word}\npairs: [{{content: {word}, style: {word}, name: {word}}}]\n")
    assert (found.output, found.pairs[0].content) == (f"/jobs/spring/{word}", f"/jobs/spring/{word}")
    assert found.pairs[0].name == word


@pytest.mark.parametrize(
    ("written", "word"),
    [("~", "`~`"), ("~/photos", "`~`"), ("$HOME/a.jpg", "$HOME"), ("photos/${NIGHT}/a.jpg", "${NIGHT}")],
)
def test_what_a_shell_would_expand_is_refused_with_a_remedy(written: str, word: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(f"version: 1\noutput: '{written}'\npairs: [{{content: '{written}', style: a.jpg, name: a}}]\n")
    assert [problem.where for problem in caught.value.problems] == ["output", "pairs[0].content"]
    assert all(f"{word}" in str(p) and "not expanded; write" in str(p) for p in caught.value.problems)


@pytest.mark.parametrize("name", ["./~", "./$HOME", "cash$money.jpg", "a~b", "~user"])
def test_letters_that_a_shell_would_leave_alone_are_letters(name: str) -> None:
    found = load(f"version: 1\noutput: o\npairs: [{{content: '{name}', style: a.jpg, name: a}}]\n")
    assert found.pairs[0].content == f"/jobs/spring/{name.removeprefix('./')}"


@pytest.mark.parametrize(
    "number", ["0200", "0o20", "0x20", "1_000", "2:30", "+", "1.0", "1e2", "yes", "null", "99999" * 2000]
)
def test_only_plain_whole_numbers_are_whole_numbers(number: str) -> None:
    (said,) = problems_of(BASE + f"settings: {{steps: {number}}}\n")
    assert "line 5: settings.steps: " in said
    assert "a whole number from 1 to 100000" in said
    assert len(said) < 250


@pytest.mark.parametrize(
    "number", [".inf", ".nan", "nan", "inf", "1e999", "1.", ".5", "00.5", "0x1p3", "1e", "1,5"]
)
def test_only_plain_decimals_are_numbers(number: str) -> None:
    (said,) = problems_of(BASE + f"settings:\n  style_weight: {number}\n")
    assert "settings.style_weight: " in said


@pytest.mark.parametrize(("written", "value"), [("2", 2.0), ("+0.5", 0.5), ("1e-3", 0.001), ("1E15", 1e15)])
def test_a_decimal_is_read_as_a_float(written: str, value: float) -> None:
    assert load(BASE + f"settings: {{style_weight: {written}}}\n").settings == {"style_weight": value}


def test_a_folder_with_brackets_in_its_name_does_not_become_a_pattern(tmp_path: Path) -> None:
    found = load_manifest(tmp_path / "[old]" / "m.yaml", text=BASE)
    assert found.folder == str(tmp_path / "[old]")
    assert found.contents[0].image == str(tmp_path / "[[]old]" / "photos" / "*.jpg")
    assert found.output == str(tmp_path / "[old]" / "out")


def test_paths_start_at_the_manifest_and_not_where_the_command_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "m.yaml").write_text(BASE)
    monkeypatch.chdir(tmp_path)
    assert load_manifest("jobs/m.yaml").output == str(tmp_path / "jobs" / "out")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    assert load_manifest(path).contents[0].line == 3


@pytest.mark.parametrize("name", ["quickstart", "s3", "sweep"])
def test_without_the_parser_in_c_the_same_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "manifests" / f"{name}.yaml"
    with_c = load_manifest(path)
    monkeypatch.setattr(manifest_yaml, "_LOADER", yaml.SafeLoader)
    assert load_manifest(path) == with_c


def test_a_file_that_is_too_large_is_not_even_parsed(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: nobody has this much memory
    with pytest.raises(ManifestError, match="larger than 32 MiB"):
        load_manifest(path)


def test_more_values_than_any_run_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_yaml, "MAX_VALUES", 100)
    assert problems_of("[" + "a," * 200 + "]") == [
        "line 1: more than 100 values; split it into several manifests"
    ]


def test_a_negative_zero_is_zero() -> None:
    assert str(load(BASE + "settings: {tv_weight: -0}\n").settings["tv_weight"]) == "0.0"


@pytest.mark.parametrize(
    ("settings_text", "where"),
    [
        ("[size]", "settings: this must be a mapping"),
        ("{size: [1]}", "settings.size: this must be a whole number"),
        ("{weights: staged.pth}", "settings.weights: 'staged.pth' is not accepted"),
        ("{weights: {file: [a], sha256: b}}", "settings.weights.file: this must be text"),
        ("{weights: {file: '', sha256: b}}", "settings.weights.file: '' is not accepted; it is empty"),
        ("{style_layers: relu1_1}", "settings.style_layers: this must be a list of layer names"),
        ("{style_layers: [[relu1_1]]}", "settings.style_layers[0]: this must be the name of a layer"),
        ("{style_layers: {relu1_1: [1]}}", "settings.style_layers.relu1_1: this must be a number above 0"),
        ("{style_layers: [relu1_1, relu1_1]}", "settings.style_layers: "),
        ("{style_crop: 0.5}", "settings.style_crop: this must be a list `[left, top, right, bottom]`"),
        ("{style_crop: [0, 0, 1]}", "settings.style_crop: this must be a list `[left, top, right, bottom]`"),
        (
            "{style_crop: [0, 0, 1, 1.5]}",
            "settings.style_crop[3]: '1.5' is not accepted; it must be a number",
        ),
        ("{style_crop: [0, 0, 1, [1]]}", "settings.style_crop[3]: this must be a number from 0 to 1"),
        (
            "{style_crop: [0.5, 0, 0.5, 1]}",
            "settings.style_crop: '[0.5, 0.0, 0.5, 1.0]' is not accepted; left must",
        ),
        ("{init: folder/}", "settings.init: 'folder/' is not accepted; it names a folder"),
        ("{content_weight: 0, style_weight: 0}", "settings.style_weight: "),
    ],
)
def test_a_value_of_the_wrong_shape_is_refused_where_it_stands(settings_text: str, where: str) -> None:
    (said,) = problems_of(BASE + f"settings: {settings_text}\n")
    assert said.startswith(f"line 5: {where}")


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("S3://bucket/a.jpg", "'S3:' is not supported"),
        ("s3:/bucket/a.jpg", "'s3:' is not supported"),
        ("s3://-/a.jpg", "write s3://bucket/key"),
        ("s3://bucket", "a bucket alone is not a file"),
        ("' '", "it is empty"),
        ("photos/", "it names a folder"),
    ],
)
def test_a_picture_that_cannot_be_one_is_refused(image: str, why: str) -> None:
    (said,) = problems_of(PAIRS + f"  - {{content: {image}, style: b.jpg}}\n")
    assert said.startswith("line 4: pairs[0].content: ")
    assert why in said


def test_a_bucket_and_a_folder_may_stand_for_all_their_pictures() -> None:
    found = load(BASE.replace("photos/*.jpg", "s3://bucket, s3://bucket/folder/, folder/"))
    assert [e.image for e in found.contents] == ["s3://bucket", "s3://bucket/folder/", "/jobs/spring/folder"]


def test_the_output_may_be_a_bucket_or_a_prefix() -> None:
    assert load(BASE.replace("output: out", "output: s3://bucket/")).output == "s3://bucket"
    assert load(BASE.replace("output: out", "output: s3://bucket/a/b/")).output == "s3://bucket/a/b"


def test_one_mistake_in_many_places_is_answered_at_once() -> None:
    pair = "  - {content: a.jpg, style: b.jpg, settings: {stpes: 1, encoder: 1}}\n"
    assert len(problems_of(PAIRS + pair * 5_000)) == MAX_PROBLEMS + 1


@pytest.mark.parametrize("name", ["absent.yaml", ".", "nul\0.yaml", "m.yaml/below"])
def test_a_manifest_that_cannot_be_read_is_a_manifest_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.yaml").write_text(BASE)
    with pytest.raises(ManifestError, match="the manifest cannot be read"):
        load_manifest(tmp_path / name)


def test_one_content_in_one_style_may_have_a_name_without_fields() -> None:
    text = BASE.replace("photos/*.jpg", "a.jpg").replace("paintings/*.jpg", "b.jpg") + "name: result\n"
    assert load(text).name == "result"


_KEYS = st.sampled_from(
    ["version", "output", "name", "device", "settings", "contents", "styles", "pairs", "<<"]
)
_WORDS = st.sampled_from(
    ["1", "out", "s3://b", "a*.jpg", "{content}", "slim", "~", "&a", "*a", "!!str x", "'", "\t"]
)
_VALUES = st.recursive(
    _WORDS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.lists(st.tuples(_KEYS | st.text(max_size=5), inner), max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}"
        )
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(_KEYS, _VALUES), max_size=8))
@settings(deadline=None, max_examples=300)
def test_nearly_valid_manifests_load_or_raise_a_manifest_error(entries: list[tuple[str, str]]) -> None:
    _load_or_refuse("".join(f"{key}: {value}\n" for key, value in entries))


@given(st.text())
@example("\ud800")
@example("[" * 20_000)
@example("{a: " * 20_000)
@example("- " * 20_000)
@example("? " * 2_000)
@example("? [a]\n: b")
@example("%YAML 9.9\n--- a")
@example('version: "\\ud800"')
@example("a: &a [*a]")
@settings(deadline=None, max_examples=300)
def test_any_text_loads_or_raises_a_manifest_error(text: str) -> None:
    _load_or_refuse(text)


def _load_or_refuse(text: str) -> None:
    try:
        said = load(text).source
    except ManifestError as refused:
        said = str(refused)
    assert said.encode()  # can be printed even where the manifest cannot


@pytest.mark.slow
def test_twenty_thousand_pairs_load_with_their_lines() -> None:
    at = "s3://a-bucket-of-ordinary-length/photos/2026"
    lines = [
        f"  - {{content: {at}/{n}.jpg, style: {at}/{n % 9}.jpg, name: n{n}, settings: {{seed: {n % 50}}}}}\n"
        for n in range(20_000)
    ]
    found = load(PAIRS + "".join(lines))
    assert len(found.pairs) == 20_000
    last = found.pairs[-1]
    assert (last.name, last.settings, last.line) == ("n19999", {"seed": 19_999 % 50}, 20_003)


def test_a_manifest_on_s3_has_its_relative_paths_beside_it(object_store: ObjectStore) -> None:
    text = (
        b"version: 1\noutput: ../results\n"
        b"contents: [photos/*.jpg, /local/a.jpg]\nstyles: ['../s/b.jpg', 'dir/']\n"
    )
    object_store.put("jobs/2026/today.yaml", text)
    manifest = load_manifest(f"{object_store.root}/jobs/2026/today.yaml")
    assert manifest.source == f"{object_store.root}/jobs/2026/today.yaml"
    assert manifest.output == f"{object_store.root}/jobs/results"
    assert [entry.image for entry in manifest.contents] == [
        f"{object_store.root}/jobs/2026/photos/*.jpg",
        "/local/a.jpg",
    ]
    assert [entry.image for entry in manifest.styles] == [
        f"{object_store.root}/jobs/s/b.jpg",
        f"{object_store.root}/jobs/2026/dir/",
    ]


def test_paths_of_a_manifest_on_s3_stay_in_its_bucket(object_store: ObjectStore) -> None:
    object_store.put("m.yaml", b"version: 1\noutput: ../elsewhere\ncontents: [a.jpg]\nstyles: [b.jpg]\n")
    with pytest.raises(ManifestError, match="it leads out of the bucket"):
        load_manifest(f"{object_store.root}/m.yaml")


def test_an_absent_manifest_on_s3_is_named(object_store: ObjectStore) -> None:
    with pytest.raises(ManifestError, match=r"cannot be read: .*no/such\.yaml"):
        load_manifest(f"{object_store.root}/no/such.yaml")


ALONE = "version: 1\noutput: out\n"
TEXTURE = "styles: [{image: b.jpg, settings: {mode: texture}}]\n"


@pytest.mark.parametrize(
    "text",
    [
        "settings: {mode: content}\ncontents: [a.jpg]\n",
        "settings: {mode: texture}\nstyles: [b.jpg]\n",
        TEXTURE,
        "sweep: {mode: [content], seed: [1, 2]}\ncontents: [a.jpg]\n",
        "settings: {mode: content}\npairs: [{content: a.jpg}]\n",
        "pairs: [{content: a.jpg, settings: {mode: content}}, {style: b.jpg, settings: {mode: texture}}]\n",
        "settings: {mode: content, init: noise}\ncontents: [a.jpg]\nname: 'x/{content}'\n",
        # this style's settings are not for a pair that has no style
        f"{TEXTURE}pairs: [{{content: a.jpg, settings: {{mode: content}}}}]\n",
        # nor can be told before the plan what a pair finds under styles
        f"{TEXTURE}pairs: [{{style: b.jpg, name: c}}]\n",
    ],
)
def test_a_mode_that_needs_one_picture_asks_for_no_other(text: str) -> None:
    load(ALONE + text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contents: [a.jpg]\n", "line 3: contents: `mode: transfer` needs a style; add one, or set"),
        ("styles: [a.jpg, b.jpg]\n", "line 3: styles[0]: `mode: transfer` needs a content; add one, or set"),
        (
            "sweep: {mode: [content, texture]}\ncontents: [a.jpg]\n",
            "line 4: contents: `mode: texture` needs a style; add one, or set `mode: content` (in the",
        ),
        (
            "settings: {mode: texture}\nstyles: [b.jpg, {image: a.jpg, settings: {colour: match}}]\n",
            "line 4: styles[1]: `colour: match` needs a content; add one, or leave this setting out",
        ),
        (
            "settings: {mode: content, init: style}\npairs: [{content: a.jpg}]\n",
            "line 4: pairs[0]: `init: style` needs a style; add one, or leave this setting out",
        ),
        ("pairs: [{name: a}]\n", "line 3: pairs[0]: a pair needs a content, a style or both"),
        (
            "settings: {mode: content}\ncontents: [a.jpg]\nname: '{style}/{content}'\n",
            "line 5: name: there are no styles; the name must not contain {style}",
        ),
    ],
)
def test_a_picture_that_the_settings_need_is_missed_by_name(text: str, said: str) -> None:
    (problem,) = problems_of(ALONE + text)
    assert problem.startswith(said)
