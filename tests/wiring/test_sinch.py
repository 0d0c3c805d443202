"""A bot on sinch as wiring connects it: out through the Conversation API, back by its webhook."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from optin.settings import Settings
from optin.usecases.manage_templates import ManageTemplates
from optin.wiring.making import manage_bots
from optin.wiring.opening import opened_store
from optin.wiring.service import running_app
from tests.upstreams.conversation_api import ConversationApi, conversation_api
from tests.upstreams.sinch_events import ADA, body_of, headers, report, signed, text

TEMPLATE = {"type": "template", "template_name": "order_ready", "language": "en"}


async def add_bot(settings: Settings, api: ConversationApi) -> str:
    """The token of a fresh bot `shop` on the simulated API, with a utility template."""
    async with opened_store(settings, create=True) as store:
        _, fresh = await manage_bots(store).add("shop", api.settings)
        await ManageTemplates(store).put("shop", "order_ready", "en", "utility")
    return fresh.text


async def told(client: httpx.AsyncClient, given: dict[str, Any]) -> None:
    """An event that Sinch posts now."""
    body = body_of(given)
    signature = signed(body, at=int(time.time()))
    answer = await client.post("/webhooks/sinch/shop", content=body, headers=headers(signature))
    assert answer.status_code == 200, answer.text


async def send(client: httpx.AsyncClient, token: str) -> dict[str, str]:
    """The row of one send to Ada."""
    answer = await client.post(
        "/whatsapp/v1/shop/messages",
        json={"to": [ADA], "message": TEMPLATE},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201
    [row] = answer.json()["statuses"]
    return dict(row)


async def test_out_and_back(tmp_path: Path) -> None:
    """A message reaches Sinch with our id, its report settles it, and a STOP ends it all."""
    settings = Settings(database=f"sqlite:{tmp_path / 'optin.db'}")
    async with conversation_api() as api:
        token = await add_bot(settings, api)
        async with running_app(settings) as app:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://optin") as client:
                now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                await told(client, {**text("Hello", "01A"), "event_time": now})
                row = await send(client, token)
                assert row["state"] == "queued"
                await asyncio.wait_for(api.arrived.wait(), 20)
                [taken] = api.taken
                assert taken["correlation_id"] == row["message_id"]
                await told(client, report("READ", row["message_id"], message_id="01MSG1"))
                await told(client, {**text("STOP", "01B"), "event_time": now})
                assert (await send(client, token))["state"] == "no_opt_in"
        async with opened_store(settings) as store:
            message = await store.message("shop", row["message_id"])
        assert message is not None
        assert (message.state, message.upstream_id) == ("read", "01MSG1")
    assert api.objections == []
