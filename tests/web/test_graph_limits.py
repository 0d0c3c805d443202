"""The Graph face: what a limit of ours holds up, told as Meta tells it (SPEC 7, H8)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest_asyncio

from optin.domain.breaker import FAILURES
from optin.domain.throughput import PAIR_BURST
from tests.conftest import OpenStore
from tests.upstreams.cloud_api import NUMBER, answering, graph_error, hanging
from tests.web.doors import ANNA, BOT
from tests.web.graph_face import TEXT, Face, error, open_face


@pytest_asyncio.fixture
async def face(open_store: OpenStore) -> AsyncIterator[Face]:
    async with open_face(open_store) as opened:
        await opened.says("message")
        yield opened


async def test_a_sender_that_was_refused_is_not_asked_again(face: Face) -> None:
    """131016 with 503 and when to come back; nothing sent, and nothing on record."""
    face.api.behaviour = answering(graph_error(190), 401)
    assert error(await face.post(**TEXT))[:2] == (401, 190)
    answer = await face.post(**TEXT)
    assert error(answer) == (503, 131016, "upstream_on_hold")
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert answer.json()["error"]["is_transient"] is True
    assert "x-optin-message-id" not in answer.headers
    assert len(face.api.taken) == 1
    face.api.behaviour = None
    await face.set(meta__api_version="v26.0")  # a mended setting is tried at once
    assert (await face.post(**TEXT)).status_code == 200


async def test_a_provider_that_fails_is_left_alone(face: Face) -> None:
    """Time-outs in a row; a message of another bot's, or unjudged calls, would go on."""
    face.api.behaviour = hanging
    for _ in range(FAILURES):
        assert error(await face.post(**TEXT))[0] == 424
    assert error(await face.post(**TEXT))[:2] == (503, 131016)
    assert len(face.api.taken) == FAILURES
    assert (await face.call("GET", NUMBER)).status_code == 200


async def test_a_provider_that_is_away_is_left_alone(face: Face) -> None:
    """It could not be reached so often that nobody tries for a while."""
    await face.set(meta__base_url="http://127.0.0.1:1")
    told = [error(await face.post(**TEXT)) for _ in range(FAILURES + 1)]
    assert [each[:2] for each in told] == [(503, 131016)] * (FAILURES + 1)
    assert [each[2] for each in told[-2:]] == ["not connected", "upstream_on_hold"]


async def test_too_many_to_one_recipient(face: Face) -> None:
    """Meta's 131056, with 429 and when to come back; others are served."""
    for _ in range(PAIR_BURST):
        assert (await face.post(**TEXT)).status_code == 200
    answer = await face.post(**TEXT)
    assert error(answer) == (429, 131056, "pair_rate")
    assert 1 <= int(answer.headers["retry-after"]) <= 6
    assert len(face.api.taken) == PAIR_BURST
    other = await face.template("sale", to="+46732001144")
    assert error(other)[2] == "no_opt_in"


async def test_too_many_of_one_number(face: Face) -> None:
    """Meta's 130429; a turn within a second is waited for."""
    await face.set(meta__messages_per_second="2")
    begun = time.monotonic()
    for _ in range(2):
        assert (await face.post(**TEXT)).status_code == 200
    assert time.monotonic() - begun > 0.4
    bot = await face.doors.store.bot(BOT)
    assert bot is not None
    for n in range(3):
        face.pacing.at_once(bot, 2, f"4670000000{n}")
    answer = await face.post(**TEXT)
    assert error(answer) == (429, 130429, "number_rate")
    assert int(answer.headers["retry-after"]) >= 1
    assert len(face.api.taken) == 2


async def test_limits_come_before_judging(face: Face) -> None:
    """H8: what is held up is not judged, so somebody who may not be messaged is no 131050 then."""
    for _ in range(PAIR_BURST):
        await face.post(**TEXT)
    await face.says("opt_out", ANNA)
    assert error(await face.post(**TEXT))[1] == 131056
    assert error(await face.template("sale", to="+46732001155"))[1] == 131050
