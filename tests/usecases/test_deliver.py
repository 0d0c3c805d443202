"""Deliver: judged and claimed in one commit before the first byte, never twice (H8, R6, R12)."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.consent import NEVER
from optin.domain.errors import StoreUnavailable
from optin.domain.events import Kind
from optin.domain.handing_over import reported
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.store import Work
from optin.ports.upstream import Accepted, Failed, Outcome, Release, Retry, Unknown
from optin.stores.sqlite import SQLiteStore
from optin.usecases.deliver import LEASE, YIELD, Deliver
from tests.usecases.outbox import (
    ADA,
    BEN,
    BOT,
    HOUR,
    UTILITY,
    Clock,
    TellingUpstream,
    add_bot,
    again,
    clocks,
    consent,
    deliver_due,
    deliverer,
    opened,
    owed,
    put_template,
    send,
    within,
)

SECOND = 1_000_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        await put_template(made, Category.UTILITY)
        await consent(made, Kind.OPT_IN, ADA)
        yield made


async def one(store: SQLiteStore, **more: Any) -> OutboxMessage:
    """One accepted template message to Ada."""
    [message] = await send(store, ADA, message=UTILITY, **more)
    return message


async def states_told(store: SQLiteStore) -> list[tuple[str, str, str]]:
    """(state, status, details) of the reports that are owed, oldest first."""
    rows = [json.loads(callback.body)["statuses"][0] for callback in await owed(store)]
    return [(row["state"], row["status"], row.get("details", "")) for row in rows]


async def test_a_message_is_handed_over_and_told(store: SQLiteStore) -> None:
    """An allowed message leaves once, keeps the provider's id and is reported as dispatched."""
    message, upstream = await one(store), TellingUpstream()
    assert await deliver_due(deliverer(store, upstream)) == 1
    assert upstream.sent == [message.message_id]
    after = await again(store, message)
    assert (after.stage, after.state) == (Stage.SETTLED, MessageState.DISPATCHED)
    assert (after.upstream_id, after.attempts) == (f"wamid.{message.message_id}", 1)
    assert await deliver_due(deliverer(store, upstream)) == 0
    assert await states_told(store) == [("dispatched", "success", "")]


async def test_an_opt_out_after_acceptance_stops_the_hand_over(store: SQLiteStore) -> None:
    """H8, R6: the decision is taken again; refused here it is called back as at the door."""
    message, upstream = await one(store), TellingUpstream()
    await consent(store, Kind.OPT_OUT, ADA)
    await deliver_due(deliverer(store, upstream))
    assert upstream.sent == []
    after = await again(store, message)
    assert (after.stage, after.state) == (Stage.SETTLED, MessageState.NO_OPT_IN)
    assert await states_told(store) == [("no_opt_in", "failure", "opted_out")]


async def test_an_opt_out_while_connecting_stops_the_hand_over(store: SQLiteStore) -> None:
    """H8: judging is the last step before the first byte, after the connection is there."""
    message = await one(store)
    upstream = TellingUpstream(before=lambda: consent(store, Kind.OPT_OUT, ADA))
    await deliver_due(deliverer(store, upstream))
    assert upstream.sent == []
    assert (await again(store, message)).state is MessageState.NO_OPT_IN


async def test_an_opt_out_between_two_tries_stops_the_next(
    store: SQLiteStore, clock: Clock
) -> None:
    """H8: retries are judged as the first hand-over was."""
    message, upstream = await one(store), TellingUpstream([Retry("busy"), Retry("busy")])
    deliver = deliverer(store, upstream)
    await deliver_due(deliver)
    clock.now += 60 * SECOND
    await deliver_due(deliver)
    await consent(store, Kind.OPT_OUT, ADA)
    clock.now += 60 * SECOND
    await deliver_due(deliver)
    assert upstream.sent == [message.message_id] * 2
    assert (await again(store, message)).state is MessageState.NO_OPT_IN


@pytest.mark.parametrize(
    ("then", "now"),
    [(Category.UTILITY, Category.MARKETING), (Category.MARKETING, Category.UTILITY)],
)
async def test_the_stricter_category_of_then_and_now_counts(
    store: SQLiteStore, then: Category, now: Category
) -> None:
    """H8: a template that was or became marketing is judged as marketing."""
    await put_template(store, then)
    message, upstream = await one(store), TellingUpstream()
    await put_template(store, now)
    await consent(store, Kind.MARKETING_STOP, ADA)
    await deliver_due(deliverer(store, upstream))
    after = await again(store, message)
    assert (upstream.sent, after.state, after.category) == (
        [],
        MessageState.FAILED,
        Category.MARKETING,
    )
    assert await states_told(store) == [("failed", "failure", "marketing_stopped")]


