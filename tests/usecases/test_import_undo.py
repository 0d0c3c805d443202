"""An import taken back: everybody stands as if it had not been, and the ledger shows both."""

from __future__ import annotations

import pytest

from optin.domain.errors import Conflict, NotFound
from optin.domain.rfc3339 import shown_time
from optin.ports.imports import ImportState
from optin.usecases.import_list import ImportRequest, RunImports
from optin.usecases.import_list.works import LEASE, TakeBack
from tests.conftest import OpenStore
from tests.usecases.importing import Lists, csv
from tests.usecases.ledger import BOT, FRIEND, HOUR, NOW, WHO, Ledger, item

EARLIER, LATER = shown_time(NOW - 9 * HOUR), shown_time(NOW - 2 * HOUR)
A, B, C, D = ("46732001144", "46732001155", "46732001166", "46732001177")


@pytest.fixture
async def lists(open_store: OpenStore) -> Lists:
    return Lists(await Ledger.opened(open_store))


async def test_opt_ins_are_taken_back(lists: Lists) -> None:
    """Who came in by the list only is out, by an opt-out at the same instant; who was in before
    stays in; the import's events stay in the ledger."""
    await lists.ledger.record(item("opt_in", at=NOW - 20 * HOUR, identity=A))
    await lists.ledger.record(item("opt_out", at=NOW - 20 * HOUR, identity=B))
    job = await lists.imported(
        csv(*(f"+{one},opt-in,{EARLIER}" for one in (A, B, C)), f"+{D},opt-in,")
    )
    assert await lists.reasons(A, B, C, D) == [None] * 4
    lists.ledger.now += 1
    undo = await lists.undone(job)
    assert (undo.state, undo.rows, undo.counts) == (ImportState.DONE, 4, {"opt_out": 3})
    assert await lists.reasons(A, B, C, D) == [None, "opted_out", "opted_out", "opted_out"]
    was, taken_back = await lists.events(C)
    assert was.effective == taken_back.effective == NOW - 9 * HOUR
    assert (taken_back.claim.source, taken_back.claim.actor) == ("import_undo", "boss")
    assert taken_back.claim.context == {"import": job.import_id, "undo": undo.import_id}
    assert (await lists.now(job)).undone_by == undo.import_id


async def test_what_came_later_stays(lists: Lists) -> None:
    """A live opt-in or message after the import is the contact's own, and works on."""
    job = await lists.imported(csv(f"+{A},opt-in,{EARLIER}", f"+{B},opt-in,{EARLIER}"))
    await lists.ledger.record(item("opt_in", identity=A), item("message", identity=B))
    await lists.undone(job)
    assert await lists.reasons(A, B) == [None, None]


async def test_opt_outs_are_lifted_again(lists: Lists) -> None:
    """Who was in and only out by the list is in again, with the evidence of the opt-in that counts;
    who opted out otherwise, before or since, stays out."""
    shown = {"wording": "Yes please", "channel": "web"}
    for one in (A, B, C):
        await lists.ledger.record(item("opt_in", at=NOW - 20 * HOUR, identity=one, evidence=shown))
    await lists.ledger.record(item("opt_out", at=NOW - 19 * HOUR, identity=B))
    job = await lists.imported(csv(*(f"+{one},opt-out,{EARLIER}" for one in (A, B, C, D))))
    lists.ledger.now += HOUR
    await lists.ledger.record(item("opt_out", identity=C))
    undo = await lists.undone(job)
    assert undo.counts == {"opt_in": 1}
    assert await lists.reasons(A, B, C, D) == [None, "opted_out", "opted_out", "opted_out"]
    restored = (await lists.events(A))[-1]
    assert restored.effective == NOW - 9 * HOUR + 1
    assert restored.claim.evidence == shown
    assert restored.claim.wording is not None


