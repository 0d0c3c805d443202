"""Checking the states beside contacts who were erased and write again meanwhile (R2, R15)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from optin.domain.events import Kind
from optin.domain.verifying import Fault
from optin.ports.ledger import Ledger
from optin.ports.store import Erasing
from optin.stores.sqlite import SQLiteStore
from optin.usecases import verify
from optin.usecases.verify import Verify
from tests.stores.works import BOT, claim, record
from tests.usecases.test_verify import sql

WHO, *OTHERS = [str(46700000000 + number) for number in range(7)]


class Meanwhile:
    """A ledger in which something happens before one of the pages of states is read."""

    def __init__(self, ledger: SQLiteStore, at: int, what: Callable[[], Awaitable[Any]]) -> None:
        self._ledger, self._at, self._what = ledger, at, what
        self.pages = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def stored_states(self, *asked: Any) -> Any:
        """As the ledger's."""
        self.pages += 1
        if self.pages == self._at:
            await self._what()
        return await self._ledger.stored_states(*asked)


@pytest.fixture
async def forgotten(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> SQLiteStore:
    """Several people, the first by name forgotten; their states fill several pages."""
    monkeypatch.setattr(verify, "_PAGE", 3)
    for who in (WHO, *OTHERS):
        await store.commit(record(claim(Kind.OPT_IN, who)))
    await forget(store)
    return store


async def forget(store: SQLiteStore) -> None:
    await store.forget(BOT, WHO, Erasing(claim(Kind.ERASED).event_id, "test"))


async def write(store: SQLiteStore) -> None:
    await store.commit(record(claim(Kind.MESSAGE, WHO)))


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("again", [False, True])
async def test_who_comes_back_meanwhile_is_nothing_to_find(
    forgotten: SQLiteStore, at: int, again: bool
) -> None:
    """R14: an alarm beside a running service must mean something; also if they go once more."""

    async def what() -> None:
        await write(forgotten)
        if again:
            await forget(forgotten)
            await write(forgotten)

    busy = Meanwhile(forgotten, at, what)
    [report] = await Verify(cast(Ledger, busy)).verify([BOT])
    assert report.findings == []
    assert busy.pages >= min(at, 4)


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("is_back", [False, True])
async def test_a_changed_state_is_found_all_the_same(
    forgotten: SQLiteStore, tmp_path: Path, at: int, is_back: bool
) -> None:
    """R2: also that of an erased contact, who is back or not, or comes back meanwhile."""
    if is_back:
        await write(forgotten)
    sql(tmp_path, "UPDATE identities SET opt_in = opt_in + 1 WHERE identity >= '~'")
    busy = Meanwhile(forgotten, at, lambda: write(forgotten))
    [report] = await Verify(cast(Ledger, busy)).verify([BOT])
    assert {each.fault for each in report.findings} == {Fault.STATE_CHANGED}


async def test_a_name_put_into_a_state_excuses_nothing(
    forgotten: SQLiteStore, tmp_path: Path
) -> None:
    """R2: whom a state says that it belongs to is believed of the digest's owner alone."""
    await write(forgotten)
    sql(tmp_path, "DELETE FROM contact_messages")
    [report] = await Verify(forgotten).verify([BOT])
    assert Fault.STATE_CHANGED in report.faults
    statement = f"UPDATE identities SET links = replace(links, '{WHO}', '{OTHERS[0]}')"
    sql(tmp_path, statement)
    [report] = await Verify(forgotten).verify([BOT])
    assert Fault.STATE_CHANGED in report.faults
