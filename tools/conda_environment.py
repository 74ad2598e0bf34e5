"""Writes environment.yml from pyproject.toml and requirements.txt: the same packages at the same versions for conda users.

python tools/conda_environment.py > environment.yml
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def conda_environment(pyproject: str, requirements: str) -> str:
    """The text of environment.yml.

    Args:
        pyproject: the text of pyproject.toml.
        requirements: the text of requirements.txt.

    Raises:
        KeyError: a dependency of pyproject.toml is not pinned in requirements.txt.
    """
    project = tomllib.loads(pyproject)["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {
        canonicalize_name(requirement.name): requirement for group in groups for requirement in map(Requirement, group)
    }
    pinned = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", requirements, flags=re.MULTILINE))
    lines = []
    for name, requirement in sorted(wanted.items()):
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        lines.append(f"      - {name}{extras}=={pinned[name]}")
    python = project["requires-python"]
    return (
        "# Made by `make lock` from pyproject.toml and requirements.txt; a test keeps them in step.\n"
        "name: eventlib\n"
        "channels:\n"
        "  - conda-forge\n"
        "dependencies:\n"
        f"  - python{python}\n"
        "  - pip\n"
        "  - pip:\n" + "\n".join(lines) + "\n"
        "      - --editable .\n"
    )


if __name__ == "__main__":
    sys.stdout.write(conda_environment((ROOT / "pyproject.toml").read_text(), (ROOT / "requirements.txt").read_text()))
