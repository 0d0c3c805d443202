"""What Sinch's events say of who is one person (R11): WhatsApp's own message inside, and reports of
messages that went to another identity of theirs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from optin.domain.consent import our_marketing_stopped
from optin.domain.events import SECOND, Kind
from optin.domain.messages import MessageState
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Accepted
from optin.stores.sqlite import SQLiteStore
from optin.upstreams import sinch_webhook
from optin.usecases.receive_inbound import ReceiveInbound
from tests.upstreams.sinch_events import ADA, APP, AT, SECRET, body_of, inbound, report, signed
from tests.usecases import outbox
from tests.usecases.hearing import kinds, reviews
from tests.usecases.outbox import (
    BOT,
    UTILITY,
    Clock,
    TellingUpstream,
    add_bot,
    clocks,
    deliver_due,
    deliverer,
    opened,
    put_template,
    send,
)

HIDDEN, PARENT = "SE.1349120865530274", "SE.ENT.77aB"
LINKED = [Kind.LINKED, Kind.LINKED]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Clock(AT * SECOND + 3600 * SECOND)) as made:
        await add_bot(made, sinch__app_id=APP, sinch__webhook_secret=SECRET)
        await put_template(made, None)
        yield made


async def hear(store: SQLiteStore, given: Any) -> None:
    """One signed event."""
    receiver = ReceiveInbound(
        store,
        sinch_webhook.parse,
        sinch_webhook.SignatureCheck(lambda: float(AT)),
        source="webhook:sinch",
        secret="sinch.webhook_secret",
        number="sinch.app_id",
    )
    body = body_of(given)
    await receiver.receive(BOT, body, signed(body))


async def links(store: SQLiteStore, *identities: str) -> list[Kind]:
    return [kind for kind in await kinds(store, *identities) if kind is Kind.LINKED]


def passed_on(**raw: Any) -> dict[str, Any]:
    """A message of a type that Sinch has none for: as WhatsApp sent it."""
    return inbound({"fallback_message": {"raw_message": json.dumps(raw)}})


def by(identity: str, channel: str = "WHATSAPP") -> dict[str, Any]:
    """Whom the event is about."""
    return {"channel_identity": {"channel": channel, "identity": identity, "app_id": ""}}


async def sent(store: SQLiteStore, to: str = ADA) -> OutboxMessage:
    """A message that Sinch took under the id of the reports below."""
    await outbox.consent(store, Kind.OPT_IN, to)
    [message] = await send(store, to, message=UTILITY)
    await deliver_due(deliverer(store, TellingUpstream([Accepted("01MSG")])))
    return message


EDIT = {"original_message_id": "w.0", "message": {"type": "text", "text": {"body": "STOP"}}}
CARD = {"origin": "contact_request", "phones": [{"wa_id": ADA, "phone": "+" + ADA}]}


async def test_whatsapps_own_message_inside_names_both(store: SQLiteStore) -> None:
    """The STOP that was edited in counts for the number and the BSUID, which are linked, once."""
    for _ in range(2):
        await hear(store, passed_on(type="edit", edit=EDIT, from_user_id=HIDDEN, **{"from": ADA}))
    assert await links(store, ADA, HIDDEN) == LINKED
    for one in (ADA, HIDDEN):
        assert Kind.OPT_OUT_KEYWORD in await kinds(store, one)


async def test_a_number_that_the_contact_hands_over(store: SQLiteStore) -> None:
    """Asked for and given in a contact card of their own; anybody else's card links nobody."""
    event = passed_on(type="contacts", contacts=[CARD], from_user_id=HIDDEN)
    event["message"] |= by(HIDDEN)
    other = passed_on(type="contacts", contacts=[CARD | {"origin": "other"}], from_user_id=HIDDEN)
    other["message"] |= by(HIDDEN) | {"id": "01OTHER"}
    await hear(store, other)
    assert await links(store, ADA, HIDDEN) == []
    await hear(store, event)
    assert await links(store, ADA, HIDDEN) == LINKED


@pytest.mark.parametrize("status", ["DELIVERED", "READ", "FAILED"])
async def test_a_report_names_who_got_it(store: SQLiteStore, status: str) -> None:
    """What was sent to the number reached this BSUID: one person. A stop by it is a stop."""
    message = await sent(store)
    for _ in range(2):
        await hear(store, report(status, message.message_id, **by(HIDDEN)))
    assert await links(store, ADA, HIDDEN) == LINKED
    stop = inbound({"text_message": {"text": "STOP"}})
    stop["message"] |= by(HIDDEN)
    # The opt-in above is live, so later than a stop of Sinch's time: one told to us now is newer.
    await hear(store, stop)
    await outbox.consent(store, Kind.OPT_OUT, HIDDEN)
    [refused] = await send(store, ADA, message=UTILITY)
    assert (refused.state, refused.details) == (MessageState.NO_OPT_IN, "opted_out")


async def test_reports_that_link_nobody(store: SQLiteStore) -> None:
    """The same identity, another spelling of it, another channel, a message that is not ours."""
    message = await sent(store)
    mexican = "5215512345678"
    await hear(store, report("DELIVERED", message.message_id))
    await hear(store, report("DELIVERED", message.message_id, **by(HIDDEN, "MESSENGER")))
    unknown = report("DELIVERED", "another's", **by(HIDDEN))
    unknown["message_delivery_report"]["message_id"] = "01OTHERS"
    await hear(store, unknown)
    assert await links(store, ADA, HIDDEN) == []
    await outbox.consent(store, Kind.OPT_IN, mexican)
    [spelled] = await send(store, mexican, message=UTILITY)
    await deliver_due(deliverer(store, TellingUpstream([Accepted("01MX")])))
    told = report("DELIVERED", spelled.message_id, **by("525512345678"))
    told["message_delivery_report"]["message_id"] = "01MX"
    await hear(store, told)
    assert await links(store, mexican, "525512345678") == []


async def test_a_report_that_contradicts_is_for_a_person(store: SQLiteStore) -> None:
    """R11: the number is somebody else's already: marketing to all stops until it is decided."""
    await hear(store, passed_on(type="edit", edit=EDIT, from_user_id=PARENT, **{"from": ADA}))
    first = await sent(store)
    await hear(store, report("DELIVERED", first.message_id, **by(HIDDEN)))
    assert await reviews(store) == [], "a BSUID and a parent BSUID are of different sorts"
    again = report("READ", first.message_id, **by("SE.999"))
    await hear(store, again)
    [asked] = await reviews(store)
    assert (asked.kind, {ADA, HIDDEN, "SE.999"} <= set(asked.identities)) == ("conflict", True)
    for one in (ADA, HIDDEN, "SE.999"):
        assert our_marketing_stopped(await clocks(store, one))
