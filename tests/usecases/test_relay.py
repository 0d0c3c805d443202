"""Relaying a Cloud API client's message: judged last, claimed once, settled behind (SPEC 7, H8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from optin.domain.bots import Bot
from optin.domain.errors import NotFound, StoreUnavailable
from optin.domain.events import DAY, Kind
from optin.domain.graph_posts import GraphMessage
from optin.domain.inbound import StatusUpdate
from optin.domain.messages import MessageState
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.graph import Download, GraphAnswer, GraphCall, Relayed
from optin.ports.store import Committed
from optin.ports.upstream import Accepted, Failed, Outcome, Release, Retry, Unknown
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.meta_webhook import parse, valid_signature
from optin.upstreams.sandbox_webhooks import status_report
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.relay import Handled, Relay
from tests.usecases.outbox import (
    ADA,
    BOT,
    Clock,
    TellingUpstream,
    add_bot,
    again,
    clocks,
    consent,
    deliver_due,
    deliverer,
    new_id,
    opened,
)

TEXT = GraphMessage(b"{}", (ADA,), "text")
ANSWER = GraphAnswer(200, "application/json", b"{}")


@dataclass
class TellingGraph:
    """A provider that keeps what reached it. `before` runs between connecting and release."""

    outcome: Outcome = field(default_factory=lambda: Accepted("wamid.1"))
    before: Callable[[], Awaitable[Any]] | None = None
    breaks: bool = False
    unreadable: bool = False
    sent: list[bytes] = field(default_factory=list)

    def number(self, bot: Bot) -> str:
        return "1"

    async def send(
        self, bot: Bot, path: str, given: GraphMessage, record: OutboxMessage, release: Release
    ) -> Relayed:
        if self.before is not None:
            await self.before()
        await release()
        self.sent.append(given.body)
        if self.breaks:
            raise ZeroDivisionError
        return Relayed(ANSWER, self._read)

    def _read(self) -> Outcome:
        if self.unreadable:
            raise ZeroDivisionError
        return self.outcome

    async def call(self, bot: Bot, call: GraphCall) -> GraphAnswer:
        raise AssertionError

    def download(self, bot: Bot, url: str) -> AbstractAsyncContextManager[Download]:
        raise AssertionError

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    """With a bot and a contact who wrote just now."""
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        await consent(made, Kind.MESSAGE, ADA)
        yield made


def relay(store: Any, graph: TellingGraph, **more: Any) -> Relay:
    return Relay(store, {"sandbox": graph}, "process-1", new_id, **more)


async def send(relaying: Relay) -> Handled:
    bot = await relaying.store.bot(BOT)
    assert bot is not None
    return await relaying.send(bot, "v25.0/1/messages", TEXT, marketing=False)


@dataclass
class Troubled:
    """The store, with something happening around its commits."""

    store: SQLiteStore
    down_for: int = 0
    after_claim: Callable[[], Awaitable[Any]] | None = None
    on_disk: asyncio.Future[None] | None = None
    works: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit_ahead(self, work: Any) -> Committed[Any]:
        self.works.append(type(work).__name__)
        if self.works[-1] == "Settle" and self.down_for:
            self.down_for -= 1
            raise StoreUnavailable("down")
        committed: Committed[Any] = await self.store.commit_ahead(work)
        if self.works[-1] == "Judge" and self.after_claim is not None:
            happening, self.after_claim = self.after_claim, None
            await happening()
        return replace(committed, on_disk=self.on_disk) if self.on_disk else committed


class Watch:
    """A monotonic clock on which each reading is this much later, in seconds."""

    def __init__(self, *steps: float) -> None:
        self._steps = list(steps)
        self._now = 0.0

    def __call__(self) -> float:
        self._now += self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return self._now


@pytest.mark.parametrize(
    ("outcome", "stage", "state", "details"),
    [
        (Accepted("wamid.1"), Stage.SETTLED, MessageState.DISPATCHED, ""),
        (Failed("100: no"), Stage.SETTLED, MessageState.FAILED, "100: no"),
        (Retry("130429: fast"), Stage.SETTLED, MessageState.FAILED, "130429: fast"),
        (Unknown("cut off"), Stage.CLAIMED, MessageState.QUEUED, "cut off"),
    ],
)
async def test_what_became_of_it_is_written_down(
    store: SQLiteStore, outcome: Outcome, stage: Stage, state: MessageState, details: str
) -> None:
    """An error is the client's to repeat, as a new message: nothing is tried again from here."""
    graph = TellingGraph(outcome)
    relaying = relay(store, graph)
    handled = await send(relaying)
    assert handled.answer == ANSWER
    await relaying.close()
    kept = await again(store, handled.record)
    assert (kept.stage, kept.state, kept.details, kept.attempts) == (stage, state, details, 1)
    upstream = TellingUpstream()
    assert await deliver_due(deliverer(store, upstream)) == 0
    assert (len(graph.sent), upstream.sent) == (1, [])