async def test_the_settings_of_now_count(store: SQLiteStore) -> None:
    """H8: a bot that enforces again holds back what was accepted while it did not."""
    await store.put_settings(BOT, {"enforce": "none"})
    [message] = await send(store, BEN, message=UTILITY)
    assert message.stage is Stage.WAITING
    await store.put_settings(BOT, {"enforce": "all"})
    upstream = TellingUpstream()
    await deliver_due(deliverer(store, upstream))
    assert (upstream.sent, (await again(store, message)).state) == ([], MessageState.NO_OPT_IN)


async def test_another_way_of_sending_takes_effect_at_once(
    store: SQLiteStore, clock: Clock
) -> None:
    """H8: a claim made for an upstream that is no longer the bot's releases nothing."""
    message = await one(store)

    async def change() -> None:
        await store.put_settings(BOT, {"upstream": "meta"})

    old, new = TellingUpstream(before=change), TellingUpstream()
    deliver = replace(deliverer(store, old), upstreams={"sandbox": old, "meta": new})
    await deliver_due(deliver)
    clock.now += YIELD
    await deliver_due(deliver)
    assert (old.sent, new.sent) == ([], [message.message_id])


async def test_an_expired_message_does_not_leave(store: SQLiteStore, clock: Clock) -> None:
    """H8: not handed over within its life, it ends as failed."""
    message, upstream = await one(store, life=SECOND), TellingUpstream()
    clock.now += SECOND
    await deliver_due(deliverer(store, upstream))
    assert (upstream.sent, (await again(store, message)).stage) == ([], Stage.SETTLED)
    assert await states_told(store) == [("failed", "failure", "expired")]


async def test_an_unknown_outcome_is_never_sent_again(store: SQLiteStore, clock: Clock) -> None:
    """H8: after a time-out the message stays claimed; after 24 h, not before, it fails."""
    message, upstream = await one(store, life=100 * HOUR), TellingUpstream([Unknown("timed out")])
    deliver = deliverer(store, upstream)
    await deliver_due(deliver)
    claimed = await again(store, message)
    assert (claimed.stage, claimed.state) == (Stage.CLAIMED, MessageState.QUEUED)
    clock.now += 24 * HOUR - 1
    assert await deliver_due(deliver) == 0
    await deliver.sweep()
    assert (await again(store, message)).stage is Stage.CLAIMED
    clock.now += 2
    await deliver.sweep()
    assert await deliver_due(deliver) == 0
    assert upstream.sent == [message.message_id]
    assert await states_told(store) == [("failed", "failure", "unknown_outcome")]


async def test_the_sweep_fails_what_outlived_its_life(store: SQLiteStore, clock: Clock) -> None:
    """H8: a waiting message that nobody takes up ends at `expires`, not a moment before."""
    message = await one(store, life=SECOND)
    deliver = deliverer(store, TellingUpstream())
    clock.now += SECOND - 1
    await deliver.sweep()
    assert (await again(store, message)).stage is Stage.WAITING
    clock.now += 1
    assert await deliver.sweep() == 1
    assert await states_told(store) == [("failed", "failure", "expired")]


async def test_death_after_the_claim_never_sends_again(store: SQLiteStore, clock: Clock) -> None:
    """H8: a process that ends between claim and answer leaves a message nobody takes up."""
    message, gone = await one(store), asyncio.Event()

    async def hang() -> None:
        gone.set()
        await asyncio.sleep(3600)

    dying = TellingUpstream(after=hang)
    task = asyncio.create_task(deliver_due(deliverer(store, dying)))
    await gone.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    other = TellingUpstream()
    for _ in range(3):
        clock.now += LEASE + SECOND
        await deliver_due(deliverer(store, other))
    assert (len(dying.sent), other.sent) == (1, [])
    assert (await again(store, message)).stage is Stage.CLAIMED


async def test_death_before_the_claim_leaves_it_to_others(store: SQLiteStore, clock: Clock) -> None:
    """A process that ends while connecting holds the message only until its lease runs out."""
    message, begun = await one(store), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(deliver_due(deliverer(store, TellingUpstream(before=hang))))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    other = TellingUpstream()
    assert await deliver_due(deliverer(store, other)) == 0
    clock.now += LEASE
    assert await deliver_due(deliverer(store, other)) == 1
    assert other.sent == [message.message_id]


