"""The number's rate holds for all worker processes together (H8)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.acceptance.program import Program
from tests.acceptance.waiting import until
from tests.upstreams.cloud_api import NUMBER, TOKEN, cloud_api

RATE, MANY = 20, 120


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_the_rate_is_the_number_s_however_many_workers(tmp_path: Path, workers: int) -> None:
    """No second has more than `meta.messages_per_second`, and little of it is left unused: each
    process keeps to its share, none waits for another."""
    came: list[float] = []

    async def noted(request: web.Request) -> web.StreamResponse:
        came.append(time.monotonic())
        return web.json_response({"messages": [{"id": f"wamid.{len(came)}"}]})

    async with cloud_api() as api:
        api.behaviour = noted
        program = Program(tmp_path, "--workers", str(workers))
        settings = {
            "upstream": "meta",
            "enforce": "none",
            "meta.base_url": api.base_url,
            "meta.phone_number_id": NUMBER,
            "meta.access_token": TOKEN,
            "meta.messages_per_second": str(RATE),
        }
        token = await asyncio.to_thread(lambda: program.add_bot("shop", **settings))
        await asyncio.to_thread(program.start)
        try:
            await send(program, token)
            await until(lambda: len(came) == MANY, 40)
        finally:
            await asyncio.to_thread(program.__exit__)
    # On a busy machine a process wakes up late at times, and messages fall into the next second.
    fullest = max(sum(at <= other < at + 1 for other in came[n:]) for n, at in enumerate(came))
    took = came[-1] - came[0]
    print(f"{workers} workers: {MANY} in {took:.1f} s, {fullest} in the fullest second")
    assert fullest <= 1.25 * RATE + workers
    assert took < 1.5 * MANY / RATE


async def send(program: Program, token: str) -> None:
    """As many messages as wanted, each to somebody else."""
    numbers = [f"4673{n:07}" for n in range(MANY)]
    message = {"type": "template", "template_name": "order_ready", "language": "en"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        for first in range(0, MANY, 20):
            body = {"to": numbers[first : first + 20], "message": message}
            url = f"{program.url}/whatsapp/v1/shop/messages"
            async with session.post(url, json=body) as answer:
                assert answer.status == 201, await answer.text()
