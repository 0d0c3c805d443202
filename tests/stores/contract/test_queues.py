"""What every store promises of the outbox and of callbacks: leases, and nothing twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from optin.domain.decision import Basis, Reason
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage, Stage
from optin.ports.store import (
    Callback,
    CallbackKind,
    CallbackStage,
    Reads,
    Review,
    Store,
    Transaction,
)
from tests.stores.contract.conftest import Clock, Open
from tests.stores.works import BOT, OTHER_BOT, WHO, Do

SECOND = 1_000_000


def message(message_id: str, clock: Clock, **more: Any) -> OutboxMessage:
    return OutboxMessage(
        bot_id=more.pop("bot_id", BOT),
        message_id=message_id,
        identity=WHO,
        body={"type": "text", "text": "Ünïcode 👍"},
        category=Category.SERVICE,
        created=clock.now,
        expires=clock.now + 3600 * SECOND,
        due=more.pop("due", clock.now),
        **more,
    )


def put(*messages: OutboxMessage) -> Do:
    def run(tx: Transaction) -> None:
        for each in messages:
            tx.put_message(each)

    return Do(run, bot_id=messages[0].bot_id)


async def test_a_message_comes_back_whole(store: Store, clock: Clock) -> None:
    """R7: what was judged, and why, is on record."""
    sent = message(
        "M1",
        clock,
        stage=Stage.SETTLED,
        state=MessageState.NO_OPT_IN,
        details="opted_out",
        reason=Reason.OPTED_OUT,
        basis=Basis.SESSION,
        passed=False,
        attempts=3,
        claimant="w",
        leased_until=5,
        claimed=6,
        upstream_id="wamid.1",
        callback_url="http://127.0.0.1/x",
    )
    await store.commit(put(sent))
    assert await store.message(BOT, "M1") == sent
    assert await store.message(OTHER_BOT, "M1") is None
    found = Do(lambda tx: tx.message_by_upstream_id("wamid.1"), Reads(upstream_ids=_one("wamid.1")))
    assert await store.commit(found) == sent
    assert await store.commit(replace(found, bot_id=OTHER_BOT)) is None


def _one(value: str) -> frozenset[str]:
    return frozenset({value})


async def test_due_messages_are_leased_once(opened: Open, store: Store, clock: Clock) -> None:
    """H8: two processes never hold one message; oldest due first; later ones wait."""
    other = await opened()
    await store.commit(put(*(message(f"M{n:03d}", clock, due=clock.now - n) for n in range(40))))
    await store.commit(put(message("LATER", clock, due=clock.now + SECOND)))
    leases = [s.lease_messages(f"w{n}", 30 * SECOND, 7) for n in range(4) for s in (store, other)]
    leased = [messages for _, messages in await asyncio.gather(*leases)]
    taken = [m for messages in leased for m in messages]
    assert len(taken) == len({m.message_id for m in taken}) == 40
    assert all(ms == sorted(ms, key=lambda m: m.due) for ms in leased)
    assert {m.leased_until for m in taken} == {clock.now + 30 * SECOND}
    assert (await store.lease_messages("w", 30 * SECOND, 100))[1] == []


async def test_a_lease_that_ran_out_is_taken_by_another(store: Store, clock: Clock) -> None:
    """H8: a worker's death loses no message."""
    await store.commit(put(message("M1", clock)))
    await store.lease_messages("dead", 30 * SECOND, 10)
    clock.now += 30 * SECOND
    now, [again] = await store.lease_messages("alive", 30 * SECOND, 10)
    assert now == clock.now
    assert again.claimant == "alive"


async def test_only_waiting_messages_of_living_bots_are_due(store: Store, clock: Clock) -> None:
    """H8: claimed and settled ones are never handed out again, nor those of a removed bot."""
    await store.commit(
        put(message("C", clock, stage=Stage.CLAIMED), message("S", clock, stage=Stage.SETTLED))
    )
    await store.commit(put(message("R", clock, bot_id=OTHER_BOT)))
    await store.remove_bot(OTHER_BOT)
    assert (await store.lease_messages("w", SECOND, 10))[1] == []


async def test_busy_bots_and_receivers_are_left_out(store: Store, clock: Clock) -> None:
    """One with a long queue is in nobody's way: others are leased, it keeps its place."""
    for bot_id in (BOT, OTHER_BOT):
        await store.commit(put(*(message(f"M{n}", clock, bot_id=bot_id) for n in range(3))))
    _, leased = await store.lease_messages("w", SECOND, 10, without={BOT})
    assert {m.bot_id for m in leased} == {OTHER_BOT}

    def owe(tx: Transaction) -> None:
        for number, host in enumerate(("a.example", "b.example:81")):
            url = f"http://{host}/x"
            tx.put_callback(Callback(BOT, f"C{number}", url, b"{}", clock.now, clock.now))

    await store.commit(Do(owe))
    _, [owed] = await store.lease_callbacks("w", SECOND, 10, without=["b.example:81"])
    assert owed.receiver == "a.example"


async def test_stale_messages_are_found(store: Store, clock: Clock) -> None:
    """H8: outcomes that stay unknown, and messages that outlived their life."""
    await store.commit(
        put(
            message("OLD", clock, stage=Stage.CLAIMED, claimed=clock.now - 10),
            message("NEW", clock, stage=Stage.CLAIMED, claimed=clock.now),
            message("WAITS", clock),
        )
    )
    assert [m.message_id for m in await store.stale_messages(clock.now - 5, 10)] == ["OLD"]
    clock.now += 3600 * SECOND
    names = {m.message_id for m in await store.stale_messages(clock.now - 7200 * SECOND, 10)}
    assert names == {"WAITS"}


