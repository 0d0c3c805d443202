"""Links are learned from signed facts, and a stop by one identity is one by all (R11, P19-P22)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from optin.domain.consent import our_marketing_stopped
from optin.domain.events import Kind
from optin.domain.links import reach
from optin.domain.messages import Category, MessageState
from optin.ports.upstream import Accepted
from optin.stores.sqlite import SQLiteStore
from tests.usecases.hearing import (
    HIDDEN,
    NOW,
    SETTINGS,
    body,
    hear,
    kinds,
    reviews,
    text,
)
from tests.usecases.outbox import (
    ADA,
    BEN,
    BOT,
    START,
    UTILITY,
    Clock,
    TellingUpstream,
    add_bot,
    clocks,
    consent,
    deliver_due,
    deliverer,
    opened,
    put_template,
    send,
)

NEW, OTHER_HIDDEN = "46709998877", "SE.999"
LINKED = (Kind.LINKED, Kind.REPLACES, Kind.REPLACED)

#: Members of a message whose sender shows no number.
NO_PHONE: dict[str, Any] = {"from": None}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Clock()) as made:
        await add_bot(made, **SETTINGS)
        await put_template(made, Category.UTILITY)
        yield made


async def links_of(store: SQLiteStore, *identities: str) -> list[Kind]:
    return [kind for kind in await kinds(store, *identities) if kind in LINKED]


async def blocked_by(store: SQLiteStore, identity: str) -> set[str]:
    states = (await store.states(BOT, [identity])).states
    return set(reach(identity, states.__getitem__).blocking)


async def allowed_by(store: SQLiteStore, identity: str) -> set[str]:
    states = (await store.states(BOT, [identity])).states
    return set(reach(identity, states.__getitem__).allowing)


def status(**named: Any) -> dict[str, Any]:
    return {"id": "wamid.S", "status": "delivered", "timestamp": str(NOW - 9), **named}


CARD = [{"origin": "contact_request", "phones": [{"wa_id": ADA, "phone": "+" + ADA}]}]


@pytest.mark.parametrize(
    "lists",
    [
        {"messages": [text("hi", from_user_id=HIDDEN)]},
        {"messages": [text("hi")], "contacts": [{"wa_id": ADA, "user_id": HIDDEN}]},
        {"messages": [text("stop", from_user_id=HIDDEN)]},
        {"statuses": [status(recipient_id=ADA, recipient_user_id=HIDDEN)]},
        {
            "statuses": [status(recipient_id=ADA)],
            "contacts": [{"wa_id": ADA, "user_id": HIDDEN}],
        },
        {"messages": [text("", **NO_PHONE, from_user_id=HIDDEN, type="contacts", contacts=CARD)]},
        {"user_preferences": [{"wa_id": ADA, "user_id": HIDDEN, "value": "resume"}]},
        {"standby": {"messages": [text("hi", from_user_id=HIDDEN)]}},
    ],
    ids=["message", "contact", "stop", "status", "status contact", "card", "choice", "standby"],
)
async def test_a_pair_is_learned_once(store: SQLiteStore, lists: dict[str, Any]) -> None:
    """One event an identity; the same pair told again and again adds nothing to the ledger."""
    await hear(store, body(**lists))
    assert await links_of(store, ADA, HIDDEN) == [Kind.LINKED, Kind.LINKED]
    assert await allowed_by(store, ADA) == await blocked_by(store, HIDDEN) == {ADA, HIDDEN}
    await hear(store, body(**lists))
    for n in range(3):
        again = [text("hi", f"wamid.{n}", NOW - n, from_user_id=HIDDEN)]
        await hear(store, body(messages=again))
        await hear(store, body(statuses=[status(recipient_id=ADA, recipient_user_id=HIDDEN)]))
    assert await links_of(store, ADA, HIDDEN) == [Kind.LINKED, Kind.LINKED]


@pytest.mark.parametrize(
    "lists",
    [
        {"messages": [text("hi", from_user_id=HIDDEN, group_id="G1")]},
        {"statuses": [status(recipient_id=ADA, recipient_user_id=HIDDEN, recipient_type="group")]},
        {"messages": [text("hi", type="contacts", contacts=[CARD[0] | {"origin": "other"}])]},
        {"messages": [text("hi")], "contacts": [{"wa_id": BEN, "user_id": HIDDEN}]},
        {"message_echoes": [{"to": ADA, "to_user_id": HIDDEN, "id": "w", "type": "text"}]},
        {
            "messages": [
                text("", type="system", system={"type": "customer_identity_changed", "wa_id": NEW})
            ]
        },
    ],
    ids=["group", "group status", "any card", "another contact", "echo", "new phone"],
)
async def test_what_links_nobody(store: SQLiteStore, lists: dict[str, Any]) -> None:
    """Groups, others' cards, neighbours in a batch, our echoes and new phones prove nothing."""
    await hear(store, body(**lists))
    assert await links_of(store, ADA, BEN, HIDDEN, NEW) == []


