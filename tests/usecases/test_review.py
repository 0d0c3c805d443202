"""What only a person can decide: asked once, decided once, undone only where it may be (R10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.errors import Conflict, InvalidInput, NotFound
from optin.domain.events import Kind
from optin.domain.messages import MessageState
from optin.stores.sqlite import SQLiteStore
from optin.usecases.review import Reviews
from tests.usecases.hearing import HIDDEN, NOW, SETTINGS, body, hear, kinds, reviews, text
from tests.usecases.outbox import (
    ADA,
    BOT,
    START,
    Clock,
    add_bot,
    clocks,
    consent,
    opened,
    owed,
    send,
)
from tests.usecases.reviewing import UNCLEAR, decide, is_marketing_stopped, unclear


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made, **SETTINGS)
        yield made


async def test_an_unclear_message_is_a_message_and_a_question(store: SQLiteStore) -> None:
    """P9: nobody is opted out by a complaint; the business hears it, and a person is asked."""
    await unclear(store)
    assert await kinds(store, ADA) == [Kind.LINKED, Kind.MESSAGE]
    [item] = await reviews(store)
    assert (item.kind, item.identities, item.text) == ("message", (ADA, HIDDEN), UNCLEAR)
    assert dict(item.context) == {"message_id": "wamid.A"}
    assert len(await owed(store)) == 1
    await unclear(store)
    assert await reviews(store) == [item]


async def test_marketing_can_stop_until_it_is_decided(store: SQLiteStore) -> None:
    """The bot's setting: our marketing stop, at the message's time, for each identity."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    await unclear(store)
    await unclear(store)
    assert await kinds(store, ADA) == [Kind.LINKED, Kind.MARKETING_STOP, Kind.MESSAGE]
    assert await is_marketing_stopped(store)


async def test_a_stop_is_an_opt_out_of_the_contacts(store: SQLiteStore) -> None:
    """R14: live, from the contact, with who decided, when, why and about which words."""
    await unclear(store)
    [item] = await reviews(store)
    await decide(store, "stop", "meant it")
    events = (await store.histories(BOT, [HIDDEN])).events[HIDDEN]
    [opt_out] = [event for event in events if event.claim.kind is Kind.OPT_OUT]
    assert opt_out.claim.from_contact
    assert opt_out.effective is not None
    assert opt_out.effective >= START
    assert dict(opt_out.claim.evidence) == {
        "review": item.review_id,
        "text": UNCLEAR,
        "reviewer": "token-1",
        "note": "meant it",
        "decision": "stop",
    }
    assert [m.state for m in await send(store, ADA)] == [MessageState.NO_OPT_IN]


async def test_a_marketing_stop_leaves_the_rest(store: SQLiteStore) -> None:
    """R8: decided to be about marketing, it limits marketing."""
    await unclear(store)
    await decide(store, "marketing_stop")
    assert await is_marketing_stopped(store)
    assert Kind.OPT_OUT not in await kinds(store, ADA, HIDDEN)
    assert [m.state for m in await send(store, ADA)] == [MessageState.QUEUED]


async def test_it_is_decided_once(store: SQLiteStore) -> None:
    """A second decision is a conflict and changes nothing, whoever makes it."""
    await unclear(store)
    [item] = await reviews(store)
    await decide(store, "nothing", "a complaint")
    with pytest.raises(Conflict):
        await Reviews(store).decide(BOT, item.review_id, "stop", actor="token-2")
    assert Kind.OPT_OUT not in await kinds(store, ADA)
    [after] = (await Reviews(store).page(BOT, is_open=False)).items
    assert (after.decision, after.decided_by, after.note) == ("nothing", "token-1", "a complaint")
    assert await reviews(store) == []


@pytest.mark.parametrize("review_id", ["", "nobody", "x" * 65, "\x00", "\u00e9"])
async def test_an_unknown_item(store: SQLiteStore, review_id: str) -> None:
    """Neither a wrong id nor another bot's item is found."""
    await unclear(store)
    with pytest.raises(NotFound):
        await Reviews(store).decide(BOT, review_id, "stop", actor="a")
    with pytest.raises(NotFound):
        await Reviews(store).page("nobody")


async def test_odd_decisions(store: SQLiteStore) -> None:
    """What is no decision, or too long a note, decides nothing."""
    await unclear(store)
    [item] = await reviews(store)
    for decision, note in (("", ""), ("STOP", ""), ("stop", "x" * 1001), ("stop", "\x00")):
        with pytest.raises(InvalidInput):
            await Reviews(store).decide(BOT, item.review_id, decision, actor="a", note=note)
    assert await reviews(store) == [item]


async def test_pages(store: SQLiteStore) -> None:
    """The cursor leads through all items, each once, oldest first."""
    for n in range(7):
        await unclear(store, f"wamid.{n}", NOW - 100 + n)
    seen, after = [], ""
    while True:
        page = await Reviews(store).page(BOT, after, 3)
        seen += [item.context["message_id"] for item in page.items]
        if not (after := page.following):
            break
    assert seen == [f"wamid.{n}" for n in range(7)]


async def test_an_edit_that_is_unclear(store: SQLiteStore) -> None:
    """R9, R10: an edit opens no session, and is asked about all the same."""
    inner = {"type": "text", "text": {"body": UNCLEAR}}
    edit = text("", type="edit", text=None, edit={"original_message_id": "w", "message": inner})
    await hear(store, body(messages=[edit]))
    assert await kinds(store, ADA) == []
    assert len(await reviews(store)) == 1


async def test_a_live_opt_in_after_the_decision_counts(store: SQLiteStore) -> None:
    """R4: a review's opt-out is lifted as any other."""
    await unclear(store)
    await decide(store, "stop")
    await consent(store, Kind.OPT_IN, ADA)
    assert (await clocks(store, ADA)).opt_in > (await clocks(store, ADA)).opt_out_other
