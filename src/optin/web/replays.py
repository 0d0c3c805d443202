"""Requests that were taken in a while ago and come again, signature and all."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable


class Replays:
    """Remembers requests for `window` seconds, the newest `most` of them; per process.

    Only saves work: what one process forgets, or another took in, is recognised by the ids of its
    events. So a request may be added only once what it said is on disk (R13).
    """

    def __init__(
        self,
        window: float = 48 * 3600,
        most: int = 50_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = window
        self._most = most
        self._monotonic = monotonic
        self._until: OrderedDict[bytes, float] = OrderedDict()

    @staticmethod
    def key(*parts: bytes) -> bytes:
        """Names a request by all that was signed, and its signature: 32 bytes."""
        digest = hashlib.sha256()
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self._until.get(key, 0.0) > self._monotonic()

    def add(self, key: bytes) -> None:
        """From now on the request is known."""
        self._until[key] = self._monotonic() + self._window
        self._until.move_to_end(key)
        while len(self._until) > self._most:
            self._until.popitem(last=False)
