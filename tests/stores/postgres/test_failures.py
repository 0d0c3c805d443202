"""PostgreSQL on its bad days: killed, gone, read-only, silent at the wrong moment."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from optin.domain.bots import Bot
from optin.domain.errors import StoreUnavailable
from optin.domain.events import Kind, Origin
from optin.ports.store import Reads, Store, Transaction
from optin.stores.postgres import PostgresStore, connection, directory
from optin.stores.postgres.migrate import migrate
from optin.usecases.verify import Verify
from tests.conftest import SEAL, first_token
from tests.stores.postgres.server import PostgresServer, fresh_database, server
from tests.stores.postgres.wire import wire_to
from tests.stores.works import BOT, WHO, Do, claim, record


@contextlib.asynccontextmanager
async def opened(url: str, *, new: bool = True) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(url, SEAL)
    if new:
        await store.add_bot(Bot(BOT), first_token(BOT))
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with fresh_database() as made:
        yield made


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may end."""
    made = PostgresServer()
    yield made
    made.close()


async def recorded(store: Store, who: str = WHO) -> list[Kind]:
    return [event.claim.kind for event in (await store.histories(BOT, [who])).events[who]]


async def check_ledger(store: PostgresStore) -> None:
    """R2, R14: state is the fold, every chain is whole."""
    assert [report.findings for report in await Verify(store).verify()] == [[]]


async def test_a_killed_server_loses_nothing_acknowledged(own_server: PostgresServer) -> None:
    """R13: kill -9 under load, three times; what was acknowledged is there, whole, and commits go
    on by themselves when the server is back."""
    await migrate(own_server.url())
    acknowledged: set[str] = set()
    refused = 0
    async with opened(own_server.url()) as store:
        ending = asyncio.Event()

        async def keep_recording(lane: int) -> None:
            nonlocal refused
            number = 0
            while not ending.is_set():
                who, number = f"46{lane:03d}{number:06d}", number + 1
                both = record(claim(Kind.OPT_IN, who), claim(Kind.OPT_OUT, who))
                try:
                    await store.commit(both)
                    acknowledged.add(who)
                except StoreUnavailable:
                    refused += 1
                    await asyncio.sleep(0.05)

        lanes = [asyncio.create_task(keep_recording(n)) for n in range(8)]
        for _ in range(3):
            before = len(acknowledged)
            await asyncio.sleep(0.4)
            await asyncio.to_thread(own_server.kill)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(own_server.start)
            while len(acknowledged) < before + 50:  # noqa: ASYNC110 - any of eight lanes
                await asyncio.sleep(0.02)
        ending.set()
        await asyncio.gather(*lanes)
        everybody = sorted(acknowledged)
        history = (await store.histories(BOT, everybody)).events
        assert {len(events) for events in history.values()} == {2}
        await check_ledger(store)


async def test_a_server_that_is_gone_is_unavailable(own_server: PostgresServer) -> None:
    """R12: commits, reads, leases and probes say so in time, and nothing was recorded."""
    await migrate(own_server.url())
    async with opened(own_server.url()) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        await asyncio.to_thread(own_server.stop)
        begun = time.monotonic()
        calls = [
            store.commit(record(claim(Kind.OPT_OUT))),
            store.read(BOT, [WHO]),
            store.states(BOT, [WHO]),
            store.lease_messages("w", 10**6, 10),
            store.put_settings(BOT, {"enforce": "none"}),
            store.ready(),
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreUnavailable] * len(calls)
        assert time.monotonic() - begun < 2 * connection.AGAIN_FOR + 2
        await asyncio.sleep(0.6)
        with pytest.raises(StoreUnavailable):
            await store.bot(BOT)
        await asyncio.to_thread(own_server.start)
        assert await recorded(store) == [Kind.OPT_IN]
        await store.commit(record(claim(Kind.OPT_OUT)))
        await store.ready()


async def test_a_read_only_server_is_unavailable(url: str) -> None:
    """R12: a standby, or a primary that was told to take no writes, releases nothing."""
    async with opened(url) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        name = (await store._fetch("SELECT current_database()"))[0][0]
        await server().execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await cut_lines(name)
        for attempt in (store.commit(record(claim(Kind.OPT_OUT))), store.ready()):
            with pytest.raises(StoreUnavailable):
                await attempt
        await server().execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await store.commit(record(claim(Kind.OPT_OUT)))
        assert await recorded(store) == [Kind.OPT_IN, Kind.OPT_OUT]


async def cut_lines(database: str) -> None:
    """Ends all connections to the database, from the server's side."""
    await server().execute(
        f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname='{database}'"
    )


async def test_cut_lines_are_made_again(url: str) -> None:
    """A failover cuts all connections; those who wait do not notice."""
    async with opened(url) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        name = (await store._fetch("SELECT current_database()"))[0][0]
        await cut_lines(name)
        await store.commit(record(claim(Kind.OPT_OUT)))
        await cut_lines(name)
        assert (await store.read(BOT, [WHO])).clocks[WHO].opt_out_other > 0
        await cut_lines(name)
        assert await store.bots()


@pytest.mark.parametrize("swallowed", ["swallow_answer", "swallow_commit"])
async def test_an_unseen_commit_is_done_once(url: str, swallowed: str) -> None:
    """A commit whose answer was lost is found done, one that never arrived is done again: either
    way once, and the caller is told so."""
    async with wire_to(url) as (wire, through), opened(through) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        for kind in (Kind.OPT_OUT, Kind.OPT_IN, Kind.OPT_OUT):
            setattr(wire, swallowed, 1)
            [event] = await store.commit(record(claim(kind)))
            assert event.claim.kind is kind
        assert wire.cut == 3
        assert await recorded(store) == [Kind.OPT_IN, Kind.OPT_OUT, Kind.OPT_IN, Kind.OPT_OUT]
        await check_ledger(store)


