"""Plots as inline SVG: real text, a name for those who do not see it, and colours that the style sheet decides."""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Colours that stand for variables of `reports/templates/style.css`; no plot uses them for anything else.
INK, SOFT, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
SERIES = 8

_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "eventlib", "savefig.facecolor": "none", "text.usetex": False}
_VARIABLES = {INK: "--ink", SOFT: "--soft", LINE: "--line", PAPER: "--paper"}


def series(index: int) -> str:
    """The colour that stands for the variable `--series-<n>`; there are `SERIES`, and they repeat."""
    return f"#0{1 + index % SERIES}0909"


_VARIABLES |= {series(index): f"--series-{index + 1}" for index in range(SERIES)}


def inline_svg(figure: Figure, name: str, label: str, links: dict[int, str] | None = None) -> str:
    """A figure as one `<svg>` element without prolog, metadata or any reference to elsewhere.

    Args:
        name: prefix of every id inside, so that several can stand in one page.
        label: what the plot shows, in words; its accessible name.
        links: what a link to `#event-<version>` inside says when pointed at.
    """
    written = io.StringIO()
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the browser's font will have it
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    # matplotlib's own <style> would apply to the whole page that the plot stands in.
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns:xlink="[^"]*"', "", svg).replace("xlink:href=", "href=")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#(?!event-)([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = _sized_by_the_page(svg, label)
    svg = _with_inherited_font(svg)
    svg = re.sub("|".join(_VARIABLES), lambda match: f"var({_VARIABLES[match[0]]})", svg)
    return _with_titles(svg, links or {})


def without_links(svg: str) -> str:
    """The same without its links: JupyterLab takes every `<a>` for one of HTML, and fails on those of SVG."""
    return re.sub(r"<a [^>]*>", "<g>", svg).replace("</a>", "</g>")


def _sized_by_the_page(svg: str, label: str) -> str:
    """Let the page decide the size, and say what it shows."""
    opening = svg[: svg.index(">") + 1]
    kept = re.sub(r' (?:width|height|version)="[^"]*"', "", opening)
    return kept.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1) + svg[len(opening) :]


def _with_inherited_font(svg: str) -> str:
    """Take the family out of each text's font: it is the page's. matplotlib writes it in one property or in several."""
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    return re.sub(
        r"font: (?:(bold|[1-9]00) )?([\d.]+)px [^;\"]*",
        lambda match: f"font-size: {match[2]}px" + ("; font-weight: 600" if match[1] else ""),
        svg,
    )


def _with_titles(svg: str, links: dict[int, str]) -> str:
    # In place of what matplotlib writes, which would open a new window. Out of the order of tabbing: the same events
    # follow as a table, and a plot is one image to a screen reader.
    return re.sub(
        r'<a href="#event-(\d+)"[^>]*>',
        lambda match: (
            f'<a href="#event-{match[1]}" tabindex="-1"><title>{escape(links.get(int(match[1]), ""))}</title>'
        ),
        svg,
    )