@pytest.mark.parametrize("outcome", [Accepted("wamid.X"), Unknown("timed out")])
async def test_a_lease_that_ran_out_releases_nothing(
    store: SQLiteStore, clock: Clock, outcome: Outcome
) -> None:
    """Two hand-overs of one message at once: only the one that holds the lease now may send,
    whether the other has its answer already or has only claimed."""
    message, other = await one(store), TellingUpstream([outcome])

    async def overtaken() -> None:
        clock.now += LEASE
        await deliver_due(deliverer(store, other))

    slow = TellingUpstream(before=overtaken)
    await deliver_due(deliverer(store, slow))
    assert (slow.sent, other.sent) == ([], [message.message_id])


@pytest.mark.parametrize("outcome", [Accepted("wamid.X"), Unknown("timed out")])
async def test_one_process_cannot_overtake_itself(
    store: SQLiteStore, clock: Clock, outcome: Outcome
) -> None:
    """The same holds when the same process leases the message again: each lease is its own."""
    message = await one(store)
    upstream = TellingUpstream([outcome])
    deliver = deliverer(store, upstream)
    turns = itertools.count()

    async def overtaken() -> None:
        if next(turns) == 0:
            clock.now += LEASE
            await deliver_due(deliver)

    upstream.before = overtaken
    await deliver_due(deliver)
    assert upstream.sent == [message.message_id]


class Watch:
    """A monotonic clock whose readings the test gives, in seconds; the last one stays."""

    def __init__(self, *readings: float) -> None:
        self._readings = list(readings)

    def __call__(self) -> float:
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


async def test_an_old_judgement_is_taken_again(store: SQLiteStore) -> None:
    """H8: a judgement that took longer than 100 ms to commit is taken again, as one attempt."""
    message, upstream = await one(store), TellingUpstream()
    counted = CountingStore(store)
    watch = Watch(0.0, 0.2, 0.2, 0.25)
    await deliver_due(deliverer(counted, upstream, monotonic=watch))
    assert counted.works.count("Judge") == 2
    assert (upstream.sent, (await again(store, message)).attempts) == ([message.message_id], 1)


async def test_an_opt_out_during_an_old_judgement_counts(store: SQLiteStore) -> None:
    """H8: what was allowed 100 ms ago is refused by the second judgement, and nothing leaves."""
    message, upstream = await one(store), TellingUpstream()
    slow = CountingStore(store, after_claim=lambda: consent(store, Kind.OPT_OUT, ADA))
    watch = Watch(0.0, 0.2, 0.2, 0.25)
    await deliver_due(deliverer(slow, upstream, monotonic=watch))
    assert upstream.sent == []
    after = await again(store, message)
    assert (after.stage, after.state) == (Stage.SETTLED, MessageState.NO_OPT_IN)


async def test_a_store_too_slow_to_judge_sends_nothing(store: SQLiteStore, clock: Clock) -> None:
    """H8, R12: judgements that are always too old release nothing; the message waits."""
    message, upstream = await one(store), TellingUpstream()
    slow = Watch(*(0.5 * n for n in range(100)))
    await deliver_due(deliverer(store, upstream, monotonic=slow))
    waiting = await again(store, message)
    assert (upstream.sent, waiting.stage, waiting.state) == (
        [],
        Stage.WAITING,
        MessageState.QUEUED,
    )
    clock.now += 60 * SECOND
    await deliver_due(deliverer(store, upstream))
    assert upstream.sent == [message.message_id]


@dataclass
class CountingStore:
    """The store, with its commits counted, and failing or interrupted where the test says so."""

    store: SQLiteStore
    after_claim: Any = None
    failing: str = ""
    failures: int = 0
    done_all_the_same: bool = False

    def __post_init__(self) -> None:
        self.works: list[str] = []

    async def commit(self, work: Work[Any]) -> Any:
        name = type(work).__name__
        self.works.append(name)
        if name == self.failing and self.failures > 0:
            self.failures -= 1
            if self.done_all_the_same:
                await self.store.commit(work)
            raise StoreUnavailable("down")
        answer = await self.store.commit(work)
        if name == "Judge" and self.after_claim is not None:
            await self.after_claim()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def test_a_store_that_is_down_releases_nothing(store: SQLiteStore, clock: Clock) -> None:
    """R12: without a committed claim no byte leaves; the message is tried again later."""
    message, upstream = await one(store), TellingUpstream()
    down = CountingStore(store, failing="Judge", failures=1)
    await deliver_due(deliverer(down, upstream))
    assert (upstream.sent, (await again(store, message)).stage) == ([], Stage.WAITING)
    clock.now += 60 * SECOND
    await deliver_due(deliverer(down, upstream))
    assert upstream.sent == [message.message_id]


