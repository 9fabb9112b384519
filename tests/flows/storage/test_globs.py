from __future__ import annotations

import fnmatch
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.storage.globs import find_files, literal, literal_start, path_matches, split_pattern

FILES = (
    "a.jpg",
    "B.JPG",
    "c.png",
    ".hidden.jpg",
    "x/a.jpg",
    "x/y/a.jpg",
    "x/y/z/b.jpg",
    "y/a.jpg",
    ".git/a.jpg",
    "x/.cache/a.jpg",
    "[old]/a.jpg",
    "é/ü.jpg",
)


@pytest.fixture
def tree(tmp_path: Path) -> str:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return str(tmp_path)


def found(folder: str, pattern: str) -> list[str]:
    unreadable: list[OSError] = []
    paths = find_files(*split_pattern(f"{folder}/{pattern}"), unreadable=unreadable.append)
    names = sorted({path.removeprefix(folder + "/") for path in paths})
    assert not unreadable
    return names


CASES = [
    ("*.jpg", ["a.jpg"]),
    ("*.[jJ][pP][gG]", ["B.JPG", "a.jpg"]),
    ("?.*", ["B.JPG", "a.jpg", "c.png"]),
    ("[!a-z].JPG", ["B.JPG"]),
    ("*/a.jpg", ["[old]/a.jpg", "x/a.jpg", "y/a.jpg"]),
    ("**/a.jpg", ["[old]/a.jpg", "a.jpg", "x/a.jpg", "x/y/a.jpg", "y/a.jpg"]),
    ("x/**/*.jpg", ["x/a.jpg", "x/y/a.jpg", "x/y/z/b.jpg"]),
    ("x/**", ["x/a.jpg", "x/y/a.jpg", "x/y/z/b.jpg"]),
    ("**/y/*.jpg", ["x/y/a.jpg", "y/a.jpg"]),
    ("**/**/y/**/*.jpg", ["x/y/a.jpg", "x/y/z/b.jpg", "y/a.jpg"]),
    (".*.jpg", [".hidden.jpg"]),
    (".git/*.jpg", [".git/a.jpg"]),
    ("*/.cache/*", ["x/.cache/a.jpg"]),
    ("[[]old]/*.jpg", ["[old]/a.jpg"]),
    ("é/*.jpg", ["é/ü.jpg"]),
    ("*.gif", []),
    ("nowhere/*.jpg", []),
    ("a.jpg/*", []),
    ("[", []),
]


@pytest.mark.parametrize(("pattern", "expected"), CASES)
def test_a_pattern_finds_these_files(tree: str, pattern: str, expected: list[str]) -> None:
    assert found(tree, pattern) == expected


@pytest.mark.parametrize(("pattern", "expected"), CASES)
def test_a_listing_is_matched_as_the_folders_are_walked(pattern: str, expected: list[str]) -> None:
    folder, parts = split_pattern(f"s3://bucket/{pattern}")
    below = {
        f"s3://bucket/{name}".removeprefix(folder + "/"): name for name in FILES if _is_below(name, folder)
    }
    assert sorted(name for rest, name in below.items() if path_matches(parts, rest.split("/"))) == expected
    start = literal_start(parts[0])
    assert all(rest.startswith(start) for rest in below if path_matches(parts, rest.split("/")))


def _is_below(name: str, folder: str) -> bool:
    return f"s3://bucket/{name}".startswith(folder + "/")


def test_links_to_files_count_and_links_to_folders_are_not_walked_in_circles(tree: str) -> None:
    Path(tree, "link.jpg").symlink_to("a.jpg")
    Path(tree, "broken.jpg").symlink_to("nowhere.jpg")
    Path(tree, "x/up").symlink_to("..")
    assert found(tree, "*.jpg") == ["a.jpg", "link.jpg"]
    assert not [name for name in found(tree, "**/*.jpg") if "up" in name]
    assert found(tree, "x/up/*.jpg") == ["x/up/a.jpg", "x/up/link.jpg"]


def test_only_regular_files_are_found(tree: str) -> None:
    os.mkfifo(Path(tree, "pipe.jpg"))
    Path(tree, "folder.jpg").mkdir()
    assert found(tree, "*.jpg") == ["a.jpg"]


def test_many_wildcards_in_a_row_take_no_longer_than_one(tmp_path: Path) -> None:
    path = tmp_path / "/".join("d" * 20) / "a.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert found(str(tmp_path), "**/" * 30 + "*.jpg") == [str(path.relative_to(tmp_path))]


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [("/a/b.jpg", "/a/b.jpg"), ("/[[]a]/[*][?].jpg", "/[a]/*?.jpg"), ("/a/*.jpg", None), ("/[ab].jpg", None)],
)
def test_a_pattern_without_wildcards_is_a_path(pattern: str, meant: str | None) -> None:
    assert literal(pattern) == meant


@given(st.text("ab*?[]!.", min_size=1, max_size=6), st.text("ab.*[", min_size=1, max_size=6))
def test_one_part_matches_as_the_shell_does(part: str, name: str) -> None:
    visible = part.startswith(".") or not name.startswith(".")
    if part != "**":
        assert path_matches((part,), (name,)) == (visible and fnmatch.fnmatchcase(name, part))
