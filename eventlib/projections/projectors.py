"""Several projections in one process, each with a connection, a consumer and a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from eventlib.errors import TableNotReady
from eventlib.projection import Projection
from eventlib.projections.projector import Projector
from eventlib.projections.tables import check_table
from eventlib.stopping import Stop
from eventlib.store.connection import connect
from eventlib.streaming.clients import KafkaAddress, reach

WAIT_FOR_TABLE_S = 1.0

log = logging.getLogger(__name__)


def run_projectors(
    database_url: str, kafka: KafkaAddress, topic_partitions: int, projections: Sequence[Projection[Any]], stop: Stop
) -> None:
    """Keep projections up to date until `stop`. One whose table another version has made, or makes meanwhile, waits until it
    is made anew, and the others go on.

    Raises:
        What else `Projector.run` raises, from the first one that fails; the others are stopped then.
    """
    connect(database_url).close()
    reach(kafka)
    failures: list[BaseException] = []

    def project(projection: Projection[Any]) -> None:
        try:
            with connect(database_url, f"eventlib projector {projection.name}") as connection:
                said = ""
                while not stop:
                    try:
                        check_table(connection, projection)
                        said = ""
                        Projector(connection, kafka, topic_partitions, projection).run(stop)
                    except TableNotReady as error:
                        if str(error) != said:
                            log.error("%s", said := str(error))
                        stop.wait(WAIT_FOR_TABLE_S)
        except BaseException as error:  # handed to the main thread
            failures.append(error)
            stop.set()

    threads = [threading.Thread(target=project, args=(one,), name=one.name) for one in projections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
