"""What is shipped is whole, and the two ways to install it are in step."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tools.conda_environment import conda_environment

ROOT = Path(__file__).parent.parent.parent


def test_the_conda_environment_is_in_step() -> None:
    pyproject, requirements = (ROOT / "pyproject.toml").read_text(), (ROOT / "requirements.txt").read_text()
    assert (ROOT / "environment.yml").read_text() == conda_environment(pyproject, requirements)


def test_every_pin_has_a_hash_and_no_address() -> None:
    requirements = (ROOT / "requirements.txt").read_text()
    pins = [line for line in requirements.splitlines() if "==" in line and not line.lstrip().startswith("#")]
    assert pins and all(line.endswith("\\") for line in pins)
    assert "://" not in requirements + (ROOT / "eventlib" / "embedded" / "jars.lock").read_text()


def test_the_wheel_carries_sql_notebooks_templates_and_the_jar_lock(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("sql", "notebooks", "reports/templates"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and ".ipynb_checkpoints" not in path.parts:
                assert f"eventlib/_resources/{path.relative_to(ROOT)}" in names
    assert {"eventlib/embedded/jars.lock", "eventlib/embedded/connect.lock"} <= set(names)
