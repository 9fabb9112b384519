"""What both packages show to their users: a change of these lists is a change of the product."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import fields, is_dataclass
from importlib import import_module

import pytest
from commands import ROOT, run

import stylize_core

PUBLIC = {
    "flows": [
        "BatchError", "Listener", "Report", "Shard", "load_manifest", "make_plan", "run_shard",
    ],
    "stylize_core": [
        "Encoder", "Picture", "PictureSettings", "SettingsError", "StepProgress", "StyleSettings",
        "StylizeError", "Stylized", "Weights", "builtin_weights", "decode_picture", "encode_picture",
        "open_picture", "published_weights", "save_picture", "stylize", "stylize_tensors",
        "weights_from_bytes",
    ],
}  # fmt: skip


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names_are_these_sorted_and_all_that_dir_shows(package: str) -> None:
    module = import_module(package)
    assert module.__all__ == sorted(module.__all__) == PUBLIC[package] == dir(module)


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package, names in PUBLIC.items() for name in names]
)
def test_a_public_name_is_there_and_described(package: str, name: str) -> None:
    assert getattr(import_module(package), name).__doc__


@pytest.mark.parametrize("name", PUBLIC["stylize_core"])
def test_a_name_of_the_library_says_what_goes_in_and_what_is_refused(name: str) -> None:
    value = getattr(import_module("stylize_core"), name)
    told = inspect.getdoc(value) or ""
    if is_dataclass(value):
        assert [field.name for field in fields(value) if f"{field.name}: " not in told] == UNTOLD.get(
            name, []
        )
    elif inspect.isfunction(value) and name != "builtin_weights":  # nothing goes in, and it is always there
        assert "Raises:" in told
        assert [word for word in inspect.signature(value).parameters if word not in told] == []


UNTOLD = {"Weights": ["architecture", "convention"]}
"""Fields whose names and types say all there is to say."""


def test_settings_say_their_ranges_and_what_they_are_unless_given() -> None:
    said = inspect.getdoc(stylize_core.StyleSettings) or ""
    assert "    steps: evaluations of the loss and its gradient; from 1 to 100000; 200 unless given." in said
    assert "the solver; `gd`: plain gradient descent; one of lbfgs, adam, gd; 'lbfgs' unless given." in said


def test_the_librarys_page_names_every_public_name() -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `(\w+)` \|", page.partition("## Every name")[2])
    assert rows == PUBLIC["stylize_core"]


@pytest.mark.parametrize("package", PUBLIC)
def test_another_name_is_refused_by_its_own(package: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'stylise'"):
        _ = import_module(package).stylise


@pytest.mark.parametrize("package", PUBLIC)
def test_to_import_a_package_costs_nothing_heavy(package: str) -> None:
    code = f"import sys, {package}; print({{'torch', 'prefect', 'boto3', 'yaml'}} & {{*sys.modules}})"
    assert run(sys.executable, "-c", code).strip() == "set()"