@pytest.mark.parametrize("done_all_the_same", [False, True])
async def test_a_settle_outlives_a_store_that_is_down(
    store: SQLiteStore, clock: Clock, done_all_the_same: bool
) -> None:
    """H8: the outcome is written once the store is back, never twice, and nothing is sent again."""
    message, upstream = await one(store), TellingUpstream()
    down = CountingStore(store, failing="Settle", failures=2, done_all_the_same=done_all_the_same)
    await deliver_due(deliverer(down, upstream))
    clock.now += LEASE
    await deliver_due(deliverer(down, upstream))
    assert upstream.sent == [message.message_id]
    assert (await again(store, message)).state is MessageState.DISPATCHED
    assert await states_told(store) == [("dispatched", "success", "")]


async def test_the_wait_between_tries_grows_and_ends(store: SQLiteStore, clock: Clock) -> None:
    """H8: certain failures are tried again later and later, never past `expires`."""
    message = await one(store, life=10 * SECOND)
    upstream = TellingUpstream([Retry("busy")] * 9)
    deliver = deliverer(store, upstream, jitter=lambda: 0.0)
    waits = []
    while (waiting := await again(store, message)).stage is Stage.WAITING:
        waits.append(waiting.due - clock.now)
        clock.now = waiting.due
        await deliver_due(deliver)
    assert waits == [0, SECOND, 2 * SECOND, 4 * SECOND]
    assert len(upstream.sent) == 4
    assert await states_told(store) == [("failed", "failure", "busy")]


async def test_the_providers_wait_is_kept(store: SQLiteStore, clock: Clock) -> None:
    """A provider that says how long to wait is not asked before."""
    message = await one(store)
    upstream = TellingUpstream([Retry("slow down", after=90 * SECOND)])
    deliver = deliverer(store, upstream)
    await deliver_due(deliver)
    assert (await again(store, message)).due == clock.now + 90 * SECOND
    clock.now += 90 * SECOND - 1
    assert await deliver_due(deliver) == 0
    clock.now += 1
    assert await deliver_due(deliver) == 1


async def test_a_marketing_stop_at_the_provider_is_recorded(
    store: SQLiteStore, clock: Clock
) -> None:
    """R8: 131050 fails the message and stops marketing, live, once however often it is settled."""
    message = await one(store)
    upstream = TellingUpstream([Failed("131050", marketing_stop=True)])
    down = CountingStore(store, failing="Settle", failures=1, done_all_the_same=True)
    clock.now += SECOND
    await deliver_due(deliverer(down, upstream))
    assert (await clocks(store, ADA)).provider_marketing_stop == clock.now
    history = await store.histories(BOT, [ADA])
    stops = [e for e in history.events[ADA] if e.claim.kind is Kind.PROVIDER_MARKETING_STOP]
    assert [(e.effective, dict(e.claim.context)) for e in stops] == [
        (clock.now, {"message_id": message.message_id})
    ]
    assert await states_told(store) == [("failed", "failure", "131050")]


async def test_a_certain_failure_is_final(store: SQLiteStore, clock: Clock) -> None:
    """`Failed` settles the message; it opens no stop of its own."""
    message, upstream = await one(store), TellingUpstream([Failed("bad template")])
    await deliver_due(deliverer(store, upstream))
    clock.now += HOUR
    assert await deliver_due(deliverer(store, upstream)) == 0
    assert (await again(store, message)).details == "bad template"
    assert (await clocks(store, ADA)).provider_marketing_stop == NEVER


@pytest.mark.parametrize("outcome", [Accepted("wamid.X"), Unknown("?"), Retry("?"), Failed("?")])
async def test_a_report_that_was_quicker_is_not_undone(
    store: SQLiteStore, clock: Clock, outcome: Outcome
) -> None:
    """H8: a delivery report that comes before the answer stays, whatever the answer says."""
    message = await one(store)

    async def delivered() -> None:
        def change(tx: Any) -> None:
            found = tx.message(message.message_id)
            tx.put_message(reported(found, MessageState.DELIVERED, "wamid.X", ""))

        await within(store, change, messages=frozenset({message.message_id}))

    upstream = TellingUpstream([outcome], after=delivered)
    await deliver_due(deliverer(store, upstream))
    clock.now += 2 * HOUR
    assert await deliver_due(deliverer(store, upstream)) == 0
    after = await again(store, message)
    assert (after.stage, after.state) == (Stage.SETTLED, MessageState.DELIVERED)
    assert (after.upstream_id, len(upstream.sent)) == ("wamid.X", 1)


