"""A bot on sinch as wiring connects it: out through the Conversation API, back by its webhook."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

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


async def kept(settings: Settings) -> Mapping[str, int]:
    """How many messages the database has, by state."""
    query = "SELECT state, count(*) FROM messages GROUP BY state"
    with closing(sqlite3.connect(settings.database_path)) as file:
        return dict(file.execute(query).fetchall())


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


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"type": "sticker", "id": "7301"}, "message.url"),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Bo"}}] * 2}, "contacts"),
        ({**TEMPLATE, "header_params": ["a", "b"]}, "message.header_params"),
    ],
)
async def test_what_it_cannot_say_is_refused_at_the_door(
    tmp_path: Path, message: dict[str, Any], field: str
) -> None:
    """H9: 400 with the field at either door, and nothing is kept; on another upstream, and within
    a second of the change, the same message is taken."""
    settings = Settings(database=f"sqlite:{tmp_path / 'optin.db'}")
    async with conversation_api() as api:
        token = await add_bot(settings, api)
        async with (
            running_app(settings) as app,
            opened_store(settings) as store,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://optin",
                headers={"Authorization": f"Bearer {token}"},
            ) as client,
        ):
            legacy = ("/whatsapp/v1/shop/messages", {"to": [ADA], "message": message})
            native = ("/v1/bots/shop/messages", {"to": ADA, "message": message})
            for path, body in (legacy, native):
                refused = await client.post(path, json=body)
                told = refused.json()
                assert (refused.status_code, await kept(settings)) == (400, {})
                assert f"{field}]" in told.get("details", told.get("detail"))
                assert "upstream (sinch)" in told.get("details", told.get("detail"))
            await store.put_settings("shop", {"upstream": "sandbox"})
            taken = await client.post(legacy[0], json=legacy[1])
            assert (taken.status_code, await kept(settings)) == (201, {"no_opt_in": 1})
    assert api.taken == []
