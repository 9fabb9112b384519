"""A warning about our own code is an error in every test, and one about a library's is not."""

from __future__ import annotations

import importlib.util
import warnings

import pytest
from commands import ROOT

FOLDERS = ("flows", "stylize_core", "training", "artwork", "benchmarks", "docs")
# by the names under which they are imported
OURS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
]
TESTS = [path.stem for path in (ROOT / "tests").rglob("*.py") if not (path.parent / "__init__.py").exists()]
PACKAGES = [
    f"{path.parent.name}.{path.stem}"
    for path in (ROOT / "tests").rglob("*.py")
    if (path.parent / "__init__.py").exists()
]


def warned(module: str) -> bool:
    """Whether a deprecation in that module is raised."""
    try:
        warnings.warn_explicit("old", DeprecationWarning, filename="x.py", lineno=1, module=module)
    except DeprecationWarning:
        return True
    return False


def test_warnings_about_every_module_of_ours_are_errors() -> None:
    assert [name for name in [*OURS, *TESTS, *PACKAGES, "stylize_launcher"] if not warned(name)] == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning:(torch|boto)")
def test_warnings_about_libraries_are_theirs() -> None:
    libraries = [
        "torch",
        "boto3.session",
        "prefect",
        "botocore.auth",
        "PIL.Image",
        "flowsheet",
        "reference_lib",
    ]
    assert [name for name in libraries if warned(name)] == []
    assert importlib.util.find_spec("prefect") is not None
