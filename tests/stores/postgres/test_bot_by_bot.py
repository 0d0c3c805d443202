"""On shards each transaction is about one bot, and one bot's failure is not its neighbours'."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from optin.domain.errors import StoreUnavailable
from optin.domain.events import Kind
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, CallbackStage, Reads, Store, Transaction
from optin.stores.postgres import commits
from optin.stores.postgres.errors import BadData
from tests.stores.postgres.server import fetched
from tests.stores.postgres.sharded import (
    BOTS,
    check_ledgers,
    opened,
    sharded_database,
    worker_down,
)
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, Record, claim, record

SECOND = 1_000_000


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with sharded_database() as made:
        yield made


def opt_in(bot_id: str, who: str = WHO) -> Record:
    return record(claim(Kind.OPT_IN, who), bot_id=bot_id)


async def transactions(url: str, table: str, what: str) -> list[tuple[str, str, str]]:
    """(bot, row, the transaction that wrote it), by bot and row."""
    found = await fetched(url, f"SELECT bot_id, {what}, xmin::text FROM {table} ORDER BY 1, 2")
    return [(str(bot), str(row), str(xmin)) for bot, row, xmin in found]


async def test_a_group_is_committed_bot_by_bot(url: str) -> None:
    """R6: works of several bots that waited together are a transaction for each bot, which ends on
    one node; those of one bot share theirs, and each answer is its own work's."""
    async with opened(url, *BOTS) as store:
        works = [opt_in(bot, who) for who in ("4670", "4671", "4672") for bot in BOTS]
        answers = await store._lanes[0].run(works)
        assert [[event.claim for event in answer] for answer in answers] == [
            list(work.claims) for work in works
        ]
        written = await transactions(url, "events", "identity")
        assert [row[:2] for row in written] == sorted(
            (work.bot_id, work.claims[0].identity) for work in works
        )
        of = {bot: {xmin for its, _, xmin in written if its == bot} for bot in BOTS}
        assert [len(each) for each in of.values()] == [1, 1, 1]
        assert len(set.union(*of.values())) == 3
        for table in ("identities", "commits", "marks"):
            for bot, _, xmin in await transactions(url, table, "bot_id"):
                assert {xmin} == of[bot]
        await check_ledgers(store, *BOTS)


