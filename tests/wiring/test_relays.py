"""The running service relays to each receiver its own part of a webhook (SPEC 4)."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from optin.ports.store import CallbackKind
from optin.settings import Settings
from optin.upstreams.meta_webhook import sign
from optin.wiring.making import manage_bots
from optin.wiring.opening import opened_store
from optin.wiring.service import running_app
from tests.usecases.hearing import bodied, change, text

SECRET = "app-secret"
RECEIVERS = {"shop": "https://shop.invalid/hook", "clinic": "https://clinic.invalid/hook"}


async def test_two_bots_of_one_app_with_two_receivers(tmp_path: Path) -> None:
    """The doors know how to split a body."""
    settings = Settings(database=f"sqlite:{tmp_path / 'optin.db'}")
    async with opened_store(settings, create=True) as store:
        for bot_id, url in RECEIVERS.items():
            given = {"meta.app_secret": SECRET, "meta.phone_number_id": bot_id}
            await manage_bots(store).add(bot_id, given | {"forward_url": url})
    changes = {b: change(b, messages=[text("hi", f"wamid.{b}")]) for b in RECEIVERS}
    content = bodied(*changes.values())
    async with running_app(settings) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://optin") as caller:
            headers = {"X-Hub-Signature-256": sign(SECRET, content)}
            answer = await caller.post("/webhooks/meta", content=content, headers=headers)
    assert answer.status_code == 200
    async with opened_store(settings) as store:
        for bot_id, url in RECEIVERS.items():
            [relay] = [
                each
                for each in await store.callbacks(bot_id, "", 9)
                if each.kind is CallbackKind.RELAY
            ]
            assert relay.url == url
            assert json.loads(relay.body)["entry"][0]["changes"] == [changes[bot_id]]
            assert relay.headers["x-hub-signature-256"] == sign(SECRET, relay.body)
