"""Who is let in (H4, SPEC 6)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.conftest import OpenStore
from tests.web.doors import ANNA, BOT, Doors, open_doors

OPTIN = f"/whatsapp/v1/{BOT}/provision/optin"
BODY = {"numbers": [ANNA]}
UNAUTHORIZED = {"message": "401", "details": "Unauthorized bot", "reason": "Unauthorized bot"}


def assert_shut(answer: httpx.Response) -> None:
    """The one and only answer of H4."""
    assert answer.status_code == 401
    assert answer.json() == UNAUTHORIZED
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["www-authenticate"] == "Bearer"


async def knock(doors: Doors, *headers: str, path: str = OPTIN, body: Any = None) -> httpx.Response:
    """One call with these `Authorization` headers; {} in them is the good token."""
    sent = [("Authorization", each.replace("{}", doors.token)) for each in headers]
    content = b"no JSON at all" if body is None else None
    return await doors.call("POST", path, body, token="", headers=sent, content=content)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        ("{}",),
        ("Bearer{}",),
        ("Bearer\t{}",),
        ("Basic {}",),
        ("Token {}",),
        ("Bearer {} x",),
        ("Bearer {}x",),
        ("Bearer x{}",),
        ("Bearer, {}",),
        ('Bearer "{}"',),
        ("Bearer unknown",),
        ("Bearer " + "x" * 8000,),
        ("Bearer {}", "Bearer {}"),
        ("Bearer unknown", "Bearer {}"),
    ],
)
async def test_no_token_and_bad_ones(doors: Doors, headers: tuple[str, ...]) -> None:
    """H4: no, malformed, unknown or two tokens: one and the same 401, before the body is read."""
    assert_shut(await knock(doors, *headers))
    assert not await doors.events(ANNA)


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER   {}", "bEaReR {}  "])
async def test_the_scheme_is_written_as_one_likes(doors: Doors, header: str) -> None:
    """H4: the scheme's case and the number of spaces do not matter."""
    assert (await knock(doors, header, body=BODY)).status_code == 200


async def test_a_token_of_another_bot(doors: Doors) -> None:
    """H4: each token opens its own bot only."""
    other = await doors.add_bot("shop.2")
    assert_shut(await doors.call("POST", OPTIN, BODY, token=other))
    assert_shut(await doors.call("POST", "/whatsapp/v1/shop.2/provision/optin", BODY))
    assert not await doors.events(ANNA)
    assert not await doors.events(ANNA, "shop.2")


@pytest.mark.parametrize(
    "bot_id", ["nobody", "SHOP.1", "shop.1%00", "shop.1%20", "%ff", "a" * 5000]
)
async def test_an_unknown_bot(doors: Doors, bot_id: str) -> None:
    """H4: a bot that does not exist is answered like a wrong token."""
    assert_shut(await doors.call("POST", f"/whatsapp/v1/{bot_id}/provision/optin", BODY))


async def test_a_removed_bot(doors: Doors) -> None:
    """H4: the tokens of a bot that was removed are dead."""
    await doors.bots.remove(BOT)
    assert_shut(await doors.call("POST", OPTIN, BODY))


async def test_the_body_is_not_looked_at_first(doors: Doors) -> None:
    """H4: 401 goes before 400 and 413."""
    for content in (b"{", b'{"numbers":[]}', b" " * 2_000_000):
        answer = await doors.call("POST", OPTIN, token="wrong", content=content)
        assert_shut(answer)


async def test_a_revoked_token(doors: Doors, open_store: OpenStore) -> None:
    """H4: revoked in one process, a token is dead in another within a second."""
    assert (await doors.call("POST", OPTIN, BODY)).status_code == 200
    elsewhere = await open_doors_of(open_store)
    [token] = await doors.bots.tokens(BOT)
    await elsewhere.bots.revoke(BOT, token.token_id)
    end = time.monotonic() + 1
    answer = await doors.call("POST", OPTIN, BODY)
    while answer.status_code == 200 and time.monotonic() < end:
        await asyncio.sleep(0.05)
        answer = await doors.call("POST", OPTIN, BODY)
    assert_shut(answer)
    await elsewhere.client.aclose()


async def open_doors_of(open_store: OpenStore) -> Doors:
    """Another process with a bot of its own."""
    return await open_doors(await open_store(), bot_id="elsewhere")


@pytest.mark.parametrize(
    ("served", "of_the_bot", "status"),
    [
        ("", "eu1", 200),
        ("", "", 200),
        ("eu1", "eu1", 200),
        ("eu1", "", 200),
        ("eu1", "us1", 401),
        ("eu1", "EU1", 401),
    ],
)
async def test_regions(open_store: OpenStore, served: str, of_the_bot: str, status: int) -> None:
    """H4: bots of another region are unknown here; a bot without a region is everywhere."""
    doors = await open_doors(await open_store(), region=served)
    token = await doors.add_bot("there", region=of_the_bot)
    answer = await doors.call("POST", "/whatsapp/v1/there/provision/optin", BODY, token=token)
    assert answer.status_code == status
    if status == 401:
        assert_shut(answer)
    await doors.client.aclose()


NEEDS = [
    ("POST", f"/whatsapp/v1/{BOT}/provision/optin", "provision"),
    ("DELETE", f"/whatsapp/v1/{BOT}/provision/optin", "provision"),
    ("POST", f"/whatsapp/v1/{BOT}/provision/optout", "provision"),
    ("POST", f"/whatsapp/v1/{BOT}/provision/blacklist", "provision"),
    ("GET", f"/whatsapp/v1/{BOT}/provision/blacklist", "provision"),
    ("POST", f"/whatsapp/v1/{BOT}/messages", "send"),
    ("POST", f"/v1/bots/{BOT}/consents", "provision"),
    ("POST", f"/v1/bots/{BOT}/check", "read"),
    ("GET", f"/v1/bots/{BOT}/contacts/+{ANNA}", "read"),
    ("GET", f"/v1/bots/{BOT}/templates", "read"),
    ("GET", f"/v1/bots/{BOT}/templates/sale/en", "read"),
    ("PUT", f"/v1/bots/{BOT}/templates/sale/en", "admin"),
]


@pytest.mark.parametrize(("method", "path", "scope"), NEEDS)
async def test_scopes(doors: Doors, method: str, path: str, scope: str) -> None:
    """SPEC 6: without its scope a call is 403, on the Sinch-compatible face 401."""
    others = [each for each in ("provision", "send", "read", "admin") if each != scope]
    poor = await doors.add_token(*others)
    rich = await doors.add_token(scope)
    answer = await doors.call(method, path, token=poor, content=b"{}")
    if path.startswith("/whatsapp"):
        assert_shut(answer)
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await doors.call(method, path, token=rich, content=b"{}")).status_code not in (401, 403)


@pytest.mark.parametrize(("method", "path"), [row[:2] for row in NEEDS])
async def test_every_path_is_shut(doors: Doors, method: str, path: str) -> None:
    """H4: no path opens without a token; the native API says so as a problem."""
    answer = await doors.call(method, path, token="", content=b"{}")
    if path.startswith("/whatsapp"):
        assert_shut(answer)
    else:
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "unauthorized"
