"""H8, R12: the provider is gone, hangs, or refuses the token, while messages pile up.

Nothing is lost, nothing goes out twice, the queue waits on disk and not in memory, and what is
still alive afterwards goes out in its order.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from optin.domain.breaker import FAILURES
from optin.worker import FOR_ONE
from tests.acceptance.soaking import BOT, Soak
from tests.acceptance.waiting import until
from tests.upstreams.cloud_api import TOKEN
from tests.upstreams.failing_api import FailingApi, listening
from tests.upstreams.failing_ways import Answer, Plan, Way

MANY = 1_500
#: Probes of the breaker within a minute, at most: after 5, 10, 20 and 40 seconds.
_PROBES = 4


class Quiet(Plan):
    """Nothing is reported of what was taken."""

    def reports(self, correlation: str) -> list[str]:
        return []


class Hanging(Quiet):
    """Every request hangs, and nothing is taken."""

    def way(self, correlation: str, attempt: int) -> Way:
        return Way(Answer.HANG, False)


async def ended_well(soak: Soak, api: FailingApi) -> None:
    """Everything that was alive went out once and in its order: a message has passed only such as
    were on their way together with it. Memory stayed what it was."""
    await soak.until_nothing_waits()
    soak.check_what_became_of_each()
    assert soak.most_passed() < FOR_ONE
    assert soak.acknowledged <= {row.message_id for row in soak.messages()}
    assert (api.twice, api.again) == ([], [])
    assert soak.memory_grew < 32


def failed_by_us(soak: Soak) -> list[str]:
    """What failed although the provider took it and reported no failure of its own (131049)."""
    failed = [row.details for row in soak.messages() if row.state == "failed"]
    return [details for details in failed if not details.startswith("131049")]


async def test_a_provider_that_is_gone_for_a_while(tmp_path: Path) -> None:
    """1,500 messages wait while nobody listens at the provider's port; then all go, in order."""
    api = FailingApi(Quiet(1), well=True)
    async with listening(api) as port:
        soak = Soak(tmp_path, api, MANY, 0, ())
    async with soak.serving():
        await soak.opt_everybody_in()
        await soak.load()
        await asyncio.sleep(1)
        assert not api.taken
        assert {row.state for row in soak.messages()} <= {"queued", "no_opt_in"}
        async with listening(api, port):
            await ended_well(soak, api)
    print(f"{len(api.taken)} messages went out; none passed more than {soak.most_passed()}")
    assert len(api.taken) > MANY / 2
    assert failed_by_us(soak) == []


async def test_a_provider_that_hangs(tmp_path: Path) -> None:
    """Only as many are on their way as may be; they are never sent again, the others go later."""
    api = FailingApi(Hanging(1))
    async with listening(api):
        soak = Soak(tmp_path, api, MANY, 0, ())
        async with soak.serving():
            await soak.opt_everybody_in()
            await soak.load()
            await until(lambda: api.under_way == 0)
            hung = set(api.uncertain)
            # The first time-outs make room for others, one each, until the breaker has opened. The
            # provider notices a hung-up client later than the client itself does.
            assert 0 < api.most_under_way <= FOR_ONE + FAILURES - 1
            assert len(hung) <= FOR_ONE + FAILURES - 1 + _PROBES
            api.well = True
            await ended_well(soak, api)
        rows = {row.message_id: row for row in soak.messages()}
        assert {rows[message_id].stage for message_id in hung} == {"claimed"}
        assert hung & set(api.taken) == set()
        print(f"{len(hung)} hung, {len(api.taken)} went out, {api.most_under_way} at once at most")
        assert len(api.taken) > MANY / 2


async def test_a_token_that_has_expired(tmp_path: Path) -> None:
    """Messages wait for the operator's new token; none fails, none is lost, none goes without."""
    api = FailingApi(Quiet(1), well=True)
    async with listening(api):
        soak = Soak(tmp_path, api, 200, 0, ())
        expired = ("bot", "set", BOT, "meta.access_token=EAAG-expired")
        assert soak.program.command(*expired).returncode == 0
        async with soak.serving():
            await soak.opt_everybody_in()
            await soak.load()
            await until(lambda: api.strict.objections)
            await asyncio.sleep(1)
            assert (set(api.strict.objections), dict(api.taken)) == ({"token"}, {})
            assert {row.state for row in soak.messages()} <= {"queued", "no_opt_in"}
            renewed = ("bot", "set", BOT, f"meta.access_token={TOKEN}")
            done = await asyncio.to_thread(soak.program.command, *renewed)
            assert done.returncode == 0, done.stderr
            await ended_well(soak, api)
        refused = len(api.strict.objections)
        print(f"{refused} requests were refused for the token, {len(api.taken)} went out then")
        assert failed_by_us(soak) == []
