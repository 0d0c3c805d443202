"""Callbacks of the real program to real receivers: shapes, signatures, relays, kills (SPEC 4)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.program import Program
from tests.acceptance.receivers import Post, Receiver, receiving, until
from tests.upstreams import meta_bodies

KEY, SECRET, ADA = "legacy-key", "app-secret", "46701740605"
TEMPLATE = {"type": "template", "template_name": "order_ready", "language": "en"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@contextmanager
def serving(folder: Path, *options: str, **settings: str) -> Iterator[tuple[Program, str]]:
    """A running service with the bot `shop` on the sandbox; the bot's token."""
    program = Program(folder, *options)
    given = {"meta.app_secret": SECRET, "meta.phone_number_id": meta_bodies.NUMBER}
    token = program.add_bot(
        "shop", **given, **{k.replace("__", "."): v for k, v in settings.items()}
    )
    program.result("template", "set", "--bot", "shop", "order_ready", "en", "utility")
    with program:
        yield program, token


async def post(url: str, body: Any, **headers: str) -> Any:
    """The JSON of an answer that must be good; None for an empty one."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=data, headers=headers) as answer,
    ):
        text = await answer.text()
        assert answer.status in (200, 201), text
        return json.loads(text) if text else None


async def send(program: Program, token: str, **more: Any) -> str:
    """Opts Ada in and sends to her; the message's id."""
    face, bearer = f"{program.url}/whatsapp/v1/shop", {"Authorization": f"Bearer {token}"}
    await post(f"{face}/provision/optin", {"numbers": [ADA]}, **bearer)
    answer = await post(f"{face}/messages", {"to": [ADA], "message": TEMPLATE, **more}, **bearer)
    [row] = answer["statuses"]
    message_id: str = row["message_id"]
    return message_id


async def webhook(program: Program, body: bytes) -> str:
    """Meta posts this; its signature header."""
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}
    await post(f"{program.url}/webhooks/meta/shop", body, **headers)
    return headers["X-Hub-Signature-256"]


async def callbacks(program: Program, *options: str) -> list[dict[str, Any]]:
    """What `optin callbacks list` prints."""
    asked = ("callbacks", "list", "--bot", "shop", *options)
    found: list[dict[str, Any]] = (await asyncio.to_thread(program.result, *asked))["callbacks"]
    return found


def is_signed(sent: Post, encoding: str = "hex") -> bool:
    """Whether the three headers of the original API sign `payload.nonce`."""
    name = "sinch-whatsapp-callback-signature"
    given = {key.lower(): value for key, value in sent.headers.items()}
    digest = hmac.digest(KEY.encode(), sent.body + b"." + given[f"{name}-nonce"].encode(), "sha256")
    expected = digest.hex() if encoding == "hex" else b64encode(digest).decode()
    return (given[name], given[f"{name}-algorithm"]) == (expected, "HMAC_SHA_256")


@pytest.mark.parametrize("encoding", ["hex", "base64"])
async def test_everything_a_bot_is_told(tmp_path: Path, receiver: Receiver, encoding: str) -> None:
    """Reports and an inbound message in the original's exact shape, changes of consent, all signed
    in the bot's encoding with a nonce of their own; and the webhook itself, untouched."""
    urls = {
        f"{name}_url": f"{receiver.url}/ok/{name}" for name in ("callback", "events", "forward")
    }
    urls |= {"callback_hmac_key": KEY, "callback_signature": encoding}
    with serving(tmp_path, "--allow-private-callbacks", **urls) as (program, token):
        message_id = await send(program, token)
        reports = await receiver.arrived(4, "/ok/callback")
        at = int(time.time())
        said = meta_bodies.message(**{"from": ADA, "timestamp": str(at)})
        body = meta_bodies.one(said, contacts=[{"profile": {"name": "Ada"}, "wa_id": ADA}])
        signature = await webhook(program, body)
        told = (await receiver.arrived(5, "/ok/callback"))[-1]
        changes = await receiver.arrived(2, "/ok/events")
        relays = await receiver.arrived(4, "/ok/forward")  # three reports, and the message
    rows = [json.loads(report.body) for report in reports]
    assert {row["statuses"][0]["state"] for row in rows} == {
        *("dispatched", "sent", "delivered", "read")
    }
    for row in rows:
        [status] = row.pop("statuses")
        assert row == {"type": "whatsapp"}
        assert (status["message_id"], status["recipient"]) == (message_id, f"+{ADA}")
        assert status["status"] == "success"
        assert time.strptime(status["timestamp"], "%Y-%m-%dT%H:%M:%SZ")
    assert json.loads(told.body) == {
        "type": "whatsapp",
        "contacts": [{"profile": {"name": "Ada"}, "wa_id": ADA}],
        "notifications": [
            {
                "from": ADA,
                "to": "shop",
                "message_id": "wamid.A",
                "message": {"type": "text", "body": "Hello"},
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
            }
        ],
    }
    assert [json.loads(c.body)["event"]["kind"] for c in changes] == ["opt_in", "message"]
    signed = [*reports, told, *changes]
    assert all(is_signed(sent, encoding) for sent in signed)
    assert {sent.headers["Content-Type"] for sent in signed} == {"application/json"}
    nonces = {sent.headers["sinch-whatsapp-callback-signature-nonce"] for sent in signed}
    assert len(nonces) == len(signed)
    [relay] = [r for r in relays if b"Hello" in r.body]
    assert (relay.body, relay.headers["x-hub-signature-256"]) == (body, signature)
    assert "sinch-whatsapp-callback-signature" not in relay.headers