@pytest.mark.parametrize("first", ["stop", "pair"])
async def test_a_stop_by_a_hidden_sender_blocks_the_number(store: SQLiteStore, first: str) -> None:
    """P19: as soon as the pair is known, whichever came first; and it ends the session."""
    stop = body(messages=[text("STOP", "wamid.1", NOW - 5, from_user_id=HIDDEN)])
    pair = body(statuses=[status(recipient_id=ADA, recipient_user_id=HIDDEN)])
    await consent(store, Kind.OPT_IN, ADA)
    later = [text("stop", "wamid.2", NOW, from_user_id=HIDDEN)]
    for content in (stop, pair) if first == "stop" else (pair, stop):
        await hear(store, content)
    # The opt-in above is live, so later than that stop: it counts. A newer stop ends it.
    await hear(store, body(messages=later))
    [refused] = await send(store, ADA, message=UTILITY)
    assert (refused.state, refused.details) == (MessageState.NO_OPT_IN, "opted_out")


async def test_a_message_of_a_hidden_sender_opens_the_numbers_session(store: SQLiteStore) -> None:
    """R11: linked identities allow one another, until then the number is unknown."""
    hello = body(messages=[text("hi", **NO_PHONE, from_user_id=HIDDEN)])
    await hear(store, hello)
    assert [m.state for m in await send(store, ADA)] == [MessageState.NO_OPT_IN]
    await hear(store, body(statuses=[status(recipient_id=ADA, recipient_user_id=HIDDEN)]))
    assert [m.state for m in await send(store, ADA)] == [MessageState.QUEUED]


async def test_the_answer_to_a_send_links_what_it_names(store: SQLiteStore) -> None:
    """R11: `input` and `wa_id` are one person; told twice, recorded once; spellings are no news."""
    await consent(store, Kind.OPT_IN, ADA, "5215512345678")
    for _ in range(2):
        await send(store, ADA, message=UTILITY)
        await deliver_due(deliverer(store, TellingUpstream([Accepted("wamid.1", NEW)])))
    assert await links_of(store, ADA, NEW) == [Kind.LINKED, Kind.LINKED]
    assert await allowed_by(store, NEW) == {ADA, NEW}
    await send(store, "5215512345678", message=UTILITY)
    await deliver_due(deliverer(store, TellingUpstream([Accepted("wamid.2", "525512345678")])))
    assert await links_of(store, "5215512345678", "525512345678") == []


async def test_an_answer_can_bring_two_contacts_into_conflict(store: SQLiteStore) -> None:
    """R11: the answer takes the number for another one, and each has a BSUID of its own: marketing
    to all four stops and a person is asked, once."""
    await consent(store, Kind.OPT_IN, ADA)
    await hear(store, body(messages=[text("hi", "wamid.1", from_user_id=HIDDEN)]))
    other = text("hi", "wamid.2", from_user_id=OTHER_HIDDEN) | {"from": NEW}
    await hear(store, body(messages=[other]))
    assert await reviews(store) == []
    for _ in range(2):
        await send(store, ADA, message=UTILITY)
        await deliver_due(deliverer(store, TellingUpstream([Accepted("wamid.3", NEW)])))
    [asked] = await reviews(store)
    assert (asked.kind, set(asked.identities)) == ("conflict", {ADA, HIDDEN, NEW, OTHER_HIDDEN})
    for one in asked.identities:
        assert our_marketing_stopped(await clocks(store, one))
        assert (await kinds(store, one)).count(Kind.MARKETING_STOP) == 1
    assert await links_of(store, ADA) == [Kind.LINKED, Kind.LINKED]


