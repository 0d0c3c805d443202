"""What every upstream promises (H8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from optin.domain.bots import Bot
from optin.domain.outbox import OutboxMessage

#: Called once the upstream is connected, right before the first byte leaves. It commits judgement
#: and claim (H8). If it raises, no byte may leave, and the exception is passed on.
Release = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message. `wa_id`: its own id for the recipient, if it named one."""

    upstream_id: str
    wa_id: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """The provider certainly did not take it and may later.

    `after`: µs to wait before the next try, None: by our own schedule.
    """

    details: str
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider certainly did not take it and will not. `marketing_stop`: since the contact
    stopped marketing at the provider (131050, R8)."""

    details: str
    marketing_stop: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bytes left and no readable answer came: never sent again (H8)."""

    details: str


Outcome = Accepted | Retry | Failed | Unknown


class Upstream(Protocol):
    """One provider."""

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        """Hands over one message to its one recipient.

        Connects first, then awaits `release` exactly once, then sends. A failure before `release`
        is `Retry`; what is not certain after it is `Unknown`. Raises only what `release` raised.
        """

    async def close(self) -> None:
        """Closes idle connections."""
