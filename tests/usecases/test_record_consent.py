"""Recording consent that a business tells us of (R2, R3, R6, H1, H2)."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from optin.domain import consent
from optin.domain.errors import NotFound, StoreUnavailable
from optin.domain.events import DAY, Kind, Origin
from optin.usecases.record_consent import Status
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


async def opted_in(ledger: Ledger, identity: str = WHO) -> bool:
    """R4, now."""
    reading = await ledger.store.read(BOT, [identity])
    return consent.opted_in(reading.clocks[identity], reading.now)


async def test_all_numbers_in_one_commit(ledger: Ledger) -> None:
    """H2, H3: each identity has one live event, a repeated one too, with who told us."""
    await ledger.use_case.provision(BOT, [WHO, FRIEND, WHO], Kind.OPT_IN, CALLER)
    [mine], [friends] = await ledger.events(), await ledger.events(FRIEND)
    assert (mine.recorded, mine.effective, friends.effective) == (NOW, NOW, NOW)
    assert (mine.claim.kind, mine.claim.origin) == (Kind.OPT_IN, Origin.LIVE)
    assert (mine.claim.actor, mine.claim.source) == ("token-1", "native_api")
    assert mine.claim.context == {"ip": "192.0.2.1"}
    assert not mine.claim.from_contact
    assert not await ledger.events(bot_id=OTHER_BOT)


async def test_the_last_call_wins_whatever_clocks_do(ledger: Ledger) -> None:
    """R3: a call takes effect after the one before it, though the clock went back meanwhile."""
    await ledger.use_case.provision(BOT, [WHO], Kind.OPT_IN, CALLER)
    ledger.now = NOW - DAY
    await ledger.use_case.provision(BOT, [WHO], Kind.OPT_OUT, CALLER)
    assert not await opted_in(ledger)
    ledger.now = NOW - 2 * DAY
    await ledger.use_case.provision(BOT, [WHO], Kind.OPT_IN, CALLER)
    assert await opted_in(ledger)
    assert [event.effective for event in await ledger.events()] == [NOW, NOW + 1, NOW + 2]


async def test_later_than_the_other_spelling_too(ledger: Ledger) -> None:
    """R3, R11: the live time exceeds the clocks of every spelling that a decision reads."""
    await ledger.use_case.provision(BOT, ["5215512345678"], Kind.OPT_OUT, CALLER)
    ledger.now = NOW - DAY
    await ledger.use_case.provision(BOT, ["525512345678"], Kind.OPT_IN, CALLER)
    assert await opted_in(ledger, "5215512345678")


async def test_an_unknown_bot(ledger: Ledger) -> None:
    """What is told of a bot that does not exist is refused, and so is one that was removed."""
    await ledger.store.remove_bot(OTHER_BOT)
    for bot_id in ("nobody", OTHER_BOT):
        with pytest.raises(NotFound):
            await ledger.use_case.provision(bot_id, [WHO], Kind.OPT_IN, CALLER)
        with pytest.raises(NotFound):
            await ledger.use_case.record(bot_id, [item("opt_in")], CALLER)
        assert not await ledger.events(bot_id=bot_id)


async def test_a_store_that_is_gone(ledger: Ledger) -> None:
    """R12: when the store cannot commit, nothing is reported as recorded."""
    await ledger.store.close()
    with pytest.raises(StoreUnavailable):
        await ledger.use_case.provision(BOT, [WHO], Kind.OPT_OUT, CALLER)
    with pytest.raises(StoreUnavailable):
        await ledger.record(item("opt_out"))


async def test_bad_items_alone_commit_nothing(ledger: Ledger) -> None:
    """Without one good item the store is not asked at all."""
    await ledger.store.close()
    assert [r.status for r in await ledger.record(item("x"), {})] == [Status.REJECTED] * 2


async def test_good_items_share_one_commit(ledger: Ledger) -> None:
    """A bad item between two good ones takes neither along; one refused inside the commit too."""
    results = await ledger.record(
        item("opt_in"),
        item("opt_in", identity="12"),
        item("opt_in", NOW + 6 * MINUTE, FRIEND),
        item("opt_out", identity=FRIEND),
    )
    assert [r.status for r in results] == [
        Status.RECORDED,
        Status.REJECTED,
        Status.REJECTED,
        Status.RECORDED,
    ]
    assert [r.reason for r in results] == [None, "invalid_identity", "future_dated", None]
    assert [r.in_force for r in results] == [True, None, None, True]
    assert len(await ledger.events()) == len(await ledger.events(FRIEND)) == 1


async def test_items_of_one_contact_go_in_order(ledger: Ledger) -> None:
    """R3: of two live items of one list the later one is the newer."""
    results = await ledger.record(item("opt_out"), item("opt_in"))
    assert [r.in_force for r in results] == [False, True]
    results = await ledger.record(item("opt_in"), item("opt_out"))
    assert [r.in_force for r in results] == [False, True]


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("opt_in", Status.IGNORED),
        ("opt_out", Status.IGNORED),
        ("marketing_stop", Status.IGNORED),
        ("marketing_resume", Status.IGNORED),
        ("message", Status.IGNORED),
    ],
)
async def test_the_same_again(ledger: Ledger, action: str, status: Status) -> None:
    """A dated item that tells nothing new is `ignored`, but is in the ledger (R2, H1)."""
    [first] = await ledger.record(item(action, NOW - HOUR))
    [again] = await ledger.record(item(action, NOW - HOUR))
    assert (first.status, again.status, again.reason) == (Status.RECORDED, status, "not_newer")
    assert first.in_force == again.in_force
    assert len(await ledger.events()) == 2


async def test_an_old_list_revives_nobody(ledger: Ledger) -> None:
    """R2, R3: an opt-in dated before the opt-out is recorded and not in force."""
    await ledger.record(item("opt_out", NOW - HOUR))
    [old] = await ledger.record(item("opt_in", NOW - DAY))
    assert (old.status, old.in_force) == (Status.RECORDED, False)
    assert not await opted_in(ledger)


async def test_a_tie_is_an_opt_out(ledger: Ledger) -> None:
    """R4: opted in and out at the same instant is out, whichever came first."""
    await ledger.record(item("opt_out", NOW - HOUR), item("opt_in", NOW - HOUR))
    await ledger.record(item("opt_in", NOW - HOUR, FRIEND), item("opt_out", NOW - HOUR, FRIEND))
    assert not await opted_in(ledger)
    assert not await opted_in(ledger, FRIEND)


async def test_a_session_ends_after_24_hours(ledger: Ledger) -> None:
    """R5: a message of 24 h ago is not in force any more, one a microsecond younger is."""
    results = await ledger.record(
        item("message", NOW - DAY), item("message", NOW - DAY + 1, FRIEND)
    )
    assert [r.in_force for r in results] == [False, True]


async def test_who_opted_out(ledger: Ledger) -> None:
    """R4: evidence that names the contact makes a stop the contact's own, and nothing else does."""
    contact = {"actor": "contact"}
    await ledger.record(
        item("opt_in", NOW - 5, evidence=contact),
        item("opt_out", NOW - 4, evidence=contact),
        item("marketing_stop", NOW - 3, evidence=contact),
        item("opt_out", NOW - 2, evidence={"actor": "agent"}),
        item("opt_out", NOW - 1),
    )
    own = [event.claim.from_contact for event in await ledger.events()]
    assert own == [False, True, True, False, False]


async def test_a_wording_is_named_by_its_digest(ledger: Ledger) -> None:
    """R4: the wording shown is kept as evidence, and its SHA-256 in the claim."""
    await ledger.record(item("opt_in", NOW - 2, evidence={"wording": "Ja, gärna"}))
    await ledger.record(item("opt_in", NOW - 1, evidence={"wording": {"id": 7}}))
    first, second = await ledger.events()
    assert first.claim.wording == hashlib.sha256("Ja, gärna".encode()).hexdigest()
    assert first.claim.evidence == {"wording": "Ja, gärna"}
    assert second.claim.wording is None


async def test_many_callers_at_once(ledger: Ledger) -> None:
    """Calls that share a batch each have their own answer and their own event."""
    people = [f"4673{n:07}" for n in range(200)]
    answers = await asyncio.gather(*(ledger.record(item("opt_in", identity=p)) for p in people))
    assert [results[0].identity for results in answers] == people
    reading = await ledger.store.read(BOT, people)
    assert all(consent.opted_in(reading.clocks[p], reading.now) for p in people)
