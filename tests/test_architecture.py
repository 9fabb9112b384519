"""The house's rules, read from the source: who knows whom, and what modules, functions and names may be."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

CORE_MAY_IMPORT = {"torch", "torchvision", "PIL", "numpy", "safetensors", "stylize_core"}
# Extras of the installation.
ON_DEMAND = {"stylize_core.image.mp4": {"av"}, "stylize_core.image.formats.heic": {"pillow_heif"}}

# Only these modules may know that library, so that replacing it touches one place.
OWNERS = {
    "PIL": ("stylize_core.image.*",),
    "av": ("stylize_core.image.mp4",),
    "pillow_heif": ("stylize_core.image.formats.heic",),
    "yaml": ("flows.manifest.*",),
    "boto3": ("flows.storage.*",),
    "botocore": ("flows.storage.*",),
    "prometheus_client": ("flows.running.exposition",),
    "prefect": ("flows.stylize_batch", "flows.fleet.*", "flows.engines.prefect.*"),
    "httpx": ("flows.fleet.*", "flows.engines.prefect.*"),
    "jinja2": ("flows.pages.rendering",),
    "typer": ("flows.cli.*",),
    "rich": ("flows.cli.*", "flows.fleet.flow_run_log"),
}

# Every room knows itself and the rooms before it. Those of one line do not know each other.
ROOMS = {
    "stylize_core": [
        ("errors",), ("architecture", "large_pictures"), ("chunks", "device", "sections"), ("settings",),
        ("demand",), ("image",),
        ("networks",), ("loss",), ("optim",), ("pyramid",), ("dream",), ("transfer",), ("library",),
    ],
    "flows": [
        ("errors",), ("text", "streams"), ("logs",), ("model",), ("storage",), ("manifest",), ("records",),
        ("planning",), ("pages",), ("worker",), ("engines",), ("running",), ("fleet",),
        ("cli", "stylize_batch"),
    ],
}  # fmt: skip

LONGEST_MODULE = 300
MOST_MODULES = 20
LONGEST_FUNCTION = 60
EMPTY_WORDS = {"Manager", "Handler", "Processor", "Helper", "Helpers", "Util", "Utils"}

TYPE_CHECKING = re.compile(r"(typing\.)?TYPE_CHECKING")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, and its lines."""

    name: str
    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax, read by who asks: every process that collects the tests makes all modules."""
        return ast.parse(self.text)


def modules(*folders: str) -> list[Module]:
    """The source files below these folders of the project."""
    found = []
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found.append(Module(name, path, text))
    return found


PRODUCT = modules("stylize_core", "flows")
EVERYTHING = PRODUCT + modules("artwork", "training", "benchmarks", "docs")
NAMES = {module.name for module in PRODUCT}


def offenders(wrong: Callable[[Module], object], among: list[Module] = EVERYTHING) -> dict[str, object]:
    """What is wrong with which module; a rule is one test, whose message names all that break it."""
    return {module.name: found for module in among if (found := wrong(module))}


def running_nodes(tree: ast.AST, *, at_import: bool) -> Iterator[ast.AST]:
    """Every node that can run, or only what runs at import; what `if TYPE_CHECKING` guards never does."""
    for child in ast.iter_child_nodes(tree):
        guarded = isinstance(child, ast.If) and TYPE_CHECKING.fullmatch(ast.unparse(child.test))
        if not guarded and not (at_import and isinstance(child, Function | ast.Lambda)):
            yield child
            yield from running_nodes(child, at_import=at_import)


def imports(module: Module, *, at_import: bool = False) -> set[str]:
    """What the module imports; `from flows.planning import plan` counts as `flows.planning.plan`."""
    found: set[str] = set()
    for node in running_nodes(module.tree, at_import=at_import):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.path}:{node.lineno}: write the full name of the module"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(members & NAMES or {str(node.module)})
    return found


def libraries(module: Module) -> set[str]:
    """The top-level packages that the module imports."""
    return {name.split(".")[0] for name in imports(module)}


def functions(module: Module) -> Iterator[Function]:
    """All functions of the module, methods and inner ones included."""
    return (node for node in ast.walk(module.tree) if isinstance(node, Function))


def room(name: str) -> str:
    """The room that a module is in: `flows.storage` for `flows.storage.s3`."""
    return ".".join(name.split(".")[:2])


def wrong_ways(name: str, imported: set[str]) -> set[str]:
    """What a module must not import: what is in a room after its own, or beside it.

    The art knows nothing of the batch, and the batch all of the art.
    """
    return {one for one in imported if _height(one) > _height(name) or _beside(one, name)}


def _height(name: str) -> int:
    """The place of a module's room in the order of all; that of a package itself lies below its rooms."""
    package, _, rest = name.partition(".")
    above = 100 * list(ROOMS).index(package)
    if not rest:
        return above - 1
    heights = [at for at, rooms in enumerate(ROOMS[package]) if rest.split(".")[0] in rooms]
    assert heights, f"{name} is in no room; put it into one, or add its room to ROOMS at its height"
    return above + heights[0]


