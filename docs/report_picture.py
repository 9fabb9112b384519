"""Photographs a report: `stylize run manifests/quickstart.yaml --preview`, then this.

`python docs/report_picture.py`
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import FloatRect, sync_playwright

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "manifests" / "out" / "quickstart-preview" / "report.html"
PICTURE = ROOT / "docs" / "images" / "report.jpg"
GAP = 16


def main() -> None:
    """Write `docs/images/report.jpg`: the grid of the quickstart's preview as a browser shows it."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 1300})
        page.goto(REPORT.as_uri())
        page.wait_for_load_state("networkidle")
        top = page.get_by_role("heading", name="Pictures").bounding_box()
        if top is None:
            raise SystemExit(f"{REPORT} shows no pictures")
        clip: FloatRect = {"x": 0, "y": top["y"] - GAP, "width": 1100, "height": 640}
        page.screenshot(path=PICTURE, type="jpeg", quality=80, clip=clip)
        browser.close()


if __name__ == "__main__":
    main()
