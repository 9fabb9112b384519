from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import ManifestError
from flows.manifest.load import load_manifest
from flows.model.names import (
    MAX_NAME_BYTES,
    MAX_PART_BYTES,
    NamedPicture,
    check_name,
    check_template,
    fill_name,
    normalised,
    safe_name,
    template_fields,
)

NAUGHTY = [
    "",
    " ",
    ".",
    "..",
    "../up",
    "a/../b",
    "a/./b",
    "a//b",
    "/etc/passwd",
    "a/",
    "..\\up",
    "C:\\x",
    "s3://bucket/key",
    "file:///etc/passwd",
    "a\0b",
    "a\nb",
    "a\x1b[31mb",
    "a\x7fb",
    "a\x85b",
    "a\u2028b",
    "a\ud800b",
    ".hidden",
    "sub/.hidden",
    ".stylize.lock",
    "report",
    "Report",
    "REPORT",
    "report.json/a",
    "report-1-of-4",
    "Report-0-of-2",
    "report-1-of-4.json/a",
    "e\u0301",
    "w" * (MAX_PART_BYTES + 1),
    "\u00e9" * (MAX_PART_BYTES // 2 + 1),
    "/".join(["w" * 100] * 9),
]
GOOD = [
    "a",
    "a b",
    "wave's",
    "$(reboot)",
    "`id`; rm -rf *",
    "{0}",
    "%s%n",
    "<b>",
    "日本語",
    "👩‍👩‍👧",
    "é",
    "a.b",
    "sub/report",
    "sub/report-1-of-4",
    "report-4-of-4",
    "report-of-the-night",
]


@pytest.mark.parametrize("name", NAUGHTY, ids=ascii)
def test_a_name_that_could_leave_or_hide_or_break_is_refused(name: str) -> None:
    assert check_name(name)


@pytest.mark.parametrize("name", [*GOOD, "w" * MAX_PART_BYTES], ids=ascii)
def test_an_odd_but_harmless_name_is_accepted(name: str) -> None:
    assert check_name(name) is None


@given(st.text() | st.lists(st.sampled_from(["..", ".", "/", "a", "\\", "é", "\0", " ", "~"])).map("".join))
def test_an_accepted_name_stays_below_the_output_and_fits_a_file_system(name: str) -> None:
    if check_name(name) is not None:
        return
    root = Path("/out/root")
    joined = root / name
    assert joined.relative_to(root).parts == tuple(name.split("/"))
    assert not {".", ".."} & set(joined.relative_to(root).parts)
    assert max(len(part.encode()) for part in name.split("/")) <= MAX_PART_BYTES
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert unicodedata.normalize("NFC", name) == name


@given(st.text(), st.text())
def test_whatever_stands_in_file_names_is_put_in_as_it_is(content: str, style: str) -> None:
    filled = fill_name("{content}__{style}", NamedPicture(content), NamedPicture(style))
    assert filled == unicodedata.normalize("NFC", f"{content}__{style}")


def test_doubled_braces_are_braces() -> None:
    assert check_template("{{{content}}}") is None
    assert fill_name("{{{content}}}", NamedPicture("{style}"), NamedPicture("wave")) == "{{style}}"


@pytest.mark.parametrize(
    "template",
    [
        "{}",
        "{0}",
        "{content!r}",
        "{content:>500}",
        "{content.__class__}",
        "{content[0]}",
        "{date}",
        "{",
        "}",
        "{content",
        "../{content}",
        "/{content}",
        ".{content}",
        "",
        "{content}\0",
        "{content:{style}}",
    ],
    ids=ascii,
)
def test_a_template_that_does_more_than_name_the_two_pictures_is_refused(template: str) -> None:
    assert check_template(template)


def test_the_folders_of_a_content_are_mirrored_where_there_are_any() -> None:
    template = "{folder}/{stem}__{style}"
    deep, flat = NamedPicture("hero", "2024/may", "DSC_1"), NamedPicture("hero", "", "DSC_1")
    assert fill_name(template, deep, NamedPicture("wave")) == "2024/may/DSC_1__wave"
    assert fill_name(template, flat, NamedPicture("wave")) == "DSC_1__wave"


@given(st.text())
def test_a_safe_name_can_be_used_and_is_the_name_itself_wherever_that_can_be(name: str) -> None:
    safe = safe_name(normalised(name))
    assert (safe == normalised(name)) == (check_name(normalised(name)) is None)
    assert check_name(safe) is None or len(name.encode("utf-8", "replace")) > 200
    assert safe == safe_name(normalised(name))


def test_the_fields_of_a_template_are_known() -> None:
    assert template_fields("{style}/x{{content}}") == {"style"}


def test_a_given_name_is_brought_to_normal_form_c() -> None:
    pair = "version: 1\noutput: o\npairs: [{content: a.jpg, style: b.jpg, name: 'e\u0301'}]\n"
    assert load_manifest("m.yaml", text=pair).pairs[0].name == "\u00e9"


@given(st.text())
def test_a_name_in_a_manifest_is_kept_or_refused_but_never_changed_into_another(name: str) -> None:
    escaped = "".join(f"\\U{ord(letter):08x}" for letter in name)
    text = f'version: 1\noutput: o\npairs: [{{content: a.jpg, style: b.jpg, name: "{escaped}"}}]\n'
    try:
        found = load_manifest("m.yaml", text=text).pairs[0].name
    except ManifestError:
        assert check_name(unicodedata.normalize("NFC", name)) is not None
    else:
        assert found == unicodedata.normalize("NFC", name)
