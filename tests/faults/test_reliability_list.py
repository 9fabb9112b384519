"""docs/reliability.md and the tests of the fault matrix agree, row by row."""

from __future__ import annotations

import re

from commands import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text()
ROWS = {
    int(number): (tick, text)
    for number, tick, text in re.findall(r"^\| (\d+) \| [^|]* \| ([^|]*) \| (.*) \|$", PAGE, re.MULTILINE)
}
SOURCES = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
NAMES = {name for text in SOURCES.values() for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
ROW_TESTS = {
    name: [int(number) for number in found[1].split("_")]
    for name in NAMES
    if (found := re.match(r"test_row_(\d\d(?:_\d\d)*)_", name))
}


def test_the_list_has_each_of_the_48_rows_once() -> None:
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert numbers == list(range(1, 49)) == list(ROWS)


def test_every_test_and_file_that_the_page_names_exists() -> None:
    for name in re.findall(r"`(test_\w+)`", PAGE):
        assert name in NAMES, name
    for path in re.findall(r"`((?:tests|flows|manifests)/[\w/.]*)`", PAGE):
        assert (ROOT / path).exists(), path


def test_a_row_names_what_shows_it_and_no_test_of_another_row() -> None:
    assert {row: wrong for row in ROWS if (wrong := _wrong_with(row))} == {}


def _wrong_with(row: int) -> str:
    tick, text = ROWS[row]
    named = re.findall(r"`(test_\w+)`", text)
    if not tick.strip() or not (named or "`tests/" in text):
        return "nothing shows it"
    others = [
        name for name in named if row not in (rows := ROW_TESTS.get(name, [row])) and {row, *rows} != {38, 48}
    ]
    return f"shown by tests of other rows: {others}" if others else ""
