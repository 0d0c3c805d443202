"""The marketing stop of a review item: it ends with the decision, and no other does (R8, R10)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from optin.domain.errors import Conflict
from optin.domain.events import Event, Kind
from optin.ports.store import Erasing, Histories
from optin.stores.sqlite import SQLiteStore
from optin.usecases.review import Reviews
from tests.usecases.hearing import HIDDEN, NOW, SETTINGS, body, hear, kinds, reviews, text
from tests.usecases.outbox import ADA, BOT, Clock, add_bot, consent, opened
from tests.usecases.reviewing import UNCLEAR, decide, is_marketing_stopped, unclear


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made, **SETTINGS)
        yield made


@pytest.mark.parametrize("setting", ["yes", "no"])
async def test_nothing_undoes_what_was_provisional(store: SQLiteStore, setting: str) -> None:
    """The stop that the question itself had set is lifted; without one nothing is recorded."""
    await store.put_settings(BOT, {"review_stop": setting})
    await unclear(store)
    await decide(store, "nothing")
    assert not await is_marketing_stopped(store)
    resumed = (await kinds(store, ADA)).count(Kind.MARKETING_RESUME)
    assert resumed == (1 if setting == "yes" else 0)
    await unclear(store)
    assert not await is_marketing_stopped(store)


@pytest.mark.parametrize("when", [-3600, -30, 30])
async def test_nothing_lifts_no_stop_of_the_contacts_own(store: SQLiteStore, when: int) -> None:
    """A real stop, before the question, between, or after it, stays in force."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    real = text("stop promotions", "wamid.R", NOW - 600 + when)
    question = [text(UNCLEAR, "wamid.Q", NOW - 600)]
    for messages in ([real], question) if when == -3600 else (question, [real]):
        await hear(store, body(messages=messages))
    await decide(store, "nothing")
    assert await is_marketing_stopped(store)


async def test_a_stop_that_comes_while_it_is_decided_stays(store: SQLiteStore) -> None:
    """R6: one that is committed after the history was read is newer than the question's own."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    await unclear(store, at=NOW - 600)
    read = store.histories

    async def slow(bot_id: str, identities: Sequence[str]) -> Histories:
        found = await read(bot_id, identities)
        await consent(store, Kind.MARKETING_STOP, ADA)
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "histories", slow)
        await decide(store, "nothing")
    assert await is_marketing_stopped(store)


async def test_an_older_stop_that_comes_while_it_is_decided_stays(store: SQLiteStore) -> None:
    """R2: one that moves no clock, as it is older than the question's own, is not lifted either."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    await unclear(store, at=NOW - 600)
    read = store.histories

    async def slow(bot_id: str, identities: Sequence[str]) -> Histories:
        found = await read(bot_id, identities)
        await hear(store, body(messages=[text("stop promotions", "wamid.R", NOW - 900)]))
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "histories", slow)
        await decide(store, "nothing")
    assert await is_marketing_stopped(store)


async def test_what_does_not_hold_still_is_not_decided(store: SQLiteStore) -> None:
    """R12: if something new came at every try, nothing is lifted and the item stays open."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    await unclear(store, at=NOW - 600)
    read = store.histories

    async def slow(bot_id: str, identities: Sequence[str]) -> Histories:
        found = await read(bot_id, identities)
        await consent(store, Kind.OPT_IN, ADA)
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "histories", slow)
        with pytest.raises(Conflict, match="again"):
            await decide(store, "nothing")
    assert await is_marketing_stopped(store)
    await decide(store, "nothing")
    assert not await is_marketing_stopped(store)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
@pytest.mark.parametrize("last", ["nothing", "marketing_stop"])
async def test_several_questions_about_one_contact(
    store: SQLiteStore, order: list[int], last: str
) -> None:
    """Each has a stop of its own: marketing goes on when the last of them turned out as nothing."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    for n in range(3):
        await unclear(store, f"wamid.{n}", NOW - 600 + n)
    items = await reviews(store)
    for n in order:
        assert await is_marketing_stopped(store)
        decision = last if n == order[-1] else "nothing"
        await Reviews(store).decide(BOT, items[n].review_id, decision, actor="token-1")
    assert await is_marketing_stopped(store) == (last != "nothing")
    assert await is_marketing_stopped(store, HIDDEN) == (last != "nothing")


