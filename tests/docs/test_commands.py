"""Every command in the documentation runs, in the order in which a reader would type it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlib.settings import CONFIG_VARIABLE, PREFIX, Settings
from tests.processes import eventlib

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "notebooks" / "README.md",
    ROOT / "sql" / "README.md",
    *(ROOT / "docs").rglob("*.md"),
]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def commands(page: Path) -> list[str]:
    """The lines of a page's `sh` blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A state folder of its own, with what `make demo` leaves behind in it, from fewer orders."""
    folder = Path(tempfile.mkdtemp(prefix="eventlib-docs-", dir="/tmp"))
    folder.chmod(0o755)
    surroundings = {**os.environ, "EVENTLIB_STATE_DIR": str(folder), "EVENTLIB_REPORTS_DIR": str(folder / "reports")}
    demo = eventlib(surroundings, "demo", "--orders", "5")
    assert demo.returncode == 0, demo.stderr
    yield surroundings
    eventlib(surroundings, "down")
    shutil.rmtree(folder)


@pytest.mark.drill
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_runs(page: Path, environment: dict[str, str]) -> None:
    for command in commands(page):
        program, *arguments = command.split()
        if program == "make":
            # The tests cannot run themselves; what continuous integration runs is asserted instead.
            assert arguments[0] in TARGETS
            assert f"make {arguments[0]}" in (ROOT / ".ci" / "run").read_text()
        else:
            assert program == ".venv/bin/eventlib", f"{page.name}: nobody tests this command: {command}"
            done = eventlib(environment, *arguments)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_readme_has_the_two_commands() -> None:
    assert commands(ROOT / "README.md")[:2] == ["make demo", "make test"]


@pytest.mark.drill
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_setting_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    assert all(f"`{PREFIX}{name.upper()}`" in readme for name in Settings.model_fields)
    assert f"`{CONFIG_VARIABLE}`" in readme


def test_every_command_is_documented() -> None:
    listed = eventlib(dict(os.environ), "--help").stdout
    readme = (ROOT / "README.md").read_text()
    for name in re.findall(r"^│ ([a-z]+) ", listed, flags=re.MULTILINE):
        assert re.search(rf"`(eventlib )?{name}\b", readme), f"README.md does not mention `eventlib {name}`"
