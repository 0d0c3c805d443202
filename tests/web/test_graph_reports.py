"""Who hears of the reports of a message that came through the Graph face (SPEC 4, 7)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from optin.ports.store import Callback, CallbackKind
from optin.upstreams.meta_webhook import sign
from tests.conftest import OpenStore
from tests.upstreams import meta_bodies
from tests.upstreams.cloud_api import NUMBER, answering
from tests.web.doors import ANNA, BOT
from tests.web.graph_face import TEXT, Face, open_face

FORWARD, LEGACY, SECRET = "https://shop.example/own", "https://shop.example/old", "app-secret"


@pytest_asyncio.fixture
async def face(open_store: OpenStore) -> AsyncIterator[Face]:
    async with open_face(open_store, **{"meta.app_secret": SECRET}) as opened:
        await opened.says("message")
        opened.api.behaviour = answering({"messages": [{"id": "wamid.A"}]})
        yield opened


async def sent(face: Face) -> httpx.Response:
    """A message of a client's, with data of its own, and its outcome on record."""
    answer = await face.post(**TEXT, biz_opaque_callback_data="order 17")
    await face.record(answer)
    return answer


async def reported(face: Face, *states: str) -> list[bytes]:
    """Meta reports these; the bodies."""
    bodies = []
    for state in states:
        status = {"id": "wamid.A", "status": state, "timestamp": "1795430100"}
        status |= {"recipient_id": ANNA, "biz_opaque_callback_data": "order 17"}
        value = {"metadata": {"phone_number_id": NUMBER}, "statuses": [status]}
        body = meta_bodies.body(meta_bodies.change(value))
        headers = [("X-Hub-Signature-256", sign(SECRET, body))]
        path = f"/webhooks/meta/{BOT}"
        answer = await face.doors.call("POST", path, token="", content=body, headers=headers)
        assert answer.status_code == 200
        bodies.append(body)
    return bodies


async def owed(face: Face) -> list[Callback]:
    """All callbacks, oldest first."""
    return await face.doors.store.callbacks(BOT, "", 100)


async def test_own_webhook_code_hears_all_of_it(face: Face) -> None:
    """`forward_url`: Meta's own bodies with the client's data in them, and nothing else."""
    await face.set(forward_url=FORWARD)
    await sent(face)
    bodies = await reported(face, "sent", "delivered")
    told = await owed(face)
    assert [(c.kind, c.url, c.body) for c in told] == [
        (CallbackKind.RELAY, FORWARD, body) for body in bodies
    ]


async def test_without_an_address_nobody_is_told(face: Face) -> None:
    """A bot without `callback_url` owes no body in the legacy shape."""
    await sent(face)
    await reported(face, "sent", "delivered", "read")
    assert await owed(face) == []


async def test_a_legacy_receiver_hears_each_report(face: Face) -> None:
    """`callback_url`: what is reported, under the id of `X-Optin-Message-Id`; what the client was
    answered itself, that the message was taken, is not told again."""
    await face.set(callback_url=LEGACY)
    answer = await sent(face)
    assert await owed(face) == []
    await reported(face, "sent", "delivered", "sent")
    rows = [json.loads(c.body)["statuses"][0] for c in await owed(face)]
    assert [row["state"] for row in rows] == ["sent", "delivered"]
    assert {row["message_id"] for row in rows} == {answer.headers["x-optin-message-id"]}
    assert {row["recipient"] for row in rows} == {f"+{ANNA}"}


async def test_a_refusal_is_the_clients_alone(face: Face) -> None:
    """It has its error: neither receiver is told."""
    await face.set(callback_url=LEGACY, forward_url=FORWARD)
    await face.says("opt_out")
    assert (await face.post(**TEXT)).status_code == 400
    assert await owed(face) == []
