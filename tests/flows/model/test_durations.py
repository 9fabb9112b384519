from __future__ import annotations

import pytest

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.model.durations import in_words, seconds

BASE = "version: 1\noutput: out\ncontents: [a.jpg]\nstyles: [b.jpg]\n"


def load(text: str) -> Manifest:
    return load_manifest("/jobs/m.yaml", text=text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90", 90),
        ("90s", 90),
        ("1.5", 1.5),
        ("10m", 600),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1d2h3m4s", 93784),
    ],
)
def test_a_length_of_time_is_read_as_people_write_it(text: str, meant: float) -> None:
    assert seconds(text) == meant
    assert load(f"{BASE}timeout: {text}\n").timeout_s == meant


@pytest.mark.parametrize(
    "text",
    ["", "0", "0s", "0.5s", "-5", "1h30", "10 m", "30m1h", "1e3", "h", "400d", "ten", "\u0661m", "9" * 60],
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90s, 10m, 1h30m"):
        seconds(text)


@pytest.mark.parametrize("total", [1, 59, 60, 3600, 5400, 93784, 86400])
def test_words_mean_what_they_came_from(total: int) -> None:
    assert seconds(in_words(total)) == total


def test_words_are_whole_seconds() -> None:
    assert (in_words(90.4), in_words(0.2)) == ("1m30s", "0s")


def test_a_manifest_without_a_timeout_has_no_limit() -> None:
    assert load(BASE).timeout_s == float("inf")


@pytest.mark.parametrize("value", ["0", "soon", "1h30", "[10m]", "''", "{minutes: 10}"])
def test_a_wrong_timeout_is_refused_at_its_line(value: str) -> None:
    with pytest.raises(ManifestError) as refused:
        load(f"{BASE}timeout: {value}\n")
    (problem,) = refused.value.problems
    assert str(problem).startswith("line 5: timeout: ")
    assert "10m" in problem.message