class Rude(TellingUpstream):
    """An upstream that breaks its contract where the test says so."""

    def __init__(self, *, releases: int, outcome: Outcome | Exception) -> None:
        super().__init__()
        self.releases, self.outcome = releases, outcome

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        for _ in range(self.releases):
            await release()
            self.sent.append(message.message_id)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("releases", "outcome", "stage"),
    [
        (2, Accepted("wamid.X"), Stage.CLAIMED),
        (1, KeyError("bug"), Stage.CLAIMED),
        (1, StoreUnavailable("from elsewhere"), Stage.CLAIMED),
        (0, KeyError("bug"), Stage.WAITING),
        (0, Accepted("wamid.X"), Stage.SETTLED),
        (0, Unknown("?"), Stage.CLAIMED),
    ],
)
async def test_an_upstream_that_breaks_its_contract_sends_nothing_twice(
    store: SQLiteStore, releases: int, outcome: Outcome | Exception, stage: Stage
) -> None:
    """H8: whatever breaks after the release, or says it sent without one, is not sent again."""
    message, rude = await one(store), Rude(releases=releases, outcome=outcome)
    await deliver_due(deliverer(store, rude))
    assert (await again(store, message)).stage is stage
    assert len(rude.sent) == min(releases, 1)


async def test_an_upstream_that_is_not_there_sends_nothing(
    store: SQLiteStore, clock: Clock
) -> None:
    """R12: a setting that names no upstream of this program holds the message back."""
    message, upstream = await one(store), TellingUpstream()
    await store.put_settings(BOT, {"upstream": "sinch"})
    await deliver_due(deliverer(store, upstream))
    assert (upstream.sent, (await again(store, message)).stage) == ([], Stage.WAITING)
    await store.put_settings(BOT, {"upstream": "sandbox"})
    clock.now += 60 * SECOND
    await deliver_due(deliverer(store, upstream))
    assert upstream.sent == [message.message_id]


async def test_a_removed_bot_sends_nothing(store: SQLiteStore) -> None:
    """A bot that was removed after its messages were leased hands nothing over."""
    await one(store)
    upstream = TellingUpstream(before=lambda: store.remove_bot(BOT))
    await deliver_due(deliverer(store, upstream))
    assert upstream.sent == []


async def test_what_is_put_back_comes_again(store: SQLiteStore) -> None:
    """Without a try, a leased message is due again at once, in its place, and counts no attempt."""
    message, upstream = await one(store), TellingUpstream()
    deliver = deliverer(store, upstream)
    await deliver.put_back(await deliver.lease(10))
    assert await again(store, message) == message
    await deliver_due(deliver)
    assert (upstream.sent, (await again(store, message)).attempts) == ([message.message_id], 1)


async def test_the_messages_own_callback_url_wins(store: SQLiteStore) -> None:
    """SPEC 4: statuses go to the message's own URL, else to the bot's, else nowhere."""
    await one(store, callback_url="https://own.example/x")
    await one(store)
    await deliver_due(deliverer(store, TellingUpstream()))
    assert sorted(callback.url for callback in await owed(store)) == [
        "https://own.example/x",
        "https://shop.example/hook",
    ]


async def test_without_a_callback_url_nothing_is_owed(store: SQLiteStore) -> None:
    """SPEC 4: a bot that wants no callbacks gets none."""
    await store.put_settings(BOT, {"callback_url": ""})
    await one(store)
    await deliver_due(deliverer(store, TellingUpstream()))
    assert await owed(store) == []


async def test_two_processes_hand_over_each_message_once(tmp_path: Path) -> None:
    """H8: two workers on one database, 300 messages: each leaves exactly once."""
    clock = Clock()
    path = tmp_path / "two.db"
    async with opened(path, clock) as first, opened(path, clock) as second:
        await add_bot(first)
        await put_template(first, Category.UTILITY)
        people = [f"4673200{n:04}" for n in range(300)]
        await consent(first, Kind.OPT_IN, *people)
        accepted_ids = [
            m.message_id
            for start in range(0, 300, 20)
            for m in await send(first, *people[start : start + 20], message=UTILITY)
        ]
        upstream = TellingUpstream(before=lambda: asyncio.sleep(0))
        shares = await asyncio.gather(
            *(_drain(deliverer(store, upstream)) for store in (first, second))
        )
    assert sorted(upstream.sent) == sorted(accepted_ids)
    assert (sum(shares), min(shares) > 0) == (300, True)


async def _drain(deliver: Deliver) -> int:
    """Works until nothing is due; how many messages it took."""
    taken = 0
    while leased := await deliver.lease(7):
        taken += len(leased)
        await asyncio.gather(*map(deliver.deliver, leased))
    return taken
