"""The batch: from a manifest to pictures with records, on this machine.

Names are loaded when they are first used, so that a plan costs neither torch nor Prefect.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.errors import BatchError as BatchError
    from flows.manifest.load import load_manifest as load_manifest
    from flows.model.events import Listener as Listener
    from flows.model.shard import Shard as Shard
    from flows.planning.plan import make_plan as make_plan
    from flows.records.report import Report as Report
    from flows.running.run import run_shard as run_shard

_HOMES = {
    "BatchError": "errors",
    "Listener": "model.events",
    "Report": "records.report",
    "Shard": "model.shard",
    "load_manifest": "manifest.load",
    "make_plan": "planning.plan",
    "run_shard": "running.run",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'flows' has no attribute {name!r}")
    return getattr(import_module(f"flows.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
