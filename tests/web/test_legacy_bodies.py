"""What the Sinch-compatible face takes from real clients, and what it does not (H5, H6)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from optin.ports.store import Reads, Transaction
from optin.web.body import MIB
from optin.web.waiting import MOST
from tests.web.doors import ANNA, BERTIL, BOT, Doors
from tests.web.test_legacy import assert_empty, assert_error

OPTIN = f"/whatsapp/v1/{BOT}/provision/optin"
GOOD = b'{"numbers":["46732001122"]}'


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "application/json; charset=utf-8")],
        [("Content-Type", "application/json; charset=latin-1")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "text/plain")],
        [("Content-Type", "nonsense")],
        [("Accept", "text/html, image/gif, image/jpeg, */*; q=0.2")],
        [("Accept", "application/xml")],
        [("Expect", "100-continue")],
        [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AA")],
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_odd_headers(doors: Doors, method: str, headers: list[tuple[str, str]]) -> None:
    """H5: no content type, accept or upgrade offer stands in the way of a body that is JSON."""
    assert_empty(await doors.call(method, OPTIN, content=GOOD, headers=headers))
    assert len(await doors.events(ANNA)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + GOOD,
        b"\n  \t\r\n" + GOOD + b"\n\n",
        b'\n{\n  "numbers": [\n    "46732001122"\n  ]\n}\n',
        b'{"x":{"y":[1,null,"z"]},"numbers":["46732001122"],"numbres":7}',
        b'{"numbers":["4673200112\\u0032"]}',
    ],
)
async def test_odd_bodies(doors: Doors, body: bytes) -> None:
    """H5: a byte order mark, white space and unknown members change nothing."""
    assert_empty(await doors.call("POST", OPTIN, content=body))
    assert await doors.allowed(ANNA)


async def test_a_body_in_pieces(doors: Doors) -> None:
    """H5: a chunked body, cut anywhere, is one body."""

    async def pieces() -> AsyncIterator[bytes]:
        for place in range(len(GOOD)):
            yield GOOD[place : place + 1]

    answer = await doors.client.request(
        "POST", OPTIN, content=pieces(), headers={"Authorization": f"Bearer {doors.token}"}
    )
    assert_empty(answer)
    assert await doors.allowed(ANNA)


@pytest.mark.parametrize("tail", ["provision/optin", "provision/optout", "provision/blacklist"])
async def test_a_trailing_slash(doors: Doors, tail: str) -> None:
    """H5: a trailing slash is nothing, and never a redirect."""
    assert_empty(await doors.legacy("POST", tail + "/", ANNA))


async def test_a_bot_id_written_with_percents(doors: Doors) -> None:
    """The bot id of a path is percent-decoded."""
    answer = await doors.call("POST", "/whatsapp/v1/sho%70%2E1/provision/optin", content=GOOD)
    assert_empty(answer)
    assert await doors.allowed(ANNA)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"numbers=46732001122",
        b"{",
        b'{"numbers":["46732001122"]',
        b'{"numbers":["46732001122",]}',
        b"{'numbers':['46732001122']}",
        b'{"numbers":["46732001122"]} {}',
        b'{"numbers":[NaN]}',
        b'{"numbers":["\x00"]}',
        b'{"numbers":["\xff46732001122"]}',
        b'{"x":"\xff","numbers":["46732001122"]}',
        b'{"numbers":["\\ud800"]}',
        '{"numbers":["46732001122"]}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"numbers":[1' + b"0" * 10_000 + b"]}",
        b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD,
    ],
)
async def test_no_json(doors: Doors, body: bytes) -> None:
    """H6: what is no JSON, or no UTF-8 even in a member we skip, is 400 and changes nothing."""
    assert_error(await doors.call("POST", OPTIN, content=body), 400, "The body is not valid JSON.")
    assert not await doors.events(ANNA)


@pytest.mark.parametrize("body", [b"[]", b'["46732001122"]', b"null", b'"x"', b"46732001122"])
async def test_json_that_is_no_object(doors: Doors, body: bytes) -> None:
    """H6: JSON that is no object is 400."""
    answer = await doors.call("POST", OPTIN, content=body)
    assert_error(answer, 400, "The body must be a JSON object.")


async def test_a_body_of_a_mebibyte_but_not_more(doors: Doors) -> None:
    """H6: 1 MiB is read, a byte more is 413, whether its length was told or not."""
    full = GOOD + b" " * (MIB - len(GOOD))
    assert_empty(await doors.call("POST", OPTIN, content=full))

    async def pieces() -> AsyncIterator[bytes]:
        yield full
        yield b" "

    bearer = {"Authorization": f"Bearer {doors.token}"}
    told = await doors.client.request("POST", OPTIN, content=full + b" ", headers=bearer)
    untold = await doors.client.request("POST", OPTIN, content=pieces(), headers=bearer)
    for answer in (told, untold):
        assert_error(answer, 413)
        assert answer.headers["connection"] == "close"
    assert len(await doors.events(ANNA)) == 1


async def test_a_length_that_is_too_large_is_not_waited_for(doors: Doors) -> None:
    """H6: 413 is answered before any of the body is read."""
    reads = 0

    async def receive() -> dict[str, Any]:
        nonlocal reads
        reads += 1
        return {"type": "http.request", "body": b" ", "more_body": True}

    status = await asked(doors, receive, [(b"content-length", b"1048577")])
    assert (status, reads) == (413, 0)


async def test_a_client_that_goes_away_gets_nothing(doors: Doors) -> None:
    """A body that ends in the middle is no list, though what came is one."""
    messages: Iterator[dict[str, Any]] = iter(
        [
            {"type": "http.request", "body": GOOD, "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    assert await asked(doors, receive) is None
    assert not await doors.events(ANNA)


async def test_the_store_down(doors: Doors, tmp_path: Path) -> None:
    """H6, R12: while the database cannot commit, every call is 503; nothing was recorded."""
    rename(tmp_path, "events", "gone")
    for method, tail in (("POST", "provision/optin"), ("DELETE", "provision/optin")):
        answer = await doors.legacy(method, tail, ANNA)
        assert_error(answer, 503)
        assert answer.headers["retry-after"] == "1"
    rename(tmp_path, "gone", "events")
    assert not await doors.events(ANNA)
    assert_empty(await doors.legacy("POST", "provision/optin", ANNA))


async def test_nobody_can_be_recognised(doors: Doors, tmp_path: Path) -> None:
    """R12: a token that cannot be looked up is 503, neither let in nor called unknown."""
    rename(tmp_path, "tokens", "gone")
    answer = await doors.legacy("POST", "provision/optin", ANNA, token="not-seen-before")
    assert_error(answer, 503)


async def test_too_many_at_once(doors: Doors) -> None:
    """H6: 2,000 calls of a bot wait; the next is 429 with Retry-After; another bot's is not."""
    other = await doors.add_bot("shop.2")
    hold = Hold(BOT)
    held = asyncio.create_task(doors.store.commit(hold))
    await asyncio.to_thread(hold.begun.wait)
    waiting = [asyncio.create_task(asked(doors, once(body(n)))) for n in range(MOST)]
    others = asyncio.create_task(
        doors.call("POST", "/whatsapp/v1/shop.2/provision/optin", {"numbers": [ANNA]}, token=other)
    )
    while doors.services.waiting.under_way(BOT) < MOST:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    answer = await doors.legacy("POST", "provision/optin", BERTIL)
    hold.let_go.set()
    assert_error(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1
    assert not await doors.events(BERTIL)
    assert set(await asyncio.gather(*waiting)) == {200}
    assert_empty(await others)
    await held
    assert_empty(await doors.legacy("POST", "provision/optin", BERTIL))


@dataclass(frozen=True)
class Hold:
    """A work that holds up its batch, and so everything behind it, until it is let go."""

    bot_id: str
    begun: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    reads: Reads = field(default_factory=Reads)

    def run(self, _: Transaction) -> None:
        self.begun.set()
        assert self.let_go.wait(30)


def body(n: int) -> bytes:
    """A list of one number."""
    return json.dumps({"numbers": [f"4673{n:07}"]}).encode()


def once(content: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """The whole body in one message."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    return receive


async def asked(
    doors: Doors,
    receive: Callable[[], Awaitable[dict[str, Any]]],
    headers: list[tuple[bytes, bytes]] | None = None,
) -> int | None:
    """POST provision/optin as ASGI messages; the status, None if there was no answer."""
    statuses: list[int] = []

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    scope = {
        "type": "http",
        "method": "POST",
        "path": OPTIN,
        "headers": [(b"authorization", f"Bearer {doors.token}".encode()), *(headers or [])],
        "client": ("127.0.0.1", 1),
    }
    await doors.app(scope, receive, send)
    return statuses[0] if statuses else None


def rename(folder: Path, table: str, name: str) -> None:
    """Takes a table away, or puts it back: so the database fails, and is well again."""
    connection = sqlite3.connect(folder / "optin.db", isolation_level=None)
    connection.execute(f"ALTER TABLE {table} RENAME TO {name}")
    connection.close()
