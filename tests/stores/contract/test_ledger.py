"""The ledger as it lies in a store, page by page; what every store writes is whole (R14)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optin.domain import chain, entries
from optin.domain.consent_items import wording_hash
from optin.domain.events import DAY, Claim, Kind, Origin
from optin.domain.ids import derived_id
from optin.domain.messages import Category
from optin.domain.outbox import OutboxMessage
from optin.domain.retention import Horizons
from optin.domain.verifying import Fault
from optin.ports.ledger import Before, Position, Told
from optin.ports.store import Erasing, Reads, Store, Transaction
from optin.usecases.prove import Prove
from optin.usecases.verify import Verify
from tests.stores.contract.conftest import Clock
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record

FRIEND, OTHER = "46732001133", "46732001144"
SHOWN = {"channel": "web", "wording": "Yes, send me offers."}


def shown(identity: str, **more: Any) -> Claim:
    return claim(Kind.OPT_IN, identity, evidence=SHOWN, wording=wording_hash(SHOWN), **more)


async def written(store: Store, clock: Clock) -> None:
    """Three commits, of three, two and two entries; and one of another bot."""
    works = (
        record(shown(WHO), claim(Kind.OPT_IN, FRIEND), claim(Kind.MESSAGE, FRIEND)),
        record(claim(Kind.MESSAGE, WHO), claim(Kind.OPT_OUT, OTHER)),
        record(claim(Kind.OPT_OUT_KEYWORD, WHO), claim(Kind.MESSAGE, OTHER)),
        record(claim(Kind.OPT_IN, WHO), bot_id=OTHER_BOT),
    )
    for work in works:
        clock.now += 1_000
        await store.commit(work)


async def writer_of(store: Store) -> int:
    [writer] = await store.chain_writers(BOT)
    return writer


async def test_chains_in_pages(store: Store, clock: Clock) -> None:
    """Commits by number, each naming the hash of the one before; a head is the newest of them."""
    await written(store, clock)
    writer = await writer_of(store)
    assert await store.ledger_bots() == [BOT, OTHER_BOT]
    first = await store.chain_commits(BOT, writer, 0, 2)
    rest = await store.chain_commits(BOT, writer, 2, 10)
    found = [*first, *rest]
    assert [each.commit.seq for each in found] == [1, 2, 3]
    assert [(each.commit.events, each.commit.messages) for each in found] == [
        (2, 1),
        (1, 1),
        (1, 1),
    ]
    assert all(each.commit.hash == each.hash for each in found)
    assert [each.commit.previous for each in found] == [
        chain.GENESIS,
        *(each.hash for each in found[:-1]),
    ]
    assert await store.chain_head(BOT, writer) == found[-1]
    assert await store.chain_head(BOT, writer + 1) is None


async def test_entries_in_pages(store: Store, clock: Clock) -> None:
    """By commit and place over both tables, up to a commit; their leaves give its digests."""
    await written(store, clock)
    writer = await writer_of(store)
    after, found = Position(), []
    while page := await store.chain_entries(BOT, writer, after, 2, 2):
        assert len(page) <= 2
        found += page
        last = page[-1].entry
        after = Position(last.seq, last.place, last.event_id)
    assert [(e.entry.seq, e.entry.place) for e in found] == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    assert [e.as_message for e in found] == [False, False, True, True, False]
    assert {e.entry.bot_id for e in found} == {BOT}
    [commit] = [each.commit for each in await store.chain_commits(BOT, writer, 0, 1)]
    leaves = await store.leaves(BOT, writer, 1)
    digest = chain.leaves_digest(entries.leaf(e.entry) for e in leaves if not e.as_message)
    assert (len(leaves), digest) == (3, commit.events_digest)
    assert await store.stray_entries(BOT, writer, Position(), 10) == []


async def test_wordings_and_states_in_pages(store: Store, clock: Clock) -> None:
    """Each wording is used; each identity's state is the fold of its entries."""
    await written(store, clock)
    [wording] = await store.wordings(BOT, None, 10)
    assert (wording.text, wording.used) == (SHOWN["wording"], True)
    assert await store.wordings(BOT, wording.hash, 10) == []
    assert await store.wordless(BOT, "", 10) == []
    first = await store.stored_states(BOT, None, 2)
    rest = await store.stored_states(BOT, first[-1].identity, 2)
    assert [each.identity for each in [*first, *rest]] == [WHO, FRIEND, OTHER]
    assert all(each.stored == each.folded is not None for each in [*first, *rest])


async def test_a_history_in_pages(store: Store, clock: Clock) -> None:
    """The last recorded first, of all that W reaches, with the text of the wording."""
    await written(store, clock)
    link = claim(Kind.LINKED, FRIEND, others=(WHO,))
    reads = Reads(frozenset({WHO, FRIEND}))
    await store.commit(Do(lambda tx: tx.record(link), reads))
    more = [claim(Kind.MESSAGE, WHO) for _ in range(3)]
    await store.commit(record(*more))
    first = await store.history(BOT, FRIEND, Before(), 99)
    told, before = list[Told](), Before()
    while page := (await store.history(BOT, FRIEND, before, 1)).entries:
        told += page
        before = Before(page[-1].entry.recorded, page[-1].entry.event_id)
    assert told == list(first.entries)
    assert [each.entry.recorded for each in told] == sorted(
        (each.entry.recorded for each in told), reverse=True
    )
    assert len({each.entry.recorded for each in told}) < len(told) == 9
    assert {WHO, FRIEND} <= set(first.identities)
    assert {each.wording for each in told} == {"", SHOWN["wording"]}
    assert first.now == clock.now


