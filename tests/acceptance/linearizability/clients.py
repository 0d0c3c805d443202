"""Clients that call two nodes about few contacts at once, and write down what they saw and when."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.acceptance.linearizability.checker import FRESH
from tests.acceptance.linearizability.model import Action, Operation, Standing
from tests.upstreams import meta_bodies

BOT, SECRET = "b1", "app-secret"
CATEGORIES = ("utility", "utility", "marketing", "service")
#: How long a client waits for an answer, in seconds. What comes later it does not see.
PATIENCE = 10.0

_ACTIONS = (Action.CHECK,) * 5 + (Action.OPT_IN,) * 2 + (Action.OPT_OUT,) * 2 + (Action.MESSAGE,)


@dataclass
class Contact:
    """One person, under one or two names that the product knows to be one (R11)."""

    names: tuple[str, ...]
    standings: frozenset[Standing] = FRESH
    history: list[Operation] = field(default_factory=list)


def plain(number: int) -> Contact:
    """A phone number."""
    return Contact((f"4670{number:07d}",))


def spelled(number: int) -> Contact:
    """A phone number of Mexico, in both of its spellings."""
    return Contact((f"5255{number:08d}", f"52155{number:08d}"))


async def linked(number: int, url: str, session: aiohttp.ClientSession) -> Contact:
    """A phone number and a BSUID that a signed message has named together; it opened a session."""
    phone, hidden = f"4676{number:07d}", f"SE.{number:016d}"
    said = {"from": phone, "from_user_id": hidden, "id": f"wamid.{number}"}
    message = meta_bodies.message(**said, timestamp=str(int(time.time()) - 60))
    person = {"profile": {"name": "Ada"}, "wa_id": phone, "user_id": hidden}
    body = meta_bodies.one(message, contacts=[person])
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}"}
    async with session.post(f"{url}/webhooks/meta/{BOT}", data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    return Contact((phone, hidden), frozenset({Standing(session=True)}))


@dataclass
class Clients:
    """So many calls by so many clients at once. The contacts are taken in groups, one group after
    another, so that few are called about at a time."""

    urls: Sequence[str]
    groups: Sequence[Sequence[Contact]]
    total: int
    seed: int
    seen: Counter[str] = field(default_factory=Counter)
    _begun: int = 0

    async def run(self, session: aiohttp.ClientSession, clients: int) -> None:
        """Ends when all calls were made."""
        await asyncio.gather(*(self._client(session, number) for number in range(clients)))

    async def ask_all(self, session: aiohttp.ClientSession) -> None:
        """Asks each node about each contact once more, under each of its names."""
        for contact in (each for group in self.groups for each in group):
            calls = [
                _Call(Action.CHECK, name, node, category)
                for name in contact.names
                for node in range(len(self.urls))
                for category in ("utility", "service")
            ]
            await asyncio.gather(*(self._call(session, contact, call) for call in calls))

    async def _client(self, session: aiohttp.ClientSession, number: int) -> None:
        chance = random.Random(f"{self.seed} {number}")
        keys = itertools.count()
        while self._begun < self.total:
            group = self.groups[self._begun * len(self.groups) // self.total]
            self._begun += 1
            contact = chance.choice(group)
            call = _Call(
                chance.choice(_ACTIONS),
                chance.choice(contact.names),
                chance.randrange(len(self.urls)),
                chance.choice(CATEGORIES),
                f"{number}-{next(keys)}" if chance.random() < 0.3 else "",
            )
            if not await self._call(session, contact, call):
                self._begun -= 1
                await asyncio.sleep(0.02)

    async def _call(self, session: aiohttp.ClientSession, contact: Contact, call: _Call) -> bool:
        """False if nobody listened, so that nothing was asked."""
        begun = time.monotonic_ns()
        try:
            said = await self._answered(session, call)
        except aiohttp.ClientConnectorError:
            self.seen["refused"] += 1
            return False
        ended = None if said is None else time.monotonic_ns()
        self.seen["operations"] += 1
        self.seen["unknown"] += said is None
        self.seen[call.action] += 1
        if said is not None or call.action is not Action.CHECK:
            where = f"node {call.node} {call.name}{' keyed' if call.keyed else ''}"
            done = Operation(call.action, begun, ended, call.category, said or "", where)
            contact.history.append(done)
        return True

    async def _answered(self, session: aiohttp.ClientSession, call: _Call) -> str | None:
        """The verdict of a check, "" for what was acknowledged, None if it is unknown. A call with
        a key is made again, by whichever node, until it has its answer."""
        said = await self._once(session, call)
        tries = 0
        while said is None and call.keyed and tries < 40:
            tries += 1
            await asyncio.sleep(0.05)
            call.node = (call.node + 1) % len(self.urls)
            try:
                said = await self._once(session, call)
            except aiohttp.ClientConnectorError:
                continue
            self.seen["answered again"] += said is not None
        return said

    async def _once(self, session: aiohttp.ClientSession, call: _Call) -> str | None:
        path, body = call.request()
        headers = {"Idempotency-Key": call.keyed} if call.keyed else {}
        url = self.urls[call.node] + path
        try:
            async with session.post(url, json=body, headers=headers) as answer:
                text = await answer.read()
                assert answer.status in (200, 409, 429, 503), (answer.status, text)
                return call.read(await answer.json() if text else {}) if answer.ok else None
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientError, TimeoutError):
            return None


@dataclass
class _Call:
    action: Action
    name: str
    node: int
    category: str
    key: str = ""

    @property
    def keyed(self) -> str:
        """Writes with a key go through the native API, those without through the old one."""
        return "" if self.action is Action.CHECK else self.key

    def request(self) -> tuple[str, Any]:
        """The path that is posted to, and the body."""
        native = f"/v1/bots/{BOT}"
        if self.action is Action.CHECK:
            body = {"identities": [self.name], "category": self.category}
            return f"{native}/check", body
        if self.keyed or self.action is Action.MESSAGE or not self.name.isdigit():
            item = {"identity": self.name, "action": self.action.replace("-", "_")}
            return f"{native}/consents", {"items": [item]}
        # Not DELETE: the client's library would send it again by itself if its line was cut.
        face = f"/whatsapp/v1/{BOT}/provision"
        path = "optin" if self.action is Action.OPT_IN else "optout"
        return f"{face}/{path}", {"numbers": [self.name]}

    def read(self, answer: Any) -> str:
        """What the answer says."""
        if self.action is Action.CHECK:
            [row] = answer["results"]
            return str(row["basis"] if row["allowed"] else row["reason"])
        for row in answer.get("results", ()):
            assert row["status"] in ("recorded", "ignored"), row
            # Others may have been outrun, if the service had to do them again (R3).
            if self.action is Action.OPT_OUT and not self.keyed:
                assert (row["status"], row["in_force"]) == ("recorded", True), row
        return ""