async def test_callbacks_are_leased_put_back_and_forgotten(
    opened: Open, store: Store, clock: Clock
) -> None:
    """SPEC 4: one at a time, again when due, gone when done."""
    other = await opened()
    owed = [
        Callback(BOT, f"C{n}", "http://127.0.0.1/", b'{"n":1}', clock.now, clock.now)
        for n in range(3)
    ]

    def owe(tx: Transaction) -> None:
        for callback in owed:
            tx.put_callback(callback)

    await store.commit(Do(owe))
    _, mine = await store.lease_callbacks("a", 30 * SECOND, 2)
    _, theirs = await other.lease_callbacks("b", 30 * SECOND, 10)
    assert sorted(c.callback_id for c in mine + theirs) == ["C0", "C1", "C2"]
    later = replace(mine[0], due=clock.now + 5 * SECOND, attempts=1, leased_until=0)
    await store.put_callbacks([mine[1], theirs[0]], [later])
    assert (await store.lease_callbacks("a", SECOND, 10))[1] == []
    clock.now += 5 * SECOND
    _, [again] = await other.lease_callbacks("b", SECOND, 10)
    assert (again.callback_id, again.attempts, again.body) == (mine[0].callback_id, 1, b'{"n":1}')


async def test_callbacks_stay_to_be_replayed_until_they_are_pruned(
    store: Store, clock: Clock
) -> None:
    """SPEC 4: done and dead ones are listed by a cursor, owed again when asked, then forgotten."""

    def owe(tx: Transaction) -> None:
        for n in range(3):
            made = Callback(BOT, f"C{n}", "http://a/", b"{}", clock.now, clock.now)
            tx.put_callback(replace(made, kind=CallbackKind.RELAY, headers={"x-sig": "1"}))

    await store.commit(Do(owe))
    _, leased = await store.lease_callbacks("w", SECOND, 10)
    told = [replace(each, attempts=1, outcome="HTTP 404") for each in leased]
    await store.put_callbacks([told[0]], [], [told[1]])
    assert (await store.lease_callbacks("w", SECOND, 10))[1] == []
    [dead] = await store.callbacks(BOT, "", 10, CallbackStage.DEAD)
    assert (dead.callback_id, dead.outcome, dead.headers) == ("C1", "HTTP 404", {"x-sig": "1"})
    assert [c.callback_id for c in await store.callbacks(BOT, "C0", 1)] == ["C1"]
    assert await store.replay_callbacks(BOT, ["C0", "C1", "nobody"]) == 2
    assert await store.replay_callbacks(OTHER_BOT, ["C0"]) == 0
    again = (await store.lease_callbacks("w", SECOND, 10))[1]
    assert [(c.callback_id, c.attempts) for c in again] == [("C0", 0), ("C1", 0)]
    await store.put_callbacks([again[0]], [])
    assert await store.prune(BOT, 0, clock.now + 1) == 1
    assert [c.callback_id for c in await store.callbacks(BOT, "", 10)] == ["C1", "C2"]


async def test_callbacks_are_listed_without_their_bodies(store: Store, clock: Clock) -> None:
    """A list of a thousand can be one of gigabytes: each body is read only when it is asked for."""
    bodies = {"C0": b"", "C1": b"{}", "C2": bytes(range(256)) * 4096}

    def owe(tx: Transaction) -> None:
        for name, body in bodies.items():
            made = Callback(BOT, name, "http://a/", body, clock.now, clock.now)
            tx.put_callback(replace(made, kind=CallbackKind.RELAY, headers={"x-sig": "1"}))

    await store.commit(Do(owe))
    whole = await store.callbacks(BOT, "", 10)
    assert {each.callback_id: each.body for each in whole} == bodies
    unread = await store.callbacks(BOT, "", 10, bodies=False)
    assert unread == [replace(each, body=b"", unread=len(each.body)) for each in whole]
    assert [each.size for each in unread] == [each.size for each in whole] == [0, 2, 1 << 20]
    waiting = await store.callbacks(BOT, "C0", 1, CallbackStage.WAITING, bodies=False)
    assert [each.callback_id for each in waiting] == ["C1"]
    assert [await store.callback(BOT, name) for name in bodies] == whole
    assert await store.callback(BOT, "C") is await store.callback(OTHER_BOT, "C1") is None


async def test_reviews_are_listed_until_decided(store: Store, clock: Clock) -> None:
    """R10, R11: open ones by default, all on demand, by a cursor."""
    items = [Review(f"R{n}", "text", (WHO,), "stop it?", clock.now) for n in range(3)]

    def put(*reviews: Review) -> Do:
        def run(tx: Transaction) -> None:
            for each in reviews:
                tx.put_review(each)

        return Do(run)

    await store.commit(put(*items))
    look = Do(lambda tx: (tx.review("R1"), tx.review("R9")), Reads(reviews=frozenset({"R1", "R9"})))
    assert await store.commit(look) == (items[1], None)
    decided = replace(items[1], decision="stop", decided=5, decided_by="t1", note="clear")
    await store.commit(put(decided))
    assert await store.reviews(BOT, "", 10) == [items[0], items[2]]
    assert await store.reviews(BOT, "R0", 10, is_open=False) == [decided, items[2]]
    assert await store.reviews(OTHER_BOT, "", 10) == []
