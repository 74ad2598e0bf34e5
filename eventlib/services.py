"""The servers that eventlib works with: the user's own where the settings name them, else the embedded ones."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from eventlib.embedded.kafka import EmbeddedKafka
from eventlib.embedded.postgres import EmbeddedPostgres
from eventlib.embedded.service import ServiceStatus
from eventlib.errors import ServiceUnavailable
from eventlib.settings import Settings
from eventlib.store.connection import connect, shown_address
from eventlib.streaming.clients import KafkaAddress, reach


class Part(StrEnum):
    """The parts that servers play; the order is the one to start them in."""

    POSTGRES = "postgres"
    KAFKA = "kafka"


class Server(Protocol):
    """A server that can be started, looked at and stopped."""

    def start(self) -> ServiceStatus: ...
    def status(self) -> ServiceStatus: ...
    def stop(self) -> bool: ...


class OwnPostgres:
    """The user's PostgreSQL: looked at, never started or stopped."""

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> ServiceStatus:
        connect(self._url).close()
        return self.status()

    def status(self) -> ServiceStatus:
        address = shown_address(self._url)
        try:
            with connect(self._url) as connection:
                version = connection.info.parameter_status("server_version")
        except ServiceUnavailable as error:
            return ServiceStatus("postgres", "broken", str(error), address, embedded=False, pid=None)
        detail = f"PostgreSQL {version}, your own"
        return ServiceStatus("postgres", "healthy", detail, address, embedded=False, pid=None)

    def stop(self) -> bool:
        return False


class OwnKafka:
    """The user's Kafka: looked at, never started or stopped."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address

    def start(self) -> ServiceStatus:
        reach(self._address)
        return self.status()

    def status(self) -> ServiceStatus:
        bootstrap = self._address.bootstrap
        try:
            brokers = len(reach(self._address).list_topics(timeout=5).brokers)
        except ServiceUnavailable as error:
            return ServiceStatus("kafka", "broken", str(error), bootstrap, embedded=False, pid=None)
        detail = f"Apache Kafka, your own, {brokers} broker{'' if brokers == 1 else 's'}"
        return ServiceStatus("kafka", "healthy", detail, bootstrap, embedded=False, pid=None)

    def stop(self) -> bool:
        return False


class Services:
    """Both servers of one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def database_url(self) -> str:
        """The libpq URL of the database, which may hold a password: not to be printed."""
        if self._settings.database_url is not None:
            return self._settings.database_url.get_secret_value()
        return EmbeddedPostgres(self._settings.state_dir).url

    @property
    def owner_url(self) -> str:
        """The libpq URL of the same database for who owns the schema and may create databases: not to be printed."""
        if self._settings.database_owner_url is not None:
            return self._settings.database_owner_url.get_secret_value()
        if self._settings.database_url is not None:
            return self._settings.database_url.get_secret_value()
        return EmbeddedPostgres(self._settings.state_dir).owner_url

    @property
    def kafka(self) -> KafkaAddress:
        """Where Kafka is.

        Raises:
            ServiceUnavailable: the embedded broker was never started.
        """
        options = {name: value.get_secret_value() for name, value in self._settings.kafka_options.items()}
        if self._settings.kafka_bootstrap is not None:
            return KafkaAddress(self._settings.kafka_bootstrap, options)
        return KafkaAddress(self._embedded_kafka().bootstrap, options)

    def server(self, part: Part) -> Server:
        """The server that plays a part."""
        if part is Part.POSTGRES:
            own = self._settings.database_url is not None
            return OwnPostgres(self.database_url) if own else EmbeddedPostgres(self._settings.state_dir)
        return OwnKafka(self.kafka) if self._settings.kafka_bootstrap is not None else self._embedded_kafka()

    def _embedded_kafka(self) -> EmbeddedKafka:
        return EmbeddedKafka(self._settings.state_dir, self._settings.kafka_home)
