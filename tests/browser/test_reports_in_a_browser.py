"""Reports as people meet them: in a real browser, on a desk and on a phone, by day and by night, and on paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from eventlib.reporting.runner import ReportFailed, run_report
from eventlib.settings import Settings
from eventlib.store.event_store import Store
from eventlib.store.scratch_database import scratch_database
from tests.conftest import STORE_PARTITIONS
from tests.notebooks.histories import HOSTILE_STEPS, project, write, write_long

pytestmark = pytest.mark.browser

DESK, PHONE = (1280, 900), (390, 844)
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

CONTRAST = """
() => {
  const channels = colour => {
    const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
    context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = element => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a] = channels(getComputedStyle(e).backgroundColor);
      if (a === 255) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement, style = getComputedStyle(element);
    if (!node.data.trim() || !element.getClientRects().length || element.closest('.vh, .skip')) continue;
    const ink = luminance(channels(element.closest('svg') ? style.fill : style.color)), on = luminance(paper(element));
    const ratio = (Math.max(ink, on) + 0.05) / (Math.min(ink, on) + 0.05);
    found.push([ratio, node.data.trim().slice(0, 40)]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail(
            f"none of {', '.join(NAMES)} is installed: apt-get install chromium, or run the tests without -m browser"
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One report of each kind, an error, and the gallery that lists them."""
    with scratch_database(server_url, STORE_PARTITIONS) as url, Store.open(url) as store:
        settings = Settings(database_url=url, reports_dir=tmp_path_factory.mktemp("reports"))
        yield publish_all(store, settings)


def publish_all(store: Store, settings: Settings) -> dict[str, Path]:
    orders: dict[str, UUID] = {name: uuid4() for name in ("verified", "failed", "not covered", "hostile", "long")}
    for name in ("verified", "failed", "not covered"):
        write(store, orders[name])
    write(store, orders["hostile"], HOSTILE_STEPS)
    write_long(store, orders["long"], 300)
    for name in ("verified", "failed", "hostile", "long"):
        project(store, orders[name])
    store.connection.execute("UPDATE order_projections SET item_count = 7 WHERE order_id = %s", [orders["failed"]])
    published = {
        name: run_report("audit_reconstruction", {"order_id": str(order_id)}, settings).page
        for name, order_id in orders.items()
    }
    with pytest.raises(ReportFailed) as failed:
        run_report("audit_reconstruction", {"order_id": str(uuid4())}, settings)
    return {**published, "error": failed.value.folder / "index.html", "gallery": settings.reports_dir / "index.html"}


class Visit:
    """A page that was opened, with everything that it tried to load and to complain about."""

    def __init__(self, browser: Browser, path: Path, size: tuple[int, int], scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        self.page: Page = self.context.new_page()
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", self._requested)
        self.page.on("console", self._complained)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(path.as_uri())
        self.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    def _requested(self, request: Request) -> None:
        self.requested.append(request.url)

    def _complained(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def in_first_view(self, selector: str) -> bool:
        self.page.evaluate("scrollTo(0, 0)")
        box = self.page.locator(selector).first.bounding_box()
        viewport = self.page.viewport_size
        return bool(box and viewport and box["y"] + box["height"] <= viewport["height"])


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_is_silent_and_legible(
    browser: Browser, pages: dict[str, Path], size: tuple[int, int], scheme: str
) -> None:
    for name, path in pages.items():
        visit = Visit(browser, path, size, scheme)

        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{name} is {width} pixels wide"
        assert visit.requested == [path.as_uri()], name
        assert not visit.complaints, name
        assert visit.page.title() and visit.page.locator("h1").count() == 1
        ratio, text = visit.page.evaluate(CONTRAST)[0]
        assert ratio >= 4.5, f"{name}: {text!r} has a contrast of {ratio:.2f}"
        paper = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") is (scheme == "light")
        if name not in {"gallery"}:
            assert visit.in_first_view(".verdict .outcome"), f"{name}: the verdict is below the first view"
        visit.context.close()


def test_the_verdict_and_its_checks_are_seen_first(browser: Browser, pages: dict[str, Path]) -> None:
    for size in (DESK, PHONE):
        visit = Visit(browser, pages["failed"], size)
        assert visit.in_first_view(".verdict > .checks")
        assert visit.page.locator(".verdict .outcome").inner_text() == "Failed"
        visit.context.close()


def test_one_timeline_at_a_time_and_its_marks_lead_to_the_events(browser: Browser, pages: dict[str, Path]) -> None:
    for size, shown, hidden in ((DESK, ".wide", ".narrow"), (PHONE, ".narrow", ".wide")):
        visit = Visit(browser, pages["verified"], size)
        assert visit.page.locator(f"{shown} svg[role=img][aria-label]").is_visible()
        assert not visit.page.locator(f"{hidden} svg").is_visible()
        small = visit.page.locator(f"{shown} svg text").first
        assert small.evaluate("text => text.getBoundingClientRect().height") >= 11
        visit.page.locator(f"{shown} svg a[href='#event-17']").first.click()
        assert visit.page.evaluate("location.hash") == "#event-17"
        assert visit.page.locator("#event-17").evaluate("row => row.getBoundingClientRect().top") < size[1]
        visit.context.close()


def test_the_gallery_leads_to_every_report(browser: Browser, pages: dict[str, Path]) -> None:
    visit = Visit(browser, pages["gallery"], DESK)
    links = visit.page.locator("a.title")
    assert links.count() == 6
    hrefs = [links.nth(index).evaluate("link => link.href") for index in range(6)]
    assert sorted(hrefs) == sorted(path.as_uri() for name, path in pages.items() if name != "gallery")
    visit.context.close()


def test_the_keyboard_reaches_the_report_first(browser: Browser, pages: dict[str, Path]) -> None:
    visit = Visit(browser, pages["verified"], DESK)
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.className") == "skip"
    assert visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    visit.context.close()


def test_a_report_prints(browser: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    visit = Visit(browser, pages["verified"], DESK, "dark")
    visit.page.emulate_media(media="print")
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert visit.page.locator(".wide svg").is_visible()
    assert not visit.page.locator(".bar nav").is_visible()
    pdf = visit.page.pdf(format="A4", print_background=True)
    assert pdf.startswith(b"%PDF") and len(pdf) > 20_000
    visit.context.close()
