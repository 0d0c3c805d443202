"""What every store promises of a commit whose answer is taken before it is on disk."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from optin.domain.consent import NEVER, opted_in
from optin.domain.errors import InvalidInput, StoreUnavailable
from optin.domain.events import Kind, Origin
from optin.domain.messages import Category
from optin.ports.records import Erasing
from optin.ports.store import Committed, Reads, Store, Template, Transaction
from tests.stores.contract.conftest import Open
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record

READS = Reads(identities=frozenset({WHO}), templates=frozenset({("order", "en")}))


async def on_disk(committed: Committed[Any]) -> None:
    if committed.on_disk is not None:
        await asyncio.wait_for(committed.on_disk, 10)


def is_opted_in(tx: Transaction) -> bool:
    return opted_in(tx.reading(WHO), tx.now)


def put_template(record: Template, tx: Transaction) -> None:
    tx.put_template(record)


async def test_it_holds_for_all_before_it_is_on_disk(store: Store, opened: Open) -> None:
    """R6: whoever looks or commits from then on sees it, in every process."""
    other = await opened()
    committed = await store.commit_ahead(record(claim(Kind.OPT_OUT)))
    [event] = committed.answer
    assert event.effective is not None
    for each in (store, other):
        assert (await each.read(BOT, [WHO])).clocks[WHO].opt_out_other == event.effective
        assert not await each.commit(Do(is_opted_in, READS))
    await on_disk(committed)


async def test_it_is_there_when_the_store_is_opened_again(store: Store, opened: Open) -> None:
    """R13: once it is on disk, and after an orderly end in any case."""
    await on_disk(await store.commit_ahead(record(claim(Kind.OPT_IN))))
    await store.commit_ahead(record(claim(Kind.OPT_OUT), bot_id=OTHER_BOT))
    await store.close()
    again = await opened()
    assert (await again.read(BOT, [WHO])).clocks[WHO].opt_in > NEVER
    assert (await again.read(OTHER_BOT, [WHO])).clocks[WHO].opt_out_other > NEVER


async def test_what_the_work_raises_is_raised(store: Store) -> None:
    """And nothing of it stays."""

    def fail(tx: Transaction) -> None:
        tx.record(claim(Kind.OPT_IN))
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        await store.commit_ahead(Do(fail, READS))
    assert (await store.read(BOT, [WHO])).clocks[WHO].opt_in == NEVER


async def test_what_the_database_refuses_is_not_kept(store: Store) -> None:
    """R12: whatever the driver says of it; and the next commit is not in its way."""
    unwritable = replace(claim(Kind.OPT_IN), source="\ud800")
    with pytest.raises(StoreUnavailable):
        await store.commit_ahead(record(unwritable))
    assert (await store.read(BOT, [WHO])).clocks[WHO].opt_in == NEVER
    await on_disk(await store.commit_ahead(record(claim(Kind.OPT_IN))))
    assert (await store.read(BOT, [WHO])).clocks[WHO].opt_in > NEVER


async def test_among_others_each_has_its_own_answer(store: Store) -> None:
    """R6: side by side with commits that wait for the disk, in one order for all."""
    kinds = [Kind.OPT_IN, Kind.OPT_OUT] * 30
    asked: list[Any] = [
        (store.commit if n % 3 else store.commit_ahead)(record(claim(kind)))
        for n, kind in enumerate(kinds)
    ]
    answers = await asyncio.gather(*asked)
    events = [each.answer if isinstance(each, Committed) else each for each in answers]
    times = [event.effective for [event] in events]
    assert len(set(times)) == len(kinds)
    for each in answers:
        if isinstance(each, Committed):
            await on_disk(each)
    newest = max(range(len(kinds)), key=times.__getitem__)
    assert opted_in((await store.read(BOT, [WHO])).clocks[WHO], 0) == (newest % 2 == 0)


async def test_an_opt_out_of_another_process_bites(store: Store, opened: Open) -> None:
    """R6: acknowledged there, in force here, turn by turn."""
    other = await opened()
    for _ in range(20):
        await other.commit(record(claim(Kind.OPT_IN)))
        assert (await store.commit_ahead(Do(is_opted_in, READS))).answer
        await other.commit(record(claim(Kind.OPT_OUT)))
        assert not (await store.commit_ahead(Do(is_opted_in, READS))).answer


async def test_an_erasure_by_another_process_bites(store: Store, opened: Open) -> None:
    """R15: an old list revives nobody, though nobody had been erased when this process looked."""
    other = await opened()
    await store.commit(record(claim(Kind.OPT_IN)))
    assert (await store.commit_ahead(Do(is_opted_in, READS))).answer
    done = await other.forget(BOT, WHO, Erasing(b"\x01" * 16, "native_api", "t1"))
    await store.commit(record(claim(Kind.OPT_IN, origin=Origin.DATED, at=done.at - 1)))
    assert not (await store.commit_ahead(Do(is_opted_in, READS))).answer
    assert not await other.commit(Do(is_opted_in, READS))


async def test_a_template_changed_by_another_process_counts(store: Store, opened: Open) -> None:
    """H8: the category of the moment."""
    other = await opened()
    for category in (Category.UTILITY, Category.MARKETING, None):
        await other.commit(Do(partial(put_template, Template("order", "en", category))))
        found = (await store.commit_ahead(Do(lambda tx: tx.template("order", "en"), READS))).answer
        assert found is not None
        assert found.category is category
