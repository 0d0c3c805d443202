"""Compares a provider's own opt-out lists with ours, and takes over what is stricter (R2, R8)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from optin.domain import consent
from optin.domain.bots import Bot
from optin.domain.consent import NEVER, Clocks, Policy
from optin.domain.errors import InvalidInput, NotFound, ProviderError
from optin.domain.events import Claim, Kind, Origin
from optin.domain.ids import derived_id
from optin.ports.consent_lists import ConsentLists, ListEntry, Listing, ListsNotRead
from optin.ports.store import Reads, Store, Transaction

#: Identities in one read or commit.
_AT_ONCE = 200
#: Questions to the provider under way at the same time.
_ASKED_AT_ONCE = 8


class Ours(StrEnum):
    """What we know of somebody whom the provider has on an opt-out list, where it is not as strict.

    `no_opt_out` and `no_marketing_stop`: nothing is recorded that says what the list says.
    """

    OPTED_IN = "opted_in"
    IN_SESSION = "in_session"
    NO_OPT_OUT = "no_opt_out"
    NO_MARKETING_STOP = "no_marketing_stop"


@dataclass(frozen=True, slots=True)
class Difference:
    """Somebody on the provider's list who is not as strictly stopped with us.

    `since`: UTC µs, None if the provider does not say. `recorded`: whether the entry is in our
    ledger, `in_force` whether it is and holds: a newer opt-in outweighs it (R4), and nothing is
    lifted.
    """

    identity: str
    list_name: str
    kind: Kind
    ours: Ours
    since: int | None
    recorded: bool = False
    in_force: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """How many entries the lists have, and those that differ, in the lists' order. `unreadable`:
    how many name nobody: they are no reason to leave out the others."""

    listed: int
    differences: tuple[Difference, ...]
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Reconcile:
    """`lists`: by the bot setting `upstream`; a provider without lists is not in it."""

    store: Store
    lists: Mapping[str, ConsentLists]

    async def run(self, bot_id: str, *, apply: bool = False) -> Compared:
        """Reads the lists and says what differs; with `apply` records it, in ours only.

        A list's entry is an opt-out of the contact's, or a marketing stop told to us, at the time
        at which it came on the list, or now if that is not known. Doing it again changes nothing,
        and says of what was outweighed that it is recorded; but one without a date outweighs what
        came here since, as it may have left the list in between (R3: in doubt, block).
        Raises `NotFound`, `InvalidInput` if the provider has no lists, and `ProviderError` if it
        did not give all of them: then nothing was recorded.
        """
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound(f"There is no bot {bot_id}.")
        lists = self.lists.get(bot.value("upstream"))
        if lists is None:
            raise InvalidInput(f"Bot {bot_id}'s upstream {bot.value('upstream')} keeps no consent.")
        try:
            entries = await lists.entries(bot)
            readable = [entry for entry in entries if entry.identity]
            differing = await self._differing(bot, readable)
            found = await self._dated(lists, bot, [(entry, ours) for entry, ours, _ in differing])
            lifted = {entry: at for entry, _, at in differing}
        except ListsNotRead as why:
            raise ProviderError(f"The lists of bot {bot_id} were not read: {why}.") from why
        differences = [_difference(entry, ours, listing) for entry, ours, listing in found]
        claims = [_claim(bot, entry, listing, lifted[entry]) for entry, _, listing in found]
        told = await self._told(bot_id, differences, claims, apply)
        return Compared(len(entries), told, len(entries) - len(readable))

    async def close(self) -> None:
        """Closes the lists."""
        for lists in self.lists.values():
            await lists.close()

    async def _differing(
        self, bot: Bot, entries: Sequence[ListEntry]
    ) -> list[tuple[ListEntry, Ours, int]]:
        """With the newest time at which something of ours lifted or opened anything, UTC µs."""
        found: list[tuple[ListEntry, Ours, int]] = []
        for first in range(0, len(entries), _AT_ONCE):
            some = entries[first : first + _AT_ONCE]
            reading = await self.store.read(bot.bot_id, [entry.identity for entry in some])
            for entry in some:
                clocks = reading.clocks[entry.identity]
                ours = _laxer(clocks, entry, reading.now, bot.policy)
                if ours is not None:
                    found.append((entry, ours, _newest_lift(clocks)))
        return found

    async def _dated(
        self, lists: ConsentLists, bot: Bot, differing: Sequence[tuple[ListEntry, Ours]]
    ) -> list[tuple[ListEntry, Ours, Listing]]:
        """With their dates, which the provider tells of one after another: some at a time."""
        found: list[tuple[ListEntry, Ours, Listing]] = []
        for first in range(0, len(differing), _ASKED_AT_ONCE):
            some = differing[first : first + _ASKED_AT_ONCE]
            dated = await asyncio.gather(*(lists.listing(bot, entry) for entry, _ in some))
            found += [(*each, listing) for each, listing in zip(some, dated, strict=True)]
        return found

    async def _told(
        self, bot_id: str, differences: Sequence[Difference], claims: Sequence[Claim], apply: bool
    ) -> tuple[Difference, ...]:
        """The differences with what our ledger says of them; recorded first, if wanted."""
        told: list[Difference] = []
        for first in range(0, len(claims), _AT_ONCE):
            some = tuple(claims[first : first + _AT_ONCE])
            these = differences[first : first + _AT_ONCE]
            known = await self.store.commit(_Record(bot_id, some, apply))
            told += [
                replace(each, recorded=recorded, in_force=recorded and holds)
                for each, (recorded, holds) in zip(these, known, strict=True)
            ]
        return tuple(told)


def _kind(entry: ListEntry) -> Kind:
    return Kind.MARKETING_STOP if entry.marketing_only else Kind.OPT_OUT


def _difference(entry: ListEntry, ours: Ours, listing: Listing) -> Difference:
    return Difference(entry.identity, entry.name, _kind(entry), ours, listing.at)


def _laxer(clocks: Clocks, entry: ListEntry, now: int, policy: Policy) -> Ours | None:
    """How ours is less strict than the list; None if it is not."""
    if entry.marketing_only:
        return None if consent.marketing_stopped(clocks) else Ours.NO_MARKETING_STOP
    if consent.opted_in(clocks, now, policy):
        return Ours.OPTED_IN
    if consent.session_until(clocks, now) is not None:
        return Ours.IN_SESSION
    return Ours.NO_OPT_OUT if consent.newest_opt_out(clocks) == NEVER else None


def _newest_lift(clocks: Clocks) -> int:
    plain = [at for name, at in zip(clocks._fields, clocks[:-1], strict=False) if _lifts(name)]
    return max(*plain, *clocks.wordings.values())


def _lifts(clock: str) -> bool:
    return clock not in consent.BLOCKING


def _claim(bot: Bot, entry: ListEntry, listing: Listing, lifted: int) -> Claim:
    """Signed: it comes from the provider itself, and is never refused for its time (R3).

    Without a date it counts from when it is seen, once for each thing that it outweighs.
    """
    provider = bot.value("upstream")
    dated = str(lifted) if listing.at is None else str(listing.at)
    parts = (bot.bot_id, "consent list", provider, entry.name, entry.identity, dated)
    origin = {"origin": listing.origin} if listing.origin else {}
    return Claim(
        event_id=derived_id(max(listing.at or 0, 0), *parts),
        identity=entry.identity,
        kind=_kind(entry),
        origin=Origin.SIGNED,
        source=f"reconcile:{provider}",
        at=listing.at,
        unit=listing.unit,
        evidence={"provider": provider, "list": entry.name, **origin},
        from_contact=True,
        actor="reconcile",
    )


@dataclass(frozen=True, slots=True)
class _Record:
    """Says of each claim whether it is recorded and whether it holds; with `apply`, records what
    is not recorded yet. Without, nothing is written."""

    bot_id: str
    claims: tuple[Claim, ...]
    apply: bool

    @property
    def reads(self) -> Reads:
        return Reads(
            identities=frozenset(claim.identity for claim in self.claims),
            event_ids=frozenset(claim.event_id for claim in self.claims),
        )

    def run(self, tx: Transaction) -> list[tuple[bool, bool]]:
        for claim in self.claims:
            if self.apply and not tx.is_recorded(claim.event_id):
                tx.record(claim)
        policy = tx.bot().policy
        return [
            (tx.is_recorded(c.event_id), _holds(tx.reading(c.identity), c.kind, tx.now, policy))
            for c in self.claims
        ]


def _holds(clocks: Clocks, kind: Kind, now: int, policy: Policy) -> bool:
    if kind is Kind.MARKETING_STOP:
        return consent.marketing_stopped(clocks)
    in_session = consent.session_until(clocks, now) is not None
    return not in_session and not consent.opted_in(clocks, now, policy)
