"""What importing costs and needs, observed in fresh interpreters."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import venv
from pathlib import Path

import pytest
from commands import ROOT, run
from packaging.requirements import Requirement

# A plan with nothing to do must not cost the seconds that these imports take.
HEAVY = ("torch", "torchvision", "prefect")
LIGHT = (
    "stylize_core/errors.py",
    "stylize_core/settings/*.py",
    "stylize_core/demand/*.py",
    "stylize_core/image/size.py",
    "stylize_core/architecture.py",
    "flows/errors.py",
    "flows/manifest/*.py",
    "flows/model/*.py",
    "flows/pages/*.py",
    "flows/planning/*.py",
    "flows/records/*.py",
)

ART_NEEDS = ("torch", "torchvision", "pillow", "numpy", "safetensors")
BATCH_NEEDS = ("prefect", "fastapi", "yaml", "boto3", "pydantic", "tenacity", "typer", "rich")


def _python(code: str, *, python: str = sys.executable, path: Path = ROOT, **environment: str) -> str:
    """Run code in a fresh interpreter that finds our packages in `path`; its output."""
    return run(python, "-c", code, cwd=path, PYTHONPATH=str(path), PYTHONDONTWRITEBYTECODE="1", **environment)


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_what_a_plan_needs_imports_neither_torch_nor_prefect() -> None:
    """One interpreter imports it all; what comes in with one of our modules is told beside its name."""
    names = {pattern: [_dotted(path) for path in sorted(ROOT.glob(pattern))] for pattern in LIGHT}
    assert all(names.values()), f"a pattern names no file: the rule is out of date: {names}"
    code = (
        "import importlib, sys\n"
        f"for name in {[name for some in names.values() for name in some]}:\n"
        "    importlib.import_module(name)\n"
        f"    heavy = [one for one in {HEAVY} if one in sys.modules]\n"
        "    if heavy: sys.exit(f'{name} imports {heavy}')"
    )
    assert _python(code) == ""


# Audit events name every file, process and socket. The one to blame is the nearest caller that is not the
# standard library; who merely imports a library is not to blame for what it does, nor for its own .pyc file.
WATCHED_IMPORTS = """
import importlib, json, sys
root, names = sys.argv[1] + "/", json.loads(sys.argv[2])
WATCHED = {"open", "os.mkdir", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.putenv",
           "subprocess.Popen", "socket.connect", "socket.bind", "tempfile.mkdtemp", "tempfile.mkstemp"}
found = []

def blame():
    frame = sys._getframe(2)
    while frame:
        file = frame.f_code.co_filename
        if "importlib._bootstrap" in file or "site-packages" in file:
            return None
        if file.startswith(root):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back

def watch(event, arguments):
    if event in WATCHED and (place := blame()):
        found.append(f"{place} {event} {arguments[:1]}")

sys.addaudithook(watch)
for name in names:
    importlib.import_module(name)
print(json.dumps(found))
"""


def _work_at_import(root: Path, names: list[str], home: Path) -> list[str]:
    code = f"import sys; sys.argv[1:] = {[str(root), json.dumps(names)]!r}\n{WATCHED_IMPORTS}"
    found: list[str] = json.loads(_python(code, path=root, PREFECT_HOME=str(home), DO_NOT_TRACK="1"))
    return found


@pytest.mark.slow
def test_importing_our_modules_touches_no_file_process_or_socket(tmp_path: Path) -> None:
    names = [
        _dotted(path) for folder in ("stylize_core", "flows") for path in (ROOT / folder).rglob("[!_]*.py")
    ]
    assert _work_at_import(ROOT, names, tmp_path) == []


def test_a_module_that_works_at_import_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "guilty.py").write_text("import pathlib\npathlib.Path(__file__).read_text()\n")
    (found,) = _work_at_import(tmp_path, ["guilty"], tmp_path)
    assert found.startswith(f"{tmp_path}/guilty.py:2 open")


def _with_all_they_need(*names: str) -> set[str]:
    """These distributions and, in turn, those that they need on this machine."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        key = f"{wanted.name}[{','.join(sorted(wanted.extras))}]"
        if key not in found:
            found.add(key)
            extras = sorted(wanted.extras) or [""]
            needs = [Requirement(line) for line in importlib.metadata.requires(wanted.name) or []]
            waiting += [
                n for n in needs if not n.marker or any(n.marker.evaluate({"extra": e}) for e in extras)
            ]
    return {key.split("[")[0] for key in found}


def _link_into(site_packages: Path, distribution: str) -> None:
    """Make a distribution of this environment importable there; two may share a top-level folder."""
    installed = importlib.metadata.distribution(distribution)
    for top in {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}:
        if not (site_packages / top).exists():
            (site_packages / top).symlink_to(Path(str(installed.locate_file(top))))


@pytest.fixture
def python_of_the_art(tmp_path: Path) -> str:
    """An interpreter that has the art, its five libraries and nothing else."""
    venv.create(tmp_path / "venv", with_pip=False)
    (site_packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    for distribution in _with_all_they_need(*ART_NEEDS):
        _link_into(site_packages, distribution)
    (site_packages / "stylize_core").symlink_to(ROOT / "stylize_core")
    return str(tmp_path / "venv/bin/python")


TINY_USE = f"""
import importlib.util, torch
from stylize_core import Encoder, PictureSettings, StyleSettings, stylize_tensors
from stylize_core.architecture import convolutions
from stylize_core.image.decode import decode_picture, encode_picture
from stylize_core.networks.weights import Weights

assert not [name for name in {BATCH_NEEDS} if importlib.util.find_spec(name)]
torch.manual_seed(0)
parameters = {{}}
for number, c in enumerate(convolutions("slim")):
    parameters[f"features.{{c.index}}.weight"] = torch.randn(4, 4 if number else 3, 3, 3)
    parameters[f"features.{{c.index}}.bias"] = torch.zeros(4)
weights = Weights("slim", "torchvision", parameters, sha256="0" * 64, source="random numbers")
settings = StyleSettings(encoder="slim", steps=2)
encoder = Encoder(weights, layers=settings.layers)
content, style = torch.rand(2, 1, 3, 32, 32)
made = stylize_tensors(content, style, settings=settings, encoder=encoder)
data = encode_picture(made.image_bchw[0], alpha=None, settings=PictureSettings(), facts={{}})
print(*decode_picture(data, source="made", settings=PictureSettings()).rgb.shape)
"""


@pytest.mark.slow
def test_the_art_works_where_nothing_of_the_batch_is_installed_and_every_module_can_be_imported_there(
    python_of_the_art: str, tmp_path: Path
) -> None:
    names = [_dotted(path) for path in (ROOT / "stylize_core").rglob("[!_]*.py")]
    code = f"{TINY_USE}\nimport {', '.join(names)}"
    assert _python(code, python=python_of_the_art, path=tmp_path).split() == ["3", "32", "32"]
