"""Asking whether a bot may message (R6, R7, R12, SPEC 6)."""

from __future__ import annotations

import pytest

from optin.domain.decision import Basis
from optin.domain.errors import InvalidInput, NotFound, StoreUnavailable
from optin.domain.events import DAY, Kind
from optin.domain.messages import Category
from optin.domain.retention import Horizons
from optin.ports.store import Erasing
from optin.usecases.check import Check
from optin.usecases.manage_templates import ManageTemplates
from optin.usecases.read_contact import ReadContact, Standing
from tests.conftest import OpenStore
from tests.usecases.ledger import (
    BOT,
    CALLER,
    FRIEND,
    HOUR,
    MINUTE,
    NOW,
    OTHER_BOT,
    WHO,
    Ledger,
    item,
)


@pytest.fixture
async def ledger(open_store: OpenStore) -> Ledger:
    return await Ledger.opened(open_store)


async def reason(ledger: Ledger, at: int | None = None, known_at: int | None = None) -> str | None:
    """Why `WHO` may not get a utility template; None if allowed."""
    check = Check(ledger.store)
    if at is None and known_at is None:
        return (await check.now(BOT, [WHO]))[0].reason
    return (await check.at(BOT, [WHO], at=at, known_at=known_at))[0].reason


async def test_the_session_carries_until_its_end(ledger: Ledger) -> None:
    """R5, R7: `until` is the message's time and 24 hours; at exactly that instant it is shut."""
    await ledger.record(item("message", NOW - HOUR))
    check = Check(ledger.store)
    [row] = await check.now(BOT, [WHO], Category.SERVICE)
    assert (row.allowed, row.basis, row.until) == (True, Basis.SESSION, NOW - HOUR + DAY)
    ledger.now = NOW - HOUR + DAY - 1
    assert (await check.now(BOT, [WHO]))[0].allowed
    ledger.now += 1
    assert (await check.now(BOT, [WHO]))[0].reason == "no_opt_in"


async def test_rows_keep_order_duplicates_and_nonsense(ledger: Ledger) -> None:
    """Each identity has its row as it was given; nonsense is `invalid` and never passes."""
    await ledger.record(item("opt_in"))
    given = [FRIEND, f"+{WHO}", None, WHO, f"+{WHO}", "x"]
    rows = await Check(ledger.store).now(BOT, given)
    assert [row.identity for row in rows] == given
    assert [row.allowed for row in rows] == [False, True, False, True, True, False]
    assert [row.reason for row in rows if not row.allowed] == ["no_opt_in", "invalid", "invalid"]
    assert [row.enforced for row in rows] == [True, False, True, False, False, True]


async def test_a_stop_ahead_of_the_clock_counts_now(ledger: Ledger) -> None:
    """R3, R6: a live opt-out lies after every clock there was, ahead of now if need be."""
    await ledger.use_case.provision(BOT, [WHO], Kind.OPT_IN, CALLER)
    ledger.now = NOW - DAY
    await ledger.use_case.provision(BOT, [WHO], Kind.OPT_OUT, CALLER)
    assert await reason(ledger) == "opted_out"
    assert await reason(ledger, at=NOW - DAY) == "opted_out"
    assert await reason(ledger, known_at=NOW) == "opted_out"


async def test_the_past_is_what_was_in_effect(ledger: Ledger) -> None:
    """`at`: events count from their effective time, to the microsecond."""
    await ledger.record(item("opt_in", NOW - DAY), item("opt_out", NOW - HOUR))
    found = [await reason(ledger, at=NOW + at) for at in (-DAY - 1, -DAY, -HOUR - 1, -HOUR, 0)]
    assert found == ["no_opt_in", None, None, "opted_out", "opted_out"]


async def test_a_past_session_is_judged_by_that_moment(ledger: Ledger) -> None:
    """`at`: a session that is over now was open then."""
    await ledger.record(item("message", NOW - 3 * DAY))
    check = Check(ledger.store)
    [row] = await check.at(BOT, [WHO], at=NOW - 3 * DAY + HOUR)
    assert (row.allowed, row.until) == (True, NOW - 2 * DAY)
    assert await reason(ledger, at=NOW - 2 * DAY) == "no_opt_in"


async def test_what_was_known(ledger: Ledger) -> None:
    """`known_at`: an opt-out that was told later had not been heard of by then."""
    await ledger.record(item("opt_in", NOW - DAY))
    ledger.now = NOW + HOUR
    await ledger.record(item("opt_out", NOW - HOUR))
    assert await reason(ledger) == "opted_out"
    assert await reason(ledger, known_at=NOW) is None
    assert await reason(ledger, known_at=NOW - 1) == "no_opt_in"
    assert await reason(ledger, at=NOW - HOUR, known_at=NOW) is None
    assert await reason(ledger, at=NOW - HOUR, known_at=NOW + HOUR) == "opted_out"


async def test_the_future_is_not_answered(ledger: Ledger) -> None:
    """A moment more than 5 minutes ahead is refused; a nearer one is now."""
    await ledger.record(item("message", NOW - DAY + 1))
    assert await reason(ledger, at=NOW + 5 * MINUTE) is None
    with pytest.raises(InvalidInput, match="ahead"):
        await reason(ledger, at=NOW + 5 * MINUTE + 1)


