"""What a provider's own opt-out lists change here, and what they never do (R2 to R8)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.consent import marketing_stopped, opted_in, session_until
from optin.domain.errors import InvalidInput, NotFound, ProviderError
from optin.domain.events import Kind, Origin
from optin.ports.consent_lists import ListEntry, Listing, ListsNotRead
from optin.usecases.reconcile import Compared, Difference, Ours, Reconcile
from tests.conftest import OpenStore
from tests.usecases.ledger import BOT, FRIEND, HOUR, NOW, WHO, Ledger, item

ALL, NOTIFICATION, MARKETING = "OPT_OUT_ALL", "OPT_OUT_NOTIFICATION", "OPT_OUT_MARKETING"


@dataclass
class Lists:
    """A provider's lists, held by the test. `dates`: since when each identity is on its list."""

    given: Sequence[tuple[str, str]] = ()
    dates: dict[str, int] = field(default_factory=dict)
    fault: str = ""
    closed: bool = False

    async def entries(self, bot: Bot) -> list[ListEntry]:
        return [ListEntry(who, name, name == MARKETING) for who, name in self.given]

    async def listing(self, bot: Bot, entry: ListEntry) -> Listing:
        if self.fault:
            raise ListsNotRead(self.fault)
        return Listing(self.dates.get(entry.identity), 1, "MO")

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
async def ledger(open_store: OpenStore) -> Ledger:
    made = await Ledger.opened(open_store)
    await made.store.put_settings(BOT, {"upstream": "sinch"})
    return made


async def run(ledger: Ledger, lists: Lists, **more: Any) -> Compared:
    return await Reconcile(ledger.store, {"sinch": lists}).run(BOT, **more)


async def only(ledger: Ledger, lists: Lists, **more: Any) -> Difference:
    [difference] = (await run(ledger, lists, **more)).differences
    return difference


async def test_what_is_as_strict_here_does_not_differ(ledger: Ledger) -> None:
    """Opted out here, or stopped for marketing here: there is nothing to say."""
    await ledger.record(item("opt_out"), item("marketing_stop", identity=FRIEND))
    found = await run(ledger, Lists([(WHO, ALL), (WHO, NOTIFICATION), (FRIEND, MARKETING)]))
    assert found == Compared(3, ())


@pytest.mark.parametrize(
    ("known", "name", "ours", "kind"),
    [
        (["opt_in"], ALL, Ours.OPTED_IN, Kind.OPT_OUT),
        (["opt_in"], NOTIFICATION, Ours.OPTED_IN, Kind.OPT_OUT),
        (["message"], ALL, Ours.IN_SESSION, Kind.OPT_OUT),
        (["opt_out", "message"], ALL, Ours.IN_SESSION, Kind.OPT_OUT),
        ([], ALL, Ours.NO_OPT_OUT, Kind.OPT_OUT),
        ([], MARKETING, Ours.NO_MARKETING_STOP, Kind.MARKETING_STOP),
        (["opt_out"], MARKETING, Ours.NO_MARKETING_STOP, Kind.MARKETING_STOP),
        (
            ["marketing_stop", "marketing_resume"],
            MARKETING,
            Ours.NO_MARKETING_STOP,
            Kind.MARKETING_STOP,
        ),
    ],
)
async def test_what_differs(
    ledger: Ledger, known: list[str], name: str, ours: Ours, kind: Kind
) -> None:
    """Each way of being laxer than the list is named, and nothing is written without `apply`."""
    for action in known:
        await ledger.record(item(action))
    before = await ledger.events()
    found = await only(ledger, Lists([(WHO, name)], {WHO: NOW + HOUR}))
    assert found == Difference(WHO, name, kind, ours, NOW + HOUR)
    assert await ledger.events() == before


async def test_apply_records_the_stricter(ledger: Ledger) -> None:
    """A dated, signed claim with the list as its evidence, in force from its own time on."""
    await ledger.record(item("opt_in", NOW - 2 * HOUR), item("opt_in", NOW - 2 * HOUR, FRIEND))
    lists = Lists([(WHO, ALL), (FRIEND, MARKETING)], {WHO: NOW - HOUR, FRIEND: NOW - HOUR})
    found = await run(ledger, lists, apply=True)
    assert [(d.recorded, d.in_force) for d in found.differences] == [(True, True)] * 2
    out, stop = (await ledger.events(WHO))[-1], (await ledger.events(FRIEND))[-1]
    assert (out.claim.kind, stop.claim.kind) == (Kind.OPT_OUT, Kind.MARKETING_STOP)
    for event, name in ((out, ALL), (stop, MARKETING)):
        assert (event.claim.origin, event.effective) == (Origin.SIGNED, NOW - HOUR)
        assert event.claim.evidence == {"provider": "sinch", "list": name, "origin": "MO"}
        assert (event.claim.source, event.claim.from_contact) == ("reconcile:sinch", True)
    clocks = (await ledger.store.read(BOT, [WHO, FRIEND])).clocks
    assert not opted_in(clocks[WHO], NOW)
    assert marketing_stopped(clocks[FRIEND])
    assert opted_in(clocks[FRIEND], NOW)


async def test_without_a_date_it_counts_from_now(ledger: Ledger) -> None:
    """In doubt, block: an entry that the provider cannot date outweighs what we have."""
    await ledger.record(item("opt_in"), item("message"))
    assert (await only(ledger, Lists([(WHO, ALL)]), apply=True)).in_force
    clocks = (await ledger.store.read(BOT, [WHO])).clocks[WHO]
    assert not opted_in(clocks, ledger.now)
    assert session_until(clocks, ledger.now) is None


