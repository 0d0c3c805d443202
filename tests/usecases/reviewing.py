"""What the tests of review items share: a message that may be a stop, and who decides about it."""

from __future__ import annotations

from optin.domain.consent import our_marketing_stopped
from optin.stores.sqlite import SQLiteStore
from optin.usecases.review import Reviews
from tests.usecases.hearing import HIDDEN, NOW, body, hear, reviews, text
from tests.usecases.outbox import ADA, BOT

UNCLEAR = "Stop sending me the wrong parcels, where is mine?"


async def unclear(store: SQLiteStore, wamid: str = "wamid.A", at: int = NOW) -> None:
    await hear(store, body(messages=[text(UNCLEAR, wamid, at, from_user_id=HIDDEN)]))


async def decide(store: SQLiteStore, decision: str, note: str = "") -> None:
    [item] = await reviews(store)
    await Reviews(store).decide(BOT, item.review_id, decision, actor="token-1", note=note)


async def is_marketing_stopped(store: SQLiteStore, who: str = ADA) -> bool:
    reading = await store.read(BOT, [who])
    return our_marketing_stopped(reading.clocks[who])
