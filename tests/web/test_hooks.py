"""The webhook doors through the real application (SPEC 5): Meta's handshake and posts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from optin.domain.consent import NEVER
from optin.domain.errors import OptinError
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.meta_webhook import is_signature, parse, sign, valid_signature
from optin.usecases.receive_inbound import ReceiveInbound
from optin.web import hooks
from optin.web.incoming import IncomingBodies
from optin.web.problems import problem
from tests.usecases.outbox import BOT, START, Clock, add_bot, clocks, opened
from tests.vectors import load
from tests.web.running import Wire, serving

SECRET, WHO = "app-secret", "46732001122"
PATH = f"/webhooks/meta/{BOT}"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Clock()) as made:
        await add_bot(
            made,
            meta__app_secret=SECRET,
            meta__phone_number_id="PNID1",
            meta__verify_token="let me in & out",
        )
        yield made


def application(store: Any, bodies: IncomingBodies | None = None) -> ASGIApp:
    """The doors alone, with errors answered as the whole application does."""

    async def failed(_: Request, error: Exception) -> Response:
        assert isinstance(error, OptinError)
        answer = problem(error)
        headers = {name.decode(): value.decode() for name, value in answer.headers}
        return Response(answer.body, answer.status, headers, answer.media_type.decode())

    inbound = ReceiveInbound(store, parse, valid_signature, is_signature=is_signature)
    routes = hooks.routes(SimpleNamespace(receive_inbound=inbound), bodies or IncomingBodies())
    return Starlette(routes=routes, exception_handlers={OptinError: failed})


HELD_BACK = f"""POST {PATH} HTTP/1.1
Host: x
Content-Length: 1000
X-Hub-Signature-256: {sign("other", b"")}

