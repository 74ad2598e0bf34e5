"""The notebooks that measure, run as a scheduler would run them, on a real database, with few rounds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from eventlib.reporting.runner import PublishedRun, ReportFailed, run_report
from eventlib.reporting.verdict import Outcome, exit_code
from eventlib.settings import Settings
from eventlib.store.event_store import Store

PARAMETERS = {
    "replay_benchmark": {"lengths": "50,10000", "rounds": "2"},
    "snapshot_interval": {"every": "10,50,none", "rounds": "3", "moments": "20", "orders": "80", "longest": "200"},
}
CHECKS = {"replay_benchmark": ["Replay", "Snapshot", "Flat"], "snapshot_interval": ["Default", "Certain"]}


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, reports_dir=tmp_path / "out", store_partitions=4)


class _Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def having(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def place(self, tag: str, key: str) -> int:
        """Where the element with that id is, among all elements."""
        return self.tags.index(next(one for one in self.tags if one[0] == tag and one[1].get("id") == key))


def check_page(published: PublishedRun) -> _Page:
    """Verdict first, then the plot, the table, and the limits; and nothing from elsewhere."""
    page = _Page(published.page)
    places = [page.place("h2", key) for key in ("verdict", "plot", "figures", "method")]
    assert places == sorted(places)
    assert len(page.having("h1")) == len(page.having("table")) == len(page.having("figure")) == 1
    plots = [svg for svg in page.having("svg") if "icon" not in str(svg.get("class"))]
    assert len(plots) == 2 and all(re.search(r"\d.* ms", str(svg.get("aria-label"))) for svg in plots)
    assert set(re.findall(r"https?://[^\s\"'<>]+", page.source)) <= {"http://www.w3.org/2000/svg"}
    assert not page.having("script") and not page.having("img")
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "Measure it again:" in page.source and "Noise: " in page.source
    return page


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_report_of_a_measurement_is_true_to_its_exit_code(name: str, settings: Settings, store: Store) -> None:
    published = run_report(name, PARAMETERS[name], settings)

    assert published.verdict.outcome in (Outcome.VERIFIED, Outcome.FAILED)
    assert published.exit_code == exit_code(published.verdict.outcome)
    assert [check.name for check in published.verdict.checks] == CHECKS[name]
    assert published.verdict.limits
    check_page(published)
    result = json.loads((published.folder / "result.json").read_text())
    assert result["outcome"] == published.verdict.outcome and result["evidence"]["measured_on"]["Machine"]
    assert PARAMETERS[name].items() <= result["evidence"]["repeat"].items()
    assert store.connection.execute("SELECT count(*) FROM event_store").fetchall() == [(0,)]


def test_what_was_not_measured_is_not_covered(settings: Settings) -> None:
    published = run_report("replay_benchmark", {"lengths": "20", "rounds": "1"}, settings)

    outcomes = {check.name: check.outcome for check in published.verdict.checks}
    assert outcomes["Flat"] is Outcome.NOT_COVERED and published.exit_code in (1, 3)
    check_page(published)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("replay_benchmark", {"lengths": "many"}, "separated by commas"),
        ("replay_benchmark", {"rounds": "0"}, "rounds is 0"),
        ("snapshot_interval", {"every": "often"}, "separated by commas"),
        ("snapshot_interval", {"hot_share": "2"}, "a share of hot ones from 0 to 1"),
    ],
)
def test_parameters_that_cannot_be_measured_are_published_as_an_error(
    name: str, parameters: dict[str, str], message: str, settings: Settings
) -> None:
    with pytest.raises(ReportFailed, match=message) as failed:
        run_report(name, parameters, settings)
    assert "Traceback" not in (failed.value.folder / "index.html").read_text()


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_notebook_holds_no_logic_and_no_outputs(name: str) -> None:
    path = Path(__file__).parent.parent.parent / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]

    assert len(notebook.cells) < 10
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            assert not re.search(r"\b(def|class|for|if|while|try|lambda)\b", re.sub(r"#.*", "", cell.source))
