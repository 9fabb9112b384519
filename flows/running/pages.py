"""The page of a run, drawn once everything that counts is written; no run fails by it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from flows.model.shard import WHOLE
from flows.planning.plan import Plan
from flows.records.report import Report, Tally, page_name
from flows.storage.base import Storage
from flows.text import safe_text

log = logging.getLogger("stylize.run")

DRAWN_AT_END = 1000
"""Pictures that are read and made small at the end of a run; `stylize report` does the rest."""


@dataclass(frozen=True, slots=True)
class Night:
    """A run that has ended.

    Attributes:
        plan: as it was before the run.
        began: when the run did; None where the plan is younger than its records.
    """

    plan: Plan
    tally: Tally
    report: Report
    began: datetime | None


def draw_page(
    night: Night, storage: Storage, goes_on: Callable[[], bool], note: Callable[[str], None]
) -> None:
    """Draw `report.html`, with as many small pictures as do not hold up the end; one that fails is a note.

    Args:
        goes_on: asked on the way; once it says no the page stays as it was.
    """
    if not goes_on():
        return
    try:
        if trouble := _trouble(night, storage, goes_on):
            note(safe_text(trouble))
    except Exception as error:  # a page is an extra: whatever became of it, the pictures are there
        log.info("the page failed", exc_info=error)
        note(safe_text(f"the page report.html was not made: {error}"))


def _trouble(night: Night, storage: Storage, goes_on: Callable[[], bool]) -> str:
    """Draw the page; why not, if there is a reason that its reader should hear."""
    # A template engine and Pillow, which a run that has nothing to show does without.
    from flows.pages.gathering import planned_entries
    from flows.pages.placing import is_page, page_before, put_page
    from flows.pages.previews import Bounds
    from flows.pages.report import Asked, report_page

    name = page_name(WHOLE)
    before = page_before(storage, name)
    if not is_page(before) and not night.plan.replace_foreign:
        return f"{storage.uri(name)} is no page of stylize, so none is written"
    manifest = PurePosixPath(night.report.manifest).name
    asked = Asked(
        manifest,
        Bounds(DRAWN_AT_END, goes_on),
        before=before,
        again=f"`stylize report {manifest}`",
    )
    gathered = planned_entries(night.plan, storage, failed=night.tally.kinds, since=night.began)
    page = report_page(gathered, storage, asked)
    if page is not None:
        put_page(storage, name, page)
    return ""
