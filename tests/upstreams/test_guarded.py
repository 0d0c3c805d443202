"""An upstream behind its bots' circuit breakers (H8, R12)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.breaker import FAILURES, Breaker, State
from optin.domain.errors import StoreUnavailable
from optin.domain.events import SECOND
from optin.ports.upstream import Accepted, Failed, Fault, Outcome, Release, Retry, Unknown, Wait
from optin.upstreams.guarded import Breakers, GuardedUpstream
from tests.upstreams.test_meta import Released
from tests.upstreams.test_pacing import message
from tests.usecases.outbox import Clock

SHOP = Bot("shop", {"upstream": "meta", "meta.access_token": "old"})
EXPIRED = Retry("190: expired", 60 * SECOND, Fault.SENDER)
AWAY = Retry("not connected", fault=Fault.PROVIDER)
SENT = Accepted("wamid.1")


class Provider:
    """Ends as told; `outcome` None raises."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = SENT
        self.asked = 0
        self.releases = True
        self.go = asyncio.Event()
        self.go.set()

    async def hand_over(self, bot: Bot, message: Any, release: Release) -> Outcome:
        self.asked += 1
        outcome = self.outcome
        await self.go.wait()
        if self.releases and not isinstance(outcome, Wait) and outcome != AWAY:
            await release()
        if outcome is None:
            raise RuntimeError("a fault of ours")
        return outcome

    async def close(self) -> None:
        """Nothing is open."""


class Bench:
    """A guarded provider, the clock of its breakers, and what was heard."""

    def __init__(self) -> None:
        self.clock = Clock(0)
        self.provider = Provider()
        self.states: list[tuple[str, State]] = []
        self.heard: list[str] = []
        self.breakers = Breakers(self.clock, self._changed)
        self.guarded = GuardedUpstream(self.provider, self.breakers, self.heard.append)

    def _changed(self, bot_id: str, breaker: Breaker) -> None:
        self.states.append((bot_id, breaker.state))

    async def send(self, outcome: Outcome | None = SENT, bot: Bot = SHOP) -> Outcome:
        self.provider.outcome = outcome
        return await self.guarded.hand_over(bot, message("m", bot_id=bot.bot_id), Released())

    async def resting(self, bot: Bot = SHOP) -> bool:
        async def find(bot_id: str) -> Bot | None:
            return bot

        return bot.bot_id in await self.breakers.resting(find)


async def test_a_refused_sender_is_not_asked_again() -> None:
    """After 190 nothing reaches the provider until the wait is over: no bytes, no release."""
    bench = Bench()
    assert await bench.send(EXPIRED) == EXPIRED
    assert await bench.send() == Wait(None, rest=30 * SECOND)
    assert (bench.provider.asked, await bench.resting()) == (1, True)
    assert bench.breakers.not_closed()["shop"].why == "190: expired"


async def test_one_probe_opens_the_way_again() -> None:
    """After the wait one message goes; while it is under way no other does; it closes it."""
    bench = Bench()
    await bench.send(EXPIRED)
    bench.clock.now += 30 * SECOND
    assert not await bench.resting()
    bench.provider.go.clear()
    probe = asyncio.create_task(bench.send())
    await asyncio.sleep(0)
    assert isinstance(await bench.guarded.hand_over(SHOP, message("n"), Released()), Wait)
    assert await bench.resting()
    bench.provider.go.set()
    assert await probe == SENT
    assert (await bench.send(), bench.breakers.not_closed()) == (SENT, {})
    assert not await bench.resting()
    assert bench.states == [("shop", State.OPEN), ("shop", State.CLOSED)]


async def test_a_failed_probe_waits_longer() -> None:
    """Each probe that fails doubles the wait."""
    bench = Bench()
    await bench.send(EXPIRED)
    for wait in (60, 120, 240):
        bench.clock.now = bench.breakers.not_closed()["shop"].until
        assert await bench.send(EXPIRED) == EXPIRED
        assert await bench.send() == Wait(None, rest=wait * SECOND)


