"""What the Graph face asks of a provider that speaks Meta's own shapes (SPEC 7)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from optin.domain.bots import Bot
from optin.domain.graph_posts import GraphMessage
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Outcome, Release


class NotReached(Exception):
    """No whole answer came: not connected, timed out or cut off."""


@dataclass(frozen=True, slots=True)
class GraphAnswer:
    """A whole answer, to be handed back as it is. `media_type` as the provider wrote it."""

    status: int
    media_type: str
    body: bytes
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of a message: the answer, None if none came, and what is certain by it.

    `outcome` is to be called once. It reads the answer, for which no client need wait, and raises
    nothing that the caller could mend.
    """

    answer: GraphAnswer | None
    outcome: Callable[[], Outcome]


class Limit(StrEnum):
    """What held a message up: nothing of this bot's goes out for the time being, its number's
    rate, or the recipient's (H8)."""

    BREAKER = "breaker"
    NUMBER = "number"
    PAIR = "pair"


@dataclass(frozen=True, slots=True)
class Held:
    """Not tried, by a limit of our own: neither connected nor judged. `after`: µs until it may be
    worth another try."""

    limit: Limit
    after: int


@dataclass(frozen=True, slots=True)
class Content:
    """A request body that is passed through: all of it, or as it comes in. `length` None: nobody
    said how long it is."""

    media_type: str
    chunks: AsyncIterator[bytes] | bytes
    length: int | None = None


@dataclass(frozen=True, slots=True)
class GraphCall:
    """A call that is passed on unjudged. `path` begins with the version: `v25.0/1055…/media`."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """An answer as it comes in."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Graph(Protocol):
    """One provider, addressed with the bot's own credentials for it."""

    def number(self, bot: Bot) -> str:
        """The phone number id that the bot sends from; "" if a setting that sending needs is
        missing (R12)."""

    async def send(
        self, bot: Bot, path: str, given: GraphMessage, record: OutboxMessage, release: Release
    ) -> Relayed | Held:
        """Posts `given.body` to `path`, and says what became of it; `record` is its message here.

        Keeps to its limits, connects, then awaits `release` exactly once, then sends, as
        `Upstream.hand_over`. Raises only what `release` raised.
        """

    async def call(self, bot: Bot, call: GraphCall) -> GraphAnswer:
        """Makes one call. Raises `NotReached`, and what the content's chunks raise."""

    def download(self, bot: Bot, url: str) -> AbstractAsyncContextManager[Download]:
        """Opens what a media answer's `url` leads to. Raises `NotReached`."""

    async def close(self) -> None:
        """Closes idle connections."""
