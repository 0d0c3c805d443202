"""Templates are remembered by every process; none judges by one that was changed since (R7, H8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from optin.domain.events import Kind
from optin.domain.messages import Category
from optin.ports.store import Reads, Template, Transaction
from optin.stores.sqlite import SQLiteStore, batches
from tests.conftest import OpenStore
from tests.stores.works import BOT, OTHER_BOT, Do, claim, record

MARKETING, UTILITY = Category.MARKETING, Category.UTILITY


def put(category: Category, name: str = "order", bot_id: str = BOT) -> Do:
    def run(tx: Transaction) -> None:
        tx.put_template(Template(name, "en", category))

    return Do(run, bot_id=bot_id)


def read(name: str = "order", bot_id: str = BOT) -> Do:
    """What a judgement would go by."""

    def run(tx: Transaction) -> Category | None:
        found = tx.template(name, "en")
        return None if found is None else found.category

    return Do(run, Reads(templates=frozenset({(name, "en")})), bot_id)


async def seen_ahead(store: SQLiteStore, work: Do) -> Any:
    committed = await store.commit_ahead(work)
    if committed.on_disk is not None:
        await committed.on_disk
    return committed.answer


@pytest.mark.parametrize("ahead", [True, False])
async def test_a_change_by_another_process_counts_at_once(
    open_store: OpenStore, store: SQLiteStore, ahead: bool
) -> None:
    """Turn by turn, whichever of them wrote."""
    other = await open_store()
    see = seen_ahead if ahead else SQLiteStore.commit
    for turn in range(6):
        category = (UTILITY, MARKETING)[turn % 2]
        await (store, other)[turn // 2 % 2].commit(put(category))
        for each in (store, other, store):
            assert await see(each, read()) is category


async def test_one_that_was_unknown_until_now_counts(
    open_store: OpenStore, store: SQLiteStore
) -> None:
    """Whoever wrote it."""
    other = await open_store()
    assert await store.commit(read()) is None
    await other.commit(put(UTILITY))
    assert await store.commit(read()) is UTILITY


async def test_of_two_bots_each_has_its_own(store: SQLiteStore) -> None:
    """By name and language alike."""
    await store.commit(put(UTILITY))
    await store.commit(put(MARKETING, bot_id=OTHER_BOT))
    for _ in range(2):
        assert await store.commit(read()) is UTILITY
        assert await store.commit(read(bot_id=OTHER_BOT)) is MARKETING


async def test_within_a_group_the_last_one_written_counts(store: SQLiteStore) -> None:
    """Also where an earlier work of the group went by the one that is remembered."""
    await store.commit(put(UTILITY))
    assert await store.commit(read()) is UTILITY
    works = [read(), put(MARKETING), read()]
    holding = asyncio.create_task(store.commit(read()))
    await asyncio.sleep(0)
    answers = await asyncio.gather(*map(store.commit, works))
    await holding
    assert answers == [UTILITY, None, MARKETING]
    assert await store.commit(read()) is MARKETING


async def test_what_was_not_committed_is_not_remembered(store: SQLiteStore) -> None:
    """Alone or among others."""
    await store.commit(put(MARKETING))

    def fail(tx: Transaction) -> None:
        tx.put_template(Template("order", "en", UTILITY))
        raise KeyError("broken")

    broken = Do(fail, read().reads)
    for others in ([], [read()]):
        works = [store.commit(broken), *map(store.commit, others)]
        assert isinstance((await asyncio.gather(*works, return_exceptions=True))[0], KeyError)
        assert await store.commit(read()) is MARKETING


async def test_only_a_template_makes_them_be_forgotten(store: SQLiteStore) -> None:
    """Other commits leave the copy of the directory alone."""
    await store.commit(put(UTILITY))
    await store.commit(read())
    before = store._commits._copy.version
    await store.commit(record(claim(Kind.OPT_IN)))
    await store.commit(read())
    assert store._commits._copy.version == before
    assert store._commits._copy.templates.keys() == {(BOT, "order", "en")}


async def test_no_more_are_remembered_than_agreed(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot may have thousands."""
    monkeypatch.setattr(batches, "_REMEMBERED", 2)
    names = [f"t{n}" for n in range(5)]
    for name in names:
        await store.commit(put(UTILITY, name))
    for name in names:
        assert await store.commit(read(name)) is UTILITY
        assert len(store._commits._copy.templates) <= 2
