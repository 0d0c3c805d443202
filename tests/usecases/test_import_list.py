"""Lists in: what is recorded, what is refused, and that no restart doubles or loses a row."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from optin.domain.errors import Conflict, InvalidInput, InvalidList, NotFound, TooLarge
from optin.domain.lists.claims import UNDATED
from optin.domain.lists.reader import ListOptions
from optin.domain.rfc3339 import shown_time
from optin.ports.imports import ImportJob, ImportState
from optin.usecases.import_list import ImportRequest, ReceiveImport, RunImports, rejected_csv
from optin.usecases.import_list.works import LEASE, RecordRows
from tests.conftest import OpenStore
from tests.usecases.importing import Lists, body, csv, new_id
from tests.usecases.ledger import BOT, FRIEND, HOUR, NOW, OTHER_BOT, WHO, Ledger, item

EARLIER, LATER = shown_time(NOW - 9 * HOUR), shown_time(NOW - 2 * HOUR)


@pytest.fixture
async def lists(open_store: OpenStore) -> Lists:
    return Lists(await Ledger.opened(open_store))


def numbers(count: int) -> list[str]:
    return [f"467{n:08}" for n in range(count)]


async def test_rows_are_recorded_with_their_own_dates(lists: Lists) -> None:
    """R3, R14: each with its date, where it stood, and by whom it was given."""
    data = csv(
        f"+{WHO},opt-in,{EARLIER},web",
        f"+{FRIEND},STOP,{LATER},sms",
        head="phone,status,date,source",
    )
    job = await lists.imported(data, name="old.csv", actor="token-7")
    assert (job.state, job.rows, job.counts) == (ImportState.DONE, 2, {"recorded": 2})
    assert await lists.reasons(WHO, FRIEND) == [None, "opted_out"]
    [event] = await lists.events(WHO)
    assert event.effective == NOW - 9 * HOUR
    assert (event.claim.source, event.claim.actor) == ("import", "token-7")
    assert event.claim.evidence == {"collection_point": "web"}
    assert event.claim.context == {
        "import": job.import_id,
        "row": "1",
        "line": "2",
        "file": "old.csv",
    }
    [out] = await lists.events(FRIEND)
    assert out.claim.from_contact
    assert await lists.store.import_body(BOT, job.import_id, 0) is None


async def test_an_opt_in_without_a_date_lifts_nothing(lists: Lists) -> None:
    """R3: it lets in whom nobody has heard of, and lifts no opt-out, however old."""
    await lists.ledger.record(item("opt_out", at=NOW - 5000 * HOUR))
    job = await lists.imported(csv(f"+{WHO},opt-in,", f"+{FRIEND},opt-in,"))
    assert job.counts == {"recorded": 2, "outweighed": 1}
    assert await lists.reasons(WHO, FRIEND) == ["opted_out", None]
    assert (await lists.clocks(FRIEND)).opt_in == UNDATED


async def test_unless_somebody_says_why(lists: Lists) -> None:
    """R3: with a recorded reason it takes the import's time, and lifts what came before."""
    await lists.ledger.record(item("opt_out", at=NOW - HOUR))
    job = await lists.imported(csv(f"+{WHO},opt-in,"), reopt_in="asked by phone in May")
    assert job.counts == {"recorded": 1, "lifted": 1}
    assert await lists.reasons(WHO) == [None]
    event = (await lists.events(WHO))[-1]
    assert event.claim.context["reopt_in"] == "asked by phone in May"
    assert event.effective == job.created


async def test_a_live_opt_out_meanwhile_stays(lists: Lists) -> None:
    """R6: an opt-out that comes after the list was given is not lifted by it."""
    job = await lists.received(csv(f"+{WHO},opt-in,"), reopt_in="asked")
    lists.ledger.now += HOUR
    await lists.ledger.record(item("opt_out"))
    await RunImports(lists.store, "one")()
    assert (await lists.now(job)).counts == {"recorded": 1, "outweighed": 1}
    assert await lists.reasons(WHO) == ["opted_out"]


async def test_a_stale_copy_revives_nobody(lists: Lists) -> None:
    """The same list again, after some opted out: they stay out, and nothing else changes."""
    who = numbers(1_200)
    data = csv(*(f"+{one},opt-in,{EARLIER}" for one in who))
    await lists.imported(data)
    gone = random.Random(7).sample(who, 300)
    await lists.ledger.record(*(item("opt_out", identity=one) for one in gone))
    again = await lists.imported(data)
    assert again.counts == {"ignored": 1_200, "outweighed": 300}
    reasons = await lists.reasons(*who)
    assert [one for one, why in zip(who, reasons, strict=True) if why] == sorted(gone)


