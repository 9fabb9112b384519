"""What a valid manifest holds, and the keys that it may have.

The texts are the only description of the keys: the reference and the JSON Schema are generated from them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.model.blend import Blend
from flows.model.regions import Regions
from flows.storage.access import Access

CHECKPOINT, NO_CHECKPOINT = "1m", "never"
CHECKPOINT_S = 60.0

TOP_KEYS: Mapping[str, str] = {
    "version": "the version of this format: always 1",
    "output": "folder or `s3://bucket/prefix` that the results go to",
    "name": "template of the results' names below the output; `{content}` and `{style}` stand for the names "
    "of the two pictures, `{sweep}` for the swept values, `{folder}` for the folders between the one that a "
    "pattern searches, or that a list lies in, and the content, and `{stem}` for the content's file name "
    "without its suffix",
    "device": "what computes: `auto`, `cpu`, `mps`, `cuda` (every GPU that is there), or `cuda:N`",
    "timeout": "the longest time that a device may take for one pair, such as `90s`, `10m` or `1h30m`; "
    "no limit if left out. Changing it makes no picture out of date",
    "batch": "how many pairs of equal settings and shape a device computes together: a whole number, or "
    "`auto`: one on a CPU, which keeps the bytes, and on a GPU what proves fastest and fits into its memory",
    "checkpoint": "after how much time what a pair is at is kept in the output, for another run to go on: "
    f"a length of time such as `30s` or `5m`, or `{NO_CHECKPOINT}`; `{CHECKPOINT}` if left out. Changing it "
    "makes no picture out of date",
    "settings": "settings of every pair, unless its style or the pair itself says otherwise",
    "sweep": "settings with a list of values each; every pair is made with every combination",
    "sheet": "whether each swept pair gets a contact sheet of its variants: `true` unless it says `false`",
    "html": "whether a run of the whole ends with `report.html`, a page to look at its results: `true` "
    "unless it says `false`; `stylize report` draws it at any time",
    "exclude": "patterns of files that folders, patterns and lists do not take: a relative one at any depth, "
    "such as `@eaDir` or `*_small.jpg`; one that starts with `/`, `./` or `s3://` in that place only",
    "allow_empty": "whether folders, patterns and lists may be empty: `false` unless it says `true`; then a "
    "run with nothing to do ends well",
    "foreign_files": "what becomes of files of somebody else's where results go: `keep`, so that only their "
    "own pairs fail, or `replace`; `keep` unless it is given",
    "s3": "what single buckets want, by their names, such as `open-data: {unsigned: true}`. "
    "It makes no picture out of date",
    "contents": "pictures to stylise; each is combined with every style; alone where no style is needed",
    "styles": "pictures whose style is taken; alone with `mode: texture`",
    "pairs": "single pairs, instead of the combinations or beside them",
}
LIST_KEYS: Mapping[str, str] = {
    "list": "path or `s3://` URI of a file with a picture on each line, instead of `image`",
    "column": "the column of a list, or the key in its lines, that names the pictures; `image`, or the only "
    "column there is, if left out",
    "format": "`csv`, `tsv` or `jsonl`, where the list's suffix does not say it",
}
CONTENT_KEYS: Mapping[str, str] = {
    "image": "path, `s3://` URI, folder, or a pattern with `*`, `?`, `[..]` or `**`",
    **LIST_KEYS,
    "name": "what `{content}` stands for, instead of the file's name without its suffix",
}
STYLE_KEYS: Mapping[str, str] = {
    "image": CONTENT_KEYS["image"],
    **LIST_KEYS,
    "blend": "pictures with weights, instead of `image`: the style is the weighted mean of theirs",
    "name": "what `{style}` stands for, instead of the file's name without its suffix",
    "settings": "settings of the pairs with this style",
    "sweep": "settings of the pairs with this style that take several values",
}
PAIR_KEYS: Mapping[str, str] = {
    "content": "path or `s3://` URI of one picture; may be left out with `mode: texture`",
    "style": "path or `s3://` URI of one picture, or a mapping with `name` and `blend`; may be left out "
    "where no style is needed",
    "regions": "parts of the content with styles of their own; `style` is that of the rest",
    "name": "name of the result, instead of the template's",
    "settings": "settings of this pair",
    "sweep": "settings of this pair that take several values",
}
S3_KEYS: Mapping[str, str] = {
    "unsigned": "`true` for a public bucket: it is read without credentials",
    "requester_pays": "`true` for a bucket whose readers pay: requests say that you do",
    "encryption": "`AES256`, `aws:kms` or `aws:kms:dsse`, for a bucket that takes nothing else",
    "kms_key": "the key's ARN or ID for `aws:kms`; the bucket's default key if left out",
}
REGION_KEYS: Mapping[str, str] = {
    "mask": "path or `s3://` URI of a grey picture, scaled to the content: white where the region is",
    "style": "one picture, or a mapping with `blend`; without it the content stays as it is there",
    "style_mask": "a grey picture, scaled to the style: white where the style is taken from",
    "weight": "weight of the region's style loss, beside its share of the picture: a number above 0; 1 "
    "unless it is given",
}
BLEND_KEYS: Mapping[str, str] = {"name": STYLE_KEYS["name"], "blend": STYLE_KEYS["blend"]}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "top": ("version", "output"),
    "content": ("image",),
    "style": ("image",),
    "blend": ("name", "blend"),
    "list": ("list",),
    "region": ("mask",),
    "pair": (),
}
FOREIGN_FILES = ("keep", "replace")
LIST_FORMATS = ("csv", "tsv", "jsonl")
BATCH_EXPECTED = "auto or a whole number from 1 to 9999"
DEVICE = r"auto|cpu|mps|cuda(:(0|[1-9][0-9]{0,2}))?"


@dataclass(frozen=True, slots=True)
class PictureList:
    """A file that names pictures, one on each line.

    Attributes:
        uri: absolute path or `s3://` URI.
        format: one of `LIST_FORMATS`.
        column: which column or key names them; empty for `image`, or the only one.
    """

    uri: str
    format: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A content or a style, or a pattern or a list that stands for several.

    Attributes:
        image: absolute path or `s3://` URI; `*`, `?`, `[..]` and `**` are patterns. The first one of a blend.
        name: the name to use instead of the file's stem.
        settings: this style's settings; always empty for a content.
        line: where it stands in the manifest.
        sweep: those of its settings that take several values.
        blend: the pictures of a blend with their shares.
        listed: the list that names its pictures; `image` is empty then.
    """

    image: str
    name: str | None
    settings: Mapping[str, object]
    line: int
    sweep: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    blend: Blend[str] = ()
    listed: PictureList | None = None