async def test_a_bot_whose_node_is_gone_fails_alone(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: its works are not recorded and say so, its neighbours' in the same group are."""
    monkeypatch.setattr(commits, "AGAIN_FOR", 0.2)
    async with opened(url, *BOTS) as store:
        async with worker_down(url, BOT, "events"):
            works = [opt_in(BOT), opt_in(OTHER_BOT), opt_in(BOT, "4670"), opt_in("bot-3")]
            answers = await store._lanes[0].run(works)
        failed = [isinstance(answer, StoreUnavailable) for answer in answers]
        assert failed == [True, False, True, False]
        assert [row[0] for row in await transactions(url, "events", "identity")] == [*BOTS[1:]]
        await store.commit(opt_in(BOT))
        await check_ledgers(store, *BOTS)


async def test_a_lost_nodes_bots_are_not_waited_for_one_after_another(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: when one bot of a group has failed for as long as it may, the others have one try each;
    those that are well are committed, and a later group begins anew."""
    monkeypatch.setattr(commits, "AGAIN_FOR", 0.3)
    tried, once = [], commits.Commits._once

    async def counted(self: commits.Commits, bot_id: str, *more: Any) -> Any:
        tried.append(bot_id)
        return await once(self, bot_id, *more)

    monkeypatch.setattr(commits.Commits, "_once", counted)
    async with opened(url, *BOTS) as store:
        async with worker_down(url, BOT, "events"), worker_down(url, OTHER_BOT, "events"):
            answers = await store._lanes[0].run([opt_in(bot) for bot in BOTS])
            assert [isinstance(each, StoreUnavailable) for each in answers] == [True, True, False]
            assert tried.count(BOT) > 1
            assert tried[-2:] == [OTHER_BOT, "bot-3"]
            assert tried.count(OTHER_BOT) == 1
        answers = await store._lanes[0].run([opt_in(bot) for bot in BOTS])
        assert [type(each) for each in answers] == [list, list, list]
        await check_ledgers(store, *BOTS)


async def test_a_bots_bad_data_is_nobody_elses(url: str) -> None:
    """A work that the database refuses fails alone, beside one of its own bot and one of another's
    in the same group."""
    bad = Do(
        lambda tx: tx.put_blacklisted("\x00", True), Reads(blacklist=frozenset({"x"})), bot_id=BOT
    )
    async with opened(url, *BOTS) as store:
        answers = await store._lanes[0].run([opt_in(BOT), bad, opt_in(OTHER_BOT)])
        assert [type(answer) for answer in answers] == [list, BadData, list]
        assert [row[0] for row in await transactions(url, "events", "identity")] == [BOT, OTHER_BOT]
        await check_ledgers(store, BOT, OTHER_BOT)


async def owe(store: Store, *owed: Callback | OutboxMessage) -> None:
    for each in owed:

        def put(tx: Transaction, each: Callback | OutboxMessage = each) -> None:
            tx.put_callback(each) if isinstance(each, Callback) else tx.put_message(each)

        await store.commit(Do(put, bot_id=each.bot_id))


async def owed_callbacks(store: Store) -> tuple[int, list[Callback]]:
    """What each bot owes, the bots in turn, the third's last."""
    now = await store.now()
    owed = [
        Callback(bot, f"C{n}", f"https://{bot}.example/x", b"{}", now, now - SECOND + n)
        for n, bot in enumerate((BOT, OTHER_BOT, BOT, OTHER_BOT, BOT, "bot-3"))
    ]
    await owe(store, *owed)
    return now, owed


def names(leased: Sequence[Callback]) -> list[str]:
    return [each.callback_id for each in leased]


async def test_callbacks_are_leased_bot_by_bot(url: str) -> None:
    """SPEC 4: the oldest of all bots, in their order, as many as were asked for, in a transaction
    for each bot; what is leased is not leased again."""
    async with opened(url, *BOTS) as store:
        _, owed = await owed_callbacks(store)
        _, first = await store.lease_callbacks("w", 60 * SECOND, 4)
        assert names(first) == ["C0", "C1", "C2", "C3"]
        assert {each.claimant for each in first} == {"w"}
        written = await transactions(url, "callbacks", "callback_id")
        of = {
            bot: {x for its, row, x in written if its == bot and row in names(first)}
            for bot in BOTS
        }
        assert [len(each) for each in of.values()] == [1, 1, 0]
        assert of[BOT] != of[OTHER_BOT]
        _, second = await store.lease_callbacks("v", 60 * SECOND, 10, [], [BOT])
        assert names(second) == ["C5"]
        _, third = await store.lease_callbacks("u", 60 * SECOND, 10)
        assert names(third) == ["C4"]
        assert len(owed) == 6


async def test_callbacks_of_a_bot_whose_node_is_gone_are_in_nobodys_way(url: str) -> None:
    """SPEC 4: the others' are leased and their outcomes written down; what was posted is not
    posted again because a neighbour's could not be written."""
    async with opened(url, *BOTS) as store:
        _, owed = await owed_callbacks(store)
        async with worker_down(url, BOT, "callbacks"):
            _, leased = await store.lease_callbacks("w", 60 * SECOND, 10)
            assert names(leased) == ["C1", "C3", "C5"]
            with pytest.raises(StoreUnavailable):
                await store.put_callbacks([owed[0], *leased], [owed[2]], [owed[4]])
        stages = await fetched(url, "SELECT callback_id, stage FROM callbacks ORDER BY callback_id")
        done, waiting = CallbackStage.DONE.value, CallbackStage.WAITING.value
        assert [stage for _, stage in stages] == [waiting, done] * 2 + [waiting, done]
        _, leased = await store.lease_callbacks("w", 60 * SECOND, 10)
        assert names(leased) == ["C0", "C2", "C4"]


async def test_messages_are_leased_past_a_bot_whose_node_is_gone(url: str) -> None:
    """H8: nobody else's message waits for it, and it is leased when its node is back."""
    async with opened(url, *BOTS) as store:
        now = await store.now()
        owed = [
            OutboxMessage(
                bot, f"M{n}", WHO, {}, Category.SERVICE, now, now + 900 * SECOND, now - SECOND + n
            )
            for n, bot in enumerate(BOTS)
        ]
        await owe(store, *owed)
        async with worker_down(url, OTHER_BOT, "messages"):
            _, leased = await store.lease_messages("w", 60 * SECOND, 10)
            assert [each.message_id for each in leased] == ["M0", "M2"]
        _, leased = await store.lease_messages("w", 60 * SECOND, 10)
        assert [each.message_id for each in leased] == ["M1"]