async def test_an_opt_out_while_connecting_bites(store: SQLiteStore) -> None:
    """H8: judging is the last step before the first byte."""
    graph = TellingGraph(before=lambda: consent(store, Kind.OPT_OUT, ADA))
    handled = await send(relay(store, graph))
    assert (graph.sent, handled.answer, handled.record.reason) == ([], None, "opted_out")
    assert (await again(store, handled.record)).state is MessageState.NO_OPT_IN


async def test_an_old_judgement_is_taken_again(store: SQLiteStore) -> None:
    """H8: what was allowed more than 100 ms ago is judged anew, and may be refused by then."""
    troubled = Troubled(store, after_claim=lambda: consent(store, Kind.OPT_OUT, ADA))
    graph = TellingGraph()
    handled = await send(relay(troubled, graph, monotonic=Watch(0.2, 0.2, 0.01)))
    assert troubled.works == ["Judge", "Judge"]
    assert (graph.sent, handled.record.reason) == ([], "opted_out")
    assert (await again(store, handled.record)).stage is Stage.SETTLED


async def test_a_store_too_slow_to_judge_sends_nothing(store: SQLiteStore) -> None:
    """R12: and the claim does not stay behind."""
    troubled, graph = Troubled(store), TellingGraph()
    relaying = relay(troubled, graph, monotonic=Watch(0.2))
    with pytest.raises(StoreUnavailable):
        await send(relaying)
    await relaying.close()
    assert (graph.sent, troubled.works) == ([], ["Judge"] * 5 + ["Settle"])
    assert await store.stale_messages(10**17, 10) == []


async def test_settings_changed_while_connecting_send_nothing(store: SQLiteStore) -> None:
    """The connection was made for the old way."""
    change = {"upstream": "meta"}
    graph = TellingGraph(before=lambda: store.put_settings(BOT, change))
    with pytest.raises(StoreUnavailable):
        await send(relay(store, graph))
    assert graph.sent == []


async def test_a_bot_removed_while_connecting_sends_nothing(store: SQLiteStore) -> None:
    """Nothing of it is sent from then on."""
    graph = TellingGraph(before=lambda: store.remove_bot(BOT))
    with pytest.raises(NotFound):
        await send(relay(store, graph))
    assert graph.sent == []


async def test_a_fault_after_the_release_is_an_unknown_outcome(store: SQLiteStore) -> None:
    """Bytes may have left: it stays claimed until the sweep."""
    relaying = relay(store, TellingGraph(breaks=True))
    handled = await send(relaying)
    assert (handled.answer, type(handled.outcome)) == (None, Unknown)
    await relaying.close()
    assert (await again(store, handled.record)).stage is Stage.CLAIMED


async def test_the_answer_does_not_wait_for_its_record(store: SQLiteStore) -> None:
    """It is handed back before the outcome is on disk, and that is retried until it is."""
    troubled = Troubled(store, down_for=1)
    relaying = relay(troubled, TellingGraph())
    handled = await send(relaying)
    assert (await again(store, handled.record)).stage is Stage.CLAIMED
    await relaying.close()
    assert troubled.works == ["Judge", "Settle", "Settle"]
    assert (await again(store, handled.record)).upstream_id == "wamid.1"


