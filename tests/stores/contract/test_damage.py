"""A record that cannot be read stops who needs it, and nobody else (R12)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from optin.domain.errors import InconsistentRecord
from optin.domain.events import Kind
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.store import Callback, Store, Transaction
from tests.stores.contract.conftest import Clock
from tests.stores.contract.damage import damage
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record

SECOND = 1_000_000
ANNA, BERTIL = "46700000001", "46700000002"


async def test_a_read_fails_who_asked_for_it(store: Store) -> None:
    """R12: of many reads that go together, those that need the record fail; the others are
    answered, of the same bot, too."""
    for bot_id in (BOT, OTHER_BOT):
        for who in (WHO, ANNA, BERTIL):
            await store.commit(record(claim(Kind.OPT_IN, who), bot_id=bot_id))
    await damage(
        store,
        f"UPDATE identities SET wordings = '{{' WHERE bot_id = '{BOT}' AND identity = '{WHO}'",
    )
    asked = [
        *((BOT, [ANNA]), (BOT, [WHO]), (OTHER_BOT, [WHO]), (BOT, [ANNA, WHO]), (BOT, [BERTIL])),
        (OTHER_BOT, [ANNA, WHO]),
    ]
    answers = await asyncio.gather(*(store.read(*each) for each in asked), return_exceptions=True)
    failed = [isinstance(answer, InconsistentRecord) for answer in answers]
    assert failed == [False, True, False, True, False, False]
    good = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert all(c.opt_in > 0 for reading in good for c in reading.clocks.values())


def message(number: int, clock: Clock, **more: Any) -> OutboxMessage:
    times = (clock.now, clock.now + 60 * SECOND, clock.now)
    return OutboxMessage(BOT, f"M{number}", WHO, {}, Category.SERVICE, *times, **more)


async def put(store: Store, *messages: OutboxMessage) -> None:
    def run(tx: Transaction) -> None:
        for each in messages:
            tx.put_message(each)

    await store.commit(Do(run))


async def test_a_lease_of_messages_passes_it_over(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """H8: the others are handed over; the log names the one that is not, and none of its text."""
    await put(store, *(message(n, clock) for n in range(3)))
    await damage(store, "UPDATE messages SET body = '{\"secret' WHERE message_id = 'M1'")
    with caplog.at_level(logging.ERROR):
        _, leased = await store.lease_messages("w", SECOND, 10)
    assert [each.message_id for each in leased] == ["M0", "M2"]
    assert "M1" in caplog.text
    assert "secret" not in caplog.text
    with pytest.raises(InconsistentRecord):
        await store.message(BOT, "M1")


async def test_a_lease_of_callbacks_passes_it_over(store: Store, clock: Clock) -> None:
    """SPEC 4: the business is told of everything else."""

    def owe(tx: Transaction) -> None:
        for n in range(3):
            tx.put_callback(Callback(BOT, f"C{n}", "http://a/", b"{}", clock.now, clock.now))

    await store.commit(Do(owe))
    await damage(store, "UPDATE callbacks SET headers = '[' WHERE callback_id = 'C1'")
    _, leased = await store.lease_callbacks("w", SECOND, 10)
    assert [each.callback_id for each in leased] == ["C0", "C2"]


async def test_a_sweep_passes_it_over(store: Store, clock: Clock) -> None:
    """H8: what has outlived its time is ended, but for the one."""
    claimed = {"stage": Stage.CLAIMED, "claimed": clock.now - 60 * SECOND}
    await put(store, *(message(n, clock, **claimed) for n in range(3)))
    await put(store, message(3, clock), message(4, clock))
    await damage(store, "UPDATE messages SET body = '{' WHERE message_id IN ('M1', 'M4')")
    clock.now += 61 * SECOND
    stale = await store.stale_messages(clock.now - 60 * SECOND, 10)
    assert sorted(each.message_id for each in stale) == ["M0", "M2", "M3"]
