"""Settings from the environment (`EVENTLIB_*`) or from one `eventlib.toml`, typed and validated; the environment wins."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from eventlib.errors import SettingsError

PREFIX = "EVENTLIB_"
CONFIG_VARIABLE = "EVENTLIB_CONFIG"


def default_state_dir() -> Path:
    """Where the embedded servers keep their data.

    For root that is a folder outside of root's home: PostgreSQL refuses to run as root, so it runs as a system user, who
    has to be let into every folder above its data.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/eventlib")
    return platformdirs.user_state_path("eventlib")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _postgres_url(url: SecretStr) -> SecretStr:
    if urlsplit(url.get_secret_value()).scheme not in {"postgresql", "postgres"}:
        raise ValueError("must look like postgresql://user@host:5432/database")
    return url


def _http_url(url: SecretStr) -> SecretStr:
    """Refuses what an HTTP client would refuse at the first push, without showing it: it may hold a secret."""
    text = url.get_secret_value().strip()
    try:
        parts = httpx.URL(text)
        host = parts.host
    except (httpx.InvalidURL, ValueError):
        raise ValueError("is no URL: must look like https://push.example/send") from None
    if parts.scheme not in {"https", "http"} or not host or "%" in host:
        raise ValueError("must look like https://push.example/send")
    if parts.port is not None and not 1 <= parts.port <= 65535:
        raise ValueError("has a port that is none: ports are from 1 to 65535")
    return SecretStr(text)


def _header_value(token: SecretStr) -> SecretStr:
    text = token.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or not text:
        raise ValueError("must be of printable ASCII characters, since it goes into a header")
    return SecretStr(text)


class Settings(BaseSettings):
    """All settings, immutable. `Settings.load()` reads them and turns what is wrong into one `SettingsError`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    state_dir: Annotated[Path, AfterValidator(_absolute)] = Field(default_factory=default_state_dir)
    """Folder of the embedded servers' data, logs and sockets."""

    database_url: Annotated[SecretStr, AfterValidator(_postgres_url)] | None = None
    """Your own PostgreSQL (16 or newer); without it the embedded one serves."""

    database_owner_url: Annotated[SecretStr, AfterValidator(_postgres_url)] | None = None
    """The same database for the role that owns the schema: `eventlib init` and the scratch databases of benchmarks use it.
    Without it, `database_url`."""

    kafka_bootstrap: str | None = Field(
        default=None, pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s,:]+):\d+(,(\[[0-9a-fA-F:]+\]|[^\s,:]+):\d+)*$"
    )
    """Your own Kafka, as `host:port[,host:port]`; without it the embedded one serves."""

    kafka_options: dict[str, SecretStr] = {}
    """librdkafka properties passed through to every client, such as `security.protocol` or `sasl.password`."""

    kafka_home: Annotated[Path, AfterValidator(_absolute)] | None = None
    """An unpacked Kafka distribution whose jars the embedded broker uses instead of resolving them."""

    store_partitions: int = Field(default=16, ge=1, le=1024)
    """Hash partitions of `event_store`; fixed when the schema is created."""

    snapshot_every: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Events between two snapshots, by aggregate type; where it says nothing, what the aggregate declares (50)."""

    topic_partitions: int = Field(default=6, ge=1, le=1024)
    """Partitions of a topic that eventlib creates; an existing topic keeps its own."""

    ready_within_s: float = Field(default=5.0, gt=0)
    """How old an event may be, in seconds, that is not published or not in a read model, in a pipeline that is ready."""

    monitor_host: str = "127.0.0.1"
    """The address on which the monitor listens; it asks nobody for a password."""

    monitor_port: int | None = Field(default=None, ge=1, le=65535)
    """The port on which the monitor listens; without it `run all` has none, and `run monitor` takes 9464."""

    push_url: Annotated[SecretStr, AfterValidator(_http_url)] | None = None
    """Where the notifier POSTs its pushes; without it, it writes them to its log."""

    push_token: Annotated[SecretStr, AfterValidator(_header_value)] | None = None
    """Bearer token for `push_url`."""

    push_timeout_s: float = Field(default=5.0, gt=0, le=60)
    """How long the push service may take from the connection to the end of its answer, in seconds."""

    notify_within_s: int = Field(default=3600, ge=1, le=30 * 86400)
    """How old an event may be, in seconds, for somebody to be told of it."""

    reports_dir: Annotated[Path, AfterValidator(_absolute)] = Path("reports/out")
    """Where executed reports are published."""

    @field_validator("database_owner_url")
    @classmethod
    def _is_of_ones_own_database(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is not None and info.data.get("database_url", url) is None:
            raise ValueError("means nothing to the embedded PostgreSQL: name your own in database_url as well")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        config = os.environ.get(CONFIG_VARIABLE, "eventlib.toml")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(config))

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Read the settings.

        Raises:
            SettingsError: a variable or key is unknown or its value malformed; the message never shows a value.
        """
        names = {PREFIX + name.upper() for name in cls.model_fields} | {CONFIG_VARIABLE}
        for variable in os.environ:
            if variable.startswith(PREFIX) and variable.upper() not in names:
                near = difflib.get_close_matches(variable, names, n=1)
                hint = f" did you mean {near[0]}?" if near else f" known are {', '.join(sorted(names))}."
                raise SettingsError(f"the environment variable {variable} is not a setting of eventlib:{hint}")
        config = os.environ.get(CONFIG_VARIABLE)
        if config and not Path(config).is_file():
            raise SettingsError(f"{CONFIG_VARIABLE} names {config}, which is not a file")
        try:
            return cls(**overrides)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()
            )
            raise SettingsError(f"settings (environment {PREFIX}*, or eventlib.toml): {problems}") from None
        except ValueError as error:  # a TOML file that does not parse, or a JSON value in the environment that does not
            raise SettingsError(f"settings (environment {PREFIX}*, or eventlib.toml): {error}") from None
