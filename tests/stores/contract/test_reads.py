"""What every store promises of a read: it lies after its call, and joins what R11 joins."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from optin.domain import consent
from optin.domain.consent import BLANK
from optin.domain.events import Kind, Origin
from optin.domain.messages import Category
from optin.domain.template_texts import TemplateText
from optin.ports.store import RawWebhook, Reads, Store, Template, Transaction
from tests.stores.contract.conftest import Clock, Open
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record


async def test_nobody_is_blank(store: Store) -> None:
    """An unknown identity has clocks that never moved."""
    assert (await store.read(BOT, [WHO])).clocks == {WHO: BLANK}


async def test_an_acknowledged_opt_out_is_seen_by_every_later_read(
    opened: Open, store: Store
) -> None:
    """R6: in this process and another, under concurrent reads of the same number."""
    other = await opened()
    stop = asyncio.Event()

    async def keep_reading() -> None:
        while not stop.is_set():
            await asyncio.gather(*(s.read(BOT, [WHO]) for s in (store, other) for _ in range(5)))

    readers = asyncio.create_task(keep_reading())
    for _ in range(50):
        await store.commit(record(claim(Kind.OPT_IN)))
        await store.commit(record(claim(Kind.OPT_OUT)))
        for reading in await asyncio.gather(store.read(BOT, [WHO]), other.read(BOT, [WHO])):
            assert not consent.opted_in(reading.clocks[WHO], reading.now)
    stop.set()
    await readers


async def test_reads_join_spellings_as_r11_says(store: Store) -> None:
    """R11: Mexico's spellings count both ways, Argentina's only block."""
    await store.commit(record(claim(Kind.OPT_IN, "5215512345678")))
    await store.commit(record(claim(Kind.OPT_IN, "5491123456789")))
    await store.commit(record(claim(Kind.OPT_OUT, "541123456789")))
    wanted = ["525512345678", "541123456789", "5491123456789"]
    clocks = (await store.read(BOT, wanted)).clocks
    assert consent.opted_in(clocks["525512345678"], 0)
    assert not consent.opted_in(clocks["541123456789"], 0)
    assert not consent.opted_in(clocks["5491123456789"], 0)
    assert clocks["541123456789"].opt_in == consent.NEVER
    assert list(clocks) == wanted


async def test_identities_compare_byte_by_byte(store: Store) -> None:
    """A BSUID in other letters is another person."""
    await store.commit(record(claim(Kind.OPT_IN, "SE.abc")))
    clocks = (await store.read(BOT, ["SE.ABC", "SE.abc", "SE.abc "])).clocks
    assert [consent.opted_in(c, 0) for c in clocks.values()] == [False, True, False]


async def test_history_keeps_every_member(store: Store, clock: Clock) -> None:
    """R14: what was claimed comes back as it was given, oldest effect first."""
    given = claim(
        Kind.OPT_IN,
        origin=Origin.DATED,
        at=clock.now - 50,
        categories=frozenset({"utility", "marketing"}),
        evidence={"channel": "web", "wording": "Yes, ünïcode 👍", "n": 1},
        wording="ab" * 32,
        actor="t1",
        context={"ip": "192.0.2.1"},
    )
    await store.commit(record(claim(Kind.OPT_OUT), given, claim(Kind.MESSAGE)))
    history = (await store.histories(BOT, [WHO])).events[WHO]
    assert [e.claim.kind for e in history] == [Kind.OPT_IN, Kind.OPT_OUT, Kind.MESSAGE]
    assert history[0].claim == given


async def test_templates_are_kept_by_bot_name_and_language(store: Store, clock: Clock) -> None:
    """H9: the record decides the category; none is None."""
    texts = (TemplateText("body", "Hello {{1}} \U0001f44b"), TemplateText("button", "Stop"))
    made = Template("order_ready", "en", Category.UTILITY, "APPROVED", components=texts)
    await store.commit(Do(lambda tx: tx.put_template(made)))
    kept = await store.template(BOT, "order_ready", "en")
    assert kept is not None
    assert kept.components == texts
    assert (kept.category, kept.status, kept.updated) == (Category.UTILITY, "APPROVED", clock.now)
    assert await store.template(OTHER_BOT, "order_ready", "en") is None
    assert await store.templates(BOT) == [kept]
    seen = Reads(templates=frozenset({("order_ready", "en"), ("order_ready", "sv")}))
    both = Do(lambda tx: [tx.template("order_ready", x) for x in ("en", "sv")], seen)
    assert await store.commit(both) == [kept, None]


async def test_the_blacklist_is_a_sorted_set(store: Store) -> None:
    """SPEC 3: on, off, repeated, paged."""
    names = [f"4670000{n:04d}" for n in range(30)]

    def put(listed: bool, chosen: list[str]) -> Do:
        def run(tx: Transaction) -> None:
            for name in chosen:
                tx.put_blacklisted(name, listed)

        return Do(run)

    await store.commit(put(True, names[::-1]))
    await store.commit(put(True, names[:3]))
    await store.commit(put(False, names[5:10]))
    kept = names[:5] + names[10:]
    assert await store.blacklist(BOT, 0, 10) == kept[:10]
    assert await store.blacklist(BOT, 10, 100) == kept[10:]
    asked = Do(lambda tx: tx.is_blacklisted(names[0]), Reads(blacklist=frozenset({names[0]})))
    assert await store.commit(asked) is True


async def test_a_webhook_is_kept_once(store: Store) -> None:
    """SPEC 5: what was not understood is stored; the same again changes nothing."""
    raw = RawWebhook(bytes(16), 1, b"\xff{", "no JSON")
    await store.commit(Do(lambda tx: tx.put_webhook(raw)))
    await store.commit(Do(lambda tx: tx.put_webhook(replace(raw, received=9))))
    plain = replace(raw, webhook_id=b"\x01" * 16, note="", source="webhook:meta")
    await store.commit(Do(lambda tx: tx.put_webhook(plain)))
    assert await store.webhooks(BOT, b"", 10) == [raw, plain]
    assert await store.webhooks(BOT, b"", 10, noted=True) == [raw]
    assert await store.webhooks(BOT, raw.webhook_id, 10) == [plain]
    assert await store.webhooks(OTHER_BOT, b"", 10) == []
    assert await store.prune(BOT, 2, 0) == 2


async def test_a_note_is_replaced(store: Store) -> None:
    """SPEC 5: what is understood at last has no note any more; nothing else changes, no other
    bot's body, and none appears. In the commit that keeps it the note counts at once."""
    raw = RawWebhook(bytes(16), 1, b"\xff{", "no JSON")

    def keep(tx: Transaction) -> None:
        tx.put_webhook(raw)
        tx.put_note(raw.webhook_id, "odd")

    for bot_id in (BOT, OTHER_BOT):
        await store.commit(Do(keep, bot_id=bot_id))
    assert await store.webhooks(BOT, b"", 10) == [replace(raw, note="odd")]
    await store.commit(Do(lambda tx: tx.put_note(raw.webhook_id, "")))
    await store.commit(Do(lambda tx: tx.put_note(b"\x02" * 16, "nobody's")))
    assert await store.webhooks(BOT, b"", 10) == [replace(raw, note="")]
    assert await store.webhooks(BOT, b"", 10, noted=True) == []
    assert len(await store.webhooks(OTHER_BOT, b"", 10, noted=True)) == 1


