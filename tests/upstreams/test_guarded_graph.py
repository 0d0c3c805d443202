"""Cloud API clients' messages keep to the limits of the bot's other messages (H8, R12)."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from optin.domain.bots import Bot
from optin.domain.breaker import FAILURES, State
from optin.domain.errors import StoreUnavailable
from optin.domain.events import SECOND
from optin.domain.graph_posts import GraphMessage
from optin.domain.outbox import OutboxMessage
from optin.domain.throughput import PAIR_BURST, PAIR_INTERVAL
from optin.ports.graph import Download, GraphAnswer, GraphCall, Held, Limit, Relayed
from optin.ports.upstream import Accepted, Fault, Outcome, Release, Retry, Unknown, Wait
from optin.upstreams.guarded_graph import GuardedGraph
from optin.upstreams.pacing import Pacing
from tests.upstreams.test_guarded import AWAY, EXPIRED, SENT, SHOP, Bench
from tests.upstreams.test_meta import Released
from tests.upstreams.test_pacing import message
from tests.usecases.outbox import Clock

ANSWER = GraphAnswer(200, "application/json", b"{}")
GIVEN = GraphMessage(b"{}", ("46701740605",), "text")
SLOW = Bot("shop", {**SHOP.settings, "meta.messages_per_second": "1"})


class Provider:
    """Ends as told, and counts how often it was asked."""

    def __init__(self) -> None:
        self.outcome: Outcome = SENT
        self.asked = 0

    def number(self, bot: Bot) -> str:
        return "1"

    async def send(
        self, bot: Bot, path: str, given: GraphMessage, record: OutboxMessage, release: Release
    ) -> Relayed:
        self.asked += 1
        if self.outcome != AWAY:
            await release()
        return Relayed(ANSWER, lambda: self.outcome)

    async def call(self, bot: Bot, call: GraphCall) -> GraphAnswer:
        return ANSWER

    def download(self, bot: Bot, url: str) -> AbstractAsyncContextManager[Download]:
        raise AssertionError

    async def close(self) -> None:
        """Nothing is open."""


class Face(Bench):
    """A guarded graph beside the guarded upstream, with the breakers that they share."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Provider()
        self.pacing = Pacing(clock=Clock(0))
        told = self.heard.append
        self.relaying = GuardedGraph(self.graph, self.breakers, self.pacing, told)

    async def relay(
        self, outcome: Outcome = SENT, bot: Bot = SHOP, who: str = "46701740605"
    ) -> Outcome | Held:
        self.graph.outcome = outcome
        released = Released()
        relayed = await self.relaying.send(
            bot, "v25.0/1/messages", GIVEN, message("", who), released
        )
        if isinstance(relayed, Held):
            assert released.calls == 0
            return relayed
        return relayed.outcome()


async def test_an_open_breaker_holds_clients_up() -> None:
    """What refused the bot's own message is not asked for a client's, and it says for how long."""
    face = Face()
    await face.send(EXPIRED)
    assert await face.relay() == Held(Limit.BREAKER, 30 * SECOND)
    assert face.graph.asked == 0
    face.clock.now += 30 * SECOND
    assert await face.relay() == SENT
    assert face.states[-1] == ("shop", State.CLOSED)


@pytest.mark.parametrize(
    "outcome", [AWAY, Unknown("cut off"), Retry("2: down", None, Fault.PROVIDER)]
)
async def test_what_clients_meet_opens_it_for_all(outcome: Outcome) -> None:
    """Failures of the provider's in a row, whoever met them, hold up the outbox, too."""
    face = Face()
    for n in range(FAILURES):
        assert await (face.send(outcome) if n % 2 else face.relay(outcome)) == outcome
    before = face.provider.asked
    assert isinstance(await face.send(), Wait)
    assert isinstance(await face.relay(), Held)
    assert face.provider.asked == before
    assert await face.resting()


async def test_an_answer_to_a_client_closes_it() -> None:
    """The provider does its work: nothing is counted against it any more."""
    face = Face()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            await face.relay(AWAY)
        await face.relay(SENT)
    assert face.states == []


async def test_a_refusal_of_ours_says_nothing_of_the_provider() -> None:
    """A probe that was judged and refused leaves the next one to be the probe."""
    face = Face()
    await face.relay(EXPIRED)
    face.clock.now += 30 * SECOND

    async def refuse() -> None:
        raise StoreUnavailable("withheld")

    face.graph.outcome = SENT
    with pytest.raises(StoreUnavailable):
        await face.relaying.send(SHOP, "p", GIVEN, message("m"), refuse)
    assert face.breakers.not_closed()["shop"].state is State.OPEN
    assert await face.relay() == SENT


async def test_the_numbers_rate_holds_clients_up() -> None:
    """One now, one in a second; the third is told to come back, and none was asked or released."""
    face = Face()
    for n in range(2):  # the second is waited for; here its turn is only taken
        face.pacing.at_once(SLOW, 1, f"4671{n:07}")
    assert await face.relay(bot=SLOW) == Held(Limit.NUMBER, 2 * SECOND)
    assert (face.graph.asked, face.heard) == (0, [])


async def test_the_pairs_rate_holds_clients_up() -> None:
    """After the burst to one recipient; others go on."""
    face = Face()
    for _ in range(PAIR_BURST):
        assert await face.relay() == SENT
    assert await face.relay() == Held(Limit.PAIR, PAIR_INTERVAL)
    assert await face.relay(who="46701740606") == SENT
    assert face.graph.asked == PAIR_BURST + 1


async def test_a_pace_that_holds_up_leaves_a_probe() -> None:
    """Held by the pair's rate, the probe was none: the next message is it."""
    face = Face()
    for _ in range(PAIR_BURST):
        await face.relay()
    await face.send(EXPIRED)
    face.clock.now += 30 * SECOND
    assert isinstance(await face.relay(), Held)
    assert face.breakers.not_closed()["shop"].state is State.OPEN
    assert await face.send(SENT) == SENT


async def test_outcomes_of_clients_are_heard() -> None:
    """As those of the outbox."""
    face = Face()
    for outcome in (SENT, Accepted("2"), Unknown("?")):
        await face.relay(outcome)
    assert face.heard == ["accepted", "accepted", "unknown"]
