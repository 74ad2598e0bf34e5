"""Where the files are that are not Python: SQL, notebooks and report templates."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).parent / "_resources"
_CHECKOUT = Path(__file__).parent.parent


def resource(*parts: str) -> Path:
    """The path of a shipped file or folder, in an installed wheel as well as in a checkout.

    Raises:
        FileNotFoundError: there is no such resource.
    """
    path = (_PACKAGED if _PACKAGED.is_dir() else _CHECKOUT).joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"eventlib ships no {'/'.join(parts)}: expected it at {path}")
    return path
