"""What every store promises of forgetting a contact (R15)."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial

import pytest

from optin.domain import consent, links
from optin.domain.errors import NotFound
from optin.domain.events import SECOND, Claim, Event, Kind, Origin
from optin.domain.ids import derived_id
from optin.domain.links import UNKNOWN, State
from optin.ports.imports import ImportRow
from optin.ports.ledger import Before
from optin.ports.once import Keep, LookUp
from optin.ports.records import AnswerKey, StoredAnswer
from optin.ports.store import Callback, Erasing, RawWebhook, Reads, Review, Store, Transaction
from tests.stores.contract.conftest import Clock
from tests.stores.works import BOT, OTHER_BOT, WHO, Do, claim, record

BSUID = "SE.13491208655302741918"
MEXICO, MEXICO_OLD = "525512345678", "5215512345678"
ARGENTINA, ARGENTINA_OLD = "541123456789", "5491123456789"
PEOPLE = (WHO, BSUID, MEXICO, MEXICO_OLD, ARGENTINA, ARGENTINA_OLD, "46700000001", "MX.99")

_ids = iter(range(1, 10**9))


def erasing() -> Erasing:
    """Who asks, with an id of its own."""
    return Erasing(derived_id(1_000_000, f"erasure {next(_ids)}"), "native_api", "t1")


def together(*identities: str, at: int | None = None) -> list[Claim]:
    """A provider's word that these are one person."""
    return [
        claim(
            Kind.LINKED,
            one,
            origin=Origin.SIGNED,
            at=at,
            others=tuple(other for other in identities if other != one),
        )
        for one in identities
    ]


async def opted_in(store: Store, identity: str) -> bool:
    reading = await store.read(BOT, [identity])
    return consent.opted_in(reading.clocks[identity], reading.now)


async def test_erased_means_opted_out_under_every_identity(store: Store) -> None:
    """R15: what stays is an opt-out at the erasure's instant, under links and spellings."""
    for who in (BSUID, MEXICO):
        await store.commit(record(claim(Kind.OPT_IN, who)))
    await store.commit(record(*together(BSUID, MEXICO)))
    done = await store.forget(BOT, BSUID, erasing())
    assert (done.identities, done.entries) == (3, 4)
    for who in (BSUID, MEXICO, MEXICO_OLD):
        clocks = (await store.read(BOT, [who])).clocks[who]
        assert not consent.opted_in(clocks, done.at)
        assert consent.newest_opt_out(clocks) == done.at


async def test_an_old_list_revives_nobody_and_a_live_opt_in_works(
    store: Store, clock: Clock
) -> None:
    """R15: what is older than the erasure counts for nothing more; what the person does later
    counts as ever, for all of their identities."""
    await store.commit(record(claim(Kind.OPT_IN), *together(WHO, BSUID)))
    done = await store.forget(BOT, WHO, erasing())
    dated = claim(Kind.OPT_IN, BSUID, origin=Origin.DATED, at=done.at - 5)
    await store.commit(record(dated))
    assert not await opted_in(store, WHO)
    clock.now += 60 * SECOND
    await store.commit(record(claim(Kind.OPT_IN, BSUID)))
    assert await opted_in(store, WHO)
    await store.commit(record(claim(Kind.OPT_OUT, WHO)))
    assert not await opted_in(store, BSUID)


async def test_a_late_older_event_is_kept_as_digests(store: Store) -> None:
    """R15: an event older than the erasure leaves no trace of the person."""
    await store.commit(record(claim(Kind.OPT_IN)))
    done = await store.forget(BOT, WHO, erasing())
    old = claim(
        Kind.MESSAGE, origin=Origin.SIGNED, at=done.at - 9, context={"message_id": "wamid.1"}
    )
    [event] = await store.commit(record(old))
    assert event.claim.identity.startswith("~")
    assert not event.claim.context
    told = (await store.histories(BOT, [WHO])).events[WHO]
    assert [e.claim.kind for e in told] == [Kind.MESSAGE, Kind.OPT_IN, Kind.ERASED]
    assert not any(WHO in repr(e) for e in told)


async def test_everything_that_names_the_contact_is_deleted(store: Store, clock: Clock) -> None:
    """R15: messages, callbacks, raw webhooks, reviews and the blacklist; of others nothing."""
    neighbour = "9" + WHO
    for who in (WHO, neighbour):
        await store.commit(Do(keep_records(who), Reads(identities=frozenset({who}))))
    await store.forget(BOT, WHO, erasing())
    left = [
        [c.callback_id for c in await store.callbacks(BOT, "", 9)],
        [w.webhook_id for w in await store.webhooks(BOT, b"", 9)],
        [r.review_id for r in await store.reviews(BOT, "", 9)],
        await store.blacklist(BOT, 0, 9),
    ]
    assert left == [[f"c{neighbour}"], [neighbour.encode()], [f"r{neighbour}"], [neighbour]]


