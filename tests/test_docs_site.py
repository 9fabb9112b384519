"""The site of the documentation: generated pages are current, recipes hold, and all is built in silence."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from commands import ROOT
from object_store import ObjectStore
from PIL import Image
from small_batch import draw, worker_inside
from typer.testing import CliRunner

from docs import troubleshooting
from docs.generated import FOLDER, main, outdated, pages
from flows.cli.app import app
from flows.engines.local import LocalEngine
from flows.manifest.load import load_manifest
from flows.pages.remedies import REMEDIES
from flows.planning.plan import make_plan
from flows.running.upkeep import doctor
from flows.running.upkeep.machine import TorchFacts
from flows.worker.main import DeviceWorker

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CRON = re.compile(r"^[\d*/, ]+  cd /data && (stylize .*) > last\.json 2> last\.log \|\| cat last\.log$")
ELSEWHERE = re.compile(r"(@import|url\()\s*[\"']?(https?:)?//")
QUICKLY = {
    "run": ["-n"],
    "one": ["-s", "steps=2", "-s", "size=48"],
    "explore": ["--size", "32", "-s", "steps=1", "-s", "style_weight=50", "--device", "cpu"],
}
"""What is said beside what stands there: a run is only planned, single pictures are made small."""


@dataclass(frozen=True)
class Recipe:
    """What stands below a heading of a page: language and text of each block."""

    title: str
    blocks: tuple[tuple[str, str], ...]


def recipe(section: str) -> Recipe:
    title, _, text = section.partition("\n")
    return Recipe(title, tuple((match[1], match[2]) for match in BLOCK.finditer(text)))


COOKBOOK, TUTORIAL, README = (
    (FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in ("cookbook", "tutorial", "../README")
)
RECIPES = [*(recipe(section) for section in re.split(r"(?m)^## ", COOKBOOK)[1:]), recipe(TUTORIAL)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, object_store: ObjectStore) -> Path:
    """Folders and buckets with the pictures that the pages name, on a machine that lacks nothing."""
    names = ["photos/harbour.jpg", "photos/may/boat.jpg", "photos/boat_thumb.jpg", "mnt/shared/photos/a.jpg"]
    names += ["paintings/wave.jpg", "paintings/mosaic.jpg", "mnt/shared/paintings/b.jpg"]
    for number, name in enumerate(names):
        draw(tmp_path / name, number)
    (tmp_path / "masks").mkdir()
    for name in ("sky", "face"):
        Image.new("L", (64, 48), 200).save(tmp_path / f"masks/{name}.png")
    picture = (tmp_path / "photos/harbour.jpg").read_bytes()
    for bucket in ("my-bucket", "open-data", "bucket"):
        object_store.client.create_bucket(Bucket=bucket)
        for key in ("photos/a.jpg", "photos/may/a.png", "paintings/wave.jpg"):
            object_store.client.put_object(Bucket=bucket, Key=key, Body=picture)
    listed = io.BytesIO(b"image\ns3://my-bucket/photos/a.jpg\n")
    object_store.client.put_object(Bucket="my-bucket", Key="feed/tonight.csv", Body=listed)
    monkeypatch.chdir(tmp_path)
    facts = TorchFacts("2.15", "13.2", 8, (), str(tmp_path / "hub"), "")
    monkeypatch.setattr(doctor, "torch_facts", lambda: facts)
    monkeypatch.setattr(doctor, "why_no_prefect", lambda: "")
    monkeypatch.setattr("flows.running.one.ProcessWorker", lambda slot, *_: DeviceWorker(slot, batch=1))
    defaults = LocalEngine.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "make_worker", worker_inside)
    return tmp_path


@pytest.mark.parametrize("given", RECIPES, ids=lambda given: given.title)
def test_manifests_are_planned_and_commands_go_well(given: Recipe, place: Path) -> None:
    """From top to bottom: a manifest is written where its first line says, and used by what follows."""
    for language, block in given.blocks:
        if language == "yaml":
            write_and_plan(block, place)
        else:
            for line in block.splitlines():
                run_small(line)


def write_and_plan(text: str, place: Path) -> None:
    name = text.partition("\n")[0].removeprefix("# ").split()[0]
    text = text.replace("encoder: vgg19", "encoder: slim")  # would have to be downloaded
    (place / name).write_text(text.replace("/mnt/shared", str(place / "mnt/shared")))
    plan = make_plan(load_manifest(name))
    assert plan.pairs
    assert not plan.refused


def run_small(line: str) -> None:
    cron = CRON.fullmatch(line)
    line = re.sub(r" -s (size|steps)=\d+", "", cron[1] if cron else line)
    program, *words = shlex.split(line, comments=True)
    assert program == "stylize", line
    said = CliRunner().invoke(app, words + QUICKLY.get(words[0], []))
    assert said.exit_code == 0, f"{line}: {said.output}"


@pytest.mark.slow
def test_the_readmes_manifest_is_planned_and_its_commands_go_well(place: Path) -> None:
    """`init` comes first, as it writes a manifest where there is none."""
    make, manifest, commands, _python = (match[2] for match in BLOCK.finditer(README))
    targets = re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert {line.split()[1] for line in make.splitlines()} <= set(targets)
    for name in ("portrait.jpg", "photo.jpg", "painting.jpg", "paintings/starry.jpg", "photos/lion.jpg"):
        draw(place / name, len(name))
    for output in ("out-a", "out-b"):
        run_small(f"stylize one photo.jpg painting.jpg -o {output}/made.png")
    first, *others = commands.splitlines()
    run_small(first)
    write_and_plan(manifest, place)
    for line in others:
        run_small(line)


def test_no_block_of_these_pages_is_left_out() -> None:
    found = [language for given in RECIPES for language, _ in given.blocks]
    assert {language: found.count(language) for language in found} == {"yaml": 8, "sh": 11, "text": 1}
    assert len(found) == len(BLOCK.findall(COOKBOOK + TUTORIAL))


def test_pages_that_are_made_of_the_program_are_up_to_date() -> None:
    assert outdated() == [], "run: python -m docs.generated"
    assert main(["--check"]) == 0


def test_an_old_page_is_named_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("docs.generated.FOLDER", tmp_path)
    (tmp_path / "cli.md").write_text("of yesterday")
    assert main(["--check"]) == 1
    assert capsys.readouterr().out.startswith("cli.md is not up to date; run: python -m docs.generated\n")
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_the_command_lines_reference_has_every_command_and_option() -> None:
    page = pages()[FOLDER / "cli.md"]
    for words in (["--help"], ["run", "--help"], ["weights", "--help"]):
        said = CliRunner().invoke(app, words, env={"COLUMNS": "300"}).output
        for option in set(re.findall(r"--[a-z-]+", said)) - {"--help"}:
            assert option in page, option
    assert "| `--output PATH`, `-o` | Where the picture goes; .png, .jpg, .webp or .tif. Required. |" in page


def test_troubleshooting_has_every_kind_and_messages_as_they_are_raised() -> None:
    page, said = pages()[FOLDER / "troubleshooting.md"], troubleshooting.messages()
    assert all(f"Kind `{kind}`. {remedy.what_to_do}" in page for kind, remedy in REMEDIES.items())
    assert said.keys() <= REMEDIES.keys()
    assert "… does not exist; correct the path or restore the file" in said["not_found"]
    assert "bit_depth: … is not accepted; … holds 8 bits per channel; use png or tiff" in said["settings"]
    assert "this value stands twice in the list" in said["manifest"]


class Fetched(HTMLParser):
    """What a browser would fetch from another host to show the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            fetches = key == "src" or (key == "href" and tag == "link")
            if fetches and re.match(r"(https?:)?//", value or ""):
                self.found.append(f"{tag} {value}")


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="the site needs Sphinx, MyST and furo: pip install -e '.[test]'")
    site = tmp_path / "site"
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-c", "docs/site"]
    command += ["-d", str(tmp_path / "trees"), ".", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    built = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert built >= {f"docs/{page.stem}.html" for page in FOLDER.glob("*.md")} | {"index.html", "README.html"}
    for page in site.rglob("*.html"):
        assert Fetched(page.read_text(encoding="utf-8")).found == [], page.name
    for style in site.rglob("*.css"):
        assert not ELSEWHERE.search(style.read_text(encoding="utf-8")), style.name
    assert 'url=docs/index.html"' in (site / "index.html").read_text(encoding="utf-8")
