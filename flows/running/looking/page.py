"""The page of a run, drawn once everything that counts is written; no run fails by it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath

from flows.manifest.model import Manifest
from flows.model.selection import EVERYTHING
from flows.model.shard import WHOLE
from flows.pages.gathering import Gathered, planned_entries
from flows.planning.plan import Plan, make_plan
from flows.records.report import Tally, page_name
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

    manifest: Manifest
    plan: Plan
    tally: Tally
    began: datetime | None

    def gathered(self, storage: Storage) -> Gathered:
        """All pairs of the manifest; a run over a selection has not looked at the others yet."""
        if self.plan.selection != EVERYTHING:
            return planned_entries(make_plan(self.manifest), storage)
        found = planned_entries(self.plan, storage, failed=self.tally.kinds, since=self.began)
        planned, done = self.plan.counts["planned"], self.plan.counts["done"] + self.tally.made
        if len(found.entries) == planned:
            return found
        failed = len(self.tally.kinds)
        return replace(found, counts={"done": done, "failed": failed, "todo": planned - done - failed})


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
    from flows.pages.placing import is_page, page_before, put_page
    from flows.pages.previews import Bounds
    from flows.pages.report import Asked, report_page

    name = page_name(WHOLE)
    before = page_before(storage, name)
    if not is_page(before) and not night.plan.replace_foreign:
        return f"{storage.uri(name)} is no page of stylize, so none is written"
    manifest = PurePosixPath(night.manifest.source).name
    asked = Asked(
        manifest,
        Bounds(DRAWN_AT_END, goes_on),
        before=before,
        again=f"`stylize report {manifest}`",
    )
    page = report_page(night.gathered(storage), storage, asked)
    if page is not None:
        put_page(storage, name, page)
    return ""
