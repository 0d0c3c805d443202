"""Which secret signed a body: the right one, and at a bounded cost for whoever has none."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.upstreams.meta_webhook import sign, valid_signature
from optin.usecases.receive_inbound.directory import Secrets
from optin.usecases.receive_inbound.signing import Search

SETTING = "meta.app_secret"
MANY = 3_000
MIB = 1024 * 1024


def bots(many: int = MANY) -> list[Bot]:
    return [
        Bot(f"b{n}", {SETTING: f"secret {n}", "meta.phone_number_id": f"PN{n}"})
        for n in range(many)
    ]


class Tried:
    """Counts what is hashed, and where."""

    def __init__(self) -> None:
        self.bytes = self.on_the_loop = 0

    def __call__(self, secret: str, body: bytes, signature: Any) -> bool:
        self.bytes += len(body)
        if threading.current_thread() is threading.main_thread():
            self.on_the_loop += len(body)
        return valid_signature(secret, body, signature)


def named(number: str, size: int = 0) -> bytes:
    return f'{{"metadata":{{"phone_number_id" : "{number}"}}}}'.encode() + b" " * size


@pytest.mark.parametrize("size", [0, 120 * 1024, 8 * MIB])
async def test_the_number_leads_to_the_secret(size: int) -> None:
    """However many secrets there are and however large the body is: one is tried."""
    content, tried = named("PN2999", size), Tried()
    known = Secrets.of(bots(), SETTING)
    found = await Search()(known, content, sign("secret 2999", content), tried)
    assert (found, tried.bytes) == ("secret 2999", len(content))


@pytest.mark.parametrize("content", [b'{"entry":[]}', named("PN9999"), named("PN1")])
async def test_every_secret_is_tried_for_a_small_body(content: bytes) -> None:
    """One that names no number, a number of nobody, or of another app."""
    known = Secrets.of(bots(), SETTING)
    found = await Search()(known, content, sign("secret 2999", content), Tried())
    assert found == "secret 2999"


@pytest.mark.parametrize("content", [b"x" * 120 * 1024, b"x" * 8 * MIB, named("PN5") * 100_000])
async def test_an_unsigned_body_costs_little(content: bytes) -> None:
    """Next to nothing on the event loop, and a bounded amount beside it."""
    tried = Tried()
    assert await Search()(Secrets.of(bots(), SETTING), content, "sha256=" + "0" * 64, tried) is None
    assert tried.on_the_loop <= MIB
    assert tried.bytes <= 64 * MIB + len(content)


async def test_numbers_named_by_the_thousand_cost_little() -> None:
    """Who names numbers of all the secrets has a few of them tried, not one for each number; all
    else waits for its turn beside the loop."""
    search = Search()
    content, tried = b"".join(named(f"PN{n}", MIB // 8) for n in range(32)), Tried()
    await search._beside.acquire()
    unsigned = asyncio.create_task(search(Secrets.of(bots(), SETTING), content, "s", tried))
    await asyncio.sleep(0.3)
    assert 0 < tried.bytes <= 8 * len(content)
    search._beside.release()
    assert await unsigned is None
    assert tried.on_the_loop == 0


async def test_one_body_at_a_time_is_searched_beside_the_loop() -> None:
    """Unsigned bodies hold one thread, and no body that names its number waits for them."""
    search, known, inside, most, go = (
        Search(),
        Secrets.of(bots(99), SETTING),
        0,
        0,
        threading.Event(),
    )

    def slow(secret: str, body: bytes, signature: Any) -> bool:
        nonlocal inside, most
        if not body.startswith(b"x"):
            return valid_signature(secret, body, signature)
        inside, most = inside + 1, max(most, inside + 1)
        go.wait(10)
        inside -= 1
        return False

    unsigned = [asyncio.create_task(search(known, b"x" * MIB, "s", slow)) for _ in range(8)]
    try:
        await asyncio.sleep(0.05)
        content = named("PN7", 8 * MIB)
        async with asyncio.timeout(5):
            assert await search(known, content, sign("secret 7", content), slow) == "secret 7"
    finally:
        go.set()
    assert await asyncio.gather(*unsigned) == [None] * 8
    assert most == 1


async def test_a_bots_only_secret_is_tried_whatever_the_size() -> None:
    """At the address of one bot nothing is to be searched for, so it waits for no other body."""
    content, tried, search = b"x" * 8 * MIB, Tried(), Search()
    known = Secrets.of(bots(1), SETTING)
    await search._beside.acquire()
    async with asyncio.timeout(5):
        assert await search(known, content, sign("secret 0", content), tried) == "secret 0"
        assert await search(Secrets.of([], SETTING), content, "s", tried) is None
    assert tried.on_the_loop == 0
