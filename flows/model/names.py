"""The names of results, judged before anything runs: none may leave the output or cover another file."""

from __future__ import annotations

import re
import unicodedata
from string import Formatter

MAX_PART_BYTES = 200  # file systems allow 255; the rest is for suffixes and temporary names
MAX_NAME_BYTES = 800  # an S3 key has 1024, prefix and suffix included
TEMPLATE_FIELDS = ("content", "style", "sweep")
DEFAULT_TEMPLATE = "{content}__{style}"
NO_SWEEP = "plain"
SHEET = "sheet"

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
    # `report.json` is the run's summary; a pair's record is `<name>.json`. Some file systems ignore case.
    if name.casefold() == "report" or name.casefold().startswith("report.json/"):
        return "'report' is reserved for the run's report"
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
            return "only {content}, {style} and {sweep} may stand in braces, with nothing else between them"
    return check_name(fill_name(template, "c", "s"))


def template_fields(template: str) -> set[str]:
    """Which of `TEMPLATE_FIELDS` a checked template uses."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def fill_name(template: str, content_name: str | None, style_name: str | None, *, sweep: str = "") -> str:
    """The name of a pair's result, in NFC; judge it by `check_name`, because file names may hold anything.

    None stands for a picture that the pair does without; the default template then uses the other.

    `sweep` tells the variants of one pair apart; a template without a place for it gets it at the end.

    >>> fill_name("{style}/{content}", "harbour", "waves")
    'waves/harbour'
    >>> fill_name("{style}/{content}", "harbour", "waves", sweep="size=64")
    'waves/harbour__size=64'
    >>> fill_name(DEFAULT_TEMPLATE, "harbour", None)
    'harbour'
    """
    if template == DEFAULT_TEMPLATE and None in (content_name, style_name):
        return with_sweep(normalised(content_name or style_name or ""), sweep)
    given = {"content": content_name or "", "style": style_name or "", "sweep": sweep or NO_SWEEP, None: ""}
    name = normalised("".join(text + given[name] for text, name, _, _ in Formatter().parse(template)))
    return name if "sweep" in template_fields(template) else with_sweep(name, sweep)


def with_sweep(name: str, sweep: str) -> str:
    """A variant's name where the pair's own name has no place for it.

    >>> with_sweep("cover", "size=64"), with_sweep("cover", "")
    ('cover__size=64', 'cover')
    """
    return f"{name}__{sweep}" if sweep else name