def _beside(one: str, other: str) -> bool:
    return _height(one) == _height(other) and room(one) != room(other)


def test_a_module_knows_its_own_room_and_those_below() -> None:
    # What a package itself shows to users is loaded on demand from wherever it is.
    inside = [module for module in PRODUCT if "." in module.name]
    assert offenders(lambda module: wrong_ways(module.name, imports(module) & NAMES), inside) == {}


@pytest.mark.parametrize(
    ("name", "imported"),
    [
        ("flows.logs", "flows.records.record"),
        ("flows.model.sweep", "flows.manifest.settings"),
        ("flows.running.run", "flows.cli.display"),
        ("flows.running.run", "flows.stylize_batch"),
        ("flows.worker.batch", "flows.engines.process"),
        ("flows.worker.sheets", "flows.engines.process"),
        ("stylize_core.networks.encoder", "stylize_core.loss.functional"),
        ("stylize_core.architecture", "stylize_core.settings.picture"),
        ("stylize_core.device", "flows.errors"),
        ("flows.cli.app", "flows.stylize_batch"),
    ],
)
def test_an_import_in_the_wrong_direction_is_found(name: str, imported: str) -> None:
    assert wrong_ways(name, {imported}) == {imported}


def test_a_module_in_no_room_is_found() -> None:
    with pytest.raises(AssertionError, match=r"flows\.misplaced is in no room"):
        wrong_ways("flows.misplaced", {"flows.errors"})


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_has_somebody_living_in_it(package: str) -> None:
    rooms = {f"{package}.{name}" for level in ROOMS[package] for name in level}
    assert rooms == {room(name) for name in NAMES if name.startswith(f"{package}.")}


def test_no_folder_of_code_is_crowded() -> None:
    folders = Counter(module.path.parent for module in EVERYTHING if module.path.stem != "__init__")
    assert not {folder: count for folder, count in folders.items() if count > MOST_MODULES}


def test_imports_go_round_in_no_circle() -> None:
    # Inside a function a module may import what it opens on demand, such as one of two kinds of storage.
    known = {module.name: imports(module, at_import=True) & NAMES for module in PRODUCT}
    graphlib.TopologicalSorter(known).prepare()


def test_the_art_imports_five_libraries_and_nothing_of_the_batch() -> None:
    def foreign(module: Module) -> set[str]:
        allowed = CORE_MAY_IMPORT | sys.stdlib_module_names | ON_DEMAND.get(module.name, set())
        return libraries(module) - allowed

    assert offenders(foreign, modules("stylize_core")) == {}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_known_to_its_owner_alone(library: str) -> None:
    users = {module.name for module in PRODUCT if library in libraries(module)}
    assert users, f"nobody imports {library}: the rule is out of date"
    assert not {name for name in users if not any(fnmatch(name, owner) for owner in OWNERS[library])}


def test_a_module_stays_short() -> None:
    lengths = {module.name: len(module.text.splitlines()) for module in EVERYTHING}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_a_function_stays_short_not_counting_its_docstring() -> None:
    def long(module: Module) -> dict[str, int]:
        return {f.name: length for f in functions(module) if (length := _length(f)) > LONGEST_FUNCTION}

    assert offenders(long) == {}