""".replace("\n", "\r\n").encode()


async def test_a_body_that_trickles_is_408(store: SQLiteStore) -> None:
    """SPEC 5: a real socket that sends a byte now and then is told so after a while, and ended."""

    def trickle(port: int) -> tuple[int, dict[str, str], bytes]:
        with Wire(port) as wire:
            wire.send(HELD_BACK)
            for _ in range(8):
                wire.send(b"x")
                time.sleep(0.1)
            answer = wire.answer()
            assert wire.ended()
            return answer

    bodies = IncomingBodies(seconds=0.5)
    with serving(application(store, bodies)) as port:
        status, headers, body = await asyncio.to_thread(trickle, port)
    assert (status, json.loads(body)["code"]) == (408, "too_slow")
    assert headers["connection"] == "close"
    assert bodies.held == 0


async def test_a_body_that_gives_way_is_503(store: SQLiteStore) -> None:
    """SPEC 5: whoever had to make room is asked to come again soon; who made it do so goes on."""

    def two(port: int) -> list[tuple[int, dict[str, str], bytes]]:
        with Wire(port) as old, Wire(port) as new:
            old.send(HELD_BACK + b"x" * 900)
            time.sleep(0.3)
            new.send(HELD_BACK + b"x" * 1000)
            return [old.answer(), new.answer()]

    with serving(application(store, IncomingBodies(1500))) as port:
        old, new = await asyncio.to_thread(two, port)
    assert (old[0], json.loads(old[2])["code"]) == (503, "overloaded")
    assert (old[1]["retry-after"], old[1]["connection"]) == ("1", "close")
    assert (new[0], json.loads(new[2])["code"]) == (401, "invalid_signature")


@pytest.mark.parametrize("path", [PATH, "/webhooks/meta/nobody", "/webhooks/meta"])
async def test_what_cannot_be_signed_is_not_read(store: SQLiteStore, path: str) -> None:
    """SPEC 5: without a signature's form, a bot or its secret it is 401 while the body is still
    to come; what may be signed is read first."""

    def knock(port: int) -> tuple[int, bytes]:
        with Wire(port, 5) as wire:
            form = b"sha256=" if path.endswith("nobody") else b"sha512="
            wire.send(HELD_BACK.replace(PATH.encode(), path.encode()).replace(b"sha256=", form))
            status, _, body = wire.answer()
            return status, body

    with serving(application(store)) as port:
        status, body = await asyncio.to_thread(knock, port)
    assert (status, json.loads(body)["code"]) == (401, "invalid_signature")
    assert json.loads(body)["detail"] == "The signature is missing or wrong."


@pytest.fixture
async def client(store: SQLiteStore) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


def stop() -> bytes:
    """A body in which somebody writes STOP; with white space that no encoder would put there."""
    message = {
        "from": WHO,
        "id": "wamid.A",
        "timestamp": str(START // 10**6),
        "type": "text",
        "text": {"body": "STOP"},
    }
    value = {"metadata": {"phone_number_id": "PNID1"}, "messages": [message]}
    body = {"object": "whatsapp_business_account", "entry": [{"changes": [{"value": value}]}]}
    return json.dumps(body, indent=3).encode() + b"\n"


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
async def test_a_signed_body_is_taken_in(
    client: httpx.AsyncClient, store: SQLiteStore, path: str
) -> None:
    """R13: the raw bytes are what is signed, and at the 200 the opt-out is in the store."""
    body = stop()
    answer = await client.post(
        path, content=body, headers={"X-Hub-Signature-256": sign(SECRET, body)}
    )
    assert (answer.status_code, answer.json()) == (200, {"status": "received"})
    assert (await clocks(store, WHO)).opt_out_keyword > NEVER


async def test_the_vectors_signature_is_right(client: httpx.AsyncClient) -> None:
    """SPEC 5: the computed vector of Meta's scheme is accepted."""
    [case] = load("signatures")["meta"]
    headers = {"X-Hub-Signature-256": case["header"]}
    answer = await client.post(PATH, content=case["body"].encode(), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("bot", [BOT, "nobody"])
@pytest.mark.parametrize("header", [None, "sha256=", sign("other", stop()), "SHA256=" + "0" * 64])
async def test_a_wrong_signature_is_401(
    client: httpx.AsyncClient, store: SQLiteStore, header: str | None, bot: str
) -> None:
    """SPEC 5: wrong, missing or of an unknown bot, all the same JSON answer; nothing changes."""
    headers = {} if header is None else {"X-Hub-Signature-256": header}
    answer = await client.post(f"/webhooks/meta/{bot}", content=stop(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert (await clocks(store, WHO)).opt_out_keyword == NEVER


async def test_a_signed_body_that_means_nothing_is_200(client: httpx.AsyncClient) -> None:
    """SPEC 5: unknown shapes are stored, so that the provider does not send them for days."""
    for body in (b"", b"nonsense", b"{}", b'{"entry":[{"changes":[{"value":{}}]}]}'):
        headers = {"X-Hub-Signature-256": sign(SECRET, body)}
        assert (await client.post(PATH, content=body, headers=headers)).status_code == 200


async def test_a_store_that_is_down_is_503(store: SQLiteStore) -> None:
    """R13: no 200 without the commit; the provider comes again."""
    transport = httpx.ASGITransport(application(store))
    body = stop()
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await store.close()
        answer = await client.post(
            PATH, content=body, headers={"X-Hub-Signature-256": sign(SECRET, body)}
        )
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")


async def test_too_large_a_body_is_413(client: httpx.AsyncClient) -> None:
    """A body over 8 MiB is refused, announced or not; one of 8 MiB is read."""
    headers = {"X-Hub-Signature-256": sign("other", b"")}
    for size, status in ((hooks.LARGEST_BODY + 1, 413), (hooks.LARGEST_BODY, 401)):

        async def chunks(size: int = size) -> AsyncIterator[bytes]:
            yield b"x" * (size - 1)
            yield b"x"

        for content in (chunks(), b"x" * size):
            answer = await client.post(PATH, content=content, headers=headers)
            assert answer.status_code == status


ASKED = {
    "hub.mode": "subscribe",
    "hub.verify_token": "let me in & out",
    "hub.challenge": "1158201444<b>&",
}


@pytest.mark.parametrize("path", [PATH, PATH + "/"])
async def test_the_handshake_answers_the_challenge(client: httpx.AsyncClient, path: str) -> None:
    """SPEC 5: the raw challenge as plain text, which no browser takes for a page."""
    answer = await client.get(path, params=ASKED)
    assert (answer.status_code, answer.text) == (200, ASKED["hub.challenge"])
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (PATH, {"hub.verify_token": "let me out"}),
        (PATH, {"hub.verify_token": ""}),
        (PATH, {"hub.verify_token": "\u00e9\u00e9"}),
        (PATH, {"hub.mode": "unsubscribe"}),
        ("/webhooks/meta/nobody", {}),
        ("/webhooks/meta/nobody", {"hub.verify_token": ""}),
    ],
)
async def test_another_handshake_is_403(
    client: httpx.AsyncClient, path: str, changed: dict[str, str]
) -> None:
    """SPEC 5: without the bot's token the challenge is not answered."""
    answer = await client.get(path, params=ASKED | changed)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert ASKED["hub.challenge"] not in answer.text


async def test_other_methods_are_405(client: httpx.AsyncClient) -> None:
    """Only GET and POST mean something here."""
    answer = await client.put(PATH, content=stop())
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["allow"].replace(" ", "").split(","))