async def test_broken_rows_stop_nothing(lists: Lists) -> None:
    """Each is counted and kept with its line, its reason and itself; the others are recorded."""
    data = csv(
        f"+{WHO},opt-in,{EARLIER}",
        "12,opt-in,",
        f'+{FRIEND},opt-in,"{EARLIER}',
        f"+{FRIEND},opt-in,03/04/2026",
        f"+{FRIEND},perhaps,",
        f"+{FRIEND},opt-in,{shown_time(NOW + HOUR)}",
        f"+{FRIEND},opt-out,{shown_time(NOW + HOUR)}",
    )
    job = await lists.imported(data)
    assert (job.rows, job.counts) == (7, {"recorded": 2, "rejected": 5})
    kept = await lists.store.import_rows(BOT, job.import_id, 0, 99)
    assert [(row.line, row.reason, row.identity) for row in kept] == [
        (3, "invalid_identity", ""),
        (4, "quoting", ""),
        (5, "date_order", FRIEND),
        (6, "unknown_action", FRIEND),
        (7, "future_dated", FRIEND),
    ]
    assert kept[0].row == b"12,opt-in,\n"
    text = b"".join([piece async for piece in rejected_csv(lists.store, job)]).decode()
    assert text.splitlines()[0] == "row,line,reason,details,original"
    assert text.splitlines()[1].endswith('"12,opt-in,"')
    assert await lists.reasons(WHO, FRIEND) == [None, "opted_out"]


async def test_a_dry_run_writes_nothing(lists: Lists) -> None:
    """It says what would be new, changed, unchanged, refused and invalid, with examples; the ledger
    stays as it was."""
    others = numbers(4)
    await lists.ledger.record(
        item("opt_in", at=NOW - 5 * HOUR, identity=others[0]),
        item("opt_out", at=NOW - 5 * HOUR, identity=others[1]),
        item("opt_out", at=NOW - 5 * HOUR, identity=others[2]),
    )
    data = csv(
        f"+{WHO},opt-in,{EARLIER}",
        f"+{others[0]},opt-in,{EARLIER}",
        f"+{others[0]},opt-out,{LATER}",
        f"+{others[1]},opt-in,{EARLIER}",
        f"+{others[2]},opt-in,{LATER}",
        f"+{others[3]},opt-in,{shown_time(NOW + HOUR)}",
        "x,opt-in,",
    )
    job = await lists.imported(data, dry_run=True)
    assert job.counts == {
        "new": 1,
        "unchanged": 1,
        "changed": 2,
        "would_revive": 1,
        "lifts_opt_out": 1,
        "invalid": 2,
    }
    kept = await lists.store.import_rows(BOT, job.import_id, 0, 99)
    assert {(row.number, row.outcome) for row in kept} == {
        (1, "new"),
        (2, "unchanged"),
        (3, "changed"),
        (4, "would_revive"),
        (5, "lifts_opt_out"),
        (6, "invalid"),
        (7, "invalid"),
    }
    assert [len(await lists.events(one)) for one in (WHO, *others)] == [0, 1, 1, 1, 0]


async def test_a_dry_run_says_what_comes_true(lists: Lists) -> None:
    """What the import then does is what was foreseen: as many invalid, refused and changed."""
    chance = random.Random(3)
    who = numbers(60)
    await lists.ledger.record(
        *(
            item(chance.choice(["opt_in", "opt_out"]), at=NOW - 5 * HOUR, identity=one)
            for one in who[::2]
        )
    )
    says = ["opt-in", "opt-out", "what"]
    rows = [
        ",".join(["+" + one, chance.choice(says), chance.choice([EARLIER, LATER, ""])])
        for one in who
    ]
    foreseen = (await lists.imported(csv(*rows), dry_run=True)).counts
    done = (await lists.imported(csv(*rows))).counts
    assert foreseen["invalid"] == done["rejected"]
    assert foreseen["would_revive"] == done["outweighed"]
    assert foreseen.get("lifts_opt_out", 0) == done.get("lifted", 0)


