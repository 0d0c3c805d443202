"""SendMessage: judged at the door, kept in the same commit (H8, H9, R7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.decision import Basis, Reason
from optin.domain.errors import NotFound
from optin.domain.events import Kind
from optin.domain.messages import Category, MessageState, to_json
from optin.domain.outbox import Stage
from optin.stores.sqlite import SQLiteStore
from optin.usecases.send_message import SendMessage
from tests.usecases.outbox import (
    ADA,
    BEN,
    BOT,
    CAY,
    HOUR,
    START,
    TEXT,
    UTILITY,
    Clock,
    add_bot,
    again,
    consent,
    new_id,
    opened,
    owed,
    put_template,
    send,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Clock()) as made:
        await add_bot(made)
        await put_template(made, Category.UTILITY)
        yield made


async def test_each_recipient_is_judged_alone_and_kept_in_order(store: SQLiteStore) -> None:
    """H8: the refused are settled rows, the others wait; all are in the store, in order."""
    await consent(store, Kind.OPT_IN, ADA)
    await consent(store, Kind.OPT_OUT, CAY)
    kept = await send(store, BEN, ADA, CAY, message=UTILITY)
    assert [(m.identity, m.state, m.stage, m.details) for m in kept] == [
        (BEN, MessageState.NO_OPT_IN, Stage.SETTLED, "no_opt_in"),
        (ADA, MessageState.QUEUED, Stage.WAITING, ""),
        (CAY, MessageState.NO_OPT_IN, Stage.SETTLED, "opted_out"),
    ]
    assert [await again(store, m) for m in kept] == kept
    assert kept[1].basis is Basis.OPT_IN
    assert [len(m.message_id) for m in kept] == [26, 26, 26]


async def test_a_refusal_at_the_door_is_told_in_its_row_only(store: SQLiteStore) -> None:
    """H8: the 201 carries the refusal, no callback repeats it."""
    await send(store, BEN, message=UTILITY)
    assert await owed(store) == []


async def test_a_free_form_message_needs_a_session(store: SQLiteStore) -> None:
    """R7 step 4 and H8: without a session it fails with its reason, with one it waits."""
    await consent(store, Kind.OPT_IN, ADA)
    [refused] = await send(store, ADA, message=TEXT)
    assert (refused.state, refused.details) == (MessageState.FAILED, "session_required")
    assert refused.category is Category.SERVICE
    await consent(store, Kind.MESSAGE, ADA)
    [waiting] = await send(store, ADA, message=TEXT)
    assert waiting.stage is Stage.WAITING


@pytest.mark.parametrize("category", [Category.MARKETING, None])
async def test_an_unknown_template_is_marketing(
    store: SQLiteStore, category: Category | None
) -> None:
    """R7: a marketing stop refuses a template recorded as marketing or without a category."""
    await put_template(store, category)
    await consent(store, Kind.OPT_IN, ADA)
    await consent(store, Kind.MARKETING_STOP, ADA)
    [refused] = await send(store, ADA, message=UTILITY)
    assert (refused.category, refused.reason) == (Category.MARKETING, Reason.MARKETING_STOPPED)
    assert (refused.state, refused.details) == (MessageState.FAILED, "marketing_stopped")


async def test_a_recipient_named_twice_is_one(store: SQLiteStore) -> None:
    """H3: duplicates collapse, so nobody gets a message twice."""
    assert [m.identity for m in await send(store, BEN, ADA, BEN)] == [BEN, ADA]


@pytest.mark.parametrize(
    ("category", "given", "life"),
    [
        (Category.UTILITY, None, 24 * HOUR),
        (Category.AUTHENTICATION, None, HOUR // 6),
        (Category.UTILITY, 5_000_000, 5_000_000),
    ],
)
async def test_a_message_has_a_life(
    store: SQLiteStore, category: Category, given: int | None, life: int
) -> None:
    """H8: ten minutes for authentication, 24 hours else, settable."""
    await put_template(store, category)
    [message] = await send(store, ADA, message=UTILITY, life=given)
    assert (message.created, message.expires) == (START, START + life)


async def test_what_is_kept_is_what_was_given(store: SQLiteStore) -> None:
    """The body and the callback URL come back as they went in; `get` finds them."""
    [message] = await send(store, ADA, message=UTILITY, callback_url="https://x.example/y")
    found = await SendMessage(store, new_id).get(BOT, message.message_id)
    assert (found.body, found.callback_url) == (to_json(UTILITY), "https://x.example/y")


async def test_an_unknown_message_is_not_found(store: SQLiteStore) -> None:
    """`get` raises instead of answering with nothing."""
    with pytest.raises(NotFound):
        await SendMessage(store, new_id).get(BOT, "01JUNKJUNKJUNKJUNKJUNKJUNK")


async def test_an_unknown_bot_sends_nothing(store: SQLiteStore) -> None:
    """R12: without the bot there is no setting to judge by."""
    with pytest.raises(NotFound):
        await SendMessage(store, new_id).accept("nobody", [ADA], TEXT, "token-1")


async def test_enforce_none_lets_pass_and_records_what_it_would_have_been(tmp_path: Path) -> None:
    """R7 `enforce`: everything passes and is recorded with the rule's own answer."""
    async with opened(tmp_path / "none.db", Clock()) as store:
        await add_bot(store, enforce="none")
        [message] = await send(store, ADA, message=UTILITY)
    assert (message.stage, message.passed) == (Stage.WAITING, True)
    assert message.reason is Reason.NO_OPT_IN


async def test_the_worker_is_told_after_the_commit(store: SQLiteStore) -> None:
    """`accepted` is called when the messages can be leased, not before."""
    told: list[bool] = []
    sender = SendMessage(store, new_id, lambda: told.append(True))
    await consent(store, Kind.OPT_IN, ADA)
    await sender.accept(BOT, [ADA], UTILITY, "token-1")
    _, leased = await store.lease_messages("me", HOUR, 5)
    assert (told, len(leased)) == ([True], 1)
