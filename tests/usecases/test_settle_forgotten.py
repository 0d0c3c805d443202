"""A provider's stop for a message that an erasure took meanwhile (R8, R15)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.consent import marketing_stopped
from optin.domain.events import SECOND, Event, Kind
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Erasing
from optin.ports.upstream import Accepted, Failed, Outcome
from optin.stores.sqlite import SQLiteStore
from optin.usecases.deliver.settling import Settle as SettleDelivered
from optin.usecases.relay.settling import Settle as SettleRelayed
from tests.usecases.outbox import (
    ADA,
    BEN,
    BOT,
    UTILITY,
    Clock,
    add_bot,
    clocks,
    consent,
    opened,
    put_template,
    send,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        await put_template(made, Category.UTILITY)
        await consent(made, Kind.OPT_IN, ADA, BEN)
        yield made


def settle(
    kind: type[SettleDelivered | SettleRelayed], message: OutboxMessage, outcome: Outcome
) -> SettleDelivered | SettleRelayed:
    if kind is SettleRelayed:
        return SettleRelayed(BOT, message, outcome, (ADA, BEN))
    return SettleDelivered(BOT, message, outcome, 0.0)


@pytest.mark.parametrize("kind", [SettleDelivered, SettleRelayed])
async def test_a_stop_outlives_its_message(
    store: SQLiteStore, kind: type[SettleDelivered | SettleRelayed]
) -> None:
    """R8: the contact is back, and what they told the provider holds, recorded once."""
    [message] = await send(store, ADA, message=UTILITY)
    await store.forget(BOT, ADA, Erasing(b"e" * 16, "test"))
    await consent(store, Kind.OPT_IN, ADA)
    for _ in range(2):
        await store.commit(settle(kind, message, Failed("131050", marketing_stop=True)))
    assert marketing_stopped(await clocks(store, ADA))
    if kind is SettleRelayed:
        assert marketing_stopped(await clocks(store, BEN))
    events = (await store.histories(BOT, [ADA])).events[ADA]
    assert [e.claim.kind for e in events].count(Kind.PROVIDER_MARKETING_STOP) == 1
    assert await store.message(BOT, message.message_id) is None


@pytest.mark.parametrize("kind", [SettleDelivered, SettleRelayed])
async def test_who_was_forgotten_is_not_named_again(
    store: SQLiteStore, clock: Clock, kind: type[SettleDelivered | SettleRelayed]
) -> None:
    """R11, R15: an identity that the provider told of an older message is kept as a digest."""
    [message] = await send(store, ADA, message=UTILITY)
    await store.forget(BOT, ADA, Erasing(b"e" * 16, "test"))
    clock.now += 10 * SECOND
    await store.commit(settle(kind, message, Accepted("up-1", wa_id=BEN)))
    links = (await store.states(BOT, [ADA, BEN])).states
    assert not any(who.isdigit() for who in links[ADA].links.peers if who != BEN)
    assert not any(ADA in event.claim.others for event in await _events(store))


async def _events(store: SQLiteStore) -> list[Event]:
    found = (await store.histories(BOT, [ADA, BEN])).events
    return [event for events in found.values() for event in events]
