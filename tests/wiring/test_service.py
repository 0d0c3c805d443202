"""The service as wiring connects it: every part is there, and each setting reaches its part."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from optin.domain.messages import MessageState
from optin.ports.store import Store
from optin.settings import Settings
from optin.usecases.manage_templates import ManageTemplates
from optin.wiring.making import manage_bots
from optin.wiring.opening import opened_store
from optin.wiring.service import Service, running_app

NUMBER = "46701740605"
TEMPLATE = {"type": "template", "template_name": "order_ready", "language": "en"}


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    made = Settings(database=f"sqlite:{tmp_path / 'optin.db'}")
    async with opened_store(made, create=True):
        return made


async def add_bot(settings: Settings, **given: str) -> str:
    """The token of a fresh bot `shop` with a utility template."""
    async with opened_store(settings) as store:
        _, fresh = await manage_bots(store).add("shop", given)
        await ManageTemplates(store).put("shop", "order_ready", "en", "utility")
    return fresh.text


def client(app: Any, token: str, address: str = "192.0.2.7") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 1234))
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://optin", headers=headers)


async def send(caller: httpx.AsyncClient) -> str:
    """Opts the number in and sends it the template; the message's id."""
    optin = await caller.post("/whatsapp/v1/shop/provision/optin", json={"numbers": [NUMBER]})
    assert optin.status_code == 200
    body = {"to": [NUMBER], "message": TEMPLATE}
    answer = await caller.post("/whatsapp/v1/shop/messages", json=body)
    assert answer.status_code == 201
    message_id = answer.json()["statuses"][0]["message_id"]
    assert isinstance(message_id, str)
    return message_id


async def test_a_message_goes_all_the_way(settings: Settings) -> None:
    """Door, queue, sandbox and its reports hang together: an accepted message ends as read."""
    token = await add_bot(settings)
    async with running_app(settings) as app, client(app, token) as caller:
        message_id = await send(caller)
        async with opened_store(settings) as store:
            assert await becomes_read(store, message_id)


async def becomes_read(store: Store, message_id: str) -> bool:
    for _ in range(300):
        message = await store.message("shop", message_id)
        if message is not None and message.state is MessageState.READ:
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("allowed", [True, False])
async def test_private_callbacks_need_their_setting(settings: Settings, allowed: bool) -> None:
    """A callback to loopback arrives only with `allow_private_callbacks`."""
    received: list[bytes] = []
    told_of_read = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        received.append(await request.read())
        if b'"read"' in received[-1]:
            told_of_read.set()
        return web.Response()

    receiver = web.Application()
    receiver.router.add_post("/", take)
    runner = web.AppRunner(receiver)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    token = await add_bot(settings, callback_url=f"http://127.0.0.1:{runner.addresses[0][1]}/")
    chosen = replace(settings, allow_private_callbacks=allowed)
    try:
        async with running_app(chosen) as app, client(app, token) as caller:
            message_id = await send(caller)
            async with opened_store(settings) as store:
                assert await becomes_read(store, message_id)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(told_of_read.wait(), 15 if allowed else 1)
    finally:
        await runner.cleanup()
    assert told_of_read.is_set() is allowed
    assert bool(received) is allowed


@pytest.mark.parametrize(
    ("trusted", "recorded"), [("192.0.2.0/24", "203.0.113.9"), ("", "192.0.2.7")]
)
async def test_trusted_proxies_reach_the_evidence(
    settings: Settings, trusted: str, recorded: str
) -> None:
    """X-Forwarded-For is believed from the setting's networks only (SPEC 8, R14)."""
    token = await add_bot(settings)
    chosen = replace(settings, trusted_proxies=trusted)
    async with running_app(chosen) as app, client(app, token) as caller:
        caller.headers["X-Forwarded-For"] = "203.0.113.9"
        await caller.post("/whatsapp/v1/shop/provision/optin", json={"numbers": [NUMBER]})
    async with opened_store(settings) as store:
        (event,) = (await store.histories("shop", [NUMBER])).events[NUMBER]
    assert event.claim.context["ip"] == recorded


async def test_the_region_reaches_the_doors(settings: Settings) -> None:
    """A bot of another region is 401 (H4)."""
    token = await add_bot(settings, region="us1")
    for region, status in (("eu1", 401), ("us1", 200), ("", 200)):
        chosen = replace(settings, region=region)
        async with running_app(chosen) as app, client(app, token) as caller:
            answer = await caller.post(
                "/whatsapp/v1/shop/provision/optin", json={"numbers": [NUMBER]}
            )
        assert answer.status_code == status


async def lifespan(service: Service) -> list[dict[str, Any]]:
    """What the service says to a server that starts it and stops it at once."""
    said: list[dict[str, Any]] = []
    asked = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> dict[str, Any]:
        return next(asked)

    async def speak(message: Any) -> None:
        said.append(message)

    await service({"type": "lifespan"}, receive, speak)
    return said


async def test_it_starts_and_ends_with_its_server(settings: Settings) -> None:
    """`started` is called once, before the server hears that the startup is complete."""
    calls: list[str] = []
    said = await lifespan(Service(settings, lambda: calls.append("started")))
    assert [message["type"] for message in said] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert calls == ["started"]


async def test_a_start_that_fails_is_told_in_a_sentence(settings: Settings) -> None:
    """A key that is gone since fails the startup with its sentence, no traceback."""
    settings.key_path.unlink()
    (said,) = await lifespan(Service(settings))
    assert said["type"] == "lifespan.startup.failed"
    assert "master key" in said["message"]
    assert "Traceback" not in said["message"]
