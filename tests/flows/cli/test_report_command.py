"""`stylize report` and `stylize compare`: where the page goes, what is refused, and what is printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT
from object_store import ObjectStore
from stub_output import Made, leave_output
from typer.testing import CliRunner, Result

from flows.cli.app import app
from flows.pages.previews import previews_of


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.chdir(tmp_path)
    return leave_output(tmp_path, contents=4, styles=1, unreadable=0)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_the_page_goes_beside_the_pictures_and_its_place_is_printed(made: Made) -> None:
    done = call("report", "m.yaml")
    assert (done.exit_code, done.stdout) == (0, f"{made.plan.output}/report.html\n")
    page = Path(made.plan.output, "report.html").read_text(encoding="utf-8")
    assert "2 of 4 pictures made, 2 failed." in page
    assert '"base":""' in page


def test_an_output_and_a_file_elsewhere_may_be_named(made: Made, tmp_path: Path) -> None:
    done = call("report", "out", "-o", "page.html", "--json", "--cost-per-hour", "2")
    assert json.loads(done.stdout) == {"files": [str(tmp_path / "page.html")], "pairs": 4}
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f'"base":"{(tmp_path / "out").as_uri()}/"' in page
    assert "Cost" in page


@pytest.mark.parametrize(("arguments", "words"), [
    (("report", "nowhere"), "nowhere does not exist; name a manifest, or the folder of an output"),
    (("report", "c"), "c holds no record; name an output of stylize, or a manifest"),
    (("report", "out", "--shard", "0/2"), "--shard: out is an output; name its manifest to see a part of it"),
    (("report", "m.yaml", "--cost-per-hour", "0"), "--cost-per-hour: 0 is not accepted; it must be above 0"),
    (("compare", "m.yaml", "nowhere"), "nowhere does not exist"),
])  # fmt: skip
def test_what_cannot_be_shown_is_refused_in_a_sentence(
    made: Made, arguments: tuple[str, ...], words: str
) -> None:
    refused = call(*arguments)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_somebody_elses_page_is_replaced_only_where_it_is_named(made: Made) -> None:
    page = Path(made.plan.output, "report.html")
    page.write_text("<html>mine</html>")
    refused = call("report", "m.yaml")
    assert refused.exit_code == 2
    assert "report.html is no page of stylize; move it away, or name a file with -o" in refused.stderr
    assert page.read_text() == "<html>mine</html>"
    assert call("report", "m.yaml", "-o", "out/report.html").exit_code == 0
    assert call("report", "m.yaml").exit_code == 0, "now it is ours"


def test_a_shard_has_a_page_of_its_own(made: Made) -> None:
    for part in ("0/2", "1/2"):
        assert call("report", "m.yaml", "--shard", part).exit_code == 0
    pages = sorted(path.name for path in Path(made.plan.output).glob("*.html"))
    assert pages == ["report-0-of-2.html", "report-1-of-2.html"]


def test_an_output_on_s3_has_its_page_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, object_store: ObjectStore
) -> None:
    monkeypatch.chdir(tmp_path)
    made = leave_output(tmp_path, contents=4, styles=1, output=f"{object_store.root}/out")
    assert call("report", "m.yaml").stdout == f"{made.plan.output}/report.html\n"
    stored = object_store.client.get_object(Bucket=object_store.bucket, Key="out/report.html")
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert previews_of(stored["Body"].read())[1]
    assert call("report", f"{object_store.root}/out", "-o", "here.html").exit_code == 0
    assert '"base":null' in Path("here.html").read_text(encoding="utf-8"), "no link leads to a bucket"


def test_two_outputs_make_one_page(made: Made, tmp_path: Path) -> None:
    leave_output(tmp_path, contents=4, styles=2, output="other", settings="size: 200")
    done = call("compare", "out", "other", "--json")
    assert json.loads(done.stdout) == {"file": str(tmp_path / "compare.html"), "pairs": 8}
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "4 made differently, 0 of the same making, 4 in one of them only." in page
    assert '["size","240","200"]' in page
    assert call("compare", "out", "out", "-o", "same.html").exit_code == 0
    assert "4 pictures of the same making in both." in (tmp_path / "same.html").read_text(encoding="utf-8")


def test_a_reader_who_has_gone_is_no_error_and_nothing_heavy_is_loaded(made: Made) -> None:
    ending = "finally: print('torch' in sys.modules, file=sys.stderr)"
    script = f"import sys; from flows.cli.app import main\ntry: main()\n{ending}"
    program = subprocess.Popen(
        [sys.executable, "-c", script, "report", "m.yaml"],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    told = program.stderr.read()
    assert (program.wait(), told) == (0, "False\n")
    program.stderr.close()
    assert Path(made.plan.output, "report.html").exists()
