"""From data to one HTML file that asks no network for anything: templates, styles and scripts in one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from stylize_core.image.facts import facts_text

PAGE_FACT = "stylize:page"
"""Its presence says that a page is of this program, and may be replaced."""

_STYLES = ("page.css", "parts.css", "grid.css", "detail.css")
_SCRIPTS: dict[str, Sequence[str]] = {
    "report": ("common.js", "detail.js", "grid.js", "filter.js", "report.js"),
    "compare": ("common.js", "detail.js", "grid.js", "filter.js", "compare.js"),
}


def render(template: str, *, payload: dict[str, Any], pictures: str, **shown: Any) -> bytes:
    """The page, UTF-8.

    Args:
        template: `report` or `compare`.
        payload: what its script works on.
        pictures: JSON of its small pictures, of letters that mean nothing in HTML.
        shown: what its template shows.
    """
    css, script = _joined(_STYLES), _joined(_SCRIPTS[template])
    text = _environment().get_template(f"{template}.html").render(
        css=Markup(css),  # noqa: S704  our own files
        script=Markup(script),  # noqa: S704
        policy=_policy(css, script),
        facts=Markup(facts_text({PAGE_FACT: template, "Software": f"stylize {version('stylize')}"})),  # noqa: S704
        data=_inert_json(payload),
        pictures=Markup(pictures),  # noqa: S704
        version=version("stylize"),
        **shown,
    )  # fmt: skip
    return text.encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("flows.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["words"] = lambda number: f"{number:,}"
    found.filters["marked"] = _marked
    return found


def _marked(text: str) -> Markup:
    """The text with what stands between backticks as code."""
    parts = [escape(part) if at % 2 == 0 else _CODE.format(part) for at, part in enumerate(text.split("`"))]
    return Markup("").join(parts)


_CODE = Markup("<code>{}</code>")


@cache
def _joined(names: Sequence[str]) -> str:
    """The files one after another."""
    folder = resources.files("flows.pages") / "templates"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _policy(css: str, script: str) -> str:
    """A Content-Security-Policy under which a browser runs these two and loads nothing at all."""
    return "; ".join(_directives(css, script))


def _directives(css: str, script: str) -> Iterator[str]:
    yield "default-src 'none'"
    yield f"style-src '{_digest(css)}'"
    yield f"script-src '{_digest(script)}'"
    yield "img-src data:"
    yield "base-uri 'none'"
    yield "form-action 'none'"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _inert_json(value: Any) -> Markup:
    """JSON that no browser takes for HTML, whatever names it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704  nothing in it is left that means anything
