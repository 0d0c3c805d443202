"""A line to PostgreSQL that says nothing any more, as when the server's machine is gone."""

from __future__ import annotations

import asyncio

import pytest

from optin.domain.errors import StoreUnavailable
from optin.domain.events import Kind
from optin.stores.postgres import connection
from tests.stores.postgres.server import fresh_database
from tests.stores.postgres.test_failures import opened
from tests.stores.postgres.wire import wire_to
from tests.stores.works import BOT, WHO, claim, record


async def test_a_silent_line_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """R12: a line that is gone without a word fails what reads over it, in bounded time; what
    begins when the line is back is answered."""
    async with (
        fresh_database() as url,
        wire_to(url) as (wire, through),
        opened(through) as store,
    ):
        await store.commit(record(claim(Kind.OPT_IN)))
        for limit in ("WORK", "CONNECT"):
            monkeypatch.setattr(connection, limit, 0.5)
        wire.flows.clear()
        calls = [store.read(BOT, [WHO]), store.token(b"none"), store.bots()]
        answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 15)
        wire.flows.set()
        assert [type(answer) for answer in answers] == [StoreUnavailable] * len(calls)
        assert (await store.read(BOT, [WHO])).clocks[WHO].opt_in > 0
        assert await store.token(b"none") is None
