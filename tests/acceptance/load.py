"""Clients that load a running service and remember what was acknowledged."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp


@dataclass
class Log:
    """What the clients asked for: lists of numbers, by whether the service said 200."""

    acknowledged: list[list[str]] = field(default_factory=list)
    unanswered: list[list[str]] = field(default_factory=list)


def lists_of_numbers(start: int) -> Iterator[list[str]]:
    """Lists of 1, 3 or 20 numbers; no number comes twice."""
    numbers = itertools.count(46_700_000_000 + start)
    for size in itertools.cycle((1, 3, 20, 3)):
        yield [str(next(numbers)) for _ in range(size)]


async def load(
    url: str, token: str, method: str, lists: Iterator[list[str]], log: Log, clients: int = 8
) -> None:
    """`clients` at once send lists until cancelled or refused a connection."""
    headers = {"Authorization": f"Bearer {token}"}

    async def client(session: aiohttp.ClientSession) -> None:
        for numbers in lists:
            try:
                async with session.request(
                    method, url, json={"numbers": numbers}, headers=headers
                ) as answer:
                    await answer.read()
                    assert answer.status in (200, 429, 503), answer.status
                    side = log.acknowledged if answer.status == 200 else log.unanswered
                    side.append(numbers)
            except aiohttp.ClientError:
                log.unanswered.append(numbers)
                return

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
