"""What the provider's answer to a relayed message says of who is one person (R11, SPEC 7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.consent import our_marketing_stopped
from optin.domain.events import Kind
from optin.domain.graph_posts import GraphMessage
from optin.ports.upstream import Accepted, Failed
from optin.stores.sqlite import SQLiteStore
from tests.usecases.hearing import HIDDEN, SETTINGS, body, hear, kinds, reviews, text
from tests.usecases.outbox import ADA, BOT, Clock, add_bot, clocks, consent, opened
from tests.usecases.test_relay import TellingGraph, Troubled, relay

NEW, OTHER_HIDDEN = "46709998877", "SE.999"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Clock()) as made:
        await add_bot(made, **SETTINGS)
        for who in (ADA, "5215512345678"):
            await consent(made, Kind.MESSAGE, who)
        yield made


async def answered(store: SQLiteStore, wa_id: str, to: str = ADA) -> None:
    """A relayed message that the provider took for `wa_id`, settled."""
    relaying = relay(store, TellingGraph(Accepted("wamid.1", wa_id)))
    bot = await store.bot(BOT)
    assert bot is not None
    given = GraphMessage(b"{}", (to,), "text")
    await relaying.send(bot, "v25.0/1/messages", given, marketing=False)
    await relaying.close()


async def links(store: SQLiteStore, *identities: str) -> list[Kind]:
    return [kind for kind in await kinds(store, *identities) if kind is Kind.LINKED]


async def test_input_and_wa_id_are_linked(store: SQLiteStore) -> None:
    """One event an identity, told twice; a spelling of the number is no news."""
    for _ in range(2):
        await answered(store, NEW)
    assert await links(store, ADA, NEW) == [Kind.LINKED, Kind.LINKED]
    await answered(store, "525512345678", "5215512345678")
    assert await links(store, "5215512345678", "525512345678") == []


async def test_an_answer_that_contradicts_is_for_a_person(store: SQLiteStore) -> None:
    """Each of the two numbers has a BSUID of its own: marketing to all four stops."""
    await hear(store, body(messages=[text("hi", "wamid.2", from_user_id=HIDDEN)]))
    other = text("hi", "wamid.3", from_user_id=OTHER_HIDDEN) | {"from": NEW}
    await hear(store, body(messages=[other]))
    await answered(store, NEW)
    [asked] = await reviews(store)
    assert (asked.kind, set(asked.identities)) == ("conflict", {ADA, HIDDEN, NEW, OTHER_HIDDEN})
    for one in asked.identities:
        assert our_marketing_stopped(await clocks(store, one))


async def test_a_stop_is_of_all_whom_the_message_named(store: SQLiteStore) -> None:
    """R8: the provider does not say whether it went by `to` or `recipient`; once, however often it
    is settled, and those named by another message are not concerned."""
    stopped = Failed("131050", marketing_stop=True)
    troubled = Troubled(store, down_for=2)
    relaying = relay(troubled, TellingGraph(stopped))
    bot = await store.bot(BOT)
    assert bot is not None
    given = GraphMessage(b"{}", (ADA, HIDDEN), "text")
    for one in given.identities:
        await consent(store, Kind.MESSAGE, one)
    assert (await relaying.send(bot, "v25.0/1/messages", given, marketing=False)).answer is not None
    await relaying.close()
    for one in given.identities:
        assert (await clocks(store, one)).provider_marketing_stop > 0
        assert (await kinds(store, one)).count(Kind.PROVIDER_MARKETING_STOP) == 1
    assert (await clocks(store, OTHER_HIDDEN)).provider_marketing_stop <= 0
