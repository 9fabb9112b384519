"""Whether this machine can do what a manifest wants, told in seconds, each finding with what to do."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from flows.engines.prefect.server import users_server, why_unavailable
from flows.errors import BatchError, StorageError
from flows.manifest.model import Manifest
from flows.manifest.settings import build
from flows.running.upkeep.machine import TorchFacts, torch_facts, why_no_prefect
from flows.storage.access import use_access
from flows.storage.location import S3, is_remote
from flows.storage.lock import current_holders
from flows.storage.opening import open_storage, read_blocks
from flows.text import safe_text
from stylize_core.architecture import PUBLISHED
from stylize_core.errors import SettingsError
from stylize_core.settings.style import StyleSettings

State = Literal["ok", "note", "bad"]
PROBE_NAME = ".stylize-doctor-{}"
LEAST_MEMORY = 2e9
LEAST_DISK = 2e9


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        state: `bad` if a run would fail of it, `note` if it should be known.
        found: what is so.
        advice: what to do; empty where nothing is to be done.
    """

    check: str
    state: State
    found: str
    advice: str = ""


def examine(manifest: Manifest | None) -> Iterator[Finding]:
    """All findings, in a fixed order; each as soon as it and those before it are known.

    Args:
        manifest: whose output, weights and device are looked at as well; None for the machine alone.
    """
    if manifest is not None:
        use_access(manifest.s3)
    checks: list[Callable[[], list[Finding]]] = [_memory, _prefect]
    if manifest is None:
        checks.append(lambda: [_disk(str(Path.cwd()))])
    else:
        checks += [lambda: _storage(manifest), lambda: _clock(manifest.output)]
    with ThreadPoolExecutor(len(checks) + 1) as pool:
        torch = pool.submit(torch_facts)
        begun = [pool.submit(check) for check in checks]
        yield from _devices(torch.result(), "auto" if manifest is None else manifest.device)
        yield from _weights(torch.result(), manifest)
        for check in begun:
            yield from check.result()


def _devices(torch: TorchFacts, wanted: str) -> Iterator[Finding]:
    if torch.trouble:
        yield Finding("devices", "bad", f"PyTorch does not start: {torch.trouble}", "install stylize again")
        return
    for one in torch.devices:
        label = f"{one['device']}, {one['name']}"
        if trouble := one.get("trouble"):
            advice = "look at it with nvidia-smi, or choose another one with --device"
            yield Finding("devices", "bad", safe_text(f"{label}, does not compute: {trouble}", 400), advice)
        else:
            free = one.get("free_bytes")
            memory = "" if free is None else f", {_gb(free)} of {_gb(one['memory_bytes'])} free"
            yield Finding("devices", "ok", f"{label}{memory}")
    names = [one["device"] for one in torch.devices]
    kind = wanted.partition(":")[0]
    if kind in ("cuda", "mps") and not any(name == wanted or name.startswith(f"{wanted}:") for name in names):
        here = ", ".join([*names, "cpu"])
        yield Finding("devices", "bad", f"the manifest wants `device: {wanted}`", f"this machine has {here}")
    elif not names:
        built = f"built for CUDA {torch.cuda}" if torch.cuda else "built without CUDA"
        found = f"the CPU, {torch.threads} threads; no GPU is seen by PyTorch {torch.torch}, {built}"
        yield Finding("devices", "ok" if wanted == "cpu" else "note", found, "fine for `slim`; slow for VGGs")


def _memory() -> list[Finding]:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # not every system says
        return []
    free = max(free, _available_on_linux())
    said = f"{_gb(free)} of {_gb(total)} free"
    if free < LEAST_MEMORY:
        return [Finding("memory", "bad", said, "end other programs, or make smaller pictures")]
    return [Finding("memory", "ok", said)]