@pytest.mark.parametrize(
    ("data", "given"),
    [
        ("", {}),
        ("phone,phone\n", {}),
        ("name\nx\n", {}),
        (csv(), {"time_zone": "Mars/Olympus"}),
        (csv(), {"time_zone": "../etc/passwd"}),
        (csv(), {"preset": "nobody"}),
        (csv(head="phone"), {"action": "dance"}),
        (csv(head="phone"), {}),
        (csv(), {"reopt_in": "x" * 501}),
        (csv(), {"name": "\x00"}),
    ],
)
async def test_what_is_refused_at_once(lists: Lists, data: str, given: dict[str, str]) -> None:
    """A file that is no list, or an option that is none, leaves no job that waits."""
    with pytest.raises(InvalidInput):
        await lists.received(data, **given)
    assert [j for j in await lists.store.imports(BOT, "", 9) if not j.is_over] == []


async def test_an_unknown_bot(lists: Lists) -> None:
    """There is no list without a bot."""
    with pytest.raises(NotFound):
        await lists.received(csv(), bot_id="nobody")


async def test_a_list_that_is_too_large(lists: Lists) -> None:
    """It is refused when the limit is passed, and what came of it is let go."""
    receiving = ReceiveImport(lists.store, new_id, most=1_000_000)
    data = csv(*(f"+{WHO},opt-in," for _ in range(60_000))).encode()
    with pytest.raises(TooLarge):
        await receiving.receive(BOT, ImportRequest(), body(data))
    [job] = await lists.store.imports(BOT, "", 9)
    assert job.state is ImportState.FAILED
    assert await lists.store.import_body(BOT, job.import_id, 0) is None


async def test_an_upload_that_breaks_off(lists: Lists) -> None:
    """Nothing of it is ever recorded."""

    async def broken() -> AsyncIterator[bytes]:
        yield csv(f"+{WHO},opt-in,").encode() * 20_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await lists.receiving.receive(BOT, ImportRequest(), broken())
    assert await RunImports(lists.store, "one")() == 0
    assert await lists.events(WHO) == []


class Dies(Exception):
    """Stands for a process that ends at this instant."""


