"""SPEC 6, H4: what an operator changes at one node is in force at the other within a second.

The other node reaches the database over a line that is good, slow, or silent for some seconds. In
every case no call to it that begins later than a second after the change is answered from what was
before: it says 503 (R12), or nothing until it knows.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from optin.domain.bots import SCOPES, Token
from optin.domain.events import Kind
from optin.domain.messages import Category
from optin.ports.store import Reads, Template
from optin.stores.postgres import PostgresStore
from optin.stores.seal import Seal
from tests.acceptance.nodes import KEY, empty_database, node
from tests.stores.postgres.wire import Wire, wire_to
from tests.stores.works import Do, claim, record

BOT, STRANGER, WHO = "b1", "46700000001", "46700000002"
TEMPLATE = ("order_ready", "en")
#: Seconds after which no call may be answered from what was before.
BOUND = 1.0
#: For how long the line is silent, in seconds.
SILENCE = 2.0
#: What a piece takes over the slow line, in seconds.
SLOW = 0.3


class Answer(NamedTuple):
    """What a check said. `begun`, `ended`: monotonic seconds. `enforced`: whether a stranger would
    be refused (setting `enforce`); `allowed`: the template for one who stopped marketing."""

    begun: float
    ended: float
    status: int
    enforced: bool | None
    allowed: bool | None


class Asking:
    """Asks the other node every 50 ms, whether or not earlier calls have their answer."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url}/v1/bots/{BOT}/check"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._ending = False
        self._answers: list[Answer] = []
        self._asking = asyncio.create_task(self._ask_on())

    async def answers(self) -> list[Answer]:
        """All of them, after the last call has its own."""
        self._ending = True
        await self._asking
        return self._answers

    async def _ask_on(self) -> None:
        async with (
            aiohttp.ClientSession(headers=self._headers) as session,
            asyncio.TaskGroup() as calls,
        ):
            while not self._ending:
                calls.create_task(self._ask(session))
                await asyncio.sleep(0.05)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        begun = time.monotonic()
        template = dict(zip(("name", "language"), TEMPLATE, strict=True))
        body = {"identities": [STRANGER, WHO], "template": template}
        async with session.post(self._url, json=body) as answer:
            read = await answer.json()
            stranger, who = read["results"] if answer.ok else ({}, {})
            told = stranger.get("enforced"), who.get("allowed")
            self._answers.append(Answer(begun, time.monotonic(), answer.status, *told))


def categorized(category: Category) -> Do:
    """A work that writes the template's record."""
    template = Template(*TEMPLATE, category, "APPROVED")
    reads = Reads(templates=frozenset({TEMPLATE}))
    return Do(lambda tx: tx.put_template(template), reads, BOT)


@asynccontextmanager
async def served(folder: Path, url: str) -> AsyncIterator[tuple[Wire, PostgresStore, str, str]]:
    """The line of the other node, the store as the first node has it, the other's URL, a token."""
    async with wire_to(url) as (wire, through):
        other = node(folder / "other", through)
        token = await asyncio.to_thread(other.add_bot, BOT)
        store = await PostgresStore.open(url, Seal(bytes.fromhex(KEY)))
        claims = claim(Kind.OPT_IN, WHO), claim(Kind.MARKETING_STOP, WHO)
        await store.commit(record(*claims, bot_id=BOT))
        await asyncio.to_thread(other.start)
        try:
            yield wire, store, other.url, token
        finally:
            wire.flows.set()
            await asyncio.to_thread(other.kill)
            await store.close()


async def new_token(store: PostgresStore, name: str) -> str:
    """A token with all scopes."""
    text = secrets.token_urlsafe(32)
    digest = hashlib.sha256(text.encode()).digest()
    await store.add_token(Token(digest, BOT, name, frozenset(SCOPES), 0))
    return text


async def changed_over(
    line: str, wire: Wire, store: PostgresStore, url: str, token: str
) -> tuple[float, list[Answer], list[Answer]]:
    """When the setting, the token and the category had been changed; what was answered to calls
    with the token that stays, and with the one that was revoked."""
    await store.put_settings(BOT, {"enforce": ""})
    await store.commit(categorized(Category.UTILITY))
    asking = [Asking(url, token), Asking(url, await new_token(store, line))]
    await asyncio.sleep(0.8)
    wire.slow = SLOW if line == "slow" else 0.0
    if line == "silent":
        wire.flows.clear()
    await store.put_settings(BOT, {"enforce": "none"})
    await store.commit(categorized(Category.MARKETING))
    await store.revoke_token(BOT, line)
    changed = time.monotonic()
    await asyncio.sleep(SILENCE if line == "silent" else 0)
    wire.flows.set()
    await asyncio.sleep(BOUND + 0.5)
    wire.slow = 0.0
    stays, revoked = [await each.answers() for each in asking]
    return changed, stays, revoked


@pytest.fixture
def url() -> Iterator[str]:
    with empty_database("in_force") as made:
        yield made


async def test_a_change_is_in_force_everywhere_within_a_second(tmp_path: Path, url: str) -> None:
    """Settings, tokens and template records; over a good line, a slow one, a silent one."""
    async with served(tmp_path, url) as (wire, store, other, token):
        for line in ("good", "slow", "silent"):
            changed, stays, revoked = await changed_over(line, wire, store, other, token)
            assert {each.status for each in stays} <= {200, 503}
            before = [each for each in stays if each.ended < changed]
            assert (True, True) in {(each.enforced, each.allowed) for each in before}
            late = [each for each in stays if each.begun > changed + BOUND and each.status == 200]
            assert {(each.enforced, each.allowed) for each in late} == {(False, False)}
            assert 200 in {each.status for each in revoked if each.ended < changed}
            after = {each.status for each in revoked if each.begun > changed + BOUND}
            assert 401 in after <= {401, 503}
            longest = max(each.ended - each.begun for each in stays)
            old = [each.begun - changed for each in stays if each.enforced]
            print(f"{line}: old for {max(old):.2f} s, longest call {longest:.2f} s")
