"""Pieces of a report: HTML that a notebook shows and a page is put together from."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eventlib.resources import resource

BARE_MIME = "application/vnd.eventlib.fragment"
"""The type of an output's HTML without the style sheet, which a page brings along."""


class Fragment:
    """A piece of a report, as the value of a notebook's cell."""

    def __init__(self, html: str, text: str, outputs: Mapping[str, Any] | None = None) -> None:
        """
        Args:
            html: escaped already.
            text: the same for where there is no HTML; a few words will do.
            outputs: what else the cell puts out, by MIME type.
        """
        self.html = html
        self.text = text
        self.outputs = dict(outputs or {})

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """What IPython asks a value for."""
        return {"text/html": f'<div class="ev">{self.html}</div>', "text/plain": self.text, **self.outputs}


def styled(html: str, text: str) -> Fragment:
    """The first piece of a report: in a notebook it brings the style sheet for all the others."""
    return Fragment(f"<style>{style_sheet()}</style>{html}", text, {BARE_MIME: f'<div class="ev">{html}</div>'})


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
