"""The names of results, judged before anything runs: none may leave the output or cover another file."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from string import Formatter

from flows.model.shard import Shard

MAX_PART_BYTES = 200  # file systems allow 255; the rest is for suffixes and temporary names
MAX_NAME_BYTES = 800  # an S3 key has 1024, prefix and suffix included
TEMPLATE_FIELDS = ("content", "style", "sweep", "folder", "stem")
DEFAULT_TEMPLATE = "{content}__{style}"
NO_SWEEP = "plain"
SHEET = "sheet"

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_REPORT = re.compile(r"(?:report(.*)\.(?:json|html|png)|trace(.*)\.csv)")


def check_name(name: str) -> str | None:
    """What is wrong with `name` as the name of a result below the output, or None.

    A name that passes is NFC, has only ordinary path parts, and leaves room for suffixes.

    >>> check_name("waves/harbour") is None
    True
    >>> check_name("../harbour")
    "the part '..' would leave the output folder"
    """
    if not name.strip():
        return "a name must not be empty"
    if bad := CONTROL.search(name):
        return f"the control character {bad.group()!r} is not allowed in a name"
    if "\\" in name:
        return "a backslash is not allowed in a name"
    if name.startswith("/"):
        return "a name must not start with '/'; it is a path below the output"
    if not unicodedata.is_normalized("NFC", name):
        return "a name must be in Unicode normal form C"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"a name may have {MAX_NAME_BYTES} bytes; this one has {len(name.encode())}"
    return _reserved(name) or next(filter(None, map(_check_part, name.split("/"))), None)


def _reserved(name: str) -> str | None:
    # `report.json` is the run's summary, `report-1-of-4.json` a shard's; pages and traces are called alike.
    # A pair's record is `<name>.json`. Some file systems ignore case.
    first, slash, _ = name.casefold().partition("/")
    match = _REPORT.fullmatch(first if slash else f"{first}.json")
    if match and Shard.of_suffix(match[1] or match[2] or ""):
        return f"'{first}' is reserved for the run's report"
    return None


def _check_part(part: str) -> str | None:
    if not part.strip():
        return "a name must not have an empty part between slashes"
    if part in (".", ".."):
        return f"the part '{part}' would leave the output folder"
    if part.startswith("."):
        return "a name must not start with '.'; such files are hidden and reserved"
    if len(part.encode()) > MAX_PART_BYTES:
        return f"a name may have {MAX_PART_BYTES} bytes between slashes; this one has {len(part.encode())}"
    return None


def name_key(name: str) -> str:
    """One key for all names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def with_hash(name: str, of: str) -> str:
    """The name with eight digits that depend on `of` alone, within the length that a part may have.

    >>> with_hash("sea", "/photos/sea.jpg")
    'sea~e7ac4dc0'
    """
    digits = hashlib.sha256(of.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_cut(name, MAX_PART_BYTES - 9)}~{digits}"


def safe_name(name: str) -> str:
    """A name that can be used, for one that cannot: the same for the same name, and most likely free.

    >>> safe_name("sea\\n1"), safe_name("sea")
    ('sea_1~82609756', 'sea')
    """
    if check_name(name) is None:
        return name
    *folders, last = (_safe_part(part) for part in name.split("/") if part) if name.strip("/") else ("_",)
    return "/".join((*folders, with_hash(last, name)))


def _safe_part(part: str) -> str:
    plain = CONTROL.sub("_", normalised(part)).replace("\\", "_").strip()
    visible = "_" + plain[1:] if plain.startswith(".") else plain
    return _cut(visible, MAX_PART_BYTES) or "_"


def _cut(text: str, length: int) -> str:
    """The beginning of `text` that takes at most so many bytes."""
    return text.encode("utf-8", "replace")[:length].decode("utf-8", "ignore")


def normalised(name: str) -> str:
    """`name` in Unicode normal form C, so that one name has one spelling on every file system."""
    return unicodedata.normalize("NFC", name)


def check_template(template: str) -> str | None:
    """What is wrong with a name template, or None. Only `TEMPLATE_FIELDS` may stand in braces."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        return f"{error}; write {{{{ for a brace that is meant as such"
    for _, name, spec, conversion in parts:
        if name is not None and (name not in TEMPLATE_FIELDS or spec or conversion):
            *fields, last = (f"{{{field}}}" for field in TEMPLATE_FIELDS)
            return f"only {', '.join(fields)} and {last} may stand in braces, with nothing else between them"
    return check_name(fill_name(template, NamedPicture("c", "f", "c"), NamedPicture("s")))


def template_fields(template: str) -> set[str]:
    """Which of `TEMPLATE_FIELDS` a checked template uses."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """What a template can say of a picture.

    Attributes:
        name: the name that the manifest gives it, or the file's name without its suffix.
        folder: the folders between the one that a pattern searched and the file; empty if there are none.
        stem: the file's name without its suffix.
    """

    name: str
    folder: str = ""
    stem: str = ""


def fill_name(
    template: str, content: NamedPicture | None, style: NamedPicture | None, *, sweep: str = ""
) -> str:
    """The name of a pair's result, in NFC; judge it by `check_name`, because file names may hold anything.

    None stands for a picture that the pair does without; the default template then uses the other.

    `sweep` tells the variants of one pair apart; a template without a place for it gets it at the end.

    >>> harbour, waves = NamedPicture("harbour", "2024", "DSC_1"), NamedPicture("waves")
    >>> fill_name("{style}/{content}", harbour, waves)
    'waves/harbour'
    >>> fill_name("{folder}/{stem}", harbour, waves, sweep="size=64")
    '2024/DSC_1__size=64'
    >>> fill_name("{folder}/{content}", waves, None), fill_name(DEFAULT_TEMPLATE, harbour, None)
    ('waves', 'harbour')
    """
    nothing = NamedPicture("")
    content_, style_ = content or nothing, style or nothing
    if template == DEFAULT_TEMPLATE and None in (content, style):
        return with_sweep(normalised(content_.name or style_.name), sweep)
    given = {
        "content": content_.name,
        "style": style_.name,
        "sweep": sweep or NO_SWEEP,
        "folder": content_.folder,
        "stem": content_.stem,
        None: "",
    }
    name = normalised("".join(text + given[field] for text, field, _, _ in Formatter().parse(template)))
    if "folder" in template_fields(template) and not content_.folder:
        name = re.sub("/+", "/", name).lstrip("/")
    return name if "sweep" in template_fields(template) else with_sweep(name, sweep)


def with_sweep(name: str, sweep: str) -> str:
    """A variant's name where the pair's own name has no place for it.

    >>> with_sweep("cover", "size=64"), with_sweep("cover", "")
    ('cover__size=64', 'cover')
    """
    return f"{name}__{sweep}" if sweep else name