async def test_messages_to_somebody(store: Store) -> None:
    """Those to any of the identities, by id; nobody else's."""
    sent = [
        OutboxMessage(BOT, f"m{n}", who, {"type": "text"}, Category.SERVICE, 1, 2, 1)
        for n, who in enumerate([WHO, FRIEND, OTHER, WHO])
    ]

    def put(tx: Transaction) -> None:
        for message in sent:
            tx.put_message(message)

    await store.commit(Do(put))
    await store.commit(
        Do(lambda tx: tx.put_message(replace(sent[0], bot_id=OTHER_BOT)), bot_id=OTHER_BOT)
    )
    first = await store.messages_to(BOT, [WHO, FRIEND], "", 2)
    rest = await store.messages_to(BOT, [WHO, FRIEND], "m1", 2)
    assert [message.message_id for message in [*first, *rest]] == ["m0", "m1", "m3"]


async def test_an_erasure_and_what_names_it(store: Store, clock: Clock) -> None:
    """R15: the entry names how many it emptied, and by which digest; an unknown one names none."""
    await written(store, clock)
    await store.forget(BOT, WHO, Erasing(derived_id(clock.now, "e"), "test"))
    told = (await store.history(BOT, WHO, Before(), 9)).entries
    [erased] = [each.entry for each in told if each.entry.kind == "erased"]
    found = await store.erasure(BOT, erased.event_id)
    assert found.entry == erased
    assert found.rows == 3
    assert f'"digest":"{found.digest}"' in erased.evidence
    unknown = await store.erasure(BOT, bytes(16))
    assert (unknown.entry, unknown.rows) == (None, 0)


async def test_what_a_store_writes_is_whole(store: Store, clock: Clock) -> None:
    """R14 to R16: entries, an erasure, older entries and newer ones of the erased, a cut."""
    await written(store, clock)
    await store.forget(BOT, WHO, Erasing(derived_id(clock.now, "e"), "test"))
    old = shown(WHO, origin=Origin.DATED, at=clock.now - DAY)
    await store.commit(record(old, claim(Kind.MESSAGE, WHO)))
    assert [each.findings for each in await Verify(store).verify()] == [[], []]
    clock.now += DAY
    until = Horizons(events=clock.now, messages=clock.now)
    while await store.retain(BOT, until) is not None:
        pass
    await store.commit(record(claim(Kind.OPT_IN, FRIEND)))
    reports = await Verify(store).verify()
    assert [each.findings for each in reports] == [[], []]
    writer = await writer_of(store)
    assert (await store.chain_commits(BOT, writer, Position().seq, 1))[0].commit.seq > 1
    for who in (WHO, FRIEND, OTHER):
        assert (await Prove(store).prove(BOT, who)).chain.is_sound


async def test_heads_hold_in_every_store(store: Store, clock: Clock) -> None:
    """R14: a head of before is in the chain; one of another hash, or further on, is not."""
    await written(store, clock)
    [report] = await Verify(store).verify([BOT])
    [head] = report.heads
    await store.commit(record(claim(Kind.OPT_IN, FRIEND)))
    other, ahead = head._replace(hash=bytes(32)), head._replace(seq=head.seq + 9)
    [report] = await Verify(store).verify([BOT], [head, other, ahead])
    assert [each.fault for each in report.findings] == [Fault.HEAD_CHANGED, Fault.HEAD_MISSING]


async def test_an_older_link_gives_up_its_names_as_well(store: Store, clock: Clock) -> None:
    """R15: told of an erased contact afterwards, it names somebody who was not erased; forgetting
    that person, too, leaves no number behind, and the ledger whole."""
    await store.commit(record(claim(Kind.OPT_IN, WHO)))
    await store.forget(BOT, WHO, Erasing(derived_id(clock.now, "e"), "test"))
    old = clock.now - DAY
    links = [
        claim(Kind.LINKED, one, origin=Origin.SIGNED, at=old, others=(other,))
        for one, other in ((WHO, FRIEND), (FRIEND, WHO))
    ]
    clock.now += 1_000
    reads = Reads(frozenset({WHO, FRIEND}))
    await store.commit(Do(lambda tx: [tx.record(link) for link in links], reads))
    await store.forget(BOT, FRIEND, Erasing(derived_id(clock.now, "f"), "test"))
    told = (await store.history(BOT, WHO, Before(), 99)).entries
    assert {each.entry.kind for each in told} == {"opt_in", "linked", "erased"}
    assert FRIEND not in str(told)
    assert [each.findings for each in await Verify(store).verify()] == [[]]