@pytest.mark.parametrize(
    ("name", "lift"),
    [(ALL, "opt_in"), (ALL, "message"), (NOTIFICATION, "opt_in"), (MARKETING, "marketing_resume")],
)
async def test_without_a_date_it_counts_from_every_run(
    ledger: Ledger, name: str, lift: str
) -> None:
    """What lifted the first one is outweighed by the second, and each is recorded once."""
    lists = Lists([(WHO, name)])
    for n in (1, 2, 3):
        ledger.now += HOUR
        await ledger.record(item(lift))
        found = await only(ledger, lists, apply=True)
        assert (found.recorded, found.in_force) == (True, True)
        assert (await run(ledger, lists, apply=True)).differences == ()
        stops = (Kind.OPT_OUT, Kind.MARKETING_STOP)
        assert [e.claim.kind in stops for e in await ledger.events()].count(True) == n


async def test_two_runs_at_once_record_an_undated_entry_once(ledger: Ledger) -> None:
    """Both saw the same opt-in, and one of them, a moment ago, another's opt-out; or it came when
    all was done, and finds no difference."""
    await ledger.record(item("opt_in"))
    lists = Lists([(WHO, ALL)])
    both = await asyncio.gather(*(run(ledger, lists, apply=True) for _ in range(2)))
    assert {d.in_force for found in both for d in found.differences} == {True}
    assert [e.claim.kind for e in await ledger.events()].count(Kind.OPT_OUT) == 1


async def test_an_entry_that_names_nobody_stops_nobody_elses(ledger: Ledger) -> None:
    """It is counted, and the others are recorded."""
    await ledger.record(item("opt_in"))
    found = await run(ledger, Lists([("", ALL), (WHO, ALL), ("", MARKETING)]), apply=True)
    assert (found.listed, found.unreadable) == (3, 2)
    assert [(d.identity, d.in_force) for d in found.differences] == [(WHO, True)]


async def test_a_newer_opt_in_outweighs_the_list(ledger: Ledger) -> None:
    """R4: the entry is recorded at its date, and shown as not in force."""
    await ledger.record(item("opt_in"))
    found = await only(ledger, Lists([(WHO, ALL)], {WHO: NOW - HOUR}), apply=True)
    assert (found.recorded, found.in_force) == (True, False)
    assert opted_in((await ledger.store.read(BOT, [WHO])).clocks[WHO], NOW)


async def test_a_second_run_changes_nothing(ledger: Ledger) -> None:
    """The same entries make the same events; what is not in force is shown again, not doubled."""
    await ledger.record(item("opt_in"), item("opt_in", NOW - 2 * HOUR, FRIEND))
    lists = Lists([(WHO, ALL), (FRIEND, ALL)], {WHO: NOW - HOUR, FRIEND: NOW - HOUR})
    await run(ledger, lists, apply=True)
    before = (await ledger.events(), await ledger.events(FRIEND))
    for apply in (True, False):
        again = await run(ledger, lists, apply=apply)
        assert [(d.identity, d.recorded, d.in_force) for d in again.differences] == [
            (WHO, True, False)
        ]
        assert (await ledger.events(), await ledger.events(FRIEND)) == before


async def test_a_newer_entry_of_the_same_list_counts(ledger: Ledger) -> None:
    """Who opted in here and then opted out again at the provider is opted out again."""
    await run(ledger, Lists([(WHO, ALL)], {WHO: NOW - 2 * HOUR}), apply=True)
    await ledger.record(item("opt_in", NOW - HOUR))
    found = await only(ledger, Lists([(WHO, ALL)], {WHO: NOW - HOUR // 2}), apply=True)
    assert (found.recorded, found.in_force) == (True, True)


async def test_nothing_is_ever_lifted(ledger: Ledger) -> None:
    """Somebody whom no list has stays as they are here."""
    await ledger.record(item("opt_out"), item("marketing_stop"))
    before = (await ledger.store.states(BOT, [WHO])).states
    assert await run(ledger, Lists(), apply=True) == Compared(0, ())
    assert (await ledger.store.states(BOT, [WHO])).states == before


async def test_many_entries(ledger: Ledger) -> None:
    """Long lists are read and recorded in parts, in their order."""
    many = [f"4670{n:07}" for n in range(450)]
    found = await run(ledger, Lists([(who, ALL) for who in many]), apply=True)
    assert (found.listed, len(found.differences)) == (450, 450)
    assert [d.identity for d in found.differences] == many
    assert all(d.recorded and d.in_force for d in found.differences)
    assert (await run(ledger, Lists([(who, ALL) for who in many]))).differences == ()


async def test_half_a_list_changes_nothing(ledger: Ledger) -> None:
    """What the provider did not tell to its end is not acted upon."""
    lists = Lists([(WHO, ALL)], fault="status 503")
    with pytest.raises(ProviderError, match="status 503"):
        await run(ledger, lists, apply=True)
    assert await ledger.events() == []


async def test_who_can_be_asked(ledger: Ledger) -> None:
    """Only a bot that is there, on a provider that keeps lists; `close` closes them."""
    lists = Lists()
    reconcile = Reconcile(ledger.store, {"sinch": lists})
    with pytest.raises(NotFound):
        await reconcile.run("nobody")
    with pytest.raises(InvalidInput, match="sandbox keeps no consent"):
        await reconcile.run("bot-2")
    await reconcile.close()
    assert lists.closed
