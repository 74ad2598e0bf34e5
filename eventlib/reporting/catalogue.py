"""The reports that there are: the notebooks that eventlib ships."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from eventlib.errors import ReportError
from eventlib.reporting.parameters import Parameter, declared_parameters
from eventlib.resources import resource

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Report:
    """A report that can be run.

    Attributes:
        name: of its notebook, without the ending.
        title: the notebook's first heading.
        description: the first paragraph after it.
        parameters: what it can be given.
        notebook: as it is in the file.
    """

    name: str
    title: str
    description: str
    parameters: Sequence[Parameter]
    notebook: NotebookNode


def list_reports(folder: Path | None = None) -> list[Report]:
    """All reports, by name.

    Args:
        folder: of the notebooks, by default the shipped ones.

    Raises:
        ReportError: a notebook cannot be read, or declares its parameters in another way than one can check.
    """
    found = sorted((folder or resource("notebooks")).glob("*.ipynb"))
    return [_read(path) for path in found if _NAME.fullmatch(path.stem)]


def find_report(name: str, folder: Path | None = None) -> Report:
    """The report of that name.

    Raises:
        ReportError: there is none, or its notebook cannot be used.
    """
    paths = {
        path.stem: path for path in (folder or resource("notebooks")).glob("*.ipynb") if _NAME.fullmatch(path.stem)
    }
    if name not in paths:
        near = difflib.get_close_matches(name, paths, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(paths)) or 'none'}."
        raise ReportError(f"there is no report {name}: {hint}")
    return _read(paths[name])


def _read(path: Path) -> Report:
    try:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat lets errors of several libraries through
        raise ReportError(f"{path.name} cannot be read as a notebook: {error}") from error
    text = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    blocks = [block.strip() for block in text.split("\n\n") if block.strip()]
    title = blocks[0].lstrip("# ").strip() if blocks and blocks[0].startswith("#") else path.stem.replace("_", " ")
    description = " ".join(blocks[1].split()) if len(blocks) > 1 else ""
    try:
        parameters = declared_parameters(notebook, path.stem)
    except SyntaxError as error:
        raise ReportError(f"the parameters of report {path.stem} are not Python: {error}") from None
    return Report(path.stem, title, description, parameters, notebook)