async def test_opt_outs_are_counted_by_source(store: Store, clock: Clock) -> None:
    """R10: what a sudden rise is measured by."""
    await store.commit(record(claim(Kind.OPT_OUT), claim(Kind.OPT_OUT_KEYWORD), claim(Kind.OPT_IN)))
    clock.now += 10
    await store.commit(record(claim(Kind.OPT_OUT)))
    assert await store.opt_outs_since(BOT, clock.now - 10) == {"test": 3}
    assert await store.opt_outs_since(BOT, clock.now) == {"test": 1}
    assert await store.opt_outs_since(OTHER_BOT, 0) == {}


async def test_links_are_kept_and_read(store: Store, clock: Clock) -> None:
    """R11: a stop by BSUID blocks the phone once the pair is known; a change leaves its yes."""
    pair = [
        claim(Kind.LINKED, WHO, others=("SE.a",), origin=Origin.SIGNED, at=clock.now - 9),
        claim(Kind.LINKED, "SE.a", others=(WHO,), origin=Origin.SIGNED, at=clock.now - 9),
    ]
    await store.commit(record(claim(Kind.OPT_IN)))
    await store.commit(record(claim(Kind.OPT_OUT, "SE.a")))
    assert consent.opted_in((await store.read(BOT, [WHO])).clocks[WHO], 0)
    await store.commit(record(*pair))
    assert not consent.opted_in((await store.read(BOT, [WHO])).clocks[WHO], 0)
    assert set((await store.states(BOT, [WHO])).states) == {WHO, "SE.a"}
    assert set((await store.histories(BOT, ["SE.a"])).events) == {WHO, "SE.a"}
    await store.commit(record(claim(Kind.OPT_IN)))
    assert consent.opted_in((await store.read(BOT, ["SE.a"])).clocks["SE.a"], 0)
    clock.now += 10
    gone = claim(Kind.REPLACED, WHO, others=("46700000009",), origin=Origin.SIGNED, at=clock.now)
    await store.commit(record(gone))
    assert not consent.opted_in((await store.read(BOT, [WHO])).clocks[WHO], 0)
    states = (await store.states(BOT, [WHO])).states
    assert (states[WHO].links.cutoff > 0, states[WHO].version) == (True, 4)


async def test_ready_and_time(store: Store, clock: Clock) -> None:
    """SPEC 6: a store that can commit says so; its clock is the database's."""
    await store.ready()
    assert await store.now() == clock.now
