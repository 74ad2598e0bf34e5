"""What every command needs: the settings, the servers, a store."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from eventlib.services import Services
from eventlib.settings import Settings
from eventlib.store.event_store import Store


@functools.cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings.load()


def services() -> Services:
    return Services(settings())


@contextmanager
def opened_store() -> Iterator[Store]:
    """A store on the configured database."""
    with Store.open(services().database_url) as store:
        yield store
