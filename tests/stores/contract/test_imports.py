"""Jobs that take in lists: leased one at a time, their progress in the commit of their rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optin.domain.errors import Conflict
from optin.domain.events import Kind, Origin
from optin.domain.lists.ids import row_id, span
from optin.ports.imports import ImportJob, ImportRow, ImportState
from optin.ports.store import Reads, Store, Transaction
from tests.stores.contract.conftest import Clock, Open
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record

JOB = ImportJob(
    BOT,
    "01J0000000000000000000000A",
    1_800_000_000_000_000,
    state=ImportState.WAITING,
    options={"mapping": {"Ö": "identity"}, "country": "SE"},
    counts={"recorded": 3},
    context={"ip": "192.0.2.1"},
    shape={"columns": {"identity": "Ö"}},
    digest="aa",
    size=12,
    rows=3,
)
LEASE = 30_000_000


async def test_a_job_comes_back_as_it_was(store: Store) -> None:
    """Every member of a job is kept; another bot does not see it."""
    job = replace(
        JOB,
        dry_run=True,
        reopt_in="why",
        source="s",
        actor="a",
        name="n",
        cursor="c",
        error="e",
        of="o",
        undone_by="u",
        finished=5,
    )
    await store.put_import(job)
    assert await store.imported(BOT, JOB.import_id) == job
    assert await store.imported(OTHER_BOT, JOB.import_id) is None
    assert await store.imports(OTHER_BOT, "", 9) == []


async def test_jobs_by_pages(store: Store) -> None:
    """Jobs come by id from behind a cursor."""
    jobs = [replace(JOB, import_id=f"01J{n:023}") for n in range(5)]
    for job in reversed(jobs):
        await store.put_import(job)
    assert await store.imports(BOT, "", 3) == jobs[:3]
    assert await store.imports(BOT, jobs[2].import_id, 3) == jobs[3:]


async def test_bodies_in_pieces(store: Store) -> None:
    """Pieces are bytes as given; None ends them; they are deleted bit by bit."""
    pieces = {0: bytes(range(256)), 1: b"", 2: b"\xff\x00"}
    await store.put_import_body(BOT, "x", pieces)
    assert [await store.import_body(BOT, "x", n) for n in range(4)] == [*pieces.values(), None]
    assert await store.import_body(OTHER_BOT, "x", 0) is None
    assert [await store.drop_import_body(BOT, "x", 2) for _ in range(3)] == [2, 1, 0]
    assert await store.import_body(BOT, "x", 0) is None


async def test_one_process_has_a_job(opened: Open, store: Store, clock: Clock) -> None:
    """A leased job is nobody else's until its process is silent for the lease's time."""
    other = await opened()
    await store.put_import(JOB)
    leased = await store.lease_import("one", LEASE)
    assert leased == replace(
        JOB, state=ImportState.RUNNING, claimant="one", leased_until=clock.now + LEASE
    )
    assert await other.lease_import("two", LEASE) is None
    clock.now += LEASE
    again = await other.lease_import("two", LEASE)
    assert again is not None
    assert again.claimant == "two"


async def test_one_job_of_a_bot_at_a_time(store: Store, clock: Clock) -> None:
    """A bot's second job waits for its first; another bot's does not; the oldest comes first."""
    second = replace(JOB, import_id="01J0000000000000000000000B", created=JOB.created + 1)
    others = replace(JOB, bot_id=OTHER_BOT, created=JOB.created + 2)
    for job in (others, second, JOB):
        await store.put_import(job)
    first = await store.lease_import("one", LEASE)
    assert first is not None
    assert first.import_id == JOB.import_id
    assert await store.lease_import("one", LEASE, {OTHER_BOT}) is None
    third = await store.lease_import("one", LEASE)
    assert third is not None
    assert third.bot_id == OTHER_BOT
    await store.put_import(replace(first, state=ImportState.DONE, leased_until=0))
    after = await store.lease_import("one", LEASE)
    assert after is not None
    assert after.import_id == second.import_id


@pytest.mark.parametrize("state", [ImportState.RECEIVING, ImportState.DONE, ImportState.FAILED])
async def test_what_nobody_takes_up(store: Store, state: ImportState) -> None:
    """A job whose body is not whole, or that is over, is not leased; nor is a removed bot's."""
    await store.put_import(replace(JOB, state=state))
    await store.put_import(replace(JOB, bot_id=OTHER_BOT))
    await store.remove_bot(OTHER_BOT)
    assert await store.lease_import("one", LEASE) is None


def step(rows: int, *, fail: bool = False) -> Do:
    """Records something and moves the job on; or fails after it."""

    def run(tx: Transaction) -> ImportJob:
        job = tx.imported(JOB.import_id)
        assert job is not None
        tx.record(claim(Kind.OPT_IN, event_id=rows.to_bytes(16, "big")))
        tx.put_import_row(ImportRow(JOB.import_id, rows, rows + 1, "rejected", row=b"\xff"))
        done = replace(job, rows=rows)
        tx.put_import(done)
        assert tx.imported(JOB.import_id) == done
        if fail:
            raise Conflict("no")
        return done

    return Do(run, Reads(identities=frozenset({WHO}), imports=frozenset({JOB.import_id})))