@pytest.mark.parametrize("when", [-900, -600, -30])
async def test_a_stop_that_comes_late_counts(store: SQLiteStore, when: int) -> None:
    """A decision is no word of the contact's: it lifts the question's stop and no other, also none
    that was written before it and reaches us afterwards, as often as it does."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    await unclear(store, at=NOW - 600)
    await decide(store, "nothing")
    assert not await is_marketing_stopped(store)
    for _ in range(2):
        await hear(store, body(messages=[text("stop promotions", "wamid.R", NOW + when)]))
        assert await is_marketing_stopped(store)
    told = [e for e in (await store.histories(BOT, [ADA])).events[ADA] if _is_stop(e)]
    assert len(told) == (2 if when == -30 else 3)
    await consent(store, Kind.MARKETING_RESUME, ADA)
    await hear(store, body(messages=[text("stop promotions", "wamid.R", NOW + when)]))
    assert not await is_marketing_stopped(store)


def _is_stop(event: Event) -> bool:
    return event.claim.kind is Kind.MARKETING_STOP


async def test_a_question_that_comes_late_stops_until_it_is_decided(store: SQLiteStore) -> None:
    """Written before one that is decided already, it is open all the same."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    await unclear(store, "wamid.2", NOW - 600)
    await decide(store, "nothing")
    await unclear(store, "wamid.1", NOW - 900)
    assert await is_marketing_stopped(store)
    await decide(store, "nothing")
    assert not await is_marketing_stopped(store)
    for wamid, at in (("wamid.1", NOW - 900), ("wamid.2", NOW - 600)):
        await unclear(store, wamid, at)
        assert not await is_marketing_stopped(store)


@pytest.mark.parametrize("question", [NOW - 600, NOW])
async def test_a_stop_that_the_contact_took_back_stays_so(
    store: SQLiteStore, question: int
) -> None:
    """R2: a late stop that a real resume outweighs is not made newer than it was, whether that came
    after the question or before it."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    if question == NOW:
        await consent(store, Kind.MARKETING_RESUME, ADA)
    await unclear(store, at=question)
    await decide(store, "nothing")
    if question != NOW:
        await consent(store, Kind.MARKETING_RESUME, ADA)
    await hear(store, body(messages=[text("stop promotions", "wamid.R", NOW - 900)]))
    assert not await is_marketing_stopped(store)


async def test_a_conflict_decided_as_nothing_lets_marketing_go_on(store: SQLiteStore) -> None:
    """R11: the stops that the conflict set for all of them are lifted for all."""
    for wamid, hidden in (("wamid.1", HIDDEN), ("wamid.2", "SE.999")):
        await hear(store, body(messages=[text("hi", wamid, NOW - 5, from_user_id=hidden)]))
    assert await is_marketing_stopped(store)
    await decide(store, "nothing")
    assert not any([await is_marketing_stopped(store, who) for who in (ADA, HIDDEN, "SE.999")])


async def test_a_late_stop_counts_after_an_erasure_too(store: SQLiteStore) -> None:
    """R10, R15: an erasure empties what a resume says, and still it is no word of the contact's."""
    await store.put_settings(BOT, {"review_stop": "yes"})
    await unclear(store, at=NOW - 600)
    await decide(store, "nothing")
    await store.forget(BOT, ADA, Erasing(b"e" * 16, "test"))
    await hear(store, body(messages=[text("stop promotions", "wamid.R", NOW - 900)]))
    assert await is_marketing_stopped(store)
