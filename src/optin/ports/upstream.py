"""What every upstream promises (H8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
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


class Fault(StrEnum):
    """Whose fault it was that a message could not be handed over, if not its own.

    `provider`: it could not be reached, or failed. `sender`: nothing of this bot's can go out
    until somebody acts (access, account, payment).
    """

    NONE = "none"
    PROVIDER = "provider"
    SENDER = "sender"


@dataclass(frozen=True, slots=True)
class Retry:
    """The provider certainly did not take it and may later.

    `after`: µs to wait before the next try, None: by our own schedule.
    """

    details: str
    after: int | None = None
    fault: Fault = Fault.NONE


@dataclass(frozen=True, slots=True)
class Wait:
    """Not tried, by a limit of our own, before connecting: no try, no claim (H8).

    `after`: µs until this message's turn; None: it keeps its place among the bot's messages.
    `rest`: µs for which no message of the bot has a turn.
    """

    after: int | None
    rest: int = 0


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


Outcome = Accepted | Retry | Wait | Failed | Unknown


class Upstream(Protocol):
    """One provider."""

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        """Hands over one message to its one recipient.

        Waits for its limits or gives up with `Wait`, connects, then awaits `release` exactly once,
        then sends. A failure before `release` is `Retry`; what is not certain after it is
        `Unknown`. Raises only what `release` raised.
        """

    async def close(self) -> None:
        """Closes idle connections."""
