"""What every command needs: the settings, the servers, a store."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eventlib.errors import SettingsError
from eventlib.orders.projections import PROJECTIONS
from eventlib.projection import Projection
from eventlib.services import Services
from eventlib.settings import Settings
from eventlib.store.event_store import Store


@functools.cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings.load()


def services() -> Services:
    return Services(settings())


def projection_named(name: str) -> Projection[Any]:
    """The projection of that name.

    Raises:
        SettingsError: there is none.
    """
    for projection in PROJECTIONS:
        if projection.name == name:
            return projection
    known = ", ".join(projection.name for projection in PROJECTIONS)
    raise SettingsError(f"there is no projection {name}; there are {known}")


@contextmanager
def opened_store() -> Iterator[Store]:
    """A store on the configured database."""
    with Store.open(services().database_url) as store:
        yield store
