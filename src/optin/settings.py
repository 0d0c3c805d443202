"""How this program was told to run (SPEC 8): command line, then OPTIN_*, then optin.toml.

What is not clear stops the start: a setting that is misread here could open what should be shut
(R12). Settings of a bot are no part of this; they live in the store.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from optin.domain.errors import InvalidSetting, StartupError

#: Read from the working directory, if it is there.
FILE = Path("optin.toml")

_SQLITE = "sqlite:"
_POSTGRESQL = ("postgresql:", "postgres:")
_LOG_LEVELS = ("debug", "info", "warning", "error")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_.]{0,63}")
_ENVIRONMENT = "OPTIN_"


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment's settings, checked. The field names are the names in optin.toml.

    `database`: `sqlite:PATH`, the path relative to the working directory, or
    `postgresql://USER:PASSWORD@HOST/NAME`, the password never shown. `region`: "" serves bots of
    all regions (H4). `trusted_proxies`: addresses and networks, comma-separated, whose
    `X-Forwarded-For` is believed; "" believes nobody. `key_file`: where the master key lies, ""
    for the database's path (on a server: its name) with `.key` after it.
    `allow_private_callbacks`: whether callbacks may go to private and loopback addresses.
    `upstream_timeout`: seconds from the first byte of a hand-over to the end of its answer;
    without one by then its outcome is unknown (H8). `import_size`: MiB of a list that is
    taken in. `master_key`: as given, base64 or hex; ""
    reads the file.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    database: str = field(default="sqlite:optin.db", repr=False)
    workers: int = 1
    region: str = ""
    trusted_proxies: str = ""
    key_file: str = ""
    log_level: str = "info"
    allow_private_callbacks: bool = False
    upstream_timeout: int = 30
    import_size: int = 1024
    master_key: str = field(default="", repr=False)

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is on a PostgreSQL server, else it is an SQLite file."""
        return self.database.startswith(_POSTGRESQL)

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return Path(self.database.removeprefix(_SQLITE))

    @property
    def shown_database(self) -> str:
        """The database's URL as people may see it: without a password."""
        if not self.is_postgresql:
            return self.database
        parts = urlsplit(self.database)
        user, at, hosts = parts.netloc.rpartition("@")
        return f"postgresql://{user.partition(':')[0]}{at}{hosts}{parts.path}"

    @property
    def database_name(self) -> str:
        """The file, or what people may see of a server's URL."""
        return self.shown_database if self.is_postgresql else str(self.database_path)

    @property
    def key_path(self) -> Path:
        """The file that holds the master key when `master_key` is not given."""
        path = self.database_path
        if self.is_postgresql:
            path = Path(urlsplit(self.database).path.strip("/"))
        return Path(self.key_file) if self.key_file else path.with_name(path.name + ".key")


def load_settings(
    given: Mapping[str, Any], environment: Mapping[str, str], file: Path = FILE
) -> Settings:
    """The settings that hold: `given` (the command line; None is not given) before the rest.

    An empty variable is not given either. Raises with a sentence that names the setting and where
    it was read: `InvalidSetting` for the command line, else `StartupError`.
    """
    chosen: dict[str, Any] = {}
    for name, value in _from_file(file).items():
        chosen[name] = _checked(name, value, f"{name} in {file}")
    for name in _CHECKS:
        variable = _ENVIRONMENT + name.upper()
        if environment.get(variable):
            chosen[name] = _checked(name, environment[variable], variable)
    for name, value in given.items():
        if value is not None:
            chosen[name] = _from_command_line(name, value)
    return Settings(**chosen)


def _from_command_line(name: str, value: Any) -> Any:
    try:
        return _CHECKS[name](value)
    except ValueError as error:
        raise InvalidSetting(f"--{name.replace('_', '-')} {error}.", field=name) from None


def _from_file(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{file} can not be read: {_why(error)}.") from error
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StartupError(f"{file} is not valid TOML: {error}.") from error
    for name in read:
        if name == "master_key":
            raise StartupError(
                f"{file} holds a master key, which does not belong there: "
                "give it as OPTIN_MASTER_KEY or in a key file."
            )
        if name not in _CHECKS:
            raise StartupError(f"{file} has a setting {name!r}, which does not exist.")
    return read


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it is not UTF-8 text"


def _checked(name: str, value: Any, where: str) -> Any:
    try:
        return _CHECKS[name](value)
    except ValueError as error:
        raise StartupError(f"{where} {error}.") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError("must be text")
    return value.strip()


def _filled(value: Any) -> str:
    text = _text(value)
    if not text:
        raise ValueError("can not be empty")
    return text


def _whole_number(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        text = str(value).strip()
        good = text.isascii() and text.isdigit() and len(text) < 10
        if isinstance(value, bool) or not good or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return check


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).strip().lower() not in known:
        raise ValueError("must be true or false")
    return known[str(value).strip().lower()]


def _log_level(value: Any) -> str:
    if _text(value).lower() not in _LOG_LEVELS:
        raise ValueError(f"must be one of: {', '.join(_LOG_LEVELS)}")
    return _text(value).lower()


def _region(value: Any) -> str:
    text = _text(value)
    if text and not _REGION.fullmatch(text):
        raise ValueError("must be a short name of letters and digits")
    return text


def _proxies(value: Any) -> str:
    names = value if isinstance(value, list) else _text(value).split(",")
    kept = [_text(name) for name in names if _text(name)]
    for name in kept:
        try:
            ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise ValueError(
                "must be IP addresses or networks such as 10.0.0.0/8, separated by commas"
            ) from None
    return ",".join(kept)


def _database(value: Any) -> str:
    text = _text(value)
    if text.startswith(_POSTGRESQL):
        return _postgresql(text)
    path = text.removeprefix(_SQLITE)
    if not text.startswith(_SQLITE) or not path or path.startswith(("//", ":memory:")):
        shape = "sqlite:PATH, such as sqlite:optin.db or sqlite:/var/lib/optin/optin.db"
        hint = " (no // before the path)" if text.startswith(_SQLITE + "//") else ""
        raise ValueError(f"must be {shape}{hint}, or postgresql://USER:PASSWORD@HOST/NAME")
    return text


def _postgresql(url: str) -> str:
    """Several hosts may be named, with commas between them; what else is wrong, connecting says."""
    parts = urlsplit(url)
    name = parts.path.strip("/")
    if not url.startswith(("postgresql://", "postgres://")) or not name or "/" in name:
        raise ValueError("must be postgresql://USER:PASSWORD@HOST/NAME, with the database's name")
    return url


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "host": _filled,
    "port": _whole_number(0, 65535),
    "database": _database,
    "workers": _whole_number(1, 64),
    "region": _region,
    "trusted_proxies": _proxies,
    "key_file": _text,
    "log_level": _log_level,
    "allow_private_callbacks": _flag,
    "upstream_timeout": _whole_number(1, 30),  # shorter than a stop waits for what is under way
    "import_size": _whole_number(1, 16_384),
    "master_key": _text,
}
