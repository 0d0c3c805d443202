"""The connections that bots share: none of them can have them all (H6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from optin.domain.bots import Bot
from optin.ports.graph import Content, GraphCall, NotReached
from optin.upstreams.connecting import ReleasingClient
from optin.upstreams.graph import CloudGraph
from optin.upstreams.sharing import SharedSession

ONE_HANGS, OTHERS = 100, 3


@asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """Answers at once, but for /slow; each file has a beginning and no end."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/file":
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"x")
            await asyncio.Event().wait()
        if request.path == "/v25.0/slow":
            await asyncio.Event().wait()
        return web.json_response({"id": "1"})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def a_bot(name: str, base_url: str) -> Bot:
    return Bot(name, {"meta.base_url": base_url, "meta.access_token": "t"})


async def asked(shared: SharedSession, bot: str, url: str) -> int:
    """The status of a call that is answered at once."""
    async with shared.place(bot) as session, session.get(f"{url}/1") as answer:
        return answer.status


async def begun(graph: CloudGraph, bot: Bot, url: str, opened: AsyncExitStack) -> None:
    """A download of which a first byte came, and which stays open."""
    file = await opened.enter_async_context(graph.download(bot, f"{url}/file"))
    assert file.status == 200


async def test_one_bots_downloads_leave_room_for_all_other_calls() -> None:
    """However many it opens and leaves: reads, receipts and other bots' files go on."""
    async with provider() as url, AsyncExitStack() as opened:
        graph = CloudGraph(ReleasingClient(), 5.0)
        opened.push_async_callback(graph.close)
        one, other = a_bot("one", url), a_bot("other", url)
        rush = [asyncio.create_task(begun(graph, one, url, opened)) for _ in range(ONE_HANGS)]
        await asyncio.wait(rush, timeout=1.0)
        receipt = Content("application/json", b"{}", 2)
        async with asyncio.timeout(2.0):
            for bot in (one, other):
                assert (await graph.call(bot, GraphCall("GET", "v25.0/1"))).status == 200
                posted = GraphCall("POST", "v25.0/1/messages", {}, receipt)
                assert (await graph.call(bot, posted)).status == 200
            for _ in range(OTHERS):
                await begun(graph, other, url, opened)
        for task in rush:
            task.cancel()
        await asyncio.gather(*rush, return_exceptions=True)


async def test_one_bots_calls_leave_room_for_other_bots() -> None:
    """A provider that hangs for one bot hangs for that bot alone."""
    async with provider() as url:
        graph = CloudGraph(ReleasingClient(), 5.0)
        one, other = a_bot("one", url), a_bot("other", url)
        slow = GraphCall("GET", "v25.0/slow")
        rush = [asyncio.create_task(graph.call(one, slow)) for _ in range(ONE_HANGS)]
        await asyncio.wait(rush, timeout=0.5)
        async with asyncio.timeout(2.0):
            assert (await graph.call(other, GraphCall("GET", "v25.0/1"))).status == 200
        for task in rush:
            task.cancel()
        await asyncio.gather(*rush, return_exceptions=True)
        await graph.close()


@pytest.mark.parametrize(("limit", "share", "bot"), [(10, 1, "one"), (1, 10, "other")])
async def test_nobody_waits_for_a_place_without_end(limit: int, share: int, bot: str) -> None:
    """Neither for one of the bot's own nor for one of all."""
    async with provider() as url:
        shared = SharedSession(limit, share, 5.0, patience=0.1)
        async with (
            shared.place("one") as session,
            session.get(f"{url}/file"),
        ):
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asked(shared, bot, url), 2.0)
            assert time.monotonic() - begun < 1.0
        assert await asked(shared, bot, url) == 200
        await shared.close()


@pytest.mark.parametrize("url", ["https://[::1", "https://user:p@files.example/1", "file:///etc"])
async def test_odd_addresses_of_files_are_not_asked(url: str) -> None:
    """Our token goes to none of them."""
    graph: Any = CloudGraph(ReleasingClient(), 1.0)
    with pytest.raises(NotReached):
        async with graph.download(a_bot("one", "https://graph.example"), url):
            raise AssertionError
    await graph.close()
