"""Settings (SPEC 8): command line, OPTIN_*, optin.toml; what is unclear stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from optin.domain.errors import InvalidSetting, StartupError
from optin.settings import Settings, load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "optin.toml"


def test_defaults(file: Path) -> None:
    """Without anything given the service listens on loopback only, and serves all regions."""
    settings = load_settings({}, {}, file)
    assert settings == Settings()
    assert (settings.host, settings.port, settings.region) == ("127.0.0.1", 8080, "")
    assert settings.database_path == Path("optin.db")
    assert settings.key_path == Path("optin.db.key")
    assert not settings.allow_private_callbacks


def test_the_nearest_source_wins(file: Path) -> None:
    """The command line beats the environment, which beats the file."""
    file.write_text('port = 1000\nhost = "file"\nregion = "eu1"\nworkers = 3\n')
    environment = {"OPTIN_PORT": "2000", "OPTIN_HOST": "environment", "OPTIN_REGION": ""}
    settings = load_settings({"port": "3000", "host": None}, environment, file)
    assert settings.port == 3000
    assert settings.host == "environment"
    assert settings.region == "eu1"
    assert settings.workers == 3


def test_every_setting_can_be_given_everywhere(file: Path) -> None:
    """Each setting reads the same from file, environment and command line."""
    as_text = {
        "host": "::1",
        "port": "0",
        "database": "sqlite:/var/lib/optin/optin.db",
        "workers": "4",
        "region": "us1",
        "trusted_proxies": "10.0.0.0/8, 192.0.2.1",
        "key_file": "/etc/optin/key",
        "log_level": "DEBUG",
        "allow_private_callbacks": "true",
    }
    expected = Settings(
        host="::1",
        port=0,
        database="sqlite:/var/lib/optin/optin.db",
        workers=4,
        region="us1",
        trusted_proxies="10.0.0.0/8,192.0.2.1",
        key_file="/etc/optin/key",
        log_level="debug",
        allow_private_callbacks=True,
    )
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in as_text.items()))
    in_environment = {f"OPTIN_{name.upper()}": value for name, value in as_text.items()}
    missing = file.with_name("none.toml")
    assert load_settings({}, {}, file) == expected
    assert load_settings({}, in_environment, missing) == expected
    assert load_settings(as_text, {}, missing) == expected


def test_the_file_may_use_its_own_types(file: Path) -> None:
    """Numbers, booleans and lists of TOML are taken as they are."""
    file.write_text(
        'port = 9\nallow_private_callbacks = true\ntrusted_proxies = ["10.0.0.1", "10.1.0.0/16"]\n'
    )
    settings = load_settings({}, {}, file)
    assert (settings.port, settings.allow_private_callbacks) == (9, True)
    assert settings.trusted_proxies == "10.0.0.1,10.1.0.0/16"


BAD = [
    ("port", "80a"),
    ("port", "65536"),
    ("port", "-1"),
    ("port", "٣"),
    ("workers", "0"),
    ("workers", "1000"),
    ("host", " "),
    ("database", "optin.db"),
    ("database", "sqlite:"),
    ("database", "sqlite::memory:"),
    ("database", "sqlite:///optin.db"),
    ("database", "mysql://host/db"),
    ("database", "postgresql:optin"),
    ("database", "postgresql://host"),
    ("database", "postgresql://host/a/b"),
    ("region", "a b"),
    ("trusted_proxies", "10.0.0.0/8,proxy.example"),
    ("log_level", "loud"),
    ("allow_private_callbacks", "maybe"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_stops_the_start(file: Path, name: str, value: str) -> None:
    """A value that a setting does not take is named with its place, wherever it stands."""
    with pytest.raises(InvalidSetting, match="^--" + name.replace("_", "-")):
        load_settings({name: value}, {}, file)
    with pytest.raises(StartupError, match=f"^OPTIN_{name.upper()} "):
        load_settings({}, {f"OPTIN_{name.upper()}": value}, file)
    file.write_text(f'{name} = "{value}"\n')
    with pytest.raises(StartupError, match=f"^{name} in "):
        load_settings({}, {}, file)


@pytest.mark.parametrize("value", ["true", "8080.5", '["8080"]', "{}"])
def test_a_port_of_another_type_stops_the_start(file: Path, value: str) -> None:
    """TOML values of the wrong type are no port, `true` (which Python counts as 1) included."""
    file.write_text(f"port = {value}\n")
    with pytest.raises(StartupError, match=r"^port in "):
        load_settings({}, {}, file)


def test_an_unknown_setting_in_the_file_stops_the_start(file: Path) -> None:
    """A misspelt name must not be passed over: `regoin` would serve every region."""
    file.write_text('regoin = "eu1"\n')
    with pytest.raises(StartupError, match="'regoin', which does not exist"):
        load_settings({}, {}, file)


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"= 3"])
def test_a_broken_file_stops_the_start(file: Path, content: bytes) -> None:
    """A file that is no TOML or no UTF-8 is told of, not skipped."""
    file.write_bytes(content)
    with pytest.raises(StartupError, match=r"optin\.toml"):
        load_settings({}, {}, file)


def test_a_file_that_can_not_be_read_stops_the_start(tmp_path: Path) -> None:
    """A folder where the file should be is an error in one sentence."""
    with pytest.raises(StartupError, match=r"can not be read: Is a directory\.$"):
        load_settings({}, {}, tmp_path)


def test_the_master_key_comes_from_the_environment_only(file: Path) -> None:
    """It is read from OPTIN_MASTER_KEY, refused in the file, and never shown."""
    settings = load_settings({}, {"OPTIN_MASTER_KEY": "ab" * 32}, file)
    assert settings.master_key == "ab" * 32
    assert "abab" not in repr(settings)
    file.write_text('master_key = "abab"\n')
    with pytest.raises(StartupError, match="does not belong there") as refused:
        load_settings({}, {}, file)
    assert "abab" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cret@db.example/optin",
        "postgres://ada:s3cret@a.example:5432,b.example:5433/optin?sslmode=verify-full",
    ],
)
def test_a_postgresql_url_never_shows_its_password(file: Path, url: str) -> None:
    """SPEC 8: it is taken as it is, shown without the password, and names the key file."""
    settings = load_settings({"database": url}, {}, file)
    assert (settings.is_postgresql, settings.database) == (True, url)
    assert settings.key_path == Path("optin.key")
    shown = (repr(settings), settings.shown_database, settings.database_name)
    assert "s3cret" not in "".join(shown)
    assert settings.shown_database.startswith("postgresql://ada@")
