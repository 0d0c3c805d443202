"""What the tests of hearing share: a bot at Meta, and bodies as Meta signs them."""

from __future__ import annotations

import json
from typing import Any

from optin.domain.events import Kind
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Reads, Review, Store
from optin.upstreams.meta_parts import cut
from optin.upstreams.meta_webhook import parse, sign, valid_signature
from optin.usecases.receive_inbound import ReceiveInbound
from tests.stores.works import Do
from tests.usecases.outbox import ADA, BOT, START

SECRET, NUMBER = "app-secret", "PNID1"
HIDDEN = "SE.1349120865530274"
SECOND = 1_000_000
NOW = START // SECOND
SETTINGS = {
    "meta__app_secret": SECRET,
    "meta__phone_number_id": NUMBER,
    "meta__verify_token": "let-me-in",
}


def inbound(store: Any, **more: Any) -> ReceiveInbound:
    return ReceiveInbound(store, parse, valid_signature, cut=cut, **more)


def change(number: str = NUMBER, **lists: Any) -> dict[str, Any]:
    """One change about a number."""
    return {"field": "messages", "value": {"metadata": {"phone_number_id": number}, **lists}}


def bodied(*changes: dict[str, Any], account: str = "WABA1") -> bytes:
    """A webhook body of one entry."""
    entry = {"id": account, "changes": list(changes)}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def body(number: str = NUMBER, **lists: Any) -> bytes:
    """A webhook body with these lists in one change."""
    return bodied(change(number, **lists))


def text(said: str, wamid: str = "wamid.A", at: int = NOW, **more: Any) -> dict[str, Any]:
    """A text message from Ada, `at` in whole seconds; members that are None are left out."""
    given = {
        "from": ADA,
        "id": wamid,
        "timestamp": str(at),
        "type": "text",
        "text": {"body": said},
        **more,
    }
    return {name: part for name, part in given.items() if part is not None}


async def hear(store: Any, content: bytes, bot_id: str | None = BOT, secret: str = SECRET) -> None:
    """A signed body from Meta."""
    await inbound(store).receive(bot_id, content, sign(secret, content))


async def kinds(store: Store, *identities: str, bot_id: str = BOT) -> list[Kind]:
    """The kinds of all events of these identities, sorted."""
    events = (await store.histories(bot_id, identities)).events
    return sorted(event.claim.kind for who in identities for event in events[who])


async def reviews(store: Store, bot_id: str = BOT) -> list[Review]:
    """The open ones."""
    return await store.reviews(bot_id, "", 100)


async def waiting(store: Store) -> list[OutboxMessage]:
    """The messages that wait for their hand-over."""
    rows = await store._fetch("SELECT message_id FROM messages")  # type: ignore[attr-defined]
    ids = frozenset(row[0] for row in rows)

    def found(tx: Any) -> list[OutboxMessage]:
        return [message for each in sorted(ids) if (message := tx.message(each)) is not None]

    return await store.commit(Do(found, Reads(messages=ids), BOT))
