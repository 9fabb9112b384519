from __future__ import annotations

import json
import logging
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
import worker_here as worker
from PIL import Image
from small_batch import FAST, draw, manifest, small_batch
from typer.testing import CliRunner, Result

from flows.cli.app import app
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan
from flows.records.record import Record
from flows.records.report import Report
from flows.running.upkeep.machine import TorchFacts

QUICK = ("-s", "size=64", "-s", "steps=5", "--device", "cpu")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small batch, and the working folder of the commands."""
    small_batch(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refusal(*arguments: str) -> tuple[int, str]:
    """The exit code of a command that does nothing, and all that it says."""
    result = command(*arguments)
    assert result.stdout == ""
    return result.exit_code, result.stderr


def do(path: Path) -> None:
    worker.start("cpu")
    plan = make_plan(load_manifest(path))
    for planned in plan.todo:
        worker.run_pair(Job(planned.pair, plan.output, planned.identity, planned.attempts))


def test_a_plan_says_what_is_to_do_and_why(home: Path) -> None:
    assert "4 pairs, 0 done, 4 to do" in command("plan", "m.yaml").stdout
    do(home / "m.yaml")
    assert command("plan", "m.yaml").stdout.startswith("4 pairs, 4 done, 0 to do")
    draw(home / "photos/p1.png", 8)
    manifest(home, settings=FAST + ", tv_weight: 2")
    result = command("plan", "m.yaml")
    assert result.exit_code == 0
    assert "p0__s0  settings: tv_weight 0.0 -> 2.0 " in result.stdout
    assert "p1__s1  content changed; settings: tv_weight 0.0 -> 2.0" in result.stdout
    assert not (home / "out/report.json").exists()


def test_a_plan_for_scripts_lists_everything(home: Path) -> None:
    facts = json.loads(command("plan", "m.yaml", "--json").stdout)
    assert facts["counts"] == {"planned": 4, "done": 0, "todo": 4}
    assert facts["reasons"] == {"new": 4}
    first = facts["todo"][0]
    assert (first["name"], first["reason"], first["trouble"]) == ("p0__s0", "new", "")
    assert (first["width"], first["height"], first["seconds"], first["cost"]) == (64, 48, None, None)
    assert first["memory_bytes"] > 0
    assert facts["estimate"]["seconds"] is None
    assert facts["estimate"]["pairs_without_estimate"] == 4


def test_a_long_plan_is_cut_and_says_so(home: Path) -> None:
    for number in range(30):
        draw(home / f"photos/x{number}.png", number)
    out = command("plan", "m.yaml").stdout
    assert "and 44 more; --json lists all" in out
    assert out.count("  new") == 20
    assert "\n64 new\n" in out


def test_names_that_look_like_markup_are_printed_as_they_are(home: Path) -> None:
    draw(home / "photos/[red]hot[bold].png", 5)
    draw(home / "photos/[link=x].png", 6)
    out = command("plan", "m.yaml").stdout
    assert "[red]hot[bold]__s0  new" in out
    assert "[link=x]__s0" in out
    do(home / "m.yaml")
    assert command("status", "m.yaml").stdout.startswith("8 of 8 done")


def test_control_characters_in_a_file_name_reach_neither_the_screen_nor_the_result(home: Path) -> None:
    draw(home / "photos/two\nlines\x1b[31m.png", 5)
    done = command("plan", "m.yaml")
    said = done.stdout
    assert done.exit_code == 0
    assert "\x1b" not in said
    assert "two_lines_[31m__s0~" in said


def test_every_problem_of_a_manifest_is_listed_with_its_line(home: Path) -> None:
    (home / "m.yaml").write_text("version: 1\noutput: out\nsettings: {stepz: 5}\nstyles: 7\n")
    for name in ("plan", "run", "status"):
        code, said = refusal(name, "m.yaml")
        assert code == 2
        assert "line 3: settings.stepz: unknown key; did you mean `steps`?" in said
        assert "line 4: styles" in said
        assert "Traceback" not in said
    assert not (home / "out").exists()


@pytest.mark.parametrize("name", ["plan", "run", "status"])
def test_a_manifest_that_is_not_there_is_named(home: Path, name: str) -> None:
    code, said = refusal(name, "nope.yaml")
    assert code == 2
    assert "nope.yaml" in said
    assert "No such file" in said
    code, said = refusal(name, ".")
    assert code == 2
    assert "directory" in said


def test_a_command_without_its_argument_is_a_usage_error(home: Path) -> None:
    for arguments in (("run",), ("run", "m.yaml", "--nope"), ("one", "a.png"), ("paint",)):
        assert refusal(*arguments)[0] == 2


@pytest.mark.parametrize(
    ("options", "word"),
    [(("--workers", "0"), "workers: 0"), (("--device", "tpu"), "device: 'tpu'")],
)
def test_a_wrong_option_of_run_is_named(home: Path, options: tuple[str, str], word: str) -> None:
    code, said = refusal("run", "m.yaml", *options)
    assert code == 2
    assert word in said


def test_an_output_that_is_a_file_stops_everything_before_it_starts(home: Path) -> None:
    (home / "out").write_text("not a folder")
    code, said = refusal("run", "m.yaml")
    assert code == 1
    assert str(home / "out") in said
    assert (home / "out").read_text() == "not a folder"


@pytest.mark.slow
def test_a_run_that_skips_what_failed_reads_it_not_again_and_fails_all_the_same(home: Path) -> None:
    (home / "photos/p1.png").write_bytes(b"no photo")
    path = str(manifest(home, "contents: ['photos/*']\nstyles: [paintings/s0.png]"))
    run = ("run", path, "--device", "cpu", "--workers", "1", "--json")
    assert command(*run).exit_code == 3
    failed = home / "out/p1__s0.json"
    before = failed.read_bytes()
    skipped = command(*run, "--skip-failed")
    report = json.loads(skipped.stdout)
    assert (skipped.exit_code, report["done_before"], report["failed"]) == (3, 1, 1)
    assert [one["kind"] for one in report["failures"]] == ["bad_image"]
    assert failed.read_bytes() == before
    assert command(*run).exit_code == 3
    assert Record.parse(failed.read_bytes()).failure != Record.parse(before).failure, "tried again"


def test_status_for_scripts_parses(home: Path) -> None:
    do(home / "m.yaml")
    facts = json.loads(command("status", "m.yaml", "--json").stdout)
    assert facts["counts"]["done"] == 4


def test_weights_are_listed_for_people_and_scripts() -> None:
    assert "name: slim\n" in command("weights").stdout
    assert json.loads(command("weights", "--json").stdout)[0]["name"] == "slim"
    assert refusal("weights", "nope.pth")[0] == 1
    assert refusal("weights", "nope.pth", "--architecture", "resnet")[0] == 2


def test_one_makes_a_picture_and_its_record_and_prints_where(home: Path) -> None:
    result = command("one", "photos/p0.png", "paintings/s0.png", "-o", "new/my {art} [1].jpg", *QUICK)
    assert (result.exit_code, result.stdout) == (0, "new/my {art} [1].jpg\n")
    with Image.open(home / "new/my {art} [1].jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (64, 48))
    told = Record.parse((home / "new/my {art} [1].json").read_bytes())
    assert told.ingredients is not None
    assert told.ingredients.settings["steps"] == 5
    assert sorted(path.name for path in (home / "new").iterdir()) == ["my {art} [1].jpg", "my {art} [1].json"]


def test_one_says_once_what_failed(home: Path) -> None:
    (home / "photos/p0.png").write_text("no photo")
    arguments = ("one", "photos/p0.png", "paintings/s0.png", "-o", "a.png", *QUICK)
    code, said = refusal(*arguments)
    assert code == 3
    assert said.count("this is text") == 1
    result = command(*arguments, "--json")
    assert result.exit_code == 3
    facts = json.loads(result.stdout)
    assert (facts["status"], facts["kind"]) == ("failed", "bad_image")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-o", "a.gif"), "a.gif"),
        (("-o", "a"), "must end in .png"),
        (("-o", "s3://bucket/a.png"), "it must be a local file"),
        (("-o", "a.png", "-s", "stepz=5"), "settings.stepz: unknown key; did you mean `steps`?"),
        (("-o", "a.png", "-s", "steps=many"), "settings.steps"),
        (("-o", "a.png", "-s", "steps=0"), "settings.steps"),
        (("-o", "a.png", "-s", "steps"), "key=value"),
        (("-o", "a.png", "-s", "format=jpeg"), "the output's suffix says it"),
        (("-o", "a.png", "-s", "steps=5", "-s", "steps=6"), "it is set twice"),
        (("-o", "photos/p0.png"), "would be replaced"),
        (("-o", ".png"), "must end in"),
        (("-o", "a.png", "--device", "tpu"), "device: 'tpu'"),
    ],
)
def test_one_refuses_wrong_arguments_in_their_own_words(
    home: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = (home / "photos/p0.png").read_bytes()
    code, said = refusal("one", "photos/p0.png", "paintings/s0.png", *arguments)
    assert code == 2
    assert words in said
    assert "line" not in said
    assert "manifest" not in said
    assert (home / "photos/p0.png").read_bytes() == before


@pytest.mark.parametrize(("mode", "role"), [("content", "content"), ("texture", "style")])
def test_a_mode_that_needs_one_picture_is_given_one(home: Path, mode: str, role: str) -> None:
    result = command("one", "photos/p0.png", "-o", "alone.png", *QUICK, "-s", f"mode={mode}")
    assert result.exit_code == 0, result.stderr
    told = Record.parse((home / "alone.json").read_bytes())
    assert [name for name in ("content", "style") if getattr(told, name)] == [role]


def test_a_transfer_of_one_picture_is_refused_in_words(home: Path) -> None:
    code, said = refusal("one", "photos/p0.png", "-o", "alone.png", *QUICK)
    assert (code, "`mode: transfer` needs a style" in said) == (2, True)


def test_logging_more_may_be_asked_for_before_and_after_the_command(home: Path) -> None:
    do(home / "m.yaml")
    for arguments in (("-v", "run", "m.yaml"), ("run", "-v", "m.yaml"), ("run", "m.yaml", "--verbose")):
        logging.getLogger().setLevel(logging.WARNING)
        assert command(*arguments).exit_code == 0
        assert logging.getLogger().level == logging.INFO


def test_the_versions_are_said_of_this_and_of_what_it_needs() -> None:
    first, *others = command("--version").stdout.splitlines()
    assert first == f"stylize {version('stylize')}"
    assert others[1:3] == [f"PyTorch {version('torch')}", f"Prefect {version('prefect')}"]


@pytest.mark.parametrize("arguments", [("--version", "-v"), ("-v", "--version")])
def test_the_devices_are_said_where_more_is_asked_for(
    arguments: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = {"device": "cuda:0", "name": "Some GPU"}
    monkeypatch.setattr(
        "flows.running.upkeep.machine.torch_facts", lambda: TorchFacts("2.15", "13.2", 8, (gpu,))
    )
    said = command(*arguments).stdout
    assert said.endswith("CUDA of PyTorch 13.2\ndevices: cuda:0 Some GPU, cpu with 8 threads\n")


@pytest.mark.parametrize("given", ["0", "-1", "10000", "some", "2.5"])
def test_a_batch_that_is_no_number_of_pairs_is_refused(home: Path, given: str) -> None:
    expected = f"--batch: '{given}' is not accepted; it must be auto or a whole number from 1 to 9999"
    assert refusal("run", "m.yaml", "--batch", given) == (2, expected + "\n")


def test_a_batch_on_the_command_line_wins_over_the_manifests(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest(home, "batch: 4\ncontents: ['photos/*']\nstyles: ['paintings/*']")
    seen: list[int | None] = []

    def told(loaded: Manifest, *_: object, **__: object) -> Report:
        seen.append(loaded.batch)
        raise typer.Exit

    monkeypatch.setattr("flows.cli.run.run_here", told)
    for options in ((), ("--batch", "auto"), ("--batch", "7")):
        assert command("run", "m.yaml", *options).exit_code == 0
    assert seen == [4, None, 7]


def test_a_download_of_nothing_in_particular_is_refused() -> None:
    told = "--fetch: name what is to be downloaded: vgg19, vgg16, googlenet\n"
    assert refusal("weights", "--fetch") == (2, told)


def test_a_single_pictures_problem_names_no_list_of_pairs(home: Path) -> None:
    code, told = refusal("one", "photos/p0.png", "-o", "x.png")
    assert (code, told) == (2, "`mode: transfer` needs a style; add one, or set `mode: content`\n")
