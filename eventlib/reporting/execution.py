"""Executes a notebook through papermill, and believes nothing but a notebook that ran to its end with one verdict."""

from __future__ import annotations

import copy
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import papermill  # type: ignore[import-untyped]
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError  # type: ignore[import-untyped]
from traitlets import default

from eventlib.errors import EventlibError, ReportError
from eventlib.reporting.parameters import Value
from eventlib.reporting.verdict import VERDICT_MIME, HandedOver
from eventlib.settings import CONFIG_VARIABLE, PREFIX, Settings

CELL_TIMEOUT_S = 600
START_TIMEOUT_S = 60

_ANSI = re.compile(r"\x1b\[[0-9;]*m")

Progress = Callable[[int, int], None]
"""Told after each code cell: how many are done, of how many."""


class ExecutionFailed(ReportError):
    """The notebook did not run to its end with one verdict.

    Attributes:
        notebook: as far as it came.
        traceback: of the cell that failed; empty if there is none, or if the message was written to be enough.
    """

    def __init__(self, message: str, notebook: NotebookNode) -> None:
        super().__init__(message)
        self.notebook = notebook
        self.traceback = _traceback(notebook)


def execute(
    notebook: NotebookNode,
    values: Mapping[str, Value],
    settings: Settings,
    *,
    cell_timeout_s: int = CELL_TIMEOUT_S,
    progress: Progress = lambda done, total: None,
) -> tuple[NotebookNode, HandedOver]:
    """Run a notebook with this Python, these settings and this working directory.

    Args:
        notebook: left as it is.
        values: of its parameters.
        settings: what the kernel's `Settings.load()` gives.
        cell_timeout_s: for each cell, in seconds.
        progress: told after each code cell.

    Returns:
        The executed notebook and what it has handed over.

    Raises:
        ExecutionFailed: a cell raised or called for an exit, took too long or never ran, the kernel died, or there was not
            exactly one verdict.
    """
    running = copy.deepcopy(notebook)
    number = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in running.cells) + bool(values)
    done = 0

    def cell_done(**_: Any) -> None:
        nonlocal done
        done += 1
        progress(done, number)

    executed, problem = _run(running, values, settings, cell_timeout_s, cell_done)
    problem = problem or _problem_of(executed)
    if problem:
        raise ExecutionFailed(problem, executed)
    return executed, _handed_over(executed)


def _run(
    notebook: NotebookNode,
    values: Mapping[str, Value],
    settings: Settings,
    cell_timeout_s: int,
    cell_done: Callable[..., None],
) -> tuple[NotebookNode, str | None]:
    """The notebook as far as it came, and what went wrong with running it as a whole."""
    log = logging.getLogger("papermill")
    before, log.disabled = log.disabled, True  # it would retell each cell to whoever has logging switched on
    # papermill works on a copy: what was executed before a kernel died is only in there.
    seen: list[NotebookNode] = []

    exits: list[int] = []

    def remember(cell: NotebookNode, cell_index: int) -> None:
        seen.append(cell)

    def look_for_exit(cell: NotebookNode, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        # `exit()` leaves no error in the notebook, and whether the kernel is gone before the next cell is a race.
        if any(payload.get("source") == "ask_exit" for payload in execute_reply["content"].get("payload", [])):
            exits.append(cell_index)

    try:
        executed = papermill.execute_notebook(
            notebook,
            None,
            dict(values),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=START_TIMEOUT_S,
            execution_timeout=cell_timeout_s,
            kernel_manager_class=_manager_class(settings),
            on_cell_start=remember,
            on_cell_executed=look_for_exit,
            on_cell_complete=lambda cell, cell_index: cell_done(),
        )
        return _without_traces(executed), "a cell called for an exit" if exits else None
    except PapermillExecutionError as error:
        return _partly(notebook, seen), _failure_of(error)
    except CellTimeoutError:
        return _partly(notebook, seen), f"a cell took longer than {cell_timeout_s} s"
    except DeadKernelError:
        return _partly(notebook, seen), "the kernel died"
    except Exception as error:  # papermill, nbclient, jupyter_client and zmq each have their own
        return _partly(notebook, seen), f"the notebook could not be run: {type(error).__name__}: {error}"
    finally:
        log.disabled = before


def _manager_class(settings: Settings) -> type[AsyncKernelManager]:
    """A kernel manager for this very Python, with these settings: no kernel that happens to be installed elsewhere."""
    environment = _environment(settings)

    class ThisPython(AsyncKernelManager):
        # The kernel listens on TCP on this machine: encrypted, by the versions of jupyter_client that know how.
        @default("transport_encryption")
        def _encrypted(self) -> str:
            return "auto"

        @property
        def kernel_spec(self) -> KernelSpec:
            # Frozen modules make the debugger print a warning into every report's terminal.
            argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(
                argv=argv, language="python", display_name="Python 3", metadata={"supported_encryption": ["curve"]}
            )

        async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
            return await super()._async_pre_start_kernel(**{**options, "env": environment})

    return ThisPython


def _environment(settings: Settings) -> dict[str, str]:
    """This process's environment with the settings as they are now, wherever they came from."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    if CONFIG_VARIABLE in os.environ:
        inherited[CONFIG_VARIABLE] = os.environ[CONFIG_VARIABLE]
    given = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value is not None:
            given[PREFIX + name.upper()] = _text(value)
    return {**inherited, **given}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return msgspec.json.encode({key: _text(item) for key, item in value.items()}).decode()
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _partly(notebook: NotebookNode, seen: list[NotebookNode]) -> NotebookNode:
    partly = copy.deepcopy(notebook)
    partly.cells = [copy.deepcopy(cell) for cell in seen]
    return _without_traces(partly)


def _without_traces(notebook: NotebookNode) -> NotebookNode:
    """Take out what papermill leaves behind: folders of this machine, and cells that it adds on errors."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
    return notebook


def _failure_of(error: PapermillExecutionError) -> str:
    if error.ename in _PLAIN_ERRORS:
        return str(error.evalue)
    return f"a cell raised {error.ename}: {error.evalue}" if error.ename else "a cell failed"


def _traceback(notebook: NotebookNode) -> str:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename not in _PLAIN_ERRORS:
                return _ANSI.sub("", "\n".join(output.traceback))
    return ""


def _names_of(kind: type[EventlibError]) -> set[str]:
    return {kind.__name__}.union(*(_names_of(sub) for sub in kind.__subclasses__()))


_PLAIN_ERRORS = _names_of(EventlibError)
"""Errors whose message is written for the reader and needs no traceback."""


def _problem_of(notebook: NotebookNode) -> str | None:
    """Why a notebook that claims to have run cannot be believed."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                return f"a cell ended with {output.ename}: {output.evalue}".rstrip(": ")
    never_ran = sum(cell.execution_count is None for cell in cells)
    if never_ran:
        return f"{never_ran} of {len(cells)} cells never ran"
    number = len(_verdicts(notebook))
    if number != 1:
        return f"the notebook put out {number or 'no'} verdict{'s' if number > 1 else ''}: there has to be exactly one"
    try:
        _handed_over(notebook)
    except msgspec.ValidationError as error:
        return f"the notebook's verdict cannot be read: {error}"
    return None


def _verdicts(notebook: NotebookNode) -> list[Any]:
    return [
        output.data[VERDICT_MIME]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if VERDICT_MIME in output.get("data", {})
    ]


def _handed_over(notebook: NotebookNode) -> HandedOver:
    (document,) = _verdicts(notebook)
    return HandedOver.from_json_object(document)
