"""Wordings that a bot has declared outdated (R4), as one of its settings.

Each is the SHA-256 (hex) of the text that was shown; `HASH@TIME` says from when on consent that
was given to it counts as none, a `HASH` alone that it never counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from optin.domain.errors import InvalidInput
from optin.domain.rfc3339 import parse_time, shown_time

_HASH = re.compile(r"[0-9a-f]{64}")
#: Earlier than every opt-in there is.
_ALWAYS = -(2**62)


def checked_wordings(value: str) -> str:
    """The setting in one form. Raises ValueError saying what it takes."""
    told = {}
    for each in filter(None, (part.strip() for part in value.split(","))):
        hashed, _, time = each.partition("@")
        if not _HASH.fullmatch(hashed.lower()):
            raise ValueError("takes SHA-256 hashes (hex) of wordings, with commas, each with @TIME")
        told[hashed.lower()] = f"@{_shown(time)}" if time else ""
    return ",".join(hashed + time for hashed, time in told.items())


@lru_cache(maxsize=1024)
def outdated_wordings(value: str) -> Mapping[str, int]:
    """Hash -> the instant from which it counts as none, UTC µs; of a checked setting."""
    parts = (each.partition("@") for each in value.split(",") if each)
    return {hashed: parse_time(time, "time") if time else _ALWAYS for hashed, _, time in parts}


def _shown(time: str) -> str:
    try:
        return shown_time(parse_time(time, "outdated_wordings"))
    except InvalidInput:
        raise ValueError("takes times such as 2026-11-23T10:00:00Z behind the @") from None