@dataclass(frozen=True, slots=True)
class PairEntry:
    """An explicit pair: two pictures by absolute path or `s3://` URI, no patterns; one of them may be empty.

    Attributes:
        style: the first picture of a blend.
        blend: its pictures with their shares.
        style_name: its name.
        regions: parts of the content with styles of their own.
        where: its place in the manifest, such as `pairs[3]`; empty for a pair that stands in none.
    """

    content: str
    style: str
    name: str | None
    settings: Mapping[str, object]
    line: int
    sweep: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    blend: Blend[str] = ()
    style_name: str | None = None
    regions: Regions[str] = ()
    where: str = ""


# Why so many: a field for each key of a manifest.
@dataclass(frozen=True, slots=True)
class Manifest:
    """A valid manifest; every path in it is absolute.

    Attributes:
        source: the manifest's file.
        folder: the folder that relative paths start from.
        output: folder or `s3://bucket/prefix` that results go to.
        name: template of the results' names; see `fill_name`.
        settings: the defaults as given, typed and within range.
        device: auto, cpu, mps, cuda or cuda:N.
        sweep: the settings that take several values, unless a style or a pair says otherwise.
        sheet: whether swept pairs get contact sheets.
        html: whether a run of the whole ends with a page to look at.
        batch: how many pairs are computed together; None for `auto`.
        checkpoint_s: after how much time what a pair is at is kept, in seconds; 0 for never.
        timeout_s: the longest time for one pair, in seconds; infinite if there is no limit.
        exclude: patterns of what no folder, pattern or list takes; see `is_excluded`.
        allow_empty: whether folders, patterns and lists may be empty.
        replace_foreign: whether results may replace files that are not of this program.
        s3: by bucket, how it is asked.
        preview: whether its pairs are made small and fast; see `preview_of`.
    """

    source: str
    folder: str
    output: str
    name: str
    contents: tuple[Entry, ...]
    styles: tuple[Entry, ...]
    pairs: tuple[PairEntry, ...]
    settings: Mapping[str, object]
    device: str = "auto"
    sweep: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    sheet: bool = True
    html: bool = True
    timeout_s: float = math.inf
    batch: int | None = None
    checkpoint_s: float = CHECKPOINT_S
    exclude: tuple[str, ...] = ()
    allow_empty: bool = False
    replace_foreign: bool = False
    s3: Access = field(default_factory=dict)
    preview: bool = False


def batch_of(text: str) -> int | None:
    """How many pairs are computed together, as `batch` says it; None for `auto`.

    Raises:
        ValueError: it is neither `auto` nor such a number; the text says what is accepted.
    """
    if text != "auto" and not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise ValueError(BATCH_EXPECTED)
    return None if text == "auto" else int(text)