async def test_marketing_is_taken_back(lists: Lists) -> None:
    """R8: a stop of marketing that only the list brought is resumed, one that it lifted is back."""
    await lists.ledger.record(
        item("opt_in", at=NOW - 20 * HOUR, identity=A),
        item("opt_in", at=NOW - 20 * HOUR, identity=B),
        item("marketing_stop", at=NOW - 19 * HOUR, identity=B),
    )
    data = csv(f"+{A},marketing_stop,{EARLIER}", f"+{B},marketing_resume,{EARLIER}")
    job = await lists.imported(data)
    undo = await lists.undone(job)
    assert undo.counts == {"marketing_resume": 1, "marketing_stop": 1}
    for one, stopped in ((A, False), (B, True)):
        clocks = await lists.clocks(one)
        assert (clocks.marketing_stop >= clocks.marketing_resume) is stopped


async def test_once(lists: Lists) -> None:
    """An import is undone once; what is no import that is over can not be."""
    job = await lists.received(csv(f"+{A},opt-in,"))
    asked = ImportRequest()
    with pytest.raises(Conflict, match="under way"):
        await lists.receiving.undo(BOT, job.import_id, asked)
    await RunImports(lists.store, "one")()
    undo = await lists.undone(job)
    for import_id, says in ((job.import_id, "already"), (undo.import_id, "recorded something")):
        with pytest.raises(Conflict, match=says):
            await lists.receiving.undo(BOT, import_id, asked)
    dry = await lists.imported(csv(f"+{A},opt-out,"), dry_run=True)
    with pytest.raises(Conflict):
        await lists.receiving.undo(BOT, dry.import_id, asked)
    with pytest.raises(NotFound):
        await lists.receiving.undo(BOT, "01J", asked)


async def test_the_list_can_be_taken_in_again(lists: Lists) -> None:
    """After an undo a mended list counts, if its dates are later than what took the first back."""
    job = await lists.imported(csv(f"+{A},opt-in,{EARLIER}"))
    await lists.undone(job)
    again = await lists.imported(csv(f"+{A},opt-in,{EARLIER}"))
    assert again.counts == {"ignored": 1, "outweighed": 1}
    later = await lists.imported(csv(f"+{A},opt-in,{LATER}"))
    assert later.counts == {"recorded": 1, "lifted": 1}


async def test_killed_in_the_middle(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    """An undo that dies is gone on with: everybody is taken back once."""
    who = [f"467{n:08}" for n in range(900)]
    job = await lists.imported(csv(*(f"+{one},opt-in,{EARLIER}" for one in who)))
    undo = await lists.receiving.undo(BOT, job.import_id, ImportRequest())
    commit, calls = lists.store.commit, 0

    async def dying(work: object) -> object:
        nonlocal calls
        calls += isinstance(work, TakeBack)
        if isinstance(work, TakeBack) and calls % 3 == 1:
            raise RuntimeError
        answer: object = await commit(work)  # type: ignore[arg-type]
        if isinstance(work, TakeBack) and calls % 3 == 2:
            raise RuntimeError
        return answer

    monkeypatch.setattr(lists.store, "commit", dying)
    for process in range(20):
        await RunImports(lists.store, f"process {process}")()
        lists.ledger.now += LEASE
    assert calls > 4
    done = await lists.now(undo)
    assert (done.state, done.counts) == (ImportState.DONE, {"opt_out": 900})
    assert await lists.reasons(*who) == ["opted_out"] * 900
    assert [len(await lists.events(one)) for one in who[::90]] == [2] * 10


async def test_somebody_changes_meanwhile(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked at counts only if it still holds in the commit, hidden opt-outs included."""
    await lists.ledger.record(item("opt_in", at=NOW - 20 * HOUR))
    job = await lists.imported(csv(f"+{WHO},opt-out,{EARLIER}", f"+{FRIEND},opt-in,{EARLIER}"))
    histories, looked = lists.store.histories, 0

    async def changing(bot_id: str, who: list[str]) -> object:
        nonlocal looked
        looked += 1
        found = await histories(bot_id, who)
        if looked == 1:
            await lists.ledger.record(item("opt_out", at=NOW - 10 * HOUR))
        return found

    monkeypatch.setattr(lists.store, "histories", changing)
    undo = await lists.undone(job)
    assert looked == 2
    assert undo.counts == {"opt_out": 1}
    assert await lists.reasons(WHO, FRIEND) == ["opted_out", "opted_out"]
