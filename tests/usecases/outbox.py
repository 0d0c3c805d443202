"""What the tests of sending and receiving share: a bot, its consents, an upstream that tells."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optin.domain.bots import Bot
from optin.domain.consent import Clocks
from optin.domain.events import Claim, Kind, Origin
from optin.domain.ids import time_ordered_id
from optin.domain.messages import Category, Message, parse_message
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, Reads, Store, Template, Transaction
from optin.ports.upstream import Accepted, Outcome, Release
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from optin.usecases.deliver import Deliver
from optin.usecases.send_message import SendMessage
from tests.conftest import SEAL, first_token
from tests.stores.works import Do, record

BOT = "shop"
ADA, BEN, CAY = "46732001122", "46732001133", "46732001144"
HOUR = 3_600_000_000
START = 1_795_000_000_000_000

TEXT = parse_message({"type": "text", "text": "Your parcel is here."})
UTILITY = parse_message({"type": "template", "template_name": "order_ready", "language": "en"})

_counter = itertools.count()


def new_id() -> bytes:
    """Ids that sort in the order in which they were made."""
    number = next(_counter)
    return time_ordered_id(START + number * 1000, number.to_bytes(10, "big"))


class Clock:
    """The database's clock: µs, set by the test."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@asynccontextmanager
async def opened(path: Path, clock: Callable[[], int]) -> AsyncIterator[SQLiteStore]:
    """A store on this file, as one process has it."""
    migrate(path)
    store = await SQLiteStore.open(path, SEAL, clock=clock)
    try:
        yield store
    finally:
        await store.close()


async def add_bot(store: Store, **settings: str) -> None:
    """The bot, with a callback URL."""
    settings = {"callback_url": "https://shop.example/hook"} | {
        key.replace("__", "."): value for key, value in settings.items()
    }
    await store.add_bot(Bot(BOT, settings), first_token(BOT))


async def consent(store: Store, kind: Kind, *identities: str) -> None:
    """A live event for each, as a call records it."""
    claims = (
        Claim(new_id(), identity, kind, Origin.LIVE, "test", actor="test")
        for identity in identities
    )
    await store.commit(record(*claims, bot_id=BOT))


async def put_template(store: Store, category: Category | None, name: str = "order_ready") -> None:
    """The template's record."""
    await within(store, lambda tx: tx.put_template(Template(name, "en", category)))


async def within(store: Store, what: Callable[[Transaction], Any], **reads: Any) -> Any:
    """Something done in one commit of the bot."""
    return await store.commit(Do(what, Reads(**reads), BOT))


async def clocks(store: Store, identity: str) -> Clocks:
    """The identity's own clocks."""
    return (await store.states(BOT, [identity])).states[identity].clocks


async def owed(store: Store) -> list[Callback]:
    """The callbacks that are due, oldest first, each once."""
    _, callbacks = await store.lease_callbacks("test", 10**15, 1000)
    return callbacks


async def send(store: Store, *to: str, message: Message = TEXT, **more: Any) -> list[OutboxMessage]:
    """One accepted send."""
    return await SendMessage(store, new_id).accept(BOT, to, message, "token-1", **more)


async def again(store: Store, message: OutboxMessage) -> OutboxMessage:
    """The message as it stands now."""
    found = await store.message(message.bot_id, message.message_id)
    assert found is not None
    return found


#: What an upstream does with a message once it may; raising is allowed.
Behaviour = Callable[[OutboxMessage], Awaitable[Outcome]]


@dataclass
class TellingUpstream:
    """An upstream that keeps what left it. `before` runs between connecting and release."""

    outcomes: Iterable[Outcome] = ()
    sent: list[str] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        self._outcomes = iter(self.outcomes)

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        if self.before is not None:
            await self.before()
        await release()
        self.sent.append(message.message_id)
        if self.after is not None:
            await self.after()
        return next(self._outcomes, Accepted(f"wamid.{message.message_id}"))

    async def close(self) -> None:
        """Nothing is open."""


def deliverer(store: Store, upstream: Any, **more: Any) -> Deliver:
    """A `Deliver` of a process of its own on the sandbox's name."""
    return Deliver(store, {"sandbox": upstream}, f"process-{next(_counter)}", new_id, **more)


async def deliver_due(deliver: Deliver, limit: int = 100) -> int:
    """One round: everything that is due, one after another. How many that was."""
    leased = await deliver.lease(limit)
    for message in leased:
        await deliver.deliver(message)
    return len(leased)
