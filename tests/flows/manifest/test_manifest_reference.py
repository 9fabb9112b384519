from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_origin

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from docs import manifest_reference
from docs.manifest_reference import ROOT, files, invalid_examples, main, outdated
from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.manifest.schema import manifest_schema
from flows.manifest.settings import PICTURE_SETTINGS, SETTINGS, STYLE_SETTINGS, accepted, described
from flows.manifest.values import read_value
from flows.manifest.yaml_tree import Refused, Text
from stylize_core.errors import SettingsError
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

PAIR = "version: 1\noutput: out\npairs: [{content: a.jpg, style: b.jpg, settings: {%s}}]\n"

# What only the loader can know: YAML itself, paths and names, and settings that depend on one another.
BEYOND_A_SCHEMA = {
    "channel",
    "alias", "anchor", "blend_picture_twice", "blend_with_a_pattern", "blend_without_weight",
    "contents_alone", "contradiction", "control_in_path", "double_star", "duplicate_key", "empty",
    "list_is_a_pattern", "list_without_format", "mask_is_a_pattern", "style_mask_of_a_blend",
    "init", "init_by_slim", "key_is_a_list", "layer", "merge_key", "missing_style", "name_absolute",
    "name_for_a_pattern", "name_hidden", "name_is_a_uri", "name_leaves_output", "name_reserved",
    "name_too_long", "nesting", "not_utf8", "nul", "octal", "pattern_in_pair", "s3_without_bucket",
    "scheme", "size_and_megapixels",
    "styles_alone", "sweep_and_setting", "syntax", "tab", "tag", "template_brace",
    "template_field", "template_format", "template_not_unique", "two_documents",
}  # fmt: skip


def test_the_reference_and_the_schema_are_up_to_date() -> None:
    assert outdated() == [], "run: python -m docs.manifest_reference"


def test_the_check_on_the_command_line_agrees() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.manifest_reference", "--check"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_files_are_written_where_they_are_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "manifests" / "invalid", tmp_path / "manifests" / "invalid")
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(manifest_reference, "ROOT", tmp_path)
    assert main(["--check"]) == 1
    assert "schema.json is not up to date; run: python -m docs.manifest_reference" in capsys.readouterr().err
    assert main([]) == 0
    assert main(["--check"]) == 0
    assert (tmp_path / "docs" / "manifest.md").read_bytes() == (ROOT / "docs" / "manifest.md").read_bytes()
    assert main(["--chek"]) == 2


def test_an_example_of_a_mistake_that_is_none_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manifests" / "invalid").mkdir(parents=True)
    (tmp_path / "manifests" / "invalid" / "fine.yaml").write_text(PAIR % "size: 64")
    monkeypatch.setattr(manifest_reference, "ROOT", tmp_path)
    with pytest.raises(AssertionError, match="but it is valid"):
        files()


def test_every_setting_stands_in_the_reference_with_its_meaning_and_its_range() -> None:
    text = files()[ROOT / "docs" / "manifest.md"]
    for setting in SETTINGS.values():
        rows = [line for line in text.splitlines() if line.startswith(f"| [`{setting.key}`](")]
        assert any(setting.about in row and accepted(setting) in row for row in rows)


def test_the_reference_names_nothing_of_this_machine() -> None:
    for text in files().values():
        assert str(ROOT) not in text


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(manifest_schema())


@pytest.mark.parametrize("name", ["quickstart.yaml", "s3.yaml", "sweep.yaml"])
def test_the_schema_accepts_the_examples(name: str) -> None:
    text = (ROOT / "manifests" / name).read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), manifest_schema(), jsonschema.Draft7Validator)


@pytest.mark.parametrize("path", invalid_examples(), ids=lambda path: path.stem)
def test_the_schema_refuses_every_mistake_that_a_schema_can_see(path: Any) -> None:
    try:
        document = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, TypeError):
        assert path.stem in BEYOND_A_SCHEMA
        return
    accepts = jsonschema.Draft7Validator(manifest_schema()).is_valid(document)
    assert accepts <= (path.stem in BEYOND_A_SCHEMA)


def _written(value: object) -> str:
    return json.dumps(value)


def _values() -> Iterator[tuple[str, st.SearchStrategy[int | float]]]:
    for setting in SETTINGS.values():
        if setting.kind in (int, float):
            edges = [bound + step for bound in setting.limits.values() for step in (-1, 0, 1)]
            yield setting.key, st.sampled_from(edges) | st.integers(-(10**6), 10**6) | st.floats(-1e16, 1e16)


@pytest.mark.parametrize(("key", "values"), list(_values()), ids=[key for key, _ in _values()])
@settings(deadline=None)  # a busy machine must not fail it
@given(data=st.data())
def test_loader_schema_and_dataclass_accept_the_same_numbers(
    key: str, values: st.SearchStrategy[int | float], data: st.DataObject
) -> None:
    value = data.draw(values)
    as_read = float(value) if SETTINGS[key].kind is float else value
    in_schema = jsonschema.Draft7Validator(manifest_schema()).is_valid(
        {"version": 1, "output": "o", "pairs": [{"content": "a", "style": "b", "settings": {key: value}}]}
    )
    company = ", optimizer: adam" if key == "average" else ""  # L-BFGS has no use for an average
    whole_float = isinstance(value, float) and math.isfinite(value) and value.is_integer()
    if SETTINGS[key].kind is int and whole_float:
        return  # JSON Schema takes 512.0 for whole; the loader asks for 512
    assert _loads(f"{key}: {_written(value)}{company}") == _is_setting(key, as_read) == in_schema


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.key)
def test_every_default_can_be_written_out(setting: Any) -> None:
    default = list(setting.default) if setting.default == () else setting.default
    assert _loads(f"{setting.key}: {_written(default)}")


@pytest.mark.parametrize("key", [s.key for s in SETTINGS.values() if get_origin(s.kind) is Literal])
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(key: str) -> None:
    with pytest.raises(ManifestError) as refused:
        load_manifest("m.yaml", text=PAIR % f"{key}: nothing_of_the_kind")
    assert accepted(SETTINGS[key]) in str(refused.value)


def test_no_key_means_two_things() -> None:
    assert len(SETTINGS) == 2 + len(STYLE_SETTINGS) + len(PICTURE_SETTINGS)  # `preset` and `recipe`


@dataclass(frozen=True)
class _Switches:
    """A settings class with the one kind of field that the real ones may get and drop."""

    quick: bool = field(default=False, metadata={"about": "less care"})


@pytest.mark.parametrize(("written", "value"), [("true", True), ("false", False)])
def test_a_switch_is_true_or_false(written: str, value: bool) -> None:
    assert read_value(described(_Switches)["quick"], Text(written, "", 1, True), "/", []) is value


@pytest.mark.parametrize("written", ["yes", "on", "True", "1", "null", ""])
def test_a_switch_is_nothing_else(written: str) -> None:
    with pytest.raises(Refused, match="true or false"):
        read_value(described(_Switches)["quick"], Text(written, "", 1, True), "/", [])


def _loads(settings: str) -> bool:
    try:
        load_manifest("m.yaml", text=PAIR % settings)
    except ManifestError:
        return False
    return True


def _is_setting(key: str, value: Any) -> bool:
    try:
        company: dict[str, Any] = {"optimizer": "adam"} if key == "average" else {}
        (StyleSettings if key in STYLE_SETTINGS else PictureSettings)(**{key: value}, **company)
    except SettingsError:
        return False
    return True
