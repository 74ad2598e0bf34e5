"""`eventlib run relay | projector | snapshotter | notifier | monitor | all`: the workers beside the log."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Annotated

import psycopg
import typer

from eventlib.cli.context import projection_named, services, settings
from eventlib.cli.output import notes, progress
from eventlib.errors import ServiceUnavailable
from eventlib.notifications.gateways import HttpGateway, LogGateway
from eventlib.notifications.notifier import Notifier
from eventlib.orders import ORDER
from eventlib.orders.notifications import ORDER_NOTIFICATIONS
from eventlib.orders.projections import PROJECTIONS
from eventlib.outbox.relay import Relay
from eventlib.pipeline.backlog import Backlog, backlog
from eventlib.pipeline.catch_up import PATIENCE_S, catch_up
from eventlib.pipeline.monitor import Monitor, run_monitor
from eventlib.pipeline.supervisor import Supervisor
from eventlib.projections.projectors import run_projectors
from eventlib.stopping import Stop
from eventlib.store.connection import connect
from eventlib.store.metrics import SHARED
from eventlib.store.snapshotter import Snapshotter
from eventlib.streaming.clients import reach

app = typer.Typer(
    name="run", help="Run the workers: what publishes, projects, notifies and takes snapshots.", no_args_is_help=True
)

WORKERS = ("relay", "projector", "snapshotter")
"""What `run all` runs; beside them the notifier when there is a push service, and the monitor when it has a port."""

MONITOR_PORT = 9464

SupervisedBy = Annotated[int | None, typer.Option(hidden=True, help="End when the process with this pid has ended.")]


def _stop(supervised_by: int | None) -> Stop:
    stop = Stop().on_signals()
    if supervised_by is not None:
        logging.getLogger().setLevel(logging.WARNING)  # the terminal belongs to the supervisor
        stop.with_parent(supervised_by)
    return stop


@app.command()
def relay(supervised_by: SupervisedBy = None) -> None:
    """Publish committed events to Kafka until SIGTERM. Several relays share the work."""
    stop = _stop(supervised_by)
    with connect(services().database_url, "eventlib relay") as connection:
        Relay(connection, services().kafka, settings().topic_partitions).run(stop)


@app.command()
def projector(
    names: Annotated[list[str] | None, typer.Argument(help="Only these projections; by default all.")] = None,
    supervised_by: SupervisedBy = None,
) -> None:
    """Keep the projections up to date until SIGTERM. Several projectors share the work."""
    stop = _stop(supervised_by)
    chosen = [projection_named(name) for name in names] if names else PROJECTIONS
    run_projectors(services().database_url, services().kafka, settings().topic_partitions, chosen, stop)


@app.command()
def snapshotter(supervised_by: SupervisedBy = None) -> None:
    """Take snapshots of what has grown, after the fact, until SIGTERM. A second snapshotter stands by."""
    stop = _stop(supervised_by)
    with connect(services().database_url, "eventlib snapshotter") as connection:
        Snapshotter(connection, [ORDER], settings().snapshot_every).run(stop)


@app.command()
def notifier(supervised_by: SupervisedBy = None) -> None:
    """Tell customers of their orders until SIGTERM: through EVENTLIB_PUSH_URL, else in the terminal. Several share this."""
    stop = _stop(supervised_by)
    known = settings()
    gateway = (
        LogGateway()
        if known.push_url is None
        else HttpGateway(
            known.push_url.get_secret_value(),
            known.push_token.get_secret_value() if known.push_token else None,
            known.push_timeout_s,
        )
    )
    with connect(services().database_url, "eventlib notifier") as connection:
        within = timedelta(seconds=known.notify_within_s)
        Notifier(connection, services().kafka, known.topic_partitions, ORDER_NOTIFICATIONS, gateway, within).run(stop)


@app.command()
def monitor(supervised_by: SupervisedBy = None) -> None:
    """Serve /metrics (OpenMetrics), /ready and /live until SIGTERM."""
    stop = _stop(supervised_by)
    known = settings()
    notifying = known.push_url is not None
    servers = (services().database_url, services().kafka)
    made = Monitor(*servers, PROJECTIONS, known.ready_within_s, ORDER_NOTIFICATIONS, notifying)
    run_monitor(made, known.monitor_host, known.monitor_port or MONITOR_PORT, stop)


@app.command(name="all")
def everything(
    until_caught_up: Annotated[bool, typer.Option(help="Work until nothing is left to do, then exit 0.")] = False,
    patience: Annotated[float, typer.Option(help="Seconds without progress that count as stuck.")] = PATIENCE_S,
) -> None:
    """Run all workers as one process tree, restarting with back-off, until SIGTERM. Unless they are to end by themselves,
    the notifier is among them if there is a push service (EVENTLIB_PUSH_URL), and the monitor if it has a port."""
    stop = Stop().on_signals()
    names = list(WORKERS)
    if not until_caught_up:
        names += ["notifier"] if settings().push_url is not None else []
        names += ["monitor"] if settings().monitor_port is not None else []
    with _counting_together(), supervised_workers(names) as supervisor:
        if until_caught_up:
            left = show_catching_up(supervisor, stop, patience)
            if left.left or left.parked or left.missed:
                notes.print(f"stopped with work left: {left}")
                raise typer.Exit(1)
        else:
            supervisor.run(stop)


@contextmanager
def _counting_together() -> Iterator[None]:
    """A folder in which the workers count, so that the monitor can tell what all of them have counted."""
    if os.environ.get(SHARED):
        yield
    else:
        with TemporaryDirectory(prefix="eventlib-metrics-") as folder:
            os.environ[SHARED] = folder
            yield


@contextmanager
def supervised_workers(names: Iterable[str] = WORKERS) -> Iterator[Supervisor]:
    """Workers as child processes, stopped at the end.

    Raises:
        ServiceUnavailable: the database or the broker cannot be used; then no worker was started.
    """
    connect(services().database_url).close()
    reach(services().kafka)
    supervisor = Supervisor({name: ("run", name, "--supervised-by", str(os.getpid())) for name in names})
    try:
        yield supervisor
    finally:
        if not supervisor.stop():
            raise typer.Exit(1)


def show_catching_up(supervisor: Supervisor, stop: Stop, patience_s: float = PATIENCE_S) -> Backlog:
    """Tend the workers until nothing is left to do, behind a progress bar. Raises what `catch_up` raises."""
    admin = reach(services().kafka)
    database_url = services().database_url

    def measure() -> Backlog:
        # A connection each time, so that a restart of the database is survived, also when it cuts this very statement.
        try:
            with connect(database_url) as connection:
                return backlog(connection, admin, PROJECTIONS)
        except psycopg.OperationalError as error:
            raise ServiceUnavailable(f"the database was lost: {error}") from None

    with progress() as bar:
        task = bar.add_task("publishing and projecting", total=None)
        most = 0

        def between(now: Backlog) -> None:
            nonlocal most
            supervisor.tend()
            # An event is left twice: once to be published, once to be applied.
            most = max(most, 2 * now.unpublished + sum(now.unapplied.values()))
            done = most - 2 * now.unpublished - sum(now.unapplied.values())
            bar.update(task, total=most, completed=done, visible=most > 0)

        return catch_up(measure, stop, between, patience_s)
