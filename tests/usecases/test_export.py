"""Everybody and everything out, and in again elsewhere."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from optin.domain.errors import InvalidInput, NotFound
from optin.usecases.check import Check
from optin.usecases.erase import Erase
from optin.usecases.export import Export
from optin.usecases.import_list import RunImports
from optin.usecases.record_consent import Caller
from tests.conftest import OpenStore
from tests.usecases.importing import Lists, new_id
from tests.usecases.ledger import BOT, CALLER, FRIEND, HOUR, NOW, OTHER_BOT, WHO, Ledger, item


@pytest.fixture
async def ledger(open_store: OpenStore) -> Ledger:
    return await Ledger.opened(open_store)


async def exported(ledger: Ledger, what: str, form: str = "csv", bot_id: str = BOT) -> str:
    pieces = [piece async for piece in Export(ledger.store, bot_id, what, form).pieces()]
    return b"".join(pieces).decode()


async def table(ledger: Ledger, what: str, **more: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(await exported(ledger, what, **more), newline="")))


async def test_contacts(ledger: Ledger) -> None:
    """Each with its state, its times and the decision per category; no other bot's, none erased."""
    await ledger.record(item("opt_in", at=NOW - 9 * HOUR), item("message", at=NOW - HOUR))
    await ledger.record(item("opt_out", identity=FRIEND), item("opt_in", identity="46732001144"))
    await ledger.use_case.record(OTHER_BOT, [item("opt_in", identity="46732001155")], CALLER)
    await Erase(ledger.store, new_id).forget(
        BOT, "46732001144", source="test", actor="", context={}
    )
    one, other = await table(ledger, "contacts")
    assert (one["identity"], one["state"], one["opt_in_at"]) == (
        f"+{WHO}",
        "opted_in",
        "2027-01-14T23:00:00Z",
    )
    assert one["marketing"] == one["service"] == "allowed"
    assert (other["identity"], other["state"], other["utility"]) == (
        f"+{FRIEND}",
        "opted_out",
        "opted_out",
    )


async def test_all_pages(ledger: Ledger) -> None:
    """Nobody is left out or told twice, however many pages there are."""
    who = [f"467{n:08}" for n in range(1_300)]
    for start in (0, 1_000):
        await ledger.record(*(item("opt_in", identity=one) for one in who[start : start + 1_000]))
    assert [row["identity"] for row in await table(ledger, "contacts")] == [f"+{o}" for o in who]
    assert [row["identity"] for row in await table(ledger, "events")] == [f"+{o}" for o in who]
    lines = (await exported(ledger, "contacts", "jsonl")).splitlines()
    assert [json.loads(line)["identity"] for line in lines] == [f"+{o}" for o in who]


async def test_events(ledger: Ledger) -> None:
    """Everything recorded, in the ledger's order, with its evidence and wording."""
    shown = {"wording": "Ja, gärna", "channel": "web"}
    await ledger.record(item("opt_in", at=NOW - HOUR, evidence=shown, categories=["utility"]))
    await ledger.record(item("message", at=NOW - HOUR))
    first, second = await table(ledger, "events")
    assert (first["action"], first["occurred_at"]) == ("opt_in", "2027-01-15T07:00:00Z")
    assert json.loads(first["evidence"]) == shown
    assert first["categories"] == "utility"
    assert second["action"] == "message"


async def test_no_formula_runs(ledger: Ledger) -> None:
    """What a caller gave as evidence or a name can not run in a spreadsheet."""
    bad = '=HYPERLINK("http://x")'
    await ledger.use_case.record(BOT, [item("opt_in")], Caller(bad, bad, {"ip": bad}))
    (row,) = await table(ledger, "events")
    assert row["source"] == row["actor"] == "'" + bad
    cells = next(csv.reader(io.StringIO((await exported(ledger, "events")).splitlines()[1])))
    assert not [cell for cell in cells if cell.startswith(("=", "@", "-"))]


@pytest.mark.parametrize("what", ["contacts", "events"])
async def test_in_again_elsewhere(ledger: Ledger, what: str) -> None:
    """What one bot exports another takes in as it is, and everybody stands as before."""
    who = [f"467{n:08}" for n in range(40)]
    kinds = ("opt_in", "opt_out", "opt_in", "marketing_stop")
    for hour, kind in enumerate(kinds):
        some = who[hour * 7 : hour * 7 + 12]
        await ledger.record(*(item(kind, at=NOW - (9 - hour) * HOUR, identity=w) for w in some))
    lists = Lists(ledger)
    job = await lists.received(await exported(ledger, what), bot_id=OTHER_BOT)
    await RunImports(ledger.store, "one")()
    job = await lists.now(job)
    here, there = [await Check(ledger.store).now(bot, who) for bot in (BOT, OTHER_BOT)]
    assert [row.allowed for row in here] == [row.allowed for row in there], job.counts


async def test_what_is_asked_must_be_there(ledger: Ledger) -> None:
    """Another kind or form is refused; so is a bot that is not there."""
    for what, form in (("people", "csv"), ("events", "xlsx")):
        with pytest.raises(InvalidInput):
            await exported(ledger, what, form)
    with pytest.raises(NotFound):
        await exported(ledger, "events", bot_id="nobody")
