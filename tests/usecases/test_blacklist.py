"""The numbers whose messages are not called back to the business (SPEC 3)."""

from __future__ import annotations

import pytest

from optin.domain.errors import NotFound, StoreUnavailable
from optin.usecases.blacklist import PAGE, Blacklist
from tests.conftest import OpenStore
from tests.usecases.ledger import BOT, FRIEND, OTHER_BOT, WHO, Ledger


@pytest.fixture
async def ledger(open_store: OpenStore) -> Ledger:
    return await Ledger.opened(open_store)


async def test_on_and_off(ledger: Ledger) -> None:
    """Putting on twice and taking off what is not there change nothing."""
    blacklist = Blacklist(ledger.store)
    await blacklist.put(BOT, [FRIEND, WHO, WHO], True)
    await blacklist.put(BOT, [WHO], True)
    assert await blacklist.page(BOT, 0) == [WHO, FRIEND]
    await blacklist.put(BOT, [WHO, "46700000000"], False)
    assert await blacklist.page(BOT, 0) == [FRIEND]


async def test_it_says_nothing_about_consent(ledger: Ledger) -> None:
    """The list leaves no event and belongs to one bot (R1)."""
    blacklist = Blacklist(ledger.store)
    await blacklist.put(BOT, [WHO], True)
    assert await ledger.events() == []
    assert await blacklist.page(OTHER_BOT, 0) == []


async def test_pages(ledger: Ledger) -> None:
    """Pages follow one another without gap or overlap and end in an empty one."""
    blacklist = Blacklist(ledger.store)
    people = [f"4673{n:07}" for n in range(PAGE + 1)]
    await blacklist.put(BOT, list(reversed(people)), True)
    assert await blacklist.page(BOT, 0) + await blacklist.page(BOT, 1) == people
    assert await blacklist.page(BOT, 2) == await blacklist.page(BOT, 10**9) == []


async def test_what_cannot_be_kept(ledger: Ledger) -> None:
    """R12: an unknown bot and a store that is gone are errors, never silence."""
    blacklist = Blacklist(ledger.store)
    with pytest.raises(NotFound):
        await blacklist.put("nobody", [WHO], True)
    await ledger.store.close()
    with pytest.raises(StoreUnavailable):
        await blacklist.put(BOT, [WHO], True)