def keep_records(who: str):  # type: ignore[no-untyped-def]
    """Puts a record about the identity everywhere."""

    def run(tx: Transaction) -> None:
        body = f'{{"to":"+{who}"}}'.encode()
        tx.put_callback(Callback(BOT, f"c{who}", "https://shop.example/", body, tx.now, tx.now))
        tx.put_webhook(RawWebhook(who.encode(), tx.now, body, "a shape"))
        tx.put_review(Review(f"r{who}", "maybe_stop", (who,), "hm", tx.now))
        tx.put_blacklisted(who, True)

    return run


async def test_other_bots_know_nothing_of_it(store: Store) -> None:
    """R1: an erasure is one bot's; an unknown bot is told so."""
    for bot_id in (BOT, OTHER_BOT):
        await store.commit(record(claim(Kind.OPT_IN), bot_id=bot_id))
    await store.forget(BOT, WHO, erasing())
    reading = await store.read(OTHER_BOT, [WHO])
    assert consent.opted_in(reading.clocks[WHO], reading.now)
    with pytest.raises(NotFound):
        await store.forget("nobody", WHO, erasing())


async def test_an_unknown_contact_is_blocked_from_then_on(store: Store) -> None:
    """R15: also of somebody without a record, an old list revives nobody."""
    done = await store.forget(BOT, WHO, erasing())
    await store.commit(record(claim(Kind.OPT_IN, origin=Origin.DATED, at=done.at - 1)))
    assert not await opted_in(store, WHO)


@dataclass
class Model:
    """The same life without erasing: an opt-out for each identity instead."""

    events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))

    def add(self, told: Claim, recorded: Event) -> None:
        self.events[told.identity].append(Event(told, recorded.recorded, recorded.effective))

    def state(self, identity: str) -> State:
        return links.folded(self.events[identity]) if identity in self.events else UNKNOWN


async def _erase(store: Store, model: Model, who: str) -> None:
    """In the model, everybody gets an opt-out whose erasure is in their history now."""
    await store.forget(BOT, who, erasing())
    for one in PEOPLE:
        for event in (await store.histories(BOT, [one])).events[one]:
            known = {e.claim.event_id for e in model.events[one]}
            if event.claim.kind is Kind.ERASED and event.claim.event_id not in known:
                told = claim(Kind.OPT_OUT, one, event_id=event.claim.event_id)
                model.add(told, event)


def _record_all(claims: list[Claim], tx: Transaction) -> list[Event]:
    return [tx.record(one) for one in claims]


def _random_claims(chance: random.Random, now: int) -> list[Claim]:
    who = chance.choice(PEOPLE)
    at = now - chance.randrange(100) * SECOND
    match chance.randrange(8):
        case 0 | 1:
            return together(*chance.sample(PEOPLE, 2), at=at)
        case 2:
            old, new = chance.sample(PEOPLE, 2)
            gone = claim(Kind.REPLACED, old, origin=Origin.SIGNED, at=at, others=(new,))
            return [gone, claim(Kind.REPLACES, new, origin=Origin.SIGNED, at=at, others=(old,))]
        case 3:
            return [claim(Kind.MESSAGE, who, origin=Origin.SIGNED, at=at)]
        case 4:
            return [claim(chance.choice([Kind.OPT_OUT, Kind.OPT_OUT_KEYWORD]), who)]
        case 5:
            return [claim(Kind.OPT_IN, who, origin=Origin.DATED, at=at)]
        case _:
            return [claim(Kind.OPT_IN, who, evidence={"wording": "Yes"}, wording="w")]


@pytest.mark.parametrize("seed", range(30))
async def test_the_rules_go_on_as_ever(store: Store, clock: Clock, seed: int) -> None:
    """R15 with R3 to R8 and R11: whatever is recorded, linked, changed and erased in whatever
    order, a decision reads what it would read if each erasure had been an opt-out."""
    chance, model = random.Random(seed), Model()
    for _ in range(40):
        clock.now += chance.randrange(60) * SECOND
        if chance.random() < 0.1:
            await _erase(store, model, chance.choice(PEOPLE))
            continue
        claims = _random_claims(chance, clock.now)
        everybody = Reads(identities=frozenset(PEOPLE))
        work = Do(partial(_record_all, claims), everybody)
        for told, event in zip(claims, await store.commit(work), strict=True):
            model.add(told, event)
        read = (await store.read(BOT, PEOPLE)).clocks
        for who in PEOPLE:
            assert read[who] == links.reading(who, model.state), who


