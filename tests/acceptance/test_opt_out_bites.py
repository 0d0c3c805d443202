"""R6, H8: after an acknowledged opt-out nothing reaches the provider, whatever is under way."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.program import Program
from tests.upstreams.cloud_api import NUMBER, TOKEN, CloudApi, cloud_api


class Round:
    """One bot's business that talks to the service in many requests at once."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._legacy = f"{url}/whatsapp/v1/b1"
        self._check = f"{url}/v1/bots/b1/check"
        self._session = session
        self._texts = itertools.count()
        self.who = ""

    async def provision(self, method: str, number: str = "") -> None:
        url = f"{self._legacy}/provision/optin"
        body = {"numbers": [number or self.who]}
        async with self._session.request(method, url, json=body) as answer:
            assert (answer.status, await answer.read()) == (200, b"")

    async def send(self, mark: str) -> str:
        """The state of the one row; `mark` travels in the message."""
        message = {
            "type": "template",
            "template_name": "order_ready",
            "language": "en",
            "body_params": [f"{mark}-{next(self._texts)}"],
        }
        body = {"to": [self.who], "message": message}
        async with self._session.post(f"{self._legacy}/messages", json=body) as answer:
            assert answer.status == 201, await answer.text()
            [row] = (await answer.json())["statuses"]
            return str(row["state"])

    async def check(self) -> bool:
        async with self._session.post(self._check, json={"identities": [self.who]}) as answer:
            return bool((await answer.json())["results"][0]["allowed"])

    async def disturb(self, number: int) -> None:
        """Other requests for the same number, without end."""
        while True:
            await (self.send("before") if number % 2 else self.check())
            await self.provision("POST", f"4670{number:07d}")


async def rounds(url: str, token: str, count: int) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        business = Round(url, session)
        chance = random.Random(count)
        business.who = "46732001122"
        others = [asyncio.create_task(business.disturb(n)) for n in range(4)]
        for number in range(count):
            # Each round is about another person: one pair may have few messages at a time.
            business.who = f"4673{number:07d}"
            await business.provision("POST")
            await asyncio.gather(business.send("before"), business.send("before"))
            await asyncio.sleep(chance.uniform(0, 0.02))
            await business.provision("DELETE")
            answers = tuple(
                await asyncio.gather(
                    business.check(),
                    business.send("after"),
                    business.send("after"),
                    business.check(),
                )
            )
            assert answers == (False, "no_opt_in", "no_opt_in", False)
        for task in others:
            assert not task.done(), "a disturbing client failed"
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def marks(api: CloudApi) -> list[str]:
    """The texts that reached the provider."""
    return [
        parameter["text"]
        for body in api.taken
        for component in body["template"]["components"]
        for parameter in component["parameters"]
    ]


def claims_while_out(database: Path) -> list[Any]:
    """Messages judged at a moment at which the newest event of their contact was an opt-out.

    Works of one batch share one time, and their order is not kept: a message that was judged in the
    same batch as an event of its contact is left out.
    """
    with sqlite3.connect(database) as file:
        return file.execute(
            """SELECT message_id, claimed FROM messages m WHERE claimed > 0 AND 'opt_out' = (
                 SELECT kind FROM events e WHERE e.bot_id = m.bot_id AND e.identity = m.identity
                 AND e.recorded < m.claimed ORDER BY effective DESC LIMIT 1)
               AND NOT EXISTS (SELECT 1 FROM events e WHERE e.bot_id = m.bot_id
                 AND e.identity = m.identity AND e.recorded = m.claimed)"""
        ).fetchall()


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
async def test_a_thousand_rounds_of_opt_out_then_send(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """R6: opt out, acknowledged, then send; other requests for the same number are under way."""
    async with cloud_api() as api:
        program = Program(tmp_path, *options)
        token = program.add_bot(
            "b1",
            **{
                "upstream": "meta",
                "meta.base_url": api.base_url,
                "meta.phone_number_id": NUMBER,
                "meta.access_token": TOKEN,
                "meta.messages_per_second": "1000",
            },
        )
        assert not program.command(
            "template", "set", "--bot", "b1", "order_ready", "en", "utility"
        ).returncode
        with program:
            await rounds(program.url, token, 300 if options else 1000)
            await asyncio.sleep(0.5)
        reached = marks(api)
        print(f"{len(reached)} messages reached the provider, none after its opt-out")
        assert len(reached) > 100
        assert not [mark for mark in reached if mark.startswith("after")]
        assert claims_while_out(tmp_path / "optin.db") == []
        assert api.objections == []
