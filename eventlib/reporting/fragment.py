"""Pieces of a report: HTML that a notebook shows and a page is put together from."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eventlib.resources import resource

PUBLISHED_MIME = "application/vnd.eventlib.published"
"""The type of an output's HTML for a published page, where that is not the same as for a notebook."""


class Fragment:
    """A piece of a report, as the value of a notebook's cell."""

    def __init__(
        self, html: str, text: str, outputs: Mapping[str, Any] | None = None, *, published: str | None = None
    ) -> None:
        """
        Args:
            html: for the notebook; escaped already.
            text: the same for where there is no HTML; a few words will do.
            outputs: what else the cell puts out, by MIME type.
            published: the HTML for a published page, if it differs.
        """
        self.html = html
        self.text = text
        self.outputs = dict(outputs or {})
        if published is not None:
            self.outputs[PUBLISHED_MIME] = _scoped(published)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """What IPython asks a value for."""
        return {"text/html": _scoped(self.html), "text/plain": self.text, **self.outputs}


def styled(html: str, text: str) -> Fragment:
    """The first piece of a report: in a notebook it brings the style sheet for all the others; a page has its own."""
    # JupyterLab has rules for everything inside an output: ours come before them when each is more specific.
    sheet = re.sub(r"\.ev\b", ".ev.ev.ev", style_sheet())
    return Fragment(f"<style>{sheet}</style>{html}", text, published=html)


def _scoped(html: str) -> str:
    return f'<div class="ev">{html}</div>'


def rendered(template: str, **values: Any) -> str:
    """Fill a template of `reports/templates`; every value is escaped unless it is `Markup`.

    Raises:
        jinja2.UndefinedError: the template wants a value that is not there.
    """
    return templates().get_template(template).render(**values)


@functools.cache
def templates() -> Environment:
    """The templates of `reports/templates`, escaping and strict."""
    return Environment(
        loader=FileSystemLoader(resource("reports", "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def style_sheet() -> str:
    """The text of `reports/templates/style.css`."""
    return resource("reports", "templates", "style.css").read_text(encoding="utf-8")
