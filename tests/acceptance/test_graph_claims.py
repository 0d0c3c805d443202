"""The Graph face's claims, which are flushed while the message is on its way: R6, R12, R13, H8.

Several clients relay at once, with opt-outs between, against a provider that keeps what it got.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import resource
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.program import Program
from tests.acceptance.test_full_disk import UNLIMITED
from tests.acceptance.test_opt_out_bites import claims_while_out
from tests.upstreams.cloud_api import NUMBER, TOKEN, VERSION, CloudApi, cloud_api

ONE, TWO = (), ("--workers", "2")
REFUSED = 131050


@dataclass
class Client:
    """A business that relays to many people; each message is told apart by its text."""

    program: Program
    session: aiohttp.ClientSession
    texts: Any = field(default_factory=itertools.count)

    async def provision(self, method: str, *numbers: str) -> int:
        url = f"{self.program.url}/whatsapp/v1/b1/provision/optin"
        async with self.session.request(method, url, json={"numbers": numbers}) as answer:
            return answer.status

    async def relay(self, who: str, mark: str) -> tuple[int, int]:
        """Status and Graph's error code, 0 if none."""
        parameters = [{"type": "text", "text": f"{mark}-{next(self.texts)}"}]
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": f"+{who}",
            "type": "template",
            "template": {
                "name": "order_ready",
                "language": {"code": "en"},
                "components": [{"type": "body", "parameters": parameters}],
            },
        }
        url = f"{self.program.url}/graph/{VERSION}/{NUMBER}/messages"
        async with self.session.post(url, json=body) as answer:
            told = await answer.json()
            return answer.status, told.get("error", {}).get("code", 0)


@asynccontextmanager
async def clients(api: CloudApi, folder: Path, *options: str) -> AsyncIterator[Client]:
    program = Program(folder, *options)
    settings = {
        "upstream": "meta",
        "meta.base_url": api.base_url,
        "meta.phone_number_id": NUMBER,
        "meta.access_token": TOKEN,
        "meta.messages_per_second": "1000",
    }
    token = program.add_bot("b1", **settings)
    made = program.command("template", "set", "--bot", "b1", "order_ready", "en", "utility")
    assert not made.returncode
    headers = {"Authorization": f"Bearer {token}"}
    with program:
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Client(program, session)


def who(number: int) -> str:
    return f"4673{number:07d}"


def taken(api: CloudApi) -> list[tuple[str, str]]:
    """(whom, which) of all that reached the provider."""
    return [
        (body["to"].lstrip("+"), parameter["text"])
        for body in api.taken
        for component in body["template"]["components"]
        for parameter in component["parameters"]
    ]


async def rounds(client: Client, count: int) -> None:
    """Opted in, relayed to, opted out and relayed to again, while others do the same."""
    chance = random.Random(count)

    async def disturb(number: int) -> None:
        for turn in itertools.count():
            other = who(5_000_000 + number * 100_000 + turn)
            await client.provision("POST", other)
            await client.relay(other, "other")

    others = [asyncio.create_task(disturb(n)) for n in range(3)]
    for number in range(count):
        assert await client.provision("POST", who(number)) == 200
        before = [asyncio.create_task(client.relay(who(number), "before")) for _ in range(2)]
        await asyncio.sleep(chance.uniform(0, 0.01))
        assert await client.provision("DELETE", who(number)) == 200
        after = [client.relay(who(number), "after") for _ in range(2)]
        assert await asyncio.gather(*after) == [(400, REFUSED)] * 2
        assert {each for each, _ in await asyncio.gather(*before)} <= {200, 400}
    for task in others:
        assert not task.done(), "a disturbing client failed"
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("options", [ONE, TWO], ids=["one process", "two workers"])
@pytest.mark.parametrize("count", [50, pytest.param(1_000, marks=pytest.mark.long)])
async def test_nothing_is_relayed_after_an_opt_out(
    tmp_path: Path, options: tuple[str, ...], count: int
) -> None:
    """R6: what was acknowledged bites, though claims are committed apart from other commits."""
    async with cloud_api() as api:
        async with clients(api, tmp_path, *options) as client:
            await rounds(client, count)
        reached = [mark.partition("-")[0] for _, mark in taken(api)]
        print({mark: reached.count(mark) for mark in set(reached)})
        assert reached.count("before") > count / 2
        assert "after" not in reached
        assert claims_while_out(tmp_path / "optin.db") == []
        assert api.objections == []


def claimed(database: Path) -> set[str]:
    with sqlite3.connect(database) as file:
        found = file.execute(
            "SELECT identity FROM messages WHERE claimed > 0 AND passed"
        ).fetchall()
    file.close()
    return {identity for (identity,) in found}


@pytest.mark.parametrize("options", [ONE, TWO], ids=["one process", "two workers"])
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.long)])
async def test_kill_9_forgets_no_message_that_left(
    tmp_path: Path, options: tuple[str, ...], kills: int
) -> None:
    """R13: the claim is committed before the first byte leaves, and outlives the process."""
    numbers = itertools.count()
    chance = random.Random(len(options))

    async def fire(client: Client) -> None:
        with suppress(aiohttp.ClientError):
            while True:
                assert await client.relay(who(next(numbers)), "fired") == (200, 0)

    async with cloud_api() as api, clients(api, tmp_path, *options) as client:
        for start in range(0, 1_000 * kills, 20):
            people = map(who, range(start, start + 20))
            assert await client.provision("POST", *people) == 200
        for _ in range(kills):
            firing = [asyncio.create_task(fire(client)) for _ in range(4)]
            before = len(taken(api))
            while len(taken(api)) - before < chance.uniform(20, 80):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
            client.program.kill()
            await asyncio.gather(*firing)
            left = {to for to, _ in taken(api)}
            assert left - claimed(tmp_path / "optin.db") == set()
            client.program.start()
        assert len(taken(api)) == len(left)
        print(f"{len(left)} messages left before {kills} kills, each on record")


async def test_a_full_disk_lets_nothing_leave(tmp_path: Path) -> None:
    """R12: what cannot be claimed is not sent, and goes again once there is room."""
    async with cloud_api() as api, clients(api, tmp_path) as client:
        assert await client.provision("POST", who(1), who(2)) == 200
        assert await client.relay(who(1), "first") == (200, 0)
        full = (1, resource.RLIM_INFINITY)
        resource.prlimit(client.program.pid, resource.RLIMIT_FSIZE, full)
        for _ in range(3):
            assert await client.relay(who(2), "full") == (503, 131016)
        resource.prlimit(client.program.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        assert await client.relay(who(2), "again") == (200, 0)
        assert [mark.partition("-")[0] for _, mark in taken(api)] == ["first", "again"]
