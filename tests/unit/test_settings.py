"""Settings: typed, validated, and never showing a secret."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from eventlib.errors import SettingsError
from eventlib.services import Services
from eventlib.settings import Settings, default_state_dir
from eventlib.store.connection import shown_address


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults_name_no_server() -> None:
    settings = Settings.load()
    assert settings.database_url is None and settings.kafka_bootstrap is None
    assert settings.state_dir.is_absolute() and settings.store_partitions == 16


def test_the_environment_wins_over_the_file(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "eventlib.toml").write_text('kafka_bootstrap = "file:1"\ntopic_partitions = 12\n')
    monkeypatch.setenv("EVENTLIB_KAFKA_BOOTSTRAP", "environment:2")
    settings = Settings.load()
    assert (settings.kafka_bootstrap, settings.topic_partitions) == ("environment:2", 12)


def test_a_file_of_another_name(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "other.toml").write_text('[kafka_options]\n"sasl.password" = "hunter2"\n')
    monkeypatch.setenv("EVENTLIB_CONFIG", "other.toml")
    assert Settings.load().kafka_options["sasl.password"].get_secret_value() == "hunter2"
    monkeypatch.setenv("EVENTLIB_CONFIG", "missing.toml")
    with pytest.raises(SettingsError, match=r"EVENTLIB_CONFIG names missing.toml, which is not a file"):
        Settings.load()


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("EVENTLIB_DATABASE_URI", "x", "EVENTLIB_DATABASE_URI is not a setting.*did you mean EVENTLIB_DATABASE_URL"),
        ("EVENTLIB_DATABASE_URL", "mysql://me:hunter2@db/x", "database_url: .*must look like postgresql://"),
        (
            "EVENTLIB_DATABASE_OWNER_URL",
            "mysql://me:hunter2@db/x",
            "database_owner_url: .*must look like postgresql://",
        ),
        (
            "EVENTLIB_DATABASE_OWNER_URL",
            "postgresql://me:hunter2@db/x",
            "database_owner_url: .*in database_url as well",
        ),
        ("EVENTLIB_KAFKA_BOOTSTRAP", "localhost", "kafka_bootstrap: "),
        ("EVENTLIB_STORE_PARTITIONS", "0", "store_partitions: .*greater than or equal to 1"),
        ("EVENTLIB_STORE_PARTITIONS", "many", "store_partitions: .*valid integer"),
        ("EVENTLIB_KAFKA_OPTIONS", "{hunter2", "kafka_options"),
        ("EVENTLIB_PUSH_URL", "ftp://me:hunter2@push.example/", "push_url: .*must look like https://"),
        ("EVENTLIB_PUSH_URL", "http://me:hunter2@/send", "push_url: .*must look like https://"),
        ("EVENTLIB_PUSH_URL", "http://me:hunter2@push example/", "push_url: .*must look like https://"),
        ("EVENTLIB_PUSH_URL", "http://me:hunter2@push.example:port/", "push_url: .*is no URL"),
        ("EVENTLIB_PUSH_URL", "http://me:hunter2@push.example:99999/", "push_url: .*has a port that is none"),
        ("EVENTLIB_PUSH_URL", "http://me:hunter2@xn--/", "push_url: .*is no URL"),
        ("EVENTLIB_PUSH_TOKEN", "hunter2\nX-Other: 1", "push_token: .*printable ASCII"),
        ("EVENTLIB_PUSH_TOKEN", "hunter2ü", "push_token: .*printable ASCII"),
        ("EVENTLIB_PUSH_TOKEN", "  ", "push_token: .*printable ASCII"),
    ],
)
def test_what_is_wrong_is_named_and_no_value_shown(
    variable: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=reason) as caught:
        Settings.load()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["unknown_key = 1", "store_partitions = [", 'database_url = "x"'])
def test_a_wrong_file_is_refused(text: str, empty_folder: Path) -> None:
    (empty_folder / "eventlib.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"eventlib\.toml"):
        Settings.load()


def test_a_push_service_as_files_and_shells_hand_it_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLIB_PUSH_URL", " https://push.example:8443/send\n")
    monkeypatch.setenv("EVENTLIB_PUSH_TOKEN", "hunter2\r\n")
    settings = Settings.load()
    assert settings.push_url and settings.push_url.get_secret_value() == "https://push.example:8443/send"
    assert settings.push_token and settings.push_token.get_secret_value() == "hunter2"


def test_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLIB_DATABASE_URL", "postgresql://me:hunter2@db/x")
    monkeypatch.setenv("EVENTLIB_DATABASE_OWNER_URL", "postgresql://owner:hunter2@db/x")
    monkeypatch.setenv("EVENTLIB_KAFKA_OPTIONS", '{"sasl.password": "hunter2"}')
    assert "hunter2" not in repr(Settings.load())


def test_the_owner_of_ones_own_schema_is_the_application_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLIB_DATABASE_URL", "postgresql://shop@db/x")
    assert Services(Settings.load()).owner_url == "postgresql://shop@db/x"
    monkeypatch.setenv("EVENTLIB_DATABASE_OWNER_URL", "postgresql://owner@db/x")
    services = Services(Settings.load())
    assert (services.database_url, services.owner_url) == ("postgresql://shop@db/x", "postgresql://owner@db/x")


def test_the_owner_of_the_embedded_schema_is_not_the_application(empty_folder: Path) -> None:
    services = Services(Settings.load(state_dir=empty_folder))
    users = [conninfo_to_dict(url)["user"] for url in (services.database_url, services.owner_url)]
    assert users == ["eventlib", "postgres"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@db:5432/x?sslmode=require",
        "postgresql://me:hun/ter2?x@db/x",
        "postgresql://me:h@unter2@db/x",
        "postgresql:///x?host=%2Ftmp&password=hunter2",
        "postgresql:///x?host=%2Ftmp&pass%77ord=hunter2",
        "postgresql:///x?host=%2Ftmp&sslpassword=hunter2",
        "postgresql://me:hunter2",
        "postgresql://me:hunter2@db/x?nonsense=1",
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str) -> None:
    shown = shown_address(url)
    assert "ter2" not in shown and "unter" not in shown


def test_a_shown_address_still_leads_to_the_database() -> None:
    url = "postgresql://me@db:5432/x?sslmode=require"
    assert conninfo_to_dict(shown_address(url)) == conninfo_to_dict(url)


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLIB_STATE_DIR", "")
    assert Settings.load().state_dir == default_state_dir()


@pytest.mark.parametrize("bootstrap", ["a:1", "a:1,b:2", "[::1]:9092", "10.0.0.1:1,[fe80::1]:2"])
def test_bootstrap_addresses(bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLIB_KAFKA_BOOTSTRAP", bootstrap)
    assert Settings.load().kafka_bootstrap == bootstrap
