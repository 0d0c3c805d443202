"""A stop by one identity is one by all of the person, as soon as the pair is known (R11, P19)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from optin.domain.events import Kind
from optin.domain.messages import Category, MessageState
from optin.stores.sqlite import SQLiteStore
from tests.usecases.hearing import HIDDEN, NOW, SETTINGS, bodied, change, hear, text
from tests.usecases.outbox import (
    ADA,
    BEN,
    UTILITY,
    Clock,
    add_bot,
    consent,
    opened,
    put_template,
    send,
)

BOTH = {"recipient_id": ADA, "recipient_user_id": HIDDEN}
CARD = [{"origin": "contact_request", "phones": [{"wa_id": ADA}]}]
CONTACT = [{"wa_id": ADA, "user_id": HIDDEN}]
HER_ID: dict[str, Any] = {"from": None, "from_user_id": HIDDEN}

#: What teaches the pair; none of it is a stop.
PAIRS: dict[str, dict[str, Any]] = {
    "message": change(messages=[text("hi", "w.p", NOW - 30, from_user_id=HIDDEN)]),
    "contact": change(messages=[text("hi", "w.p", NOW - 30)], contacts=CONTACT),
    "status": change(
        statuses=[{"id": "w.s", "status": "read", "timestamp": str(NOW - 30), **BOTH}]
    ),
    "failed status": change(
        statuses=[{"id": "w.s", "status": "failed", "timestamp": str(NOW - 30), **BOTH}]
    ),
    "preference": change(
        user_preferences=[
            {"wa_id": ADA, "user_id": HIDDEN, "value": "resume", "timestamp": NOW - 30}
        ]
    ),
    "card": change(messages=[text("", "w.c", NOW - 30, type="contacts", contacts=CARD, **HER_ID)]),
    "standby": change(standby={"messages": [text("hi", "w.p", NOW - 30, from_user_id=HIDDEN)]}),
    "call": change(
        calls=[
            {
                "id": "c.1",
                "event": "connect",
                "direction": "USER_INITIATED",
                "timestamp": str(NOW - 30),
                "from": ADA,
                "from_user_id": HIDDEN,
            }
        ]
    ),
}
STOPS = {
    ADA: change(messages=[text("STOP", "w.stop", NOW - 5)]),
    HIDDEN: change(messages=[text("Stop", "w.stop", NOW - 5, **HER_ID)]),
}
OTHER = change(messages=[text("hi", "w.o", NOW - 10) | {"from": BEN}])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    clock = Clock((NOW - 60) * 1_000_000)
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made, **SETTINGS)
        await put_template(made, Category.UTILITY)
        for who in (ADA, BEN):
            await consent(made, Kind.OPT_IN, who)
        clock.now = NOW * 1_000_000
        yield made


async def refusals(store: SQLiteStore, *people: str) -> list[MessageState]:
    return [m.state for who in people for m in await send(store, who, message=UTILITY)]


@pytest.mark.parametrize("batched", [False, True], ids=["apart", "in one body"])
@pytest.mark.parametrize("order", [*permutations((0, 1, 2))], ids=lambda o: "".join(map(str, o)))
@pytest.mark.parametrize("said_by", [ADA, HIDDEN], ids=["by number", "by BSUID"])
@pytest.mark.parametrize("pair", PAIRS)
async def test_it_blocks_both_in_any_order(
    store: SQLiteStore, pair: str, said_by: str, order: tuple[int, ...], batched: bool
) -> None:
    """However the pair is told, before the stop or after it, doubled, apart or in one body with
    other people's messages: neither identity is written to, and nobody else is stopped."""
    changes = [(PAIRS[pair], STOPS[said_by], OTHER)[n] for n in order]
    if batched:
        await hear(store, bodied(*changes, *changes))
    else:
        for each in [*changes, *reversed(changes)]:
            await hear(store, bodied(each))
    assert await refusals(store, ADA, HIDDEN) == [MessageState.NO_OPT_IN] * 2
    assert await refusals(store, BEN) == [MessageState.QUEUED]


async def test_until_the_pair_is_known_the_other_goes_on(store: SQLiteStore) -> None:
    """R11: nobody guesses. The message after the pair is refused, the one before it was not."""
    await hear(store, bodied(STOPS[HIDDEN]))
    assert await refusals(store, ADA) == [MessageState.QUEUED]
    await hear(store, bodied(PAIRS["status"]))
    assert await refusals(store, ADA) == [MessageState.NO_OPT_IN]