async def test_templates(ledger: Ledger) -> None:
    """H9, R7: the record's category is judged; without one, or without a record, marketing."""
    await ledger.record(item("opt_in"), item("marketing_stop"))
    templates = ManageTemplates(ledger.store)
    await templates.put(BOT, "ready", "en", "utility")
    await templates.put(BOT, "odd", "en", "")
    check = Check(ledger.store)
    for name, language, expected in (
        ("ready", "en", None),
        ("ready", "sv", "marketing_stopped"),
        ("odd", "en", "marketing_stopped"),
        ("unheard_of", "en", "marketing_stopped"),
    ):
        [now] = await check.now(BOT, [WHO], template=(name, language))
        [then] = await check.at(BOT, [WHO], template=(name, language), at=NOW)
        assert now.reason == then.reason == expected


async def test_the_gate_and_the_rule(ledger: Ledger) -> None:
    """R7: `enforce` never changes the answer, only whether the gate would refuse."""
    await ledger.record(item("opt_out", identity=FRIEND))
    check = Check(ledger.store)
    for enforce, enforced in (
        ("all", [True, True]),
        ("opt_outs", [False, True]),
        ("none", [False, False]),
    ):
        await ledger.store.put_settings(BOT, {"enforce": enforce})
        rows = await check.now(BOT, [WHO, FRIEND])
        assert [row.reason for row in rows] == ["no_opt_in", "opted_out"]
        assert [row.enforced for row in rows] == enforced


async def test_one_bot_only(ledger: Ledger) -> None:
    """R1: another bot's opt-in and another bot's templates say nothing."""
    await ledger.record(item("opt_in"))
    assert (await Check(ledger.store).now(OTHER_BOT, [WHO]))[0].reason == "no_opt_in"


async def test_unknown_bots(ledger: Ledger) -> None:
    """A bot that does not exist has no answers."""
    check = Check(ledger.store)
    with pytest.raises(NotFound):
        await check.now("nobody", [WHO])
    with pytest.raises(NotFound):
        await check.at("nobody", [WHO], at=NOW)
    with pytest.raises(NotFound):
        await ReadContact(ledger.store).read("nobody", WHO)


async def test_a_store_that_is_gone(ledger: Ledger) -> None:
    """R12: no store, no answer; never "allowed"."""
    await ledger.record(item("opt_in"))
    await ledger.store.close()
    check = Check(ledger.store)
    with pytest.raises(StoreUnavailable):
        await check.now(BOT, [WHO])
    with pytest.raises(StoreUnavailable):
        await check.at(BOT, [WHO], at=NOW)


async def test_a_contact(ledger: Ledger) -> None:
    """What is known of a contact holds at one instant: standing, session, clocks, decisions."""
    await ledger.record(item("opt_out", NOW - DAY), item("message", NOW - HOUR))
    contact = await ReadContact(ledger.store).read(BOT, WHO)
    assert contact.now == NOW
    assert contact.standing is Standing.OPTED_OUT
    assert contact.session_until == NOW - HOUR + DAY
    assert (contact.clocks.opt_out_other, contact.clocks.message) == (NOW - DAY, NOW - HOUR)
    assert contact.linked == {WHO: True}
    allowed = {category for category, made in contact.decisions.items() if made.allowed}
    assert allowed == {Category.UTILITY, Category.AUTHENTICATION, Category.SERVICE}


async def test_a_contact_reads_its_other_spelling(ledger: Ledger) -> None:
    """R11: Argentina's other spelling is named as one that only blocks."""
    await ledger.record(item("opt_out", identity="541123456789"))
    contact = await ReadContact(ledger.store).read(BOT, "5491123456789")
    assert contact.standing is Standing.OPTED_OUT
    assert contact.linked == {"541123456789": False, "5491123456789": True}


async def test_a_past_that_was_cut_away_is_unknown(ledger: Ledger) -> None:
    """R16: a question behind the point up to which the ledger was cut is never allowed."""
    await ledger.record(item("opt_in", NOW - 9 * DAY))
    await ledger.record(item("opt_in", NOW - 3 * DAY))
    ledger.now = NOW + DAY
    assert await ledger.store.retain(BOT, Horizons(events=NOW + MINUTE)) == 1
    assert await reason(ledger) is None
    assert await reason(ledger, at=NOW + 2 * MINUTE) is None
    assert await reason(ledger, at=NOW) == "unknown"
    assert await reason(ledger, known_at=NOW) == "unknown"
    assert await reason(ledger, at=NOW - 20 * DAY) == "unknown"


async def test_a_past_that_was_erased_is_unknown(ledger: Ledger) -> None:
    """R15, R16: what an erased contact allowed before their erasure nobody can tell."""
    await ledger.record(
        item("opt_in", NOW - 9 * DAY), item("opt_in", NOW - 9 * DAY, identity=FRIEND)
    )
    done = await ledger.store.forget(BOT, WHO, Erasing(b"e" * 16, "test"))
    ledger.now = NOW + DAY
    assert await reason(ledger, at=NOW - DAY) == "unknown"
    assert await reason(ledger, at=done.at) == "opted_out"
    rows = await Check(ledger.store).at(BOT, [FRIEND], at=NOW - DAY)
    assert rows[0].allowed


async def test_an_erasure_empties_what_was_known_before_it(ledger: Ledger) -> None:
    """R16: what the ledger said at an earlier moment is gone too, whatever day it is asked for."""
    await ledger.record(item("opt_in", NOW - 9 * DAY))
    done = await ledger.store.forget(BOT, WHO, Erasing(b"e" * 16, "test"))
    ledger.now = NOW + DAY
    assert await reason(ledger, known_at=done.at - 1) == "unknown"
    assert await reason(ledger, at=NOW - DAY, known_at=done.at - 1) == "unknown"
    assert await reason(ledger, at=NOW - DAY, known_at=NOW + HOUR) == "unknown"
    assert await reason(ledger, known_at=done.at) == "opted_out"
