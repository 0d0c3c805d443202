"""`--set KEY=VALUE`, where the value can come from elsewhere: secrets don't belong in a command."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from optin.domain.errors import InvalidSetting

_LONGEST = 65_536  # characters; far more than any setting takes


def read_values(given: Iterable[str]) -> dict[str, str]:
    """The settings named by `KEY=VALUE`, `KEY=@FILE` and `KEY=-`, the last of each key.

    A line end at the end of a file is not part of the value. Raises `InvalidSetting`.
    """
    values: dict[str, str] = {}
    for each in given:
        key, separator, value = each.partition("=")
        if not separator or not key:
            raise InvalidSetting("A setting is given as KEY=VALUE.")
        values[key] = _read(key, value)
    return values


def _read(key: str, value: str) -> str:
    try:
        if value == "-":
            return _line(sys.stdin.read(_LONGEST))
        if value.startswith("@"):
            with Path(value[1:]).open(encoding="utf-8") as file:
                return _line(file.read(_LONGEST))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidSetting(f"The value of {key} can not be read: {why}.", field=key) from error
    return value


def _line(text: str) -> str:
    return text.rstrip("\r\n")
