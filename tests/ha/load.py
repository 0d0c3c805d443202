"""Clients of two nodes that go on through a failover, and remember what they were told."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import aiohttp

BOT = "b1"
_PATIENCE = aiohttp.ClientTimeout(total=90)
#: Between two calls of a client: the machine has three servers and this load on two cores.
_PAUSE = 0.02


@dataclass
class Log:
    """What was asked for and what came of it, by the MSISDN and the kind of event.

    `done`: acknowledged by a 2xx. `asked`: how often a call for it was sent that may be done once
    each. `acknowledged`: when, in seconds of the monotonic clock, by node. `revived`: allowed after
    its acknowledged opt-out (R6). `statuses`: of all answers; 0 is a lost connection.
    """

    done: set[tuple[str, str]] = field(default_factory=set)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    acknowledged: list[list[float]] = field(default_factory=lambda: [[], []])
    revived: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """How many calls that write were acknowledged."""
        return sum(map(len, self.acknowledged))

    def outage(self, since: float, until: float) -> float:
        """The longest time without an acknowledged write at a node, from `since` to `until`."""
        return max(_longest_gap(times, since, until) for times in self.acknowledged)

    def again_at_all(self, since: float) -> bool:
        """Whether every node acknowledged something later than that."""
        return all(times and times[-1] > since for times in self.acknowledged)


class Clients:
    """Eight clients at two nodes: six opt lists of numbers in and out, two repeat until told."""

    def __init__(self, nodes: Sequence[str], token: str, log: Log) -> None:
        """`nodes`: the two services' addresses."""
        self._nodes = nodes
        self._token = token
        self._log = log
        self._numbers = itertools.count(46_700_000_000)
        self._ending = threading.Event()

    async def run(self) -> None:
        """Until `stop`; ends when every call under way has its answer."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with aiohttp.ClientSession(headers=headers, timeout=_PATIENCE) as session:
            turns = [self._in_and_out(session, client % 2) for client in range(6)]
            turns += [self._insisting(session, node) for node in (0, 1)]
            await asyncio.gather(*turns)

    def stop(self) -> None:
        """Begins nothing new; from any thread."""
        self._ending.set()

    async def _in_and_out(self, session: aiohttp.ClientSession, here: int) -> None:
        """Opts a list in here, every second one out at the other node, and then asks both."""
        for size, goes in zip(itertools.cycle((1, 3, 20)), itertools.cycle((True, False))):
            if self._ending.is_set():
                return
            who = self._fresh(size)
            told = await self._provision(session, here, "POST", "opt_in", who)
            if told and goes:
                told = await self._provision(session, 1 - here, "DELETE", "opt_out", who)
                if told:
                    await asyncio.gather(*(self._ask(session, node, who) for node in (0, 1)))
            await asyncio.sleep(_PAUSE)

    async def _insisting(self, session: aiohttp.ClientSession, node: int) -> None:
        """Repeats a call with its key, at one node and the other, until it is answered."""
        while not self._ending.is_set():
            [who] = self._fresh(1)
            item = {"identity": who, "action": "opt_in", "evidence": {"channel": "in_person"}}
            key = {"Idempotency-Key": str(uuid.uuid4())}
            self._log.asked[who, "opt_in"] += 1
            for turn in itertools.count(node):
                if self._ending.is_set():
                    return  # not acknowledged: it may be there or not
                path = f"/v1/bots/{BOT}/consents"
                if await self._call(session, turn % 2, "POST", path, {"items": [item]}, key):
                    self._log.done.add((who, "opt_in"))
                    break
                await asyncio.sleep(0.25)
            await asyncio.sleep(_PAUSE)

    async def _provision(
        self, session: aiohttp.ClientSession, node: int, method: str, kind: str, who: list[str]
    ) -> bool:
        self._log.asked.update((number, kind) for number in who)
        path = f"/whatsapp/v1/{BOT}/provision/optin"
        done = await self._call(session, node, method, path, {"numbers": who})
        if done:
            self._log.done.update((number, kind) for number in who)
        else:
            await asyncio.sleep(0.25)
        return done

    async def _call(
        self,
        session: aiohttp.ClientSession,
        node: int,
        method: str,
        path: str,
        body: object,
        headers: dict[str, str] | None = None,
    ) -> bool:
        """Whether a write was acknowledged; anything but 2xx and "later" is a failure."""
        url = f"{self._nodes[node]}{path}"
        try:
            async with session.request(method, url, json=body, headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            self._log.statuses[0] += 1
            return False
        self._log.statuses[answer.status] += 1
        assert answer.status in (200, 409, 429, 503), f"{answer.status}: {text}"
        if answer.status == 200:
            self._log.acknowledged[node].append(time.monotonic())
        return answer.status == 200

    async def _ask(self, session: aiohttp.ClientSession, node: int, who: list[str]) -> None:
        url = f"{self._nodes[node]}/v1/bots/{BOT}/check"
        try:
            async with session.post(url, json={"identities": who}) as answer:
                told = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return
        if answer.status == 200:
            judged = zip(who, told["results"], strict=True)
            self._log.revived += [number for number, result in judged if result["allowed"]]

    def _fresh(self, count: int) -> list[str]:
        return [str(next(self._numbers)) for _ in range(count)]


def _longest_gap(times: Sequence[float], since: float, until: float) -> float:
    edges: Iterator[tuple[float, float]] = itertools.pairwise([*times, until])
    return max((b - a for a, b in edges if b > since and a < until), default=until - since)