async def test_the_answer_waits_until_its_claim_is_on_disk(store: SQLiteStore) -> None:
    """R13: it is sent before that, and nobody is told before that, refused or not."""
    for who, kind in ((ADA, Kind.MESSAGE), (ADA, Kind.OPT_OUT)):
        await consent(store, kind, who)
        on_disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        graph = TellingGraph()
        relaying = relay(Troubled(store, on_disk=on_disk), graph)
        sending = asyncio.create_task(send(relaying))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(sending), 0.2)
        assert len(graph.sent) == (kind is Kind.MESSAGE)
        on_disk.set_result(None)
        assert (await sending).record.passed == (kind is Kind.MESSAGE)
        await relaying.close()


async def test_a_claim_that_may_be_lost_is_an_unknown_outcome(store: SQLiteStore) -> None:
    """R13: the provider's answer is not handed on, and the client must not send again (H8)."""
    on_disk: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    on_disk.set_exception(StoreUnavailable("the disk failed"))
    graph = TellingGraph()
    troubled = Troubled(store, on_disk=on_disk)
    relaying = relay(troubled, graph)
    handled = await send(relaying)
    assert len(graph.sent) == 1
    assert (handled.answer, type(handled.outcome)) == (None, Unknown)
    troubled.on_disk = None
    await relaying.close()
    assert (await again(store, handled.record)).upstream_id == "wamid.1"


async def test_an_answer_that_cannot_be_read_is_an_unknown_outcome(store: SQLiteStore) -> None:
    """It is handed back all the same; a report or the sweep settles the rest (H8)."""
    graph = TellingGraph(unreadable=True)
    relaying = relay(store, graph)
    handled = await send(relaying)
    assert handled.answer == ANSWER
    await relaying.close()
    kept = await again(store, handled.record)
    assert (kept.stage, kept.details) == (Stage.CLAIMED, "its answer cannot be read")


async def test_an_unknown_outcome_ends_after_a_day(store: SQLiteStore, clock: Clock) -> None:
    """The sweep fails it; nobody hands it over (H8)."""
    relaying = relay(store, TellingGraph(Unknown("cut off")))
    handled = await send(relaying)
    await relaying.close()
    deliver = deliverer(store, TellingUpstream())
    clock.now += DAY - 1
    assert await deliver.sweep() == 0
    clock.now += 2
    assert await deliver.sweep() == 1
    kept = await again(store, handled.record)
    assert (kept.state, kept.details) == (MessageState.FAILED, "unknown_outcome")


async def test_reports_find_it_by_the_providers_id(store: SQLiteStore, clock: Clock) -> None:
    """The client's own data comes back in them, so that is all there is to go by."""
    relaying = relay(store, TellingGraph())
    handled = await send(relaying)
    await relaying.close()
    bot = await store.bot(BOT)
    assert bot is not None
    body = status_report(bot, handled.record, "wamid.1", "delivered", clock.now)
    body = body.replace(handled.record.message_id.encode(), b"theirs")
    [item] = parse(body)
    assert isinstance(item, StatusUpdate)
    assert item.correlation == "theirs"
    await ReceiveInbound(store, parse, valid_signature).take_in(BOT, body)
    assert (await again(store, handled.record)).state is MessageState.DELIVERED


async def test_a_stop_at_the_provider_is_recorded_once(store: SQLiteStore) -> None:
    """R8: 131050, however often its settling is tried."""
    troubled = Troubled(store, down_for=2)
    relaying = relay(troubled, TellingGraph(Failed("131050", marketing_stop=True)))
    await send(relaying)
    await relaying.close()
    assert (await clocks(store, ADA)).provider_marketing_stop > 0
    assert len((await store.histories(BOT, [ADA])).events[ADA]) == 2


async def test_many_at_once(store: SQLiteStore) -> None:
    """Each has a record and an answer of its own."""
    graph = TellingGraph()
    relaying = relay(store, graph)
    handled = await asyncio.gather(*(send(relaying) for _ in range(50)))
    await relaying.close()
    assert len({each.record.message_id for each in handled}) == len(graph.sent) == 50