async def test_the_answer_is_that_of_what_was_committed(url: str) -> None:
    """H8: whoever claimed a message in a commit whose outcome was not seen is told that it did,
    not that somebody has: a message that nobody hands over would be lost."""

    def claim_it(tx: Transaction) -> bool:
        was_free = not tx.is_blacklisted(WHO)
        tx.put_blacklisted(WHO, True)
        return was_free

    mine = Do(claim_it, Reads(blacklist=frozenset({WHO})))
    async with wire_to(url) as (wire, through), opened(through) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        wire.swallow_answer = 1
        assert await store.commit(mine) is True
        assert wire.cut == 1
        assert await store.commit(mine) is False


async def test_a_standby_that_was_not_waited_for_is_no_success(own_server: PostgresServer) -> None:
    """R13: cancelling a commit that waits for its synchronous standby makes PostgreSQL report
    success. It is not acknowledged before the standby has it."""
    await migrate(own_server.url())
    async with opened(own_server.url()) as store:
        await store.commit(record(claim(Kind.OPT_IN)))
        await own_server.execute("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'")
        await own_server.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.3)
        waiting = asyncio.create_task(store.commit(record(claim(Kind.OPT_OUT))))
        for _ in range(3):
            await asyncio.sleep(0.4)
            await own_server.execute(
                "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity"
                " WHERE wait_event = 'SyncRep'"
            )
        await asyncio.sleep(0.3)
        assert not waiting.done()
        config = await asyncpg.connect(own_server.url())
        await config.execute("SET synchronous_commit = local")
        await config.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await config.execute("SELECT pg_reload_conf()")
        await config.close()
        [event] = await asyncio.wait_for(waiting, 20)
        assert event.claim.kind is Kind.OPT_OUT
        assert await recorded(store) == [Kind.OPT_IN, Kind.OPT_OUT]
        await check_ledger(store)


async def test_two_nodes_on_the_same_contacts(url: str) -> None:
    """R3, R14: batches of two nodes over the same contacts, in any order and while links between
    them are learned: nobody fails, nothing is lost, each node has a chain of its own."""
    names = [f"46700000{n:03d}" for n in range(12)]
    async with opened(url) as one, opened(url, new=False) as other:

        async def keep_recording(store: PostgresStore, step: int) -> None:
            for number in range(40):
                who, peer = names[number * step % 12], names[(number * step + 5) % 12]
                link = claim(Kind.LINKED, who, others=(peer,), origin=Origin.SIGNED, at=number)
                back = claim(Kind.LINKED, peer, others=(who,), origin=Origin.SIGNED, at=number)
                works = [
                    record(claim(Kind.OPT_IN, name)) for name in names[:: 1 if step == 5 else -1]
                ]
                await asyncio.gather(*map(store.commit, [*works, record(link, back)]))

        await asyncio.gather(keep_recording(one, 5), keep_recording(other, 7))
        history = (await one.histories(BOT, names)).events
        assert sum(map(len, history.values())) == 2 * 40 * 14
        assert len(await one.chain_writers(BOT)) == 2
        await check_ledger(one)


async def test_who_lost_its_slot_takes_another(url: str) -> None:
    """R14: a node that was away too long does not write on in a chain that another took over."""
    async with opened(url) as one, opened(url, new=False) as other:
        await one.commit(record(claim(Kind.OPT_IN)))
        [away] = {lane.writer.slot for lane in one._lanes if lane.writer.is_held}
        await one._write(lambda s: s.execute("UPDATE writers SET leased_until = 0"))
        await other.commit(record(claim(Kind.OPT_OUT)))
        assert away in {lane.writer.slot for lane in other._lanes}
        await one.commit(record(claim(Kind.OPT_IN)))
        held = {lane.writer.slot for each in (one, other) for lane in each._lanes}
        assert len(held - {-1}) == 2
        await check_ledger(one)


async def test_a_commit_waits_for_a_change_of_settings(url: str) -> None:
    """H8: what began after the change was acknowledged rests on it, whichever node made it; one
    under way is waited for."""
    async with opened(url) as store:
        read = Do(lambda tx: tx.bot().value("enforce"))
        assert await store.commit(read) == "all"
        slow = await asyncpg.connect(url)
        async with slow.transaction():
            await slow.execute(directory.EXCLUSIVE)
            waiting = asyncio.create_task(store.commit(read))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            await slow.execute("""UPDATE bots SET settings = '{"enforce":"none"}'""")
            await slow.execute(
                "UPDATE meta SET value = value::int + 1 WHERE key = 'directory_version'"
            )
        assert await waiting == "none"
        await slow.close()


async def test_looking_leaves_no_rows(url: str) -> None:
    """A contact who was only looked at, or who is another's spelling, is not known from then on."""
    async with opened(url) as store:
        await store.commit(Do(lambda tx: tx.clocks(WHO), reads=record(claim(Kind.OPT_IN)).reads))
        await store.commit(record(claim(Kind.OPT_IN, "5215512345678")))
        found = await store._fetch("SELECT identity FROM identities")
        assert [row[0] for row in found] == ["5215512345678"]


async def test_time_is_the_servers(url: str) -> None:
    """R3: without a clock of the test's, events are recorded at the database's time."""
    async with opened(url) as store:
        before = (await store._fetch(f"SELECT {connection.CLOCK}"))[0][0]
        [event] = await store.commit(record(claim(Kind.OPT_IN)))
        assert before <= event.recorded <= await store.now()
        assert abs(await store.now() - time.time() * 10**6) < 60 * 10**6
