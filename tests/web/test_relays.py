"""Signed webhooks are relayed to `forward_url` exactly as they came (SPEC 4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from optin.domain.errors import StoreUnavailable
from optin.ports.store import Callback, CallbackKind
from optin.upstreams.meta_webhook import sign
from tests.upstreams import meta_bodies
from tests.web.doors import ANNA, BOT, Doors

FORWARD = "https://shop.example/old/webhook"
SECRET = "app-secret"
PATH = f"/webhooks/meta/{BOT}"
JSON = ("Content-Type", "application/json; charset=utf-8")


@pytest.fixture(autouse=True)
async def settings(doors: Doors) -> None:
    """The bot has webhook code of its own."""
    settings = {"meta.app_secret": SECRET, "meta.phone_number_id": meta_bodies.NUMBER}
    await doors.bots.change(BOT, settings | {"forward_url": FORWARD})


async def relays(doors: Doors) -> list[Callback]:
    """The relays that are there, oldest first."""
    found = await doors.store.callbacks(BOT, "", 1000)
    return [c for c in found if c.kind is CallbackKind.RELAY]


async def post(doors: Doors, body: bytes, signature: str | None = None, path: str = PATH) -> int:
    """Meta posts this; the status."""
    headers = [JSON, ("X-Hub-Signature-256", signature or sign(SECRET, body))]
    return (await doors.call("POST", path, content=body, headers=headers)).status_code


@pytest.mark.parametrize(
    "body",
    [
        *meta_bodies.BODIES,
        json.dumps({"entry": []}, indent=7).encode() + b" \n\t",
        b'{"object":"whatsapp_business_account","entry":[]}',
        b"",
        b"no json at all",
        b"\xff\xfe\x00\x80",
        meta_bodies.one({"type": "hologram", "id": 7}),
        meta_bodies.body(meta_bodies.change(meta_bodies.value("another number", messages=[{}]))),
    ],
)
async def test_a_signed_body_goes_on_byte_for_byte(doors: Doors, body: bytes) -> None:
    """Understood, not understood, empty, about another number: one relay of exactly these bytes,
    with what its receiver needs to believe and to read it."""
    assert await post(doors, body) == 200
    [relay] = await relays(doors)
    assert (relay.url, relay.body, relay.stage) == (FORWARD, body, "waiting")
    assert relay.headers == {
        "content-type": "application/json; charset=utf-8",
        "x-hub-signature-256": sign(SECRET, body),
    }


@pytest.mark.parametrize("signature", ["sha256=" + "0" * 64, "", sign("other", b"{}")])
async def test_a_wrong_signature_goes_nowhere(doors: Doors, signature: str) -> None:
    """What is answered 401 is not relayed."""
    assert await post(doors, b"{}", signature or "x") == 401
    assert await relays(doors) == []


async def test_without_an_address_nothing_is_relayed(doors: Doors) -> None:
    """A bot without `forward_url` owes nobody."""
    await doors.bots.change(BOT, {"forward_url": ""})
    assert await post(doors, meta_bodies.BODIES[0]) == 200
    assert await relays(doors) == []


async def test_a_body_that_comes_again_goes_on_again(doors: Doors) -> None:
    """The provider's repeats reach the business as they did before, though we count them once."""
    body = meta_bodies.BODIES[0]
    assert [await post(doors, body) for _ in range(3)] == [200] * 3
    assert [r.body for r in await relays(doors)] == [body] * 3
    assert len({r.callback_id for r in await relays(doors)}) == 3


async def test_a_huge_body_is_relayed_once(doors: Doors) -> None:
    """A body that takes several commits is one relay."""
    body = meta_bodies.body(
        meta_bodies.change(
            meta_bodies.value(messages=[meta_bodies.message(id=f"wamid.{n}") for n in range(1_100)])
        )
    )
    assert await post(doors, body) == 200
    assert [r.body for r in await relays(doors)] == [body]


async def test_what_was_not_committed_is_not_relayed(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R13: the relay is in the commit of the consent; without the one there is not the other."""

    async def down(*_: Any) -> Any:
        raise StoreUnavailable("down")

    with monkeypatch.context() as broken:
        broken.setattr(doors.store, "commit", down)
        assert await post(doors, meta_bodies.BODIES[0]) == 503
    assert await relays(doors) == []
    assert await post(doors, meta_bodies.BODIES[0]) == 200
    assert len(await relays(doors)) == 1


def sinch_headers(secret: str, body: bytes) -> Sequence[tuple[str, str]]:
    """Signed as Sinch's Conversation API does."""
    nonce, at = "01FJA8B4A7BM43YGWSG9GBV067", str(int(time.time()))
    signed = body + b"." + nonce.encode() + b"." + at.encode()
    digest = hmac.digest(secret.encode(), signed, hashlib.sha256)
    name = "x-sinch-webhook-signature"
    return [
        (name, base64.b64encode(digest).decode()),
        (f"{name}-nonce", nonce),
        (f"{name}-timestamp", at),
        (f"{name}-algorithm", "HmacSHA256"),
    ]


async def test_sinch_too(doors: Doors) -> None:
    """The webhooks of the other provider carry all four of its headers."""
    await doors.bots.change(BOT, {"sinch.webhook_secret": "sinch-secret"})
    body = b'{"app_id": "01ABC", "something_new": {"a": [1, 2]}}'
    headers = sinch_headers("sinch-secret", body)
    path = f"/webhooks/sinch/{BOT}"
    answer = await doors.call("POST", path, content=body, headers=[JSON, *headers])
    assert answer.status_code == 200, answer.text
    [relay] = await relays(doors)
    assert relay.body == body
    assert relay.headers == dict(headers) | {"content-type": JSON[1]}


async def test_a_message_is_told_and_relayed(doors: Doors) -> None:
    """A bot may have both, in the legacy shape and as it came."""
    await doors.bots.change(BOT, {"callback_url": "https://shop.example/hook"})
    body = meta_bodies.one(meta_bodies.message(**{"from": ANNA}))
    assert await post(doors, body) == 200
    kinds = {c.kind for c in await doors.store.callbacks(BOT, "", 10)}
    assert kinds == {CallbackKind.RELAY, CallbackKind.NOTIFICATION}
