"""Strikes a run from inside, at a chosen call of a chosen function: kills it, or fills its disk.

The product knows nothing of this. A test starts the program with a PYTHONPATH that begins with a folder that
holds a `sitecustomize.py`; Python runs that in every process of the run, workers included, and it calls
`install`, which wraps a few functions once their modules are imported.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

VARIABLE = "STYLIZE_TEST_SABOTAGE"
HERE = Path(__file__).parent

Moment = Literal[
    "read",  # an input's bytes are there, nothing is decoded
    "optimise",  # in the middle of the steps
    "write",  # half of the picture is written, or has gone to the store
    "rename",  # the picture is whole, and waits to get its name
    "between",  # the picture has its name, its record does not exist
    "record",  # half of the record is written
    "recorded",  # the record is there, nobody was told
    "lock",  # half of the run's lock is written
    "report",  # half of the report is written
    "unlock",  # the report is there, the lock still held
]
Victim = Literal["worker", "parent", "all"]
IN_WORKER: tuple[Moment, ...] = ("read", "optimise", "write", "rename", "between", "record", "recorded")
IN_PARENT: tuple[Moment, ...] = ("lock", "report", "unlock")


@dataclass(frozen=True, slots=True)
class Blow:
    """One strike.

    Attributes:
        moment: when.
        call: at which call of that moment, counted from 1 in each process.
        victim: who is killed: the process itself, its parent, or the whole process group.
        latch: a file that the strike creates; where it exists, nothing happens any more. Empty: no end.
        full: instead of killing anybody, say that the disk is full, from this call on.
    """

    moment: Moment
    call: int = 1
    victim: Victim = "all"
    latch: str = ""
    full: bool = False

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables that bring this blow into a program; `folder` gets the file that Python looks for."""
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text("import saboteur\nsaboteur.install()\n")
        paths = [folder, HERE, HERE.parent, HERE.parent.parent]
        return {"PYTHONPATH": os.pathsep.join(map(str, paths)), VARIABLE: json.dumps(asdict(self))}


def install() -> None:
    """Lie in wait in this process, if the environment says so."""
    if text := os.environ.get(VARIABLE):
        sys.meta_path.insert(0, _AfterImport(_Striker(Blow(**json.loads(text)))))


class _AfterImport(MetaPathFinder):
    """Has a function called with each module of interest right after its import."""

    def __init__(self, striker: _Striker) -> None:
        self._wraps: dict[str, Callable[[Any], None]] = {
            "flows.worker.link": striker.wrap_link,
            "flows.storage.local": striker.wrap_local,
            "flows.storage.s3": striker.wrap_s3,
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        wrap = self._wraps.get(fullname)
        spec = PathFinder.find_spec(fullname, path) if wrap else None
        if spec is None or spec.loader is None or wrap is None:
            return None
        run = spec.loader.exec_module

        def run_and_wrap(module: ModuleType) -> None:
            run(module)
            wrap(module)

        spec.loader.exec_module = run_and_wrap  # type: ignore[method-assign]
        return spec


class _Striker:
    def __init__(self, blow: Blow) -> None:
        self._blow, self._calls, self._here = blow, 0, threading.local()

    @property
    def _name(self) -> str:
        """What this thread is reading or writing."""
        return getattr(self._here, "name", "")

    def wrap_link(self, link: Any) -> None:
        link.report = self._before("optimise", link.report)

    def wrap_local(self, module: Any) -> None:
        storage = module.LocalStorage
        self._wrap_names(storage)
        module._write_new = self._halved_file(module._write_new)
        module.Path.replace = self._before("rename", module.Path.replace)

    def wrap_s3(self, module: Any) -> None:
        self._wrap_names(module.S3Storage)
        http.client.HTTPConnection.send = self._halved_body(http.client.HTTPConnection.send)  # type: ignore[method-assign]

    def _wrap_names(self, storage: Any) -> None:
        """What needs no more than the name that is read, written or deleted."""
        storage.read = self._named(storage.read, after={"input": "read"})
        storage.write = self._named(storage.write, after={"picture": "between", "record": "recorded"})
        storage.create = self._named(storage.create, after={"record": "recorded"})
        storage.delete = self._named(storage.delete, before={"lock": "unlock"})

    def _named(
        self,
        function: Any,
        *,
        before: dict[str, Moment] | None = None,
        after: dict[str, Moment] | None = None,
    ) -> Any:
        @wraps(function)
        def wrapped(storage: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            kind = _kind(name, storage.root)
            outer, self._here.name = self._name, kind
            try:
                self._reach((before or {}).get(kind))
                result = function(storage, name, *args, **kwargs)
                self._reach((after or {}).get(kind))
                return result
            finally:
                self._here.name = outer

        return wrapped

    def _before(self, moment: Moment, function: Any) -> Any:
        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if moment == "optimise" or self._name == "picture":
                self._reach(moment)
            return function(*args, **kwargs)

        return wrapped

    def _halved_file(self, function: Any) -> Any:
        @wraps(function)
        def wrapped(path: Path, data: bytes) -> Any:
            if self._is_due(_HALVED.get(self._name)):
                function(path, data[: len(data) // 2])
                self._strike()
                path.unlink()
            return function(path, data)

        return wrapped

    def _halved_body(self, function: Any) -> Any:
        @wraps(function)
        def wrapped(connection: Any, data: Any) -> Any:
            body = isinstance(data, bytes) and not data.startswith((b"PUT ", b"GET ", b"HEAD ", b"DELETE "))
            if body and self._is_due(_HALVED.get(self._name)):
                function(connection, data[: len(data) // 2])
                self._strike()
                data = data[len(data) // 2 :]
            return function(connection, data)

        return wrapped

    def _reach(self, moment: Moment | None) -> None:
        if self._is_due(moment):
            self._strike()

    def _is_due(self, moment: Moment | None) -> bool:
        if moment != self._blow.moment or (self._blow.latch and Path(self._blow.latch).exists()):
            return False
        self._calls += 1
        return self._calls == self._blow.call or (self._calls > self._blow.call and self._blow.full)

    def _strike(self) -> None:
        if self._blow.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._blow.latch:
            Path(self._blow.latch).touch()
        if self._blow.victim == "worker":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._blow.victim == "parent":
            os.kill(os.getppid(), signal.SIGKILL)
        if self._blow.victim == "all":
            os.killpg(os.getpgrp(), signal.SIGKILL)


_HALVED: dict[str, Moment] = {
    "picture": "write",
    "record": "record",
    "lock": "lock",
    "report": "report",
}


def _kind(name: str, root: str) -> str:
    """What the name stands for; pictures below a folder `in` are inputs."""
    if "/in/" in f"{root}/":
        return "input"
    if name.startswith(".stylize.lock"):
        return "lock"
    if name in ("report.json", "report.html", "trace.csv"):
        return "report"
    return "record" if name.endswith(".json") else "picture"
