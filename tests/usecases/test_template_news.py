"""News of a template in a provider's webhook move its record, and the next decision (H9, R7)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.messages import Category
from optin.ports.store import Template
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.meta_webhook import parse, sign, valid_signature
from optin.usecases.receive_inbound import ReceiveInbound
from tests.conftest import first_token
from tests.stores.works import Do
from tests.upstreams.cloud_templates import ACCOUNT

BOT = "shop.meta"
SECRET = "app-secret"


@pytest.fixture
async def inbound(store: SQLiteStore) -> ReceiveInbound:
    settings = {"meta.app_secret": SECRET, "meta.waba_id": ACCOUNT, "upstream": "meta"}
    await store.add_bot(Bot(BOT, settings), first_token(BOT))
    record = Template("order_ready", "en_US", Category.UTILITY, "APPROVED", 1)
    await store.commit(Do(lambda tx: tx.put_template(record), bot_id=BOT))
    return ReceiveInbound(store, parse, valid_signature)


async def told(
    inbound: ReceiveInbound, field: str, account: str = ACCOUNT, **value: Any
) -> tuple[Category | None, str]:
    """The record after the webhook was taken in."""
    named = {"message_template_name": "order_ready", "message_template_language": "en_US"}
    change = {"field": field, "value": named | value}
    entry = {"id": account, "time": int(time.time()), "changes": [change]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    await inbound.receive(BOT, body, sign(SECRET, body))
    record = await inbound.store.template(BOT, "order_ready", "en_US")
    assert record is not None
    return record.category, record.status


async def test_a_category_that_meta_changed(inbound: ReceiveInbound) -> None:
    """Meta makes a template marketing by itself: from the 200 on it is judged so."""
    after = await told(inbound, "template_category_update", new_category="MARKETING")
    assert after == (Category.MARKETING, "APPROVED")


async def test_a_status(inbound: ReceiveInbound) -> None:
    """A status is taken over; with a deletion the category is gone."""
    field = "message_template_status_update"
    assert await told(inbound, field, event="PAUSED") == (Category.UTILITY, "PAUSED")
    assert await told(inbound, field, event="DELETED") == (None, "DELETED")


async def test_another_account_s_template(inbound: ReceiveInbound, store: SQLiteStore) -> None:
    """The same app can serve several accounts: their templates are not this bot's, but kept."""
    after = await told(inbound, "template_category_update", "WABA2", new_category="MARKETING")
    assert after == (Category.UTILITY, "APPROVED")
    kept = await store.webhooks(BOT, b"", 10, noted=True)
    assert [each.note for each in kept] == ["a template of another account, or an odd one"]


async def test_texts_that_changed(inbound: ReceiveInbound) -> None:
    """The new words are kept, whatever else the record says; other news leave them as they are."""
    told_of: dict[str, Any] = {
        "message_template_title": "Sale",
        "message_template_element": "Reply BAJA to stop",
        "message_template_footer": "The shop",
        "message_template_buttons": [
            {"message_template_button_type": "QUICK_REPLY", "message_template_button_text": "Stop"},
            {"message_template_button_type": "OTP"},
        ],
    }
    field = "message_template_components_update"
    assert await told(inbound, field, **told_of) == (Category.UTILITY, "APPROVED")
    await told(inbound, "message_template_status_update", event="PAUSED")
    record = await inbound.store.template(BOT, "order_ready", "en_US")
    assert record is not None
    assert [*record.components] == [
        ("header", "Sale"),
        ("body", "Reply BAJA to stop"),
        ("footer", "The shop"),
        ("button", "Stop"),
    ]
