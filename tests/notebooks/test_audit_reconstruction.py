"""The real notebook, run as a scheduler would run it, on a real database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID, uuid4

import nbformat
import pytest

from eventlib.errors import ReportError
from eventlib.orders import ORDER
from eventlib.orders.commands import RequestRefund
from eventlib.orders.simulation import simulate
from eventlib.reporting.audit_reconstruction import open_reconstruction
from eventlib.reporting.fragment import PUBLISHED_MIME
from eventlib.reporting.runner import PublishedRun, ReportFailed, run_report
from eventlib.reporting.verdict import Outcome
from eventlib.settings import Settings
from eventlib.store.event_store import Store
from tests.notebooks.histories import HOSTILE_STEPS, project, tamper, write, write_long

Run = Callable[..., PublishedRun]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, reports_dir=tmp_path / "out")


@pytest.fixture
def run(settings: Settings) -> Run:
    def run(order_id: UUID, **parameters: str) -> PublishedRun:
        return run_report("audit_reconstruction", {"order_id": str(order_id), **parameters}, settings)

    return run


@pytest.fixture
def order_id(store: Store) -> UUID:
    """A rich order, projected."""
    written = uuid4()
    write(store, written)
    project(store, written)
    return written


class _Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = ""
        self.feed(self.source)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag if tag == "style" else self._hidden

    def handle_endtag(self, tag: str) -> None:
        self._hidden = "" if tag == self._hidden else self._hidden

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else f" {data}"

    def having(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_a_good_order_is_verified(run: Run, order_id: UUID, settings: Settings) -> None:
    published = run(order_id)

    assert published.verdict.outcome is Outcome.VERIFIED
    assert published.exit_code == 0
    assert [check.name for check in published.verdict.checks] == ["Complete", "Consistent", "Legal"]
    page = _Page(published.page)
    assert page.text.index("Verified") < page.text.index("What happened")
    for told in (
        "Delivered",
        "recorded 9 h 12 min after it happened",
        "The cart just before LAMP-7 was removed",
        "too bright",
        "LAMP-7 × 1 49.99",
        "insufficient funds",
        "approved by who requested it (event 18)",
        "this version keeps no ledger",
        "203.0.113.0/24",
    ):
        assert told in page.text
    assert {"index.html", "notebook.ipynb", "result.json"} == {path.name for path in published.folder.iterdir()}
    assert str(published.page.relative_to(settings.reports_dir)) in (settings.reports_dir / "index.html").read_text()


def test_the_result_says_what_the_page_says(run: Run, order_id: UUID) -> None:
    published = run(order_id)
    result = json.loads((published.folder / "result.json").read_text())

    assert result["outcome"] == "verified" and result["exit_code"] == 0 and result["error"] is None
    assert result["parameters"] == {"order_id": str(order_id)}
    assert result["evidence"]["events"] == 19
    assert result["evidence"]["digest"] in published.page.read_text()
    assert result["started_at"] < result["finished_at"] and result["started_at"].endswith("Z")


def test_the_page_stands_alone(run: Run, order_id: UUID) -> None:
    page = _Page(run(order_id).page)

    addresses = set(re.findall(r"https?://[^\s\"'<>]+", page.source))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not page.having("script") and not page.having("iframe")
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href", "data", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:"))
    assert "@import" not in page.source and not re.search(r"url\((?!#|data:)", page.source)
    assert all(svg.get("aria-label") for svg in page.having("svg")) and len(page.having("figure")) == 1
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"]).removeprefix("#") for a in page.having("a")}
    assert targets <= set(ids)


def test_a_wrong_read_model_fails_and_is_named(run: Run, order_id: UUID, store: Store) -> None:
    store.connection.execute(
        "UPDATE order_projections SET total_cents = total_cents + 100 WHERE order_id = %s", [order_id]
    )
    published = run(order_id)

    assert (published.verdict.outcome, published.exit_code) == (Outcome.FAILED, 1)
    page = _Page(published.page)
    assert "differs from the replayed events at version 19 in total_cents" in page.text
    assert re.search(r"total_cents 4687 4787 .*differs", page.text)


def test_a_wrong_state_in_the_read_model_is_named_to_the_field(run: Run, order_id: UUID, store: Store) -> None:
    store.connection.execute(
        """UPDATE order_projections SET snapshot = jsonb_set(snapshot, '{lines,WIDGET-42,quantity}', '4')
           WHERE order_id = %s""",
        [order_id],
    )
    published = run(order_id)

    assert published.exit_code == 1
    assert "snapshot.lines.WIDGET-42.quantity 3 4" in _Page(published.page).text


def test_an_order_without_a_row_is_not_covered(run: Run, store: Store) -> None:
    unprojected = uuid4()
    write(store, unprojected)
    published = run(unprojected)

    assert (published.verdict.outcome, published.exit_code) == (Outcome.NOT_COVERED, 3)
    assert "order_projections has no row for it yet" in _Page(published.page).text


def test_a_row_that_is_behind_is_verified_at_its_version(run: Run, store: Store) -> None:
    behind = uuid4()
    write(store, behind)
    project(store, behind, until=17)
    published = run(behind)

    assert published.exit_code == 0
    assert "at version 17; 2 newer events are not projected yet, for" in _Page(published.page).text


def test_a_missing_event_fails(run: Run, order_id: UUID, database_url: str) -> None:
    tamper(database_url, "DELETE FROM event_store WHERE aggregate_id = %s AND version = 4", order_id)
    published = run(order_id)

    assert published.exit_code == 1
    page = _Page(published.page)
    assert "Version 4 is missing" in page.text and "Missing from the log." in page.text


def test_a_missing_last_event_fails_because_the_row_remembers_it(run: Run, order_id: UUID, database_url: str) -> None:
    tamper(database_url, "DELETE FROM event_store WHERE aggregate_id = %s AND version = 19", order_id)
    published = run(order_id)

    assert published.exit_code == 1
    assert "claims version 19, but the log ends at version 18" in _Page(published.page).text


def test_a_changed_amount_breaks_the_rules_although_the_row_agrees(
    run: Run, order_id: UUID, database_url: str, store: Store
) -> None:
    tamper(
        database_url,
        """UPDATE event_store SET event_data = jsonb_set(event_data, '{amount_cents}', '1')
           WHERE aggregate_id = %s AND event_type = 'PaymentCaptured' AND version = 14""",
        order_id,
    )
    store.connection.execute("DELETE FROM order_projections WHERE order_id = %s", [order_id])
    project(store, order_id)
    published = run(order_id)

    assert published.exit_code == 1
    by_name = {check.name: check for check in published.verdict.checks}
    assert by_name["Consistent"].outcome is Outcome.VERIFIED
    assert by_name["Legal"].outcome is Outcome.FAILED and "Event 14: the rules lead to" in by_name["Legal"].finding


def test_an_event_that_was_altered_to_something_illegal_fails(run: Run, order_id: UUID, database_url: str) -> None:
    tamper(
        database_url,
        """UPDATE event_store SET event_data = jsonb_set(event_data, '{sku}', '"GHOST"')
           WHERE aggregate_id = %s AND version = 6""",
        order_id,
    )
    published = run(order_id)

    assert published.exit_code == 1
    text = _Page(published.page).text
    assert "Event 6: GHOST is not in the cart" in text and "Refund approved" in text
    outcomes = {check.name: check.outcome for check in published.verdict.checks}
    assert outcomes["Legal"] is outcomes["Consistent"] is Outcome.FAILED


def test_as_of_a_version_and_an_instant(run: Run, order_id: UUID, store: Store) -> None:
    published = run(order_id, as_of="4")

    text = _Page(published.page).text
    assert "as of version 4" in text and "15 later events not told" in text
    assert "No item was ever removed from it." in text and "76.97 EUR" in text
    assert any("read model is compared as it is now" in limit for limit in published.verdict.limits)
    recorded = store.connection.execute(
        "SELECT created_at FROM event_store WHERE aggregate_id = %s AND version = 7", [order_id]
    ).fetchone()
    assert recorded is not None
    at_instant = run(order_id, as_of=recorded[0].isoformat())
    assert json.loads((at_instant.folder / "result.json").read_text())["evidence"]["repeat"]["as_of"] == "7"


def test_the_same_events_give_the_same_digest_also_later(run: Run, order_id: UUID, store: Store) -> None:
    first = json.loads((run(order_id, as_of="19").folder / "result.json").read_text())["evidence"]
    write(store, order_id, [(RequestRefund("R-2", 1), {})])
    again = json.loads((run(order_id, as_of=first["repeat"]["as_of"]).folder / "result.json").read_text())["evidence"]

    assert again["digest"] == first["digest"] and again["events"] == 19


def test_hostile_text_is_shown_and_never_run(run: Run, store: Store) -> None:
    hostile = uuid4()
    write(store, hostile, HOSTILE_STEPS)
    project(store, hostile)
    page = _Page(run(hostile).page)

    assert not page.having("script") and not page.having("img")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "<script>alert(1)</script>" in page.text and "$x^2$ {{ 7 * 7 }} {% raw %} &amp;" in page.text
    assert "1,200 JPY" in page.text


def test_a_long_history_is_folded_and_small(run: Run, store: Store) -> None:
    long = uuid4()
    write_long(store, long, 2000)
    project(store, long)
    published = run(long)

    assert published.exit_code == 0
    page = _Page(published.page)
    assert published.page.stat().st_size < 1_500_000
    assert len([1 for tag, attributes in page.tags if str(attributes.get("id", "")).startswith("event-")]) == 2000
    assert "2,000 events, folded by the day" in page.text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"order_id": str(uuid4())}, "there is no order .* in the log"),
        ({"order_id": "007"}, "order_id '007' is not a UUID"),
        ({"order_id": str(UUID(int=7)), "as_of": "2025-03-01T12:00:00"}, "has no time zone"),
    ],
)
def test_what_cannot_be_told_is_published_as_an_error(
    settings: Settings, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(ReportFailed, match=message) as failed:
        run_report("audit_reconstruction", parameters, settings)

    result = json.loads((failed.value.folder / "result.json").read_text())
    assert result["exit_code"] == 2 and result["verdict"] is None and re.search(message, result["error"])
    assert re.search(message, _Page(failed.value.folder / "index.html").text, re.IGNORECASE)
    assert "Error" in _Page(settings.reports_dir / "index.html").text


def test_a_version_that_never_was_is_refused(run: Run, order_id: UUID) -> None:
    with pytest.raises(ReportFailed, match="there is no version 20: the last one is 19"):
        run(order_id, as_of="20")
    with pytest.raises(ReportFailed, match="had no events at 2001-01-01 00:00:00 UTC"):
        run(order_id, as_of="2001-01-01T00:00:00Z")
    with pytest.raises(ReportFailed, match="is in the future"):
        run(order_id, as_of="2999-01-01T00:00:00Z")


def test_opened_by_hand_it_says_what_to_do(order_id: UUID, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReportError, match="order_id is empty: set it in the cell"):
        open_reconstruction("")
    monkeypatch.setenv("EVENTLIB_DATABASE_URL", database_url)
    report = open_reconstruction(str(order_id))

    assert str(report._repr_mimebundle_()["text/html"]).startswith('<div class="ev"><style>')
    assert report.verdict().text.startswith("VERIFIED")
    timeline = report.timeline()._repr_mimebundle_()
    assert "<a " not in timeline["text/html"], "JupyterLab fails on links in SVG"
    assert '<a href="#event-19"' in timeline[PUBLISHED_MIME]
    frame = report.frame()
    assert len(frame) == 19 and frame.loc[19, "status"] == "partly_refunded" and frame.loc[5, "reason"] == "too bright"


def test_the_notebook_holds_no_logic_and_no_outputs() -> None:
    path = Path(__file__).parent.parent.parent / "notebooks" / "audit_reconstruction.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]

    assert len(notebook.cells) < 10
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            assert not re.search(r"\b(def|class|for|if|while|try|lambda)\b", re.sub(r"#.*", "", cell.source))


def test_a_history_recorded_afterwards_is_told_by_when_it_happened(run: Run, store: Store, database_url: str) -> None:
    with Store.open(database_url) as rival:
        simulated = simulate(store, rival, orders=1, seed=1, hot_orders=0)
    assert simulated.interesting_order_id is not None
    project(store, simulated.interesting_order_id)

    page = _Page(run(simulated.interesting_order_id).page)

    assert "and was recorded in one go on" in page.text
    assert "This history was recorded in one go on" in page.text
    assert "Occurred (UTC)" in page.text and "Recorded (UTC)" not in page.text
    first = next(store.read(ORDER, simulated.interesting_order_id))
    assert f"{first.occurred_at:%H:%M:%S} recorded {first.recorded_at:%-d %b %Y %H:%M:%S}" in page.text
    assert not [attributes for attributes in page.having("small") if attributes.get("class") == "late"]
