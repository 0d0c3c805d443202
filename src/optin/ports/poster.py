"""What posts callbacks to the business (SPEC 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class PostFailed(Exception):
    """No status came back: not connected, not allowed to connect, timed out or cut off."""


class Poster(Protocol):
    """One HTTP POST to an address that somebody else chose."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Posts `body` byte for byte and returns the status; follows no redirect, never retries.

        Raises `PostFailed` when there is no status, whatever the reason.
        """