async def test_killed_at_any_commit(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the process dies, before or after a commit, another goes on: every row is recorded
    once, none is lost, and the counts are right."""
    who = numbers(2_300)
    data = csv(*(f"+{one},opt-in,{EARLIER}" for one in who), "broken,opt-in,")
    job = await lists.received(data)
    commit, chance, kills = lists.store.commit, random.Random(11), 0

    async def dying(work: object) -> object:
        fate = chance.random() if isinstance(work, RecordRows) else 1.0
        if fate < 0.3:
            raise Dies
        answer: object = await commit(work)  # type: ignore[arg-type]
        if fate < 0.6:
            raise Dies
        return answer

    monkeypatch.setattr(lists.store, "commit", dying)
    for process in range(60):
        leased = await lists.store.lease_import(f"process {process}", LEASE)
        if leased is None:
            break
        try:
            await RunImports(lists.store, f"process {process}").run(leased)
        except Dies:
            kills += 1
            lists.ledger.now += LEASE
    assert kills > 3
    done = await lists.now(job)
    assert (done.state, done.rows) == (ImportState.DONE, 2_301)
    assert done.counts == {"recorded": 2_300, "rejected": 1}
    assert [len(await lists.events(one)) for one in who[::100]] == [1] * 23
    assert await lists.reasons(*who) == [None] * len(who)


async def test_two_processes_on_one_job(lists: Lists) -> None:
    """One that was silent too long and comes back changes nothing more."""
    data = csv(*(f"+{one},opt-in," for one in numbers(900)))
    await lists.received(data)
    slow = await lists.store.lease_import("slow", LEASE)
    assert slow is not None
    lists.ledger.now += LEASE
    assert await RunImports(lists.store, "other")() == 1
    with pytest.raises(Conflict):
        await RunImports(lists.store, "slow").run(slow)
    assert (await lists.now(slow)).counts == {"recorded": 900}


async def test_stopped_and_taken_up(lists: Lists) -> None:
    """A service that stops ends behind a commit; the next one goes on at once, without waiting for
    the lease."""
    data = csv(*(f"+{one},opt-in," for one in numbers(2_000)))
    job = await lists.received(data)
    running = RunImports(lists.store, "first")
    leased = await lists.store.lease_import("first", LEASE)
    assert leased is not None
    halfway = await running.run(leased, stopped=lambda: True)
    assert (halfway.state, halfway.rows) == (ImportState.WAITING, 500)
    assert await RunImports(lists.store, "second")() == 1
    assert (await lists.now(job)).counts == {"recorded": 2_000}


async def test_the_same_list_is_known_again(lists: Lists) -> None:
    """The same bytes with the same options are the same list until it is over; others are not."""
    data = csv(f"+{WHO},opt-in,")
    first = await lists.received(data)
    again = await lists.received(data)
    assert await lists.receiving.unfinished(again) == first
    for other in (
        await lists.received(csv(f"+{WHO},opt-out,")),
        await lists.received(data, dry_run=True),
    ):
        assert await lists.receiving.unfinished(other) is None
    await RunImports(lists.store, "one")()
    assert await lists.receiving.unfinished(await lists.received(data)) is None


async def test_bots_do_not_wait_for_each_other(lists: Lists) -> None:
    """R1: two bots' lists are worked on side by side, and each records for its own bot."""
    await lists.received(csv(*(f"+{one},opt-in," for one in numbers(3_000))))
    small = await lists.received(csv(f"+{WHO},opt-out,"), bot_id=OTHER_BOT)
    running = RunImports(lists.store, "one")
    task = asyncio.create_task(running())
    while not (await lists.now(small)).is_over:  # noqa: ASYNC110 - it is the store that tells
        await asyncio.sleep(0)
    others = [job for job in await lists.store.imports(BOT, "", 9) if job.is_over]
    assert others == []
    assert await task == 2
    assert await lists.reasons(WHO) == ["no_opt_in"]
    assert await lists.reasons(WHO, bot_id=OTHER_BOT) == ["opted_out"]


async def test_the_bots_country(lists: Lists) -> None:
    """H3: numbers without calling code are of the bot's `default_country`, in lists only."""
    await lists.store.put_settings(BOT, {"default_country": "SE"})
    job = await lists.imported(csv("073-200 11 22,opt-in,"))
    assert job.counts == {"recorded": 1}
    assert await lists.reasons(WHO) == [None]
    assert (await lists.ledger.record(item("opt_in", identity="0732001122")))[
        0
    ].status == "rejected"


async def test_what_was_forgotten_is_not_kept_again(lists: Lists) -> None:
    """R15: a rejected row of somebody who was erased is counted, and not kept."""
    await lists.ledger.record(item("opt_in"))
    from optin.usecases.erase import Erase  # noqa: PLC0415 - only here

    await Erase(lists.store, new_id).forget(BOT, WHO, source="test", actor="", context={})
    job = await lists.imported(csv(f"+{WHO},opt-in,03/04/2026", f"+{FRIEND},opt-in,03/04/2026"))
    kept = await lists.store.import_rows(BOT, job.import_id, 0, 9)
    assert [(row.identity, bool(row.row)) for row in kept] == [("", False), (FRIEND, True)]


async def test_only_so_many_rejected_rows_are_kept(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are counted, the first are kept."""
    monkeypatch.setattr("optin.usecases.import_list.works.MOST_REJECTED", 10)
    job = await lists.imported(csv(*["x,opt-in,"] * 700))
    assert job.counts == {"rejected": 700}
    assert len(await lists.store.import_rows(BOT, job.import_id, 0, 999)) == 10


async def test_a_job_that_can_not_be_done(lists: Lists) -> None:
    """It fails with its reason, and is in nobody's way."""
    broken = ImportJob(BOT, "01J", NOW, state=ImportState.WAITING, options={"preset": "nobody"})
    await lists.store.put_import(broken)
    assert await RunImports(lists.store, "one")() == 1
    job = await lists.now(broken)
    assert (job.state, "presets" in job.error) == (ImportState.FAILED, True)


async def test_changes_are_told(lists: Lists) -> None:
    """SPEC 4: what a list changes goes to `events_url`, as from every other source."""
    await lists.store.put_settings(BOT, {"events_url": "https://crm.example/changes"})
    await lists.imported(csv(f"+{WHO},opt-in,{EARLIER}", f"+{WHO},opt-in,{EARLIER}"))
    assert len(await lists.store.callbacks(BOT, "", 9)) == 1


async def test_the_service_looks_for_jobs(lists: Lists) -> None:
    """A round with nothing to do writes nothing and ends."""
    assert await RunImports(lists.store, "one")() == 0
    assert replace(ListOptions(), form="csv").form == "csv"
    with pytest.raises(InvalidList):
        ListOptions(form="xlsx").wanted()
