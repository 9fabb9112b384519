"""What `stylize --version` says: the program, what it stands on, and with -v the devices as well."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

PACKAGES = (("PyTorch", "torch"), ("Prefect", "prefect"), ("boto3", "boto3"))


def versions_in_words(*, devices: bool) -> Iterator[str]:
    """One line each; the program itself is the first.

    Args:
        devices: whether torch is asked what it can compute on, which takes seconds.
    """
    yield f"stylize {version('stylize')}"
    yield f"Python {python_version()}"
    for name, package in PACKAGES:
        yield f"{name} {_version(package)}"
    if devices:
        from flows.running.upkeep.machine import torch_facts

        facts = torch_facts()
        if facts.trouble:
            yield f"devices: PyTorch does not start: {facts.trouble}; `stylize doctor` says more"
            return
        named = [f"{one['device']} {one['name']}" for one in facts.devices]
        yield f"CUDA of PyTorch {facts.cuda or 'none'}"
        yield f"devices: {', '.join([*named, f'cpu with {facts.threads} threads'])}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"
