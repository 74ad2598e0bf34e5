"""The published page: an executed notebook as one HTML file that needs nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser

from markupsafe import Markup
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from eventlib.reporting.fragment import PUBLISHED_MIME, rendered, style_sheet
from eventlib.reporting.result import Result
from eventlib.reporting.verdict import Evidence
from eventlib.resources import resource


@dataclass(frozen=True)
class _Page:
    """What the template `page` wants to know."""

    title: str
    kicker: str
    style: str
    sections: Sequence[tuple[str, str]]
    provenance: Sequence[tuple[str, str]]
    again: str
    repeat: str

    @staticmethod
    def output(output: NotebookNode) -> str:
        return output_html(output)


def report_page(notebook: NotebookNode, result: Result) -> str:
    """The page of a report that came to a verdict.

    Args:
        notebook: executed.
        result: of the run, with its verdict and evidence.
    """
    assert result.verdict is not None and result.evidence is not None
    evidence = result.evidence
    headings = _Headings()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            headings.feed(output_html(output))
    arguments = " ".join(f"-p {shlex.quote(f'{name}={value}')}" for name, value in evidence.repeat.items())
    page = _Page(
        title=result.verdict.title,
        kicker=result.title,
        style=style_sheet(),
        sections=[(key, text) for key, text in headings.found if key != "verdict"],
        provenance=[
            *_run_of(result),
            *_made_of(evidence),
            ("Beside this page", "result.json for programs, notebook.ipynb as it was executed"),
        ],
        again="Measure it again:" if evidence.digest is None else "Repeat it over the same events:",
        repeat=f"eventlib report run {result.report} {arguments}",
    )
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="page", extra_template_basedirs=[str(resource("reports", "templates"))], embed_images=False
    )
    html, _ = exporter.from_notebook_node(notebook, resources={"page": page})
    return str(html)


def failure_page(result: Result, traceback: str) -> str:
    """The page of a run that came to no verdict."""
    return rendered(
        "failure.html.j2",
        title=result.title,
        error=result.error,
        traceback=traceback,
        style=_unescaped_style(),
        provenance=_run_of(result),
    )


def output_html(output: NotebookNode) -> str:
    """One output of a cell: HTML as it is, which notebooks escape themselves; pictures inline; everything else as text."""
    if output.output_type == "stream":
        return f"<pre>{escape(output.text)}</pre>"
    data = output.get("data", {})
    for kind in (PUBLISHED_MIME, "text/html"):
        if kind in data:
            return str(data[kind])
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            about = (
                output.metadata.get(kind, {}).get("alt") or output.metadata.get("alt") or "Figure without description"
            )
            return f'<figure><img src="data:{kind};base64,{data[kind].strip()}" alt="{escape(about)}"></figure>'
    return f"<pre>{escape(data['text/plain'])}</pre>" if "text/plain" in data else ""


def _run_of(result: Result) -> list[tuple[str, str]]:
    given = ", ".join(f"{name}={value}" for name, value in result.parameters.items()) or "no parameters"
    commit = f", git {result.software.git_commit}" if result.software.git_commit else ""
    return [
        ("Run", f"{result.started_at:%-d %B %Y %H:%M:%S} UTC, with {given}"),
        ("Software", f"eventlib {result.software.eventlib}{commit}, Python {result.software.python}"),
    ]


def _made_of(evidence: Evidence) -> list[tuple[str, str]]:
    if evidence.digest is None:
        return [("Measured", evidence.subject), *evidence.measured_on.items()]
    return [
        ("Made of", f"{evidence.events:,} events of {evidence.subject}, as of {evidence.as_of}"),
        ("Log position", f"{evidence.log_position:,}, the highest among these events"),
        ("Digest of the data", f"sha256:{evidence.digest} – the same digest means the same events, content included"),
    ]


def _unescaped_style() -> Markup:
    return Markup(style_sheet())  # noqa: S704 - our own file


class _Headings(HTMLParser):
    """Collects the second-level headings that can be linked to, each under its short name if it has one."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._inside: str | None = None
        self._short: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "h2" and (key := dict(attrs).get("id")):
            self._inside, self._short, self._text = key, dict(attrs).get("data-nav"), ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2" and self._inside:
            self.found.append((self._inside, self._short or " ".join(self._text.split())))
            self._inside = None