async def test_a_messages_own_address(tmp_path: Path, receiver: Receiver) -> None:
    """SPEC 4: reports go to the message's own callback URL, if it has one, and only there."""
    default = f"{receiver.url}/ok/default"
    with serving(tmp_path, "--allow-private-callbacks", callback_url=default) as (program, token):
        await send(program, token, callback=f"{receiver.url}/ok/own")
        assert len(await receiver.arrived(4, "/ok/own")) == 4
        assert [post for post in receiver.posts if post.path == "/ok/default"] == []


async def test_no_callback_reaches_into_our_network(tmp_path: Path, receiver: Receiver) -> None:
    """Without `--allow-private-callbacks` none of the four kinds of URL reaches the loopback; each
    is shown with the reason, and waits."""
    port = receiver.url.rpartition(":")[2]
    urls = {"callback_url": f"http://localhost:{port}/ok", "events_url": f"http://0x7f.1:{port}/ok"}
    urls["forward_url"] = f"http://[::ffff:127.0.0.1]:{port}/ok"
    with serving(tmp_path, **urls) as (program, token):
        await send(program, token, callback=f"http://127.0.0.1:{port}/ok")
        await webhook(program, meta_bodies.one(meta_bodies.message()))

        async def tried() -> list[dict[str, Any]]:
            found = await callbacks(program)
            tried = [each for each in found if each["outcome"]]
            return tried if len({each["url"] for each in tried}) == 4 else []

        found = await until(tried)
    assert receiver.posts == []
    assert {each["kind"] for each in found} == {"status", "notification", "change", "relay"}
    assert {each["stage"] for each in found} == {"waiting"}
    assert all("not a public address" in each["outcome"] for each in found)


def let_leases_run_out(database: Path) -> None:
    """As if the minute had passed after which a dead process's callbacks are taken up by others."""
    with sqlite3.connect(database, timeout=30) as connection:
        connection.execute("UPDATE callbacks SET leased_until = 0, due = 0 WHERE stage = 'waiting'")
    connection.close()


async def test_kill_9_loses_no_callback(tmp_path: Path, receiver: Receiver) -> None:
    """The service is killed while it posts, three times: every change of consent that was
    acknowledged arrives, at least once."""
    numbers = [f"4670174{n:04}" for n in range(600)]
    events = f"{receiver.url}/ok/events"
    with serving(tmp_path, "--allow-private-callbacks", events_url=events) as (program, token):
        for first in range(0, 600, 200):
            for start in range(first, first + 200, 20):
                face = f"{program.url}/whatsapp/v1/shop/provision/optin"
                body = {"numbers": numbers[start : start + 20]}
                await post(face, body, Authorization=f"Bearer {token}")
            await receiver.arrived(len(receiver.posts) + 1)
            program.kill()
            let_leases_run_out(tmp_path / "optin.db")
            program.start()

        async def all_told() -> bool:
            return len(set(receiver.bodies())) == 600

        await until(all_told)
    told = {json.loads(body)["identity"] for body in receiver.bodies()}
    assert told == {f"+{number}" for number in numbers}
    print(f"600 changes, {len(receiver.posts)} posts, 3 kills")


async def test_replay_from_the_command_line(tmp_path: Path, receiver: Receiver) -> None:
    """What a receiver refused is posted again by the running service after `callbacks replay`."""
    gone = f"{receiver.url}/gone/events"
    with serving(tmp_path, "--allow-private-callbacks", events_url=gone) as (program, token):
        await send(program, token)
        await receiver.arrived(1, "/gone/events")

        found = await until(lambda: callbacks(program, "--stage", "dead"))
        assert [(each["kind"], each["outcome"]) for each in found] == [("change", "HTTP 404")]
        replay = ("callbacks", "replay", "--bot", "shop", found[0]["id"])
        assert await asyncio.to_thread(program.result, *replay) == {"replayed": 1}
        first, second = await receiver.arrived(2, "/gone/events")
        assert first.body == second.body
