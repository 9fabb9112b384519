"""What people write who come from another program, or slip; each is answered in one sentence that helps."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from small_batch import small_batch
from typer.testing import CliRunner

from flows.cli.app import app

PICTURES = "contents: [photos/p0.png]\nstyles: [paintings/s0.png]\n"

# What stands in a manifest, and what is said of it behind the file's name.
IN_A_MANIFEST = {
    "settings: {iterations: 500}": "settings.iterations: unknown key; it is called `steps` here",
    "settings: {num_iterations: 500}": "settings.num_iterations: unknown key; it is called `steps` here",
    "settings: {lr: 0.1}": "settings.lr: unknown key; it is called `learning_rate` here",
    "settings: {model: vgg19}": "settings.model: unknown key; it is called `encoder` here",
    "settings: {stpes: 500}": "settings.stpes: unknown key; did you mean `steps`?",
    "settings: {format: jpg}": (
        "settings.format: 'jpg' is not accepted; it must be one of png, jpeg, webp, tiff; "
        "did you mean `jpeg`?"
    ),
    "settings: {format: tif}": (
        "settings.format: 'tif' is not accepted; it must be one of png, jpeg, webp, tiff; "
        "did you mean `tiff`?"
    ),
    "settings: {encoder: vgg-19}": (
        "settings.encoder: 'vgg-19' is not accepted; it must be one of slim, vgg19, vgg16, googlenet; "
        "did you mean `vgg19`?"
    ),
    "settings: {content: a.jpg}": (
        "settings.content: unknown key; it is called `contents` here; `contents` is not a setting; it stands "
        "at the manifest's top level"
    ),
    "image_size: 512": (
        "image_size: unknown key; it is called `size` here; this is a setting; put it under `settings:` as "
        "`size`"
    ),
    "imsize: 512": (
        "imsize: unknown key; it is called `size` here; this is a setting; put it under `settings:` as `size`"
    ),
    "tv_wieght: 1": (
        "tv_wieght: unknown key; did you mean `tv_weight`; this is a setting; put it under `settings:` as "
        "`tv_weight`"
    ),
    "content: a.jpg": "content: unknown key; it is called `contents` here",
    "style: a.jpg": "style: unknown key; it is called `styles` here",
    "output_image: a.png": "output_image: unknown key; it is called `output` here",
    "device: gpu:1": (
        "device: 'gpu:1' is not accepted; choose auto, cpu, mps, cuda or cuda:N; did you mean `cuda`?"
    ),
    "sheet: yes": "sheet: 'yes' is not accepted; it must be true or false; did you mean `true`?",
    "exclude: [*.jpg]": (
        "this is not YAML: an unquoted `*` begins an alias; put a pattern into quotes, such as '*.jpg'"
    ),
    "pairs: [{content: a.jpg, style: b.jpg, output_image: c}]": (
        "pairs[0].output_image: unknown key; it is called `name` here"
    ),
}

# What stands behind `stylize`, and the whole answer.
ON_THE_COMMAND_LINE = {
    "plan m.yaml --dry-run": (
        "stylize plan: there is no option --dry-run; `plan` does nothing anyway; leave it out"
    ),
    "one a.png b.png -o c.png -s size 64": "-s size 64: a setting is one word; say -s size=64",
    "one a.png -s imsize 64 -o c.png": "-s imsize 64: a setting is one word; say -s size=64",
    "one a.png b.png -o c.png -size 64": "-size 64: a setting stands behind -s; say -s size=64",
    "one a.png b.png -o c.png --size 64": (
        "stylize one: there is no option --size; it is a setting: say -s size=64"
    ),
    "one a.png b.png -o c.png -num_iterations 50": (
        "stylize one: there is no option -num_iterations; it is a setting: say -s steps=50"
    ),
    "one a.png b.png -o c.png --lr": (
        "stylize one: there is no option --lr; it is a setting: say -s learning_rate=VALUE"
    ),
    "one a.png b.png -o c.png -s iterations=50": (
        "settings.iterations: unknown key; it is called `steps` here"
    ),
    "one --content a.png --style b.png -o c.png": (
        "stylize one: there is no option --content; the photograph comes first, without an option"
    ),
    "one a.png b.png --output-image c.png": "stylize one: there is no option --output-image; say -o FILE",
    "run m.yaml --image-size=512": (
        "stylize run: there is no option --image-size; it is a setting: write it into the manifest, under "
        "`settings:` as `size`"
    ),
    "run m.yaml --output out": "stylize run: there is no option --output; the manifest says it: `output:`",
    "run m.yaml --gpu 1": "stylize run: there is no option --gpu; it is called --device here",
    "run m.yaml --max-tiem 3h": (
        "stylize run: there is no option --max-tiem; did you mean --max-time or --max-cost?"
    ),
    "run m.yaml -s size=64": (
        "stylize run: there is no option -s; settings stand in the manifest, under `settings:`"
    ),
    "run m.yaml --nonsense": (
        "stylize run: there is no option --nonsense; `stylize run --help` lists those that there are"
    ),
    "clean m.yaml --dry-run": (
        "stylize clean: there is no option --dry-run; nothing is removed without --delete; leave it out"
    ),
    "one a.png b.png c.png -o d.png": (
        "stylize one: it takes one photograph and one painting; for more of them write a manifest: "
        "`stylize init FOLDER`"
    ),
    "run m.yaml n.yaml": "stylize run: it takes one manifest; its pictures stand in there",
    "--nonsense": "stylize: there is no option --nonsense; `stylize --help` lists those that there are",
    "resume m.yaml": "stylize: there is no command 'resume'; `stylize run` does that",
    "m.yaml": "stylize: 'm.yaml' is no command; say `stylize run m.yaml`",
    "photos/p0.png": "stylize: 'photos/p0.png' is no command; say `stylize one photos/p0.png`",
    "weights vgg-19": (
        "weights: 'vgg-19' is neither one of slim, vgg19, vgg16, googlenet nor a file that is here; "
        "did you mean `vgg19`?"
    ),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small_batch(tmp_path, photos=1, paintings=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path


@pytest.mark.parametrize("mistake", IN_A_MANIFEST)
def test_a_mistake_in_a_manifest_is_answered_in_one_sentence(home: Path, mistake: str) -> None:
    lines = [line for line in PICTURES.splitlines() if not mistake.startswith(line.partition(":")[0] + ":")]
    text = "\n".join(["version: 1", "output: out", *lines, mistake])
    (home / "m.yaml").write_text(text + "\n")
    said = CliRunner().invoke(app, ["plan", "m.yaml"])
    head, answer = said.stderr.splitlines()
    assert (said.exit_code, head) == (2, f"{home / 'm.yaml'} is not a valid manifest:")
    assert answer == f"  line 5: {IN_A_MANIFEST[mistake]}"
    assert not (home / "out").exists()


@pytest.mark.parametrize("mistake", ON_THE_COMMAND_LINE)
def test_a_mistake_on_the_command_line_is_answered_in_one_sentence(home: Path, mistake: str) -> None:
    said = CliRunner().invoke(app, shlex.split(mistake))
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr == ON_THE_COMMAND_LINE[mistake] + "\n"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("photos/p0.png", "this is a picture; `stylize one PHOTO PAINTING -o OUT` stylises one"),
        ("photos", "Is a directory; `stylize init` writes one for its pictures"),
        ("nope.yaml", "No such file or directory; `stylize init FOLDER` writes one"),
    ],
)
def test_what_is_no_manifest_leads_to_the_command_that_was_meant(home: Path, given: str, words: str) -> None:
    said = CliRunner().invoke(app, ["run", given])
    assert said.exit_code == 2
    assert words in said.stderr


@pytest.mark.parametrize("given", [("run",), ("paint",), ("run", "m.yaml", "--limit", "many")])
def test_what_nobody_can_guess_is_left_to_the_usage(home: Path, given: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, given)
    assert said.exit_code == 2
    assert "Usage: " in said.stderr
