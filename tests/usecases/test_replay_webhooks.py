"""Signed webhooks are kept as they came, and can be taken in again (SPEC 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optin.domain.errors import InvalidSignature, NotFound
from optin.domain.events import Kind
from optin.domain.inbound import InboundMessage, NotUnderstood, Parsed
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.backlog import SQLiteBacklog
from optin.upstreams.meta_webhook import sign
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.replay_webhooks import Replayed, ReplayWebhooks
from tests.usecases.hearing import SECRET, SETTINGS, body, hear, inbound, kinds, text
from tests.usecases.outbox import ADA, BEN, BOT, Clock, add_bot, opened, owed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made, **SETTINGS)
        yield made


async def kept(store: SQLiteStore) -> list[tuple[str, str, bytes]]:
    found = await store.webhooks(BOT, b"", 100)
    return sorted((each.source, each.note, each.body) for each in found)


async def replay(store: SQLiteStore, receiver: ReceiveInbound, noted: bool = True) -> Replayed:
    sources = {"webhook:meta": receiver.take_in_again}
    return await ReplayWebhooks(store, sources)(BOT, noted=noted)


async def test_every_signed_body_is_kept(store: SQLiteStore) -> None:
    """Byte for byte with its source, once, whether it was understood or not."""
    good, odd = body(messages=[text("hi")]), b"no json \xff"
    for _ in range(2):
        await hear(store, good)
        await hear(store, odd)
    assert await kept(store) == [
        ("webhook:meta", "", good),
        ("webhook:meta", "the body is no JSON", odd),
    ]


async def test_what_was_understood_need_not_be_kept(store: SQLiteStore) -> None:
    """`keep_webhooks_days` 0: only what was not understood, as a body of its own."""
    await store.put_settings(BOT, {"keep_webhooks_days": "0"})
    await hear(store, body(messages=[text("hi"), {"type": "text"}]))
    [(_, note, part)] = await kept(store)
    assert note == "a message without a sender"
    assert b"wamid.A" not in part


async def test_an_unsigned_body_is_not_kept(store: SQLiteStore) -> None:
    """Nobody fills the database without the secret."""
    with pytest.raises(InvalidSignature):
        await hear(store, body(messages=[text("hi")]), secret="other")
    assert await kept(store) == []


async def noted(store: SQLiteStore) -> int:
    """How many wait to be understood, as `/metrics` tells it."""
    backlog = SQLiteBacklog(store._path)
    try:
        return (await backlog.lengths())["not_understood"]
    finally:
        await backlog.close()


def forgetful(receiver: ReceiveInbound) -> ReceiveInbound:
    """A program of before, which did not understand messages from Ben."""

    def parse(content: bytes) -> Parsed:
        read = receiver.parse(content)
        strange = [
            NotUnderstood("PNID1", "a new kind", body(messages=[dict(item.raw)]))
            if isinstance(item, InboundMessage) and BEN in item.identities
            else item
            for item in read
        ]
        return tuple(strange)

    return replace(receiver, parse=parse)


async def test_a_later_program_understands(store: SQLiteStore) -> None:
    """The STOP that was not understood counts after the replay, at its own time, and once."""
    content = body(messages=[text("hello"), text("STOP", "wamid.B") | {"from": BEN}])
    await forgetful(inbound(store)).receive(BOT, content, sign(SECRET, content))
    assert await kinds(store, ADA, BEN) == [Kind.MESSAGE]
    assert await replay(store, forgetful(inbound(store))) == Replayed(1, 1)
    assert await kinds(store, BEN) == []
    assert await replay(store, inbound(store)) == Replayed(1, 0)
    assert await kinds(store, ADA, BEN) == [Kind.MESSAGE, Kind.OPT_OUT_KEYWORD]


async def test_what_is_understood_has_no_note_any_more(store: SQLiteStore) -> None:
    """The note goes with the replay that understood it all, the body stays; what still is odd in
    any way keeps its note, and the count of those that wait follows."""
    content = body(messages=[text("hello"), text("STOP", "wamid.B") | {"from": BEN}])
    await forgetful(inbound(store)).receive(BOT, content, sign(SECRET, content))
    unknown = [
        body(messages=[{"type": "text", "id": "w"}]),
        body("PN9", messages=[text("STOP", "wamid.C")]),
        body(statuses=[{"id": "w.S", "status": "melted", "recipient_id": ADA}]),
        body(user_preferences=[{"wa_id": ADA, "value": "signup"}]),
        body(statuses=[{"id": "w.F", "status": "failed", "errors": [{"code": 131050}]}]),
    ]
    for each in unknown:
        await hear(store, each)
    before = await kept(store)
    assert await noted(store) == 6
    assert await replay(store, inbound(store)) == Replayed(6, 5)
    assert await noted(store) == 5
    assert {each[2] for each in await kept(store)} == {each[2] for each in before}
    assert await replay(store, inbound(store)) == Replayed(5, 5)
    await store.put_settings(BOT, {"meta.phone_number_id": "PN9"})
    await replay(store, inbound(store))
    assert "about another business number" not in {
        note for _, note, body in await kept(store) if b"PN9" in body
    }


async def test_all_of_it_again_changes_nothing(store: SQLiteStore, clock: Clock) -> None:
    """`--all`: every kept body through the same way; no event, callback or relay more."""
    await store.put_settings(BOT, {"forward_url": "https://shop.example/relay"})
    bodies = [body(messages=[text(said, f"wamid.{said}")]) for said in ("hi", "stop", "start")]
    for each in bodies:
        await hear(store, each)
    before = await kinds(store, ADA)
    assert len(await owed(store)) == 6
    clock.now += 1_000_000
    assert await replay(store, inbound(store), noted=False) == Replayed(3, 0)
    assert await kinds(store, ADA) == before
    assert await owed(store) == []


async def test_other_sources_are_left_out(store: SQLiteStore) -> None:
    """Each body goes to the parser of its own provider, or to none."""
    await hear(store, b"odd")
    assert await ReplayWebhooks(store, {})(BOT) == Replayed(0, 0, 1)
    with pytest.raises(NotFound):
        await ReplayWebhooks(store, {})("nobody")


async def test_many_pages(store: SQLiteStore) -> None:
    """More than fit on one page are all taken in."""
    odd: list[Any] = [{"type": "text", "id": str(n)} for n in range(450)]
    await hear(store, body(messages=odd))
    assert await replay(store, inbound(store)) == Replayed(450, 450)