async def test_progress_goes_with_the_rows(store: Store) -> None:
    """What a work records and how far its job is stand or fall together."""
    await store.put_import(JOB)
    await store.commit(step(4))
    with pytest.raises(Conflict):
        await store.commit(step(5, fail=True))
    job = await store.imported(BOT, JOB.import_id)
    assert job is not None
    assert job.rows == 4
    assert [row.number for row in await store.import_rows(BOT, JOB.import_id, 0, 9)] == [4]
    assert len((await store.histories(BOT, [WHO])).events[WHO]) == 1


async def test_a_job_that_is_not_there(store: Store) -> None:
    """In a commit, an unknown job is None, and so is another bot's."""
    await store.put_import(replace(JOB, bot_id=OTHER_BOT))
    reads = Reads(imports=frozenset({JOB.import_id}))
    assert await store.commit(Do(lambda tx: tx.imported(JOB.import_id), reads)) is None


async def test_kept_rows(store: Store) -> None:
    """Rows come by number, and by outcome where one is asked for."""
    rows = [
        ImportRow(
            JOB.import_id, n, n + 1, "new" if n % 2 else "invalid", "r", "d", WHO, b"\x00\xff"
        )
        for n in range(1, 6)
    ]

    def keep(tx: Transaction) -> None:
        for row in rows:
            tx.put_import_row(row)

    await store.commit(Do(keep))
    assert await store.import_rows(BOT, JOB.import_id, 0, 3) == rows[:3]
    assert await store.import_rows(BOT, JOB.import_id, 3, 9) == rows[3:]
    assert await store.import_rows(BOT, JOB.import_id, 0, 9, ("new",)) == rows[::2]
    assert await store.import_rows(OTHER_BOT, JOB.import_id, 0, 9) == []


async def test_events_of_an_import(store: Store) -> None:
    """They come by id between two ids, in the order of rows, whole with their wordings; others'
    events are not among them."""
    at = JOB.created - 1
    claims = [
        claim(
            Kind.OPT_IN,
            origin=Origin.DATED,
            at=at,
            event_id=row_id(BOT, JOB.import_id, JOB.created, n),
            evidence={"wording": "Yes please"},
            wording="ab" * 32,
        )
        for n in (3, 1, 2)
    ]
    await store.commit(record(*claims, claim(Kind.OPT_OUT)))
    begin, end = span(BOT, JOB.import_id, JOB.created)
    found = await store.import_events(BOT, begin, end, 2)
    assert [event.claim for event in found] == [claims[1], claims[2]]
    rest = await store.import_events(BOT, found[-1].claim.event_id, end, 9)
    assert [event.claim for event in rest] == [claims[0]]
    assert await store.import_events(OTHER_BOT, begin, end, 9) == []


async def test_contacts_by_pages(store: Store) -> None:
    """Everybody known, in byte order, with the clocks that decisions read; no other bot's."""
    who = ["46732001111", "46732001122", "5215512345678", "525512345678", "SE.1"]
    for one in who:
        await store.commit(record(claim(Kind.OPT_OUT, one)))
    await store.commit(record(claim(Kind.OPT_OUT, "46700000000"), bot_id=OTHER_BOT))
    first = await store.contacts(BOT, "", 2)
    rest = await store.contacts(BOT, who[1], 9)
    assert [*first.clocks, *rest.clocks] == who
    assert {**first.clocks, **rest.clocks} == (await store.read(BOT, who)).clocks
    assert (await store.contacts(BOT, who[-1], 9)).clocks == {}


async def test_what_is_deleted_in_time(store: Store, clock: Clock) -> None:
    """Rows and bodies of old jobs that are over go, and uploads that never became whole; what is
    under way stays, and so does the job itself."""
    over = replace(JOB, state=ImportState.DONE)
    running = replace(JOB, import_id="01J0000000000000000000000B", state=ImportState.RUNNING)
    broken = replace(JOB, import_id="01J0000000000000000000000C", state=ImportState.RECEIVING)
    young = replace(over, import_id="01J0000000000000000000000D", created=JOB.created + 10)
    jobs = (over, running, broken, young)
    for job in jobs:
        await store.put_import(job)
        await store.put_import_body(BOT, job.import_id, {0: b"x", 1: b"y"})

    def keep(tx: Transaction) -> None:
        for job in jobs:
            tx.put_import_row(ImportRow(job.import_id, 1, 1, "rejected"))

    await store.commit(Do(keep))
    assert await store.prune_imports(BOT, JOB.created + 1) == 1
    left = [bool(await store.import_rows(BOT, job.import_id, 0, 9)) for job in jobs]
    assert left == [False, True, True, True]
    bodies = [await store.import_body(BOT, job.import_id, 0) for job in jobs]
    assert bodies == [None, b"x", None, b"x"]
    assert await store.imports(BOT, "", 9) == [over, running, young]
