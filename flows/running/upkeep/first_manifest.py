"""A commented manifest for folders of pictures, as `stylize init` writes it."""

from __future__ import annotations

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.errors import BadArguments
from flows.manifest.load import load_manifest
from flows.planning.listing import PICTURE_SUFFIXES
from flows.records.ownership import carries_facts
from flows.storage.location import scheme_of
from flows.text import safe_text

STYLE_FOLDERS = frozenset({
    "style", "styles", "painting", "paintings", "art", "arts", "artwork", "artworks", "style_images",
    "style-images", "styleimages", "kunst", "gemaelde", "gemälde", "stile",
})  # fmt: skip
"""What folders of paintings are called."""
OUTPUT = "stylised"
MOST_ENTRIES = 12
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")

_TEXT = """\
# A manifest of stylize: every picture of `contents` is made in every style.
#
#   stylize plan {name}              what would be made, and why
#   stylize run {name} --preview     a first look, small and fast, in a folder of its own
#   stylize run {name}               make it; what is done is not made again
version: 1

# Where results go; beside each picture lies its record. A folder, or s3://bucket/prefix.
output: {output}

# Settings of every picture; a style may have `settings` of its own, which win over these.
settings:
  preset: painting     # the look: subtle, painting, bold or texture-heavy
  encoder: slim        # built in and quick; vgg19 is finer: see `stylize weights vgg19`
  size: 512            # long edge in px; `original` for that of the photograph
  steps: 200           # more take longer and follow the style further

# {contents}
contents:
{content_lines}

# {styles}
styles:
{style_lines}
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with pictures of its own, and how many; those of folders below it are not counted."""

    path: Path
    pictures: Counter[str]

    @property
    def count(self) -> int:
        """How many pictures it has."""
        return self.pictures.total()


@dataclass(frozen=True, slots=True)
class FirstManifest:
    """A valid manifest as text, and how many pictures it takes."""

    text: str
    contents: int
    styles: int


def first_manifest(folders: Sequence[Path], *, styles: Sequence[Path], place: Path) -> FirstManifest:
    """A manifest that lies at `place`, for the pictures in folders.

    Args:
        folders: of photographs, or with folders of photographs and of paintings in them.
        styles: the folders of paintings; none to find them by their names.

    Raises:
        BadArguments: a folder is not there or has no pictures, or nobody can tell which have the paintings.
    """
    found = [one for folder in (*folders, *styles) for one in _with_pictures(folder)]
    found = list({one.path: one for one in found}.values())
    chosen = [one for one in found if _is_style(one.path, folders, styles)]
    contents = [one for one in found if one not in chosen]
    if not chosen or not contents:
        raise BadArguments(_undecided(folders, contents, chosen))
    text = _TEXT.format(
        name=place.name,
        output=OUTPUT,
        contents=f"{_counted(contents)} to stylise.",
        styles=f"{_counted(chosen)} whose style is taken.",
        content_lines="\n".join(_entries(contents, place.parent)),
        style_lines="\n".join(_entries(chosen, place.parent)),
    )
    load_manifest(place, text=text)
    return FirstManifest(text, sum(one.count for one in contents), sum(one.count for one in chosen))


def _with_pictures(folder: Path) -> list[Folder]:
    """The folder and those below it that have pictures, which are not results of ours.

    Raises:
        BadArguments: it is none, or has none.
    """
    if scheme_of(str(folder)):
        advice = "write the manifest by hand, as manifests/s3.yaml"
        raise BadArguments(f"{folder}: only folders of this machine can be looked through; {advice}")
    if folder.is_file():
        raise BadArguments(f"{folder} is a file; name its folder, or say `stylize one PHOTO PAINTING -o OUT`")
    if not folder.is_dir():
        raise BadArguments(f"{folder} does not exist; name a folder with pictures")
    found = []
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if pictures := Counter(_suffixes(Path(path), files)):
            found.append(Folder(Path(path).absolute(), pictures))
    if not found:
        kinds = ", ".join(sorted(PICTURE_SUFFIXES))
        raise BadArguments(f"{folder} holds no pictures ({kinds}); name a folder that does")
    return found


def _suffixes(folder: Path, files: Sequence[str]) -> Iterator[str]:
    for name in files:
        suffix = Path(name).suffix
        is_picture = suffix.lower() in PICTURE_SUFFIXES and not name.startswith(".")
        if is_picture and not carries_facts(str((folder / name).absolute())):
            yield suffix


def _is_style(path: Path, folders: Sequence[Path], styles: Sequence[Path]) -> bool:
    if styles:
        return any(path.is_relative_to(style.absolute()) for style in styles)
    above = [folder.absolute() for folder in folders if path.is_relative_to(folder.absolute())]
    named = [path.relative_to(one).parts for one in above] + [(one.name,) for one in above]
    return any(part.lower() in STYLE_FOLDERS for parts in named for part in parts)


def _undecided(folders: Sequence[Path], contents: Sequence[Folder], styles: Sequence[Folder]) -> str:
    where = " and ".join(map(str, folders))
    if styles:
        return f"{where}: all pictures there are styles; name the folder of the photographs as well"
    named = ", ".join(str(one.path) for one in contents[:5])
    return (
        f"{where}: nobody can tell which pictures are paintings, as no folder is called styles or paintings "
        f"({named}); say which with --styles FOLDER"
    )


def _entries(folders: Sequence[Folder], start: Path) -> Iterator[str]:
    """The lines of a list of pictures: each folder, or patterns where there are many."""
    if len(folders) <= MOST_ENTRIES:
        yield from (f"  - {_written(one.path, start, '/')}   # {one.count}" for one in folders)
        return
    top = Path(os.path.commonpath([one.path for one in folders]))
    suffixes = sum((one.pictures for one in folders), Counter[str]())
    for suffix, count in suffixes.most_common():
        yield f"  - {_written(top, start, f'/**/*{suffix}')}   # {count}"


def _written(path: Path, start: Path, tail: str) -> str:
    """A path as YAML, from the manifest's folder on, in which no letter is a pattern's or a variable's."""
    below = os.path.relpath(path, start.absolute())
    if _PLAIN.fullmatch(below) and tail == "/":
        return below + tail
    literal = glob.escape(below)
    return json.dumps((literal if literal.startswith("..") else f"./{literal}") + tail, ensure_ascii=False)


def _counted(folders: Sequence[Folder]) -> str:
    pictures, several = sum(one.count for one in folders), len(folders)
    said = f"{pictures} picture{'s' * (pictures != 1)}"
    return safe_text(f"{said} in {several} folder{'s' * (several != 1)}")