def _length(function: Function) -> int:
    docstring = function.body[0] if ast.get_docstring(function) else None
    described = (docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - described


def test_what_is_public_is_described() -> None:
    def undescribed(module: Module) -> list[str]:
        unsaid = [node.name for node in _public(module.tree) if not ast.get_docstring(node)]
        return unsaid if ast.get_docstring(module.tree) else ["what the module is for", *unsaid]

    assert offenders(undescribed, PRODUCT) == {}


def test_what_is_public_is_typed() -> None:
    def untyped(module: Module) -> list[str]:
        return [node.name for node in _public(module.tree) if isinstance(node, Function) and not _typed(node)]

    assert offenders(untyped, PRODUCT) == {}


def _public(scope: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    for node in scope.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _typed(function: Function) -> bool:
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    starred = [argument for argument in (given.vararg, given.kwarg) if argument]
    own = {"self", "cls"} if named and named[0].arg in {"self", "cls"} else set()
    return function.returns is not None and all(a.annotation or a.arg in own for a in [*named, *starred])


def test_a_class_is_named_by_what_it_is() -> None:
    def empty(module: Module) -> list[str]:
        classes = [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
        return [name for name in classes if EMPTY_WORDS & set(re.findall("[A-Z][a-z]*", name))]

    assert offenders(empty) == {}


def test_a_module_is_named_by_its_subject() -> None:
    names = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [module.name for module in EVERYTHING if module.path.stem in names] == []


MOST_PARAMETERS = 6
MOST_MEMBERS = 12
WHY = "# Why so many:"


def crowded(module: Module) -> list[str]:
    """Functions with many parameters and classes with many members that no comment above them excuses."""
    lines = module.text.splitlines()
    found: list[Function | ast.ClassDef] = []
    for node in ast.walk(module.tree):
        if isinstance(node, Function) and len(_parameters(node)) > MOST_PARAMETERS:
            found.append(node)
        if isinstance(node, ast.ClassDef) and len(_members(node)) > MOST_MEMBERS:
            found.append(node)
    return [node.name for node in found if not _is_excused(node, lines)]


def _is_excused(node: Function | ast.ClassDef, lines: list[str]) -> bool:
    """Whether the comment above the definition says why."""
    at = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 2
    comment = []
    while at >= 0 and lines[at].strip().startswith("#"):
        comment.append(lines[at].strip())
        at -= 1
    return any(line.startswith(WHY) for line in comment)


def _parameters(function: Function) -> list[str]:
    given = function.args
    named = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in named if name not in {"self", "cls"}]


def _members(cls: ast.ClassDef) -> set[str]:
    """Methods, annotated fields, and what is set on `self`; double underscores are Python's own."""
    found = {node.name for node in cls.body if isinstance(node, Function)}
    found |= {node.target.id for node in cls.body if _is_field(node)}  # type: ignore[attr-defined]
    found |= {node.attr for node in ast.walk(cls) if _is_set_on_self(node)}  # type: ignore[attr-defined]
    return {name for name in found if not name.startswith("__")}


def _is_field(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)


def _is_set_on_self(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def test_what_is_crowded_says_why() -> None:
    assert offenders(crowded, PRODUCT) == {}


def test_all_that_break_a_rule_are_named_with_what_is_wrong() -> None:
    texts = {
        "one": "def f(a, b, c, d, e, f, g): ...",
        "two": "x = 1",
        "three": "def g(*, a, b, c, d, e, f, g): ...",
    }
    found = offenders(crowded, [Module(name, ROOT, text) for name, text in texts.items()])
    assert found == {"one": ["f"], "three": ["g"]}


def test_crowds_are_found_and_excused_by_a_comment_alone() -> None:
    function = "def f(a, b, c, d, e, f, *, g): ..."
    fields = "class C:\n" + "".join(f"    x{number}: int\n" for number in range(13))
    for text in (function, fields):
        for comment, expected in (("", 1), ("# Nothing.\n", 1), (f"{WHY} a reason.\n", 0)):
            code = comment + text
            assert len(crowded(Module("m", ROOT, code))) == expected
