"""What both packages show to their users: a change of these lists is a change of the product."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest
from commands import run

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


@pytest.mark.parametrize("package", PUBLIC)
def test_another_name_is_refused_by_its_own(package: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'stylise'"):
        _ = import_module(package).stylise


@pytest.mark.parametrize("package", PUBLIC)
def test_to_import_a_package_costs_nothing_heavy(package: str) -> None:
    code = f"import sys, {package}; print({{'torch', 'prefect', 'boto3', 'yaml'}} & {{*sys.modules}})"
    assert run(sys.executable, "-c", code).strip() == "set()"