def _available_on_linux() -> int:
    """What programs can have once the kernel gives up its caches."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)


def _weights(torch: TorchFacts, manifest: Manifest | None) -> Iterator[Finding]:
    used = {} if manifest is None else {(s.encoder, s.weights): s for s in _settings_of(manifest)}
    staged = {settings.weights for settings in used.values() if settings.weights is not None}
    for weights in sorted(staged, key=lambda one: one.file):
        yield _digest(weights.file, weights.file, weights.sha256)
    needed = {settings.encoder for settings in used.values() if settings.weights is None}
    for name, published in PUBLISHED.items():
        folder = Path(torch.hub or ".") / "checkpoints"
        there = sorted(folder.glob(f"*-{published.sha256_prefix}.pth")) if torch.hub else []
        if there:
            yield _digest(f"{name}, {there[0]}", str(there[0].absolute()), published.sha256_prefix)
        elif name in needed:
            advice = f"the first run downloads them; or now: stylize weights {name} --fetch"
            yield Finding("weights", "note", f"{name}: not downloaded yet", advice)
    if not used or "slim" in needed:
        yield Finding("weights", "ok", "slim: built in")


def _digest(what: str, file: str, expected: str) -> Finding:
    try:
        found = _hash(read_blocks(file))
    except StorageError as error:
        return Finding(
            "weights", "bad", safe_text(f"{what}: {error}"), "make the file readable, or name it anew"
        )
    if found.startswith(expected):
        return Finding("weights", "ok", f"{what}: verified")
    advice = "delete it and fetch it again, or correct `sha256` in the manifest"
    return Finding(
        "weights", "bad", f"{what}: its sha256 begins with {found[:8]}, not {expected[:8]}", advice
    )


def _hash(blocks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _settings_of(manifest: Manifest) -> Iterator[StyleSettings]:
    """The settings that styles and pairs have, and the encoders that a sweep goes through."""
    owns = [{}, *(one.settings for one in manifest.styles), *(one.settings for one in manifest.pairs)]
    swept = manifest.sweep.get("encoder", ())
    for own in [*owns, *({"encoder": encoder} for encoder in swept)]:
        try:
            yield build({**manifest.settings, **own}).style
        except SettingsError:  # it is whole only with what lies between
            continue


def _storage(manifest: Manifest) -> list[Finding]:
    """Whether the output can be written, read and cleaned, by a small file that is gone afterwards."""
    storage = open_storage(manifest.output)
    made = [] if is_remote(manifest.output) else _missing(Path(manifest.output))
    name, data = PROBE_NAME.format(secrets.token_hex(8)), secrets.token_bytes(64)
    try:
        try:
            storage.write(name, data)
            read_back = storage.read(name) == data
        finally:
            storage.delete(name)
        holders = current_holders(storage)
    except BatchError as error:
        return [Finding("storage", "bad", safe_text(str(error)))]
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
    if not read_back:
        advice = "use another place: what is written there does not come back"
        return [Finding("storage", "bad", f"{manifest.output} gives other bytes than it was given", advice)]
    return [
        Finding("storage", "ok", f"{manifest.output}: written, read back and deleted"),
        *(Finding("storage", "note", f"a run is at work there: pid {h.pid} on {h.host}") for h in holders),
        *([] if is_remote(manifest.output) else [_disk(manifest.output)]),
    ]


def _missing(folder: Path) -> list[Path]:
    """The folder and those above it that are not there, the deepest first."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


def _clock(output: str) -> list[Finding]:
    """The clock against the store's; a local one is its own."""
    if not output.startswith(f"{S3}://"):
        return []
    from flows.storage.clock import TOLERATED_S, seconds_ahead

    ahead = seconds_ahead(output)
    if ahead is None:
        return [Finding("clock", "note", "the store does not say what time it is")]
    said = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the store's"
    if abs(ahead) > TOLERATED_S:
        return [Finding("clock", "bad", said, "set this machine's clock, by NTP")]
    return [Finding("clock", "ok", said)]


def _disk(folder: str) -> Finding:
    there = next(one for one in (Path(folder), *Path(folder).parents) if one.exists())
    free = shutil.disk_usage(there).free
    if free < LEAST_DISK:
        return Finding(
            "disk", "bad", f"{_gb(free)} free in {there}", "make room there, or choose another output"
        )
    return Finding("disk", "ok", f"{_gb(free)} free in {there}")


def _prefect() -> list[Finding]:
    """Whether a named server answers, or else Prefect could be started; a run depends on neither."""
    if server := users_server():
        if why := why_unavailable(server):
            advice = "start it or correct PREFECT_API_URL; runs go on without, and say so"
            return [Finding("prefect", "note", safe_text(why), advice)]
        return [Finding("prefect", "ok", "the server of PREFECT_API_URL answers")]
    if why := why_no_prefect():
        advice = "only flows need it; install stylize again, or look at prefect.toml"
        return [Finding("prefect", "note", f"Prefect does not start: {why}", advice)]
    return [Finding("prefect", "ok", "no server is named, and none is needed; flows can start")]


def facts(findings: list[Finding]) -> dict[str, Any]:
    """Everything as JSON has it."""
    return {
        "findings": [asdict(one) for one in findings],
        "well": all(one.state != "bad" for one in findings),
    }


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
