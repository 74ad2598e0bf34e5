"""The parameters of a report: declared in its notebook, checked before a kernel starts."""

from __future__ import annotations

import ast
import difflib
import io
import math
import re
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode

from eventlib.errors import ReportError

TAG = "parameters"

Value = str | int | float | bool

_WHOLE = re.compile(r"[+-]?[0-9]+")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class Parameter:
    """One parameter, as a line of the cell that is tagged `parameters` declares it.

    Attributes:
        name: of the variable.
        type: `str`, `int`, `float` or `bool`.
        default: what the notebook has.
        required: its comment begins with `required`: it has to be given, and not empty.
        help: the rest of the comment.
    """

    name: str
    type: type[Value]
    default: Value
    required: bool
    help: str


def declared_parameters(notebook: NotebookNode, name: str) -> list[Parameter]:
    """The parameters that a notebook declares, in order; none when it has no cell tagged `parameters`.

    Args:
        name: of the report, for messages.

    Raises:
        ReportError: more than one cell is tagged, or a line is not `name: type = default  # comment`.
    """
    cells = [cell for cell in notebook.cells if TAG in cell.metadata.get("tags", [])]
    if not cells:
        return []
    if len(cells) > 1:
        raise ReportError(f"report {name} has {len(cells)} cells tagged `{TAG}`: keep one")
    source = cells[0].source
    comments = _comments(source)
    return [_declared(statement, comments, name) for statement in ast.parse(source).body]


def checked_values(declared: Sequence[Parameter], given: Mapping[str, str], name: str) -> dict[str, Value]:
    """The values to run a report with: what was given, in the declared types.

    Args:
        given: values as text; "007" for a `str` stays "007".
        name: of the report, for messages.

    Raises:
        ReportError: a name is unknown, a value does not fit its type, or a required parameter is missing.
    """
    known = {parameter.name: parameter for parameter in declared}
    for unknown in given.keys() - known.keys():
        near = difflib.get_close_matches(unknown, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}."
        raise ReportError(f"report {name} has no parameter {unknown}: {hint}")
    for parameter in declared:
        if parameter.required and not given.get(parameter.name, "").strip():
            raise ReportError(f"report {name} needs {parameter.name}, {parameter.help}: give -p {parameter.name}=…")
    return {key: _converted(known[key], text, name) for key, text in given.items()}


def _declared(statement: ast.stmt, comments: Mapping[int, str], name: str) -> Parameter:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=variable), annotation=ast.Name(id=kind), value=ast.expr() as value) if (
            kind in _CONVERSIONS
        ):
            default = _literal(value)
            if default is not None and type(default).__name__ == kind:
                comment = comments.get(statement.lineno, "")
                required, help_ = comment.startswith("required"), comment.removeprefix("required").lstrip(":, ")
                return Parameter(variable, type(default), default, required, help_)
    raise ReportError(
        f"report {name} declares a parameter as `{ast.unparse(statement)}`: write `name: type = default  # comment`, "
        f"with a type of {', '.join(_CONVERSIONS)} and a default of that type"
    )


def _literal(expression: ast.expr) -> Value | None:
    try:
        value = ast.literal_eval(expression)
    except ValueError:
        return None
    return value if isinstance(value, (str, int, float, bool)) else None


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _converted(parameter: Parameter, text: str, name: str) -> Value:
    kind = parameter.type.__name__
    try:
        return _CONVERSIONS[kind](text)
    except (ValueError, KeyError):
        example = {"int": "7", "float": "0.5", "bool": "true or false"}[kind]
        raise ReportError(
            f"parameter {parameter.name} of report {name} is of type {kind}, such as {example}: got {text!r}"
        ) from None


def _int(text: str) -> int:
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


_CONVERSIONS: dict[str, Callable[[str], Value]] = {
    "str": str,
    "int": _int,
    "float": _float,
    "bool": lambda text: _BOOLEANS[text.strip().lower()],
}
