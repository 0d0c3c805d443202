"""H8, R6, R13: a provider that fails in every way, opt-outs and `kill -9` under load.

Whatever happens, no message reaches the provider twice, none after its contact's opt-out was
acknowledged, none is lost, and each ends in one final state.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.soaking import Soak
from tests.acceptance.test_opt_out_bites import claims_while_out
from tests.upstreams.failing_api import failing_api

ONE, TWO = (), ("--workers", "2")


async def campaign(folder: Path, messages: int, kills: int, *options: str) -> None:
    """The whole soak, its checks, and its figures."""
    async with failing_api(messages) as api:
        soak = Soak(folder, api, messages, kills, options)
        async with soak.serving():
            await soak.opt_everybody_in()
            await soak.load()
            await soak.until_few_wait()
            api.well = True
            await soak.until_nothing_waits()
            await api.all_told()
            late = soak.taken_after_their_opt_out()
            assert claims_while_out(folder / "optin.db") == []
            assert [row.stage for row in late if row.claimed > soak.recorded_opt_out(row)] == []
            soak.check_what_became_of_each()
            requests = api.requests.total()
            unknown = await soak.a_day_passes()
            assert api.requests.total() == requests
        print(soak.figures(late=len(late), unknown=unknown))
        assert {row.stage for row in soak.messages()} == {"settled"}
        assert (api.twice, api.again) == ([], [])
        assert (api.strict.objections, api.turned_away) == ([], [])
        assert soak.acknowledged <= {row.message_id for row in soak.messages()}
        assert len(soak.acknowledged) >= messages
        assert soak.memory_grew < 64


@pytest.mark.parametrize("options", [ONE, TWO], ids=["one process", "two workers"])
async def test_a_provider_that_fails_in_every_way(tmp_path: Path, options: tuple[str, ...]) -> None:
    """H8: 1,000 messages, 100 opt-outs, 3 kills: each is handed over at most once and ends once."""
    await asyncio.wait_for(campaign(tmp_path, 1_000, 3, *options), 240)


@pytest.mark.long
@pytest.mark.parametrize("options", [ONE, TWO], ids=["one process", "two workers"])
async def test_a_long_soak(tmp_path: Path, options: tuple[str, ...]) -> None:
    """H8: the same with 20,000 messages, 2,000 opt-outs and 20 kills."""
    await asyncio.wait_for(campaign(tmp_path, 20_000, 20, *options), 3600)
