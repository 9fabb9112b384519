"""Pages as people meet them, in a Chromium without a screen; skipped, with a reason, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from stub_output import HOSTILE, Made, leave_output

from flows.pages.compare import compare_page
from flows.pages.gathering import planned_entries
from flows.pages.previews import Bounds
from flows.pages.report import Asked, report_page
from flows.pages.targets import find_target

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WIDE, NARROW = (1440, 900), (390, 844)
Scheme = Literal["light", "dark"]
BOTH = [(WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark")]
ALL = Bounds(10_000)


def _chromium() -> str | None:
    return os.environ.get("STYLIZE_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


pytestmark = pytest.mark.skipif(
    _chromium() is None,
    reason="no Chromium is installed: `apt-get install chromium`, or set STYLIZE_CHROMIUM to the program",
)


@dataclass
class Visit:
    """A page that somebody looks at, and what it did that nobody should notice."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Look = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two hundred pairs; fifteen failed: ten by a broken content, four by memory, one by its record."""
    return leave_output(tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="module")
def report(made: Made) -> Path:
    gathered = planned_entries(made.plan, made.storage)
    assert gathered.counts == {"done": 185, "failed": 15, "todo": 0}
    return _written(made, "report.html", report_page(gathered, made.storage, Asked("night.yaml", ALL)))