async def test_who_is_back_is_found_from_every_identity(store: Store, clock: Clock) -> None:
    """R11, R15: what one identity gives after the erasure is in the history of the other, too, and
    a second erasure under either finds it."""
    await store.commit(record(*together(WHO, BSUID)))
    await store.forget(BOT, WHO, erasing())
    clock.now += SECOND
    await store.commit(record(claim(Kind.OPT_IN, WHO)))
    clock.now += SECOND
    said = claim(Kind.OPT_OUT, BSUID, context={"name": "Anna"})
    await store.commit(record(said))
    told = (await store.histories(BOT, [WHO])).events
    states = {who: links.folded(events) for who, events in told.items()}
    assert not consent.opted_in(links.reading(WHO, states.__getitem__), clock.now)
    page = await store.history(BOT, WHO, Before(), 100)
    assert any(each.entry.event_id == said.event_id for each in page.entries)
    done = await store.forget(BOT, WHO, erasing())
    assert done.entries == 2
    left = (await store.histories(BOT, [WHO, BSUID])).events
    assert not any("Anna" in repr(event) for events in left.values() for event in events)


async def test_an_older_link_names_nobody_who_was_erased(store: Store) -> None:
    """R15: a link from before the erasure that comes later keeps the erased identity's digest,
    and still blocks."""
    await store.commit(record(claim(Kind.OPT_IN)))
    done = await store.forget(BOT, WHO, erasing())
    pair = together(WHO, BSUID, at=done.at - 7)
    everybody = Reads(identities=frozenset({WHO, BSUID}))
    events = await store.commit(Do(partial(_record_all, pair), everybody))
    assert not any(WHO in repr(event) for event in events)
    await store.commit(record(claim(Kind.OPT_IN, BSUID)))
    await store.commit(record(claim(Kind.OPT_OUT, WHO)))
    assert not await opted_in(store, BSUID)


async def test_contacts_of_a_removed_bot_can_be_forgotten(store: Store) -> None:
    """R15: the ledger of a bot that is gone stays, and so does the right to leave it."""
    await store.commit(record(claim(Kind.OPT_IN, evidence={"name": "Anna"})))
    await store.remove_bot(BOT)
    done = await store.forget(BOT, WHO, erasing())
    assert done.entries == 1
    told = (await store.histories(BOT, [WHO])).events[WHO]
    assert [event.claim.kind for event in told] == [Kind.OPT_IN, Kind.ERASED]
    assert "Anna" not in repr(told)


async def test_answers_that_name_the_contact_are_emptied(store: Store) -> None:
    """R15: by whom they are about, or by what they say; others' stay, and so does every key."""
    neighbour, answers = "9" + WHO, {}
    for name, body, who in (
        ("about", b"{}", ("46700000001", WHO)),
        ("says", f'{{"to":"+{WHO}"}}'.encode(), ()),
        ("other", f'{{"to":"+{neighbour}"}}'.encode(), (neighbour,)),
    ):
        key = AnswerKey("t1", "POST", name)
        await store.commit(Keep(BOT, StoredAnswer(key, b"d", 200, body, identities=who)))
        answers[name] = LookUp(BOT, key)
    done = await store.forget(BOT, WHO, erasing())
    left = {name: await store.commit(asked) for name, asked in answers.items()}
    assert {name: kept.status for name, kept in left.items() if kept} == {
        "about": 0,
        "says": 0,
        "other": 200,
    }
    assert done.records == 2


async def test_rows_that_an_import_kept_are_searched(store: Store) -> None:
    """R15: a row that was rejected tells nobody whose it is, but its bytes do."""

    def keep(tx: Transaction) -> None:
        rows = (f"+{WHO} Anna;;opt_in", f"+9{WHO};Bo;perhaps", f"{WHO};Anna;perhaps")
        for number, row in enumerate(rows):
            tx.put_import_row(
                ImportRow("I1", number, number + 2, "rejected", "invalid", "", "", row.encode())
            )

    await store.commit(Do(keep))
    assert (await store.forget(BOT, WHO, erasing())).records == 2
    assert [row.number for row in await store.import_rows(BOT, "I1", -1, 9)] == [1]