@pytest.mark.parametrize("outcome", [AWAY, Unknown("time-out"), None])
async def test_a_provider_that_fails_again_and_again(outcome: Outcome | None) -> None:
    """No connection, no answer, or our own fault after the release: five in a row open it."""
    bench = Bench()
    for _ in range(FAILURES):
        if outcome is None:
            with pytest.raises(RuntimeError):
                await bench.send(None)
        else:
            assert await bench.send(outcome) == outcome
    assert await bench.send() == Wait(None, rest=5 * SECOND)


@pytest.mark.parametrize("between", [SENT, Failed("132000: no"), Retry("131056: slow")])
async def test_an_answer_between_keeps_it_closed(between: Outcome) -> None:
    """A provider that answers now and then, even with a refusal of the message, is there."""
    bench = Bench()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            await bench.send(AWAY)
        assert await bench.send(between) == between
    assert bench.breakers.not_closed() == {}


async def test_what_never_left_says_nothing() -> None:
    """A probe that consent stops is followed by the next message at once, and closes nothing."""
    bench = Bench()
    await bench.send(EXPIRED)
    bench.clock.now += 30 * SECOND

    async def refuse() -> None:
        raise StoreUnavailable("withheld")

    bench.provider.outcome = SENT
    with pytest.raises(StoreUnavailable):
        await bench.guarded.hand_over(SHOP, message("m"), refuse)
    assert bench.breakers.not_closed()["shop"].state is State.OPEN
    assert await bench.send() == SENT


async def test_a_mended_setting_is_tried_at_once() -> None:
    """With another token the bot begins anew, and what the old one still brings does not count."""
    bench = Bench()
    bench.provider.go.clear()
    bench.provider.outcome = EXPIRED
    late = asyncio.create_task(bench.send(EXPIRED))
    await asyncio.sleep(0)
    bench.provider.go.set()
    await bench.send(EXPIRED)
    mended = Bot("shop", {**SHOP.settings, "meta.access_token": "new"})
    assert await bench.resting(SHOP)
    assert not await bench.resting(mended)
    assert await bench.send(SENT, mended) == SENT
    await late
    assert await bench.send(SENT, mended) == SENT
    assert bench.states[-1] == ("shop", State.CLOSED)
    assert await bench.send(SENT, Bot("shop", {**mended.settings, "name": "x"})) == SENT


async def test_another_way_is_taken_without_being_looked_for() -> None:
    """A message that comes with new settings is not held up by what the old ones met."""
    bench = Bench()
    await bench.send(EXPIRED)
    assert (
        await bench.send(SENT, Bot("shop", {**SHOP.settings, "meta.api_version": "v26.0"})) == SENT
    )


async def test_a_fault_of_ours_closes_nothing() -> None:
    """A probe that fails before its release (a setting is missing) says nothing of the provider."""
    bench = Bench()
    await bench.send(EXPIRED)
    bench.clock.now += 30 * SECOND
    bench.provider.releases = False
    missing = Failed("setting meta.access_token is missing")
    assert await bench.send(missing) == missing
    assert bench.breakers.not_closed()["shop"].state is State.OPEN


async def test_bots_do_not_share_a_breaker() -> None:
    """One bot's expired token is nobody else's trouble."""
    bench = Bench()
    await bench.send(EXPIRED)
    assert await bench.send(SENT, Bot("other")) == SENT


async def test_outcomes_are_heard() -> None:
    """Every hand-over that was let through is told of, once."""
    bench = Bench()
    for outcome in (SENT, Failed("no"), Unknown("?"), Wait(5), EXPIRED):
        await bench.send(outcome)
    await bench.send()
    assert bench.heard == ["accepted", "failed", "unknown", "wait", "retry"]


async def test_a_number_that_is_busy_rests() -> None:
    """When the number's turns are spoken for, nothing more of the bot is taken up meanwhile."""
    bench = Bench()
    await bench.send(Wait(None, rest=SECOND))
    assert await bench.resting()
    bench.clock.now += SECOND
    assert not await bench.resting()
    assert bench.breakers.not_closed() == {}