@pytest.fixture(scope="module")
def comparison(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first six contents and styles, half of the settings apart."""
    home = tmp_path_factory.mktemp("other")
    other = leave_output(home, contents=4, styles=3, settings="size: 200, style_weight: 50")
    page = compare_page(find_target(str(made.manifest)), find_target(other.plan.output), ALL)
    return _written(other, "compare.html", page)


def _written(made: Made, name: str, page: bytes | None) -> Path:
    assert page is not None
    place = Path(made.plan.output, name)
    place.write_bytes(page)
    return place


@pytest.fixture
def look(browser: Browser) -> Look:
    """Open a page; at the end it must not have complained, nor have asked anything but itself."""

    @contextmanager
    def opened(
        place: Path, size: tuple[int, int] = WIDE, scheme: Scheme = "light", at: str = ""
    ) -> Iterator[Page]:
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        visit = Visit(context.new_page())
        visit.page.set_default_timeout(20_000)
        visit.page.on("console", lambda message: visit.complaints.append(message.text))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.goto(place.as_uri() + at)
        visit.page.wait_for_selector("html[data-ready]")
        yield visit.page
        context.close()
        assert visit.complaints == []
        outside = [url for url in visit.requests if not url.startswith(("data:", place.as_uri()))]
        assert outside == []

    return opened


def cells(page: Page) -> Any:
    return page.locator(".board button[data-row]")


def count(page: Page) -> str:
    return page.locator("#count").inner_text()


def test_the_slider_is_dragged_over_a_result(report: Path, look: Look) -> None:
    with look(report) as page:
        page.get_by_role("button", name="c003 in s001, made").click()
        slider = page.get_by_role("slider")
        box = slider.bounding_box()
        assert box
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] / 2, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=5)
        page.mouse.up()
        assert 70 <= int(slider.input_value()) <= 90
        clip = page.locator(".stage .after").evaluate("one => getComputedStyle(one).clipPath")
        assert f"{slider.input_value()}%" in clip
        slider.press("ArrowLeft")
        assert slider.get_attribute("aria-valuetext") == f"{slider.input_value()} %"
        both = page.locator(".stage img").evaluate_all("all => all.map((one) => one.naturalWidth)")
        assert len(both) == 2
        assert min(both) > 0, "both pictures are there"


def test_a_result_says_how_it_was_made(report: Path, look: Look) -> None:
    with look(report) as page:
        page.get_by_role("button", name="c003 in s001, made").click()
        facts = page.locator("dialog .facts").inner_text()
        for words in (
            "size",
            "240",
            "cuda:0 (a GPU), bf16",
            "2.15 GB",
            "optimise",
            "2.5 s",
            "120 evaluations",
        ):
            assert words in facts
        assert page.locator(".curve path").count() == 1
        assert page.get_by_role("link", name="Open the record").get_attribute("href") == "./c003__s001.json"
        assert page.get_by_role("dialog").get_attribute("aria-labelledby") == "detail-name"
        page.get_by_role("button", name="Next pair").click()
        assert page.locator("#detail-name").inner_text() != "c003__s001"
        page.keyboard.press("Escape")
        assert not page.get_by_role("dialog").is_visible()


def test_filters_leave_what_was_asked_for(report: Path, look: Look) -> None:
    with look(report) as page:
        assert count(page) == "200 pairs"
        page.get_by_role("radio", name="Failed").check(force=True)
        assert count(page) == "15 of 200 pairs"
        page.get_by_role("radio", name="All").check(force=True)
        page.get_by_role("combobox", name="Style").select_option("s003")
        assert count(page) == "20 of 200 pairs"
        page.get_by_label("Find").fill("c01 s003")
        assert count(page) == "10 of 200 pairs"
        page.get_by_label("Find").fill("nothing has this name")
        assert count(page) == "0 of 200 pairs"
        assert page.get_by_text("No picture fits this filter.").is_visible()
        page.get_by_role("combobox", name="Style").select_option("")
        page.get_by_label("Find").fill("html page")
        assert count(page) == "10 of 200 pairs"


def test_a_failing_pair_is_opened_from_the_list_of_failures(report: Path, look: Look) -> None:
    with look(report) as page:
        section = page.get_by_role("region", name="What failed")
        section.get_by_role("button", name="broken__s004").click()
        dialog = page.get_by_role("dialog")
        assert "this is an HTML page" in dialog.inner_text()
        assert "What to do. Open the file that the message names" in dialog.inner_text()
        dialog.get_by_role("button", name="Close").click()
        focused = page.evaluate("document.activeElement.textContent")
        assert focused == "broken__s004", "the focus goes back to where it came from"


def test_a_hostile_name_stays_text(report: Path, look: Look) -> None:
    with look(report) as page:
        page.get_by_label("Find").fill("<script>")
        assert count(page) == "10 of 200 pairs"
        cells(page).first.click()
        assert HOSTILE in page.locator("#detail-name").inner_text()
        assert page.locator("img[onerror]").count() == 0


def test_a_link_leads_to_one_pair(report: Path, look: Look) -> None:
    with look(report, at="#pair=c005__s002") as page:
        assert page.locator("#detail-name").inner_text() == "c005__s002"


@pytest.mark.parametrize(("size", "scheme"), BOTH)
def test_everything_is_within_reach_at_both_widths(
    report: Path, look: Look, size: tuple[int, int], scheme: Scheme
) -> None:
    with look(report, size, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        for control in ("#text", "#style", "#views", "#states"):
            box = page.locator(control).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size[0]
            assert box["height"] >= 32, f"{control} is large enough for a thumb"
        page.get_by_role("radio", name="Grid").check(force=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.get_by_role("button", name="c003 in s000, made").click()
        dialog = page.get_by_role("dialog")
        box = dialog.bounding_box()
        assert box is not None
        assert box["width"] <= size[0]
        assert dialog.evaluate("one => one.scrollWidth <= one.clientWidth")
        for name in ("Close", "Next pair"):
            assert dialog.get_by_role("button", name=name).is_visible()


CONTRASTS = """
() => {
  const channels = (text) => { const found = text.match(/[\\d.]+/g).map(Number); return [...found.slice(0, 3), found[3] ?? 1]; };
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const layers = [];
    for (let one = node; one; one = one.parentElement) layers.push(channels(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), channels(getComputedStyle(document.body).backgroundColor));
  };
  const found = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, style = getComputedStyle(node);
    const inert = node.closest('script, style, noscript, option, .unseen, :disabled, .skip, [hidden]');
    if (!walker.currentNode.data.trim() || inert || !node.checkVisibility()) continue;
    const ground = behind(node), ink = over(channels(style.color), ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    const px = parseFloat(style.fontSize), large = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    seen++;
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${node.className || node.tagName}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return [seen, [...new Set(found)]];
}
"""  # noqa: E501  one expression of another language


@pytest.mark.parametrize(("size", "scheme"), BOTH)
def test_every_word_stands_out_from_its_ground(
    report: Path, look: Look, size: tuple[int, int], scheme: Scheme
) -> None:
    """WCAG 2.2, 1.4.3, level AA, from computed colours: with a failing and with a made pair open."""
    with look(report, size, scheme) as page:
        page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
        for at in ("broken__s000", "c003__s001"):
            page.evaluate("name => page.open(data.pairs.findIndex((pair) => pair.name === name))", at)
            seen, low = page.evaluate(CONTRASTS)
            assert seen > 80
            assert low == []
            page.keyboard.press("Escape")


def test_all_of_it_can_be_done_by_keys(report: Path, look: Look) -> None:
    with look(report) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the pictures"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "pictures-heading"
        page.locator("#board [tabindex='0']").focus()
        for key in ("ArrowDown", "ArrowRight", "End"):
            page.keyboard.press(key)
        label = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert "in s009" in label
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        for _ in range(30):
            page.keyboard.press("PageDown")
        last = page.evaluate("document.activeElement.dataset.row")
        assert last == "19", "every row can be reached, though few are in the document at once"
        page.keyboard.press("Enter")
        assert page.get_by_role("dialog").is_visible()
        assert page.evaluate("document.activeElement.closest('dialog') !== null")


def test_a_reader_hears_what_is_where(report: Path, look: Look) -> None:
    with look(report) as page:
        for role in ("banner", "main", "contentinfo", "search"):
            assert page.get_by_role(role).count() == 1
        grid = page.get_by_role("grid", name="Contents by styles")
        assert (grid.get_attribute("aria-rowcount"), grid.get_attribute("aria-colcount")) == ("21", "11")
        assert page.get_by_role("columnheader", name="s003").count() == 1
        assert page.get_by_role("heading", level=1).inner_text() == "night.yaml"
        controls = "[...document.querySelectorAll('button, input, select, a')]"
        nameless = "one.checkVisibility() && !(one.textContent.trim() || one.ariaLabel || one.labels?.length)"
        assert page.evaluate(f"{controls}.filter((one) => {nameless}).map((one) => one.outerHTML)") == []
        assert page.locator("img:not([alt])").count() == 0
        assert page.get_by_role("img", name="worker 0 was at work for").count() == 1


def test_only_what_is_in_view_is_in_the_document(report: Path, look: Look) -> None:
    with look(report, NARROW) as page:
        assert 4 <= cells(page).count() < 60
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_selector(".board button[data-row='99']", state="attached")
        assert cells(page).count() < 60


def test_nobody_who_wants_rest_sees_motion(report: Path, browser: Browser) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-ready]")
    lengths = "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one).transitionDuration)"
    assert page.evaluate(f"[...new Set({lengths})]") == ["0s"]
    context.close()


@pytest.mark.parametrize(("size", "scheme"), BOTH)
def test_two_outputs_are_compared_side_by_side(
    comparison: Path, look: Look, size: tuple[int, int], scheme: Scheme
) -> None:
    with look(comparison, size, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.get_by_role("radio", name="Different").check(force=True)
        page.get_by_label("Find").fill("c003__s001")
        cells(page).first.click()
        assert page.locator(".stage img").count() == 2
        slider = page.get_by_role("slider")
        slider.fill("20")
        assert "20%" in page.locator(".stage .after").evaluate("one => getComputedStyle(one).clipPath")
        rows = page.locator("dialog table").first.locator("tr").all_inner_texts()
        assert [row.split() for row in rows[1:]] == [
            ["size", "240", "200"],
            ["style_weight", "as", "usual", "50"],
        ]
        seen, low = page.evaluate(CONTRASTS)
        assert seen > 20
        assert low == []
