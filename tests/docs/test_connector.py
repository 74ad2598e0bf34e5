"""The connector's configuration in the documentation is what `eventlib cdc config` would print."""

import json
from pathlib import Path
from uuid import UUID

from eventlib.outbox.cdc import CONNECTOR, connector_config

PAGE = Path(__file__).parent.parent.parent / "docs" / "cdc" / "connector.json"


def test_the_documented_connector_is_the_one_that_is_used() -> None:
    documented = json.loads(PAGE.read_text())
    config = documented["config"]
    database = {name: value for name, value in config.items() if name.startswith("database.")}
    partitions = int(config["topic.creation.default.partitions"])
    assert documented == {
        "name": CONNECTOR,
        "config": connector_config(UUID(int=0), config["slot.name"], database, partitions),
    }