async def test_argentinas_spellings_become_one_by_an_answer(store: SQLiteStore) -> None:
    """R11: the other spelling only blocks, until the provider says that it is the same."""
    dialled, known = "5491123456789", "541123456789"
    await consent(store, Kind.OPT_IN, dialled)
    assert await allowed_by(store, known) == {known}
    await send(store, dialled, message=UTILITY)
    await deliver_due(deliverer(store, TellingUpstream([Accepted("wamid.1", known)])))
    assert await allowed_by(store, known) == {known, dialled}


def moved(kind: str = "user_changed_number", at: int = NOW - 60, **told: Any) -> bytes:
    system = {"type": kind, "body": "Ada changed", **told}
    return body(messages=[text("", "wamid.M", at, type="system", system=system)])


async def test_a_change_of_number(store: SQLiteStore) -> None:
    """R11, P22: yes stays behind with nobody, no goes with the person and stays with the number."""
    pair = body(messages=[text("hi", "wamid.0", NOW - 600, from_user_id=HIDDEN)])
    await hear(store, pair)
    await hear(store, moved(wa_id=NEW, user_id=OTHER_HIDDEN, previous_user_id=HIDDEN, at=NOW - 60))
    assert await links_of(store, ADA) == [Kind.LINKED, Kind.REPLACED]
    assert await links_of(store, NEW) == [Kind.LINKED, Kind.REPLACES]
    assert await allowed_by(store, NEW) == {NEW, OTHER_HIDDEN}
    assert await allowed_by(store, ADA) == {ADA}
    assert await blocked_by(store, NEW) == {NEW, OTHER_HIDDEN, ADA, HIDDEN}
    assert [m.state for m in await send(store, ADA)] == [MessageState.NO_OPT_IN]
    assert await reviews(store) == []


async def test_a_stop_before_the_change_follows_the_person(store: SQLiteStore) -> None:
    """P22: the new number is refused for the stop that the old one gave, however late it is."""
    await hear(store, moved(wa_id=NEW))
    await hear(store, body(messages=[text("STOP", "wamid.0", NOW - 6000)]))
    [refused] = await send(store, NEW, message=UTILITY)
    assert (refused.state, refused.details) == (MessageState.NO_OPT_IN, "opted_out")


async def test_two_contacts_who_claim_one_number(store: SQLiteStore) -> None:
    """R11: marketing to both stops, a person is asked once, and nothing else is decided."""
    await consent(store, Kind.OPT_IN, ADA)
    await hear(store, body(messages=[text("hi", "wamid.1", NOW - 9, from_user_id=HIDDEN)]))
    for wamid in ("wamid.2", "wamid.3"):
        await hear(store, body(messages=[text("hi", wamid, NOW - 5, from_user_id=OTHER_HIDDEN)]))
    [asked] = await reviews(store)
    assert (asked.kind, set(asked.identities)) == ("conflict", {ADA, OTHER_HIDDEN, HIDDEN})
    for one in (ADA, HIDDEN, OTHER_HIDDEN):
        assert our_marketing_stopped(await clocks(store, one))
        assert (await kinds(store, one)).count(Kind.MARKETING_STOP) == 1
    states = (await store.states(BOT, [ADA])).states
    assert states[ADA].clocks.marketing_stop >= START


async def test_spellings_are_no_conflict(store: SQLiteStore) -> None:
    """P21: one subscriber under two spellings of a number claims nothing of anybody's."""
    for number in ("525512345678", "5215512345678"):
        given = text("hi", f"wamid.{number}", from_user_id=HIDDEN) | {"from": number}
        await hear(store, body(messages=[given]))
    assert await reviews(store) == []
