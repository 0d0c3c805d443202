"""Compares a provider's own opt-out lists with ours, and takes over what is stricter (R2, R8)."""

from __future__ import annotations

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

    `since`: UTC µs, None if the provider does not say. `recorded`: whether it is in our ledger
    now, `in_force` whether it holds: a newer opt-in outweighs it (R4), and nothing is lifted.
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
    """How many entries the lists have, and those that differ, in the lists' order."""

    listed: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Reconcile:
    """`lists`: by the bot setting `upstream`; a provider without lists is not in it."""

    store: Store
    lists: Mapping[str, ConsentLists]

    async def run(self, bot_id: str, *, apply: bool = False) -> Compared:
        """Reads the lists and says what differs; with `apply` records it, in ours only.

        A list's entry is an opt-out of the contact's, or a marketing stop told to us, at the time
        at which it came on the list, or now if that is not known. Doing it again changes nothing.
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
            found = [
                (entry, ours, await lists.listing(bot, entry))
                for entry, ours in await self._differing(bot, entries)
            ]
        except ListsNotRead as why:
            raise ProviderError(f"The lists of bot {bot_id} were not read: {why}.") from why
        differences = tuple(_difference(entry, ours, listing) for entry, ours, listing in found)
        if apply:
            claims = [_claim(bot, entry, listing) for entry, _, listing in found]
            differences = await self._record(bot_id, differences, claims)
        return Compared(len(entries), differences)

    async def close(self) -> None:
        """Closes the lists."""
        for lists in self.lists.values():
            await lists.close()

    async def _differing(
        self, bot: Bot, entries: Sequence[ListEntry]
    ) -> list[tuple[ListEntry, Ours]]:
        found: list[tuple[ListEntry, Ours]] = []
        for first in range(0, len(entries), _AT_ONCE):
            some = entries[first : first + _AT_ONCE]
            reading = await self.store.read(bot.bot_id, [entry.identity for entry in some])
            for entry in some:
                clocks = reading.clocks[entry.identity]
                ours = _laxer(clocks, entry, reading.now, bot.policy)
                if ours is not None:
                    found.append((entry, ours))
        return found

    async def _record(
        self, bot_id: str, differences: Sequence[Difference], claims: Sequence[Claim]
    ) -> tuple[Difference, ...]:
        done: list[Difference] = []
        for first in range(0, len(claims), _AT_ONCE):
            some = tuple(claims[first : first + _AT_ONCE])
            held = await self.store.commit(_Record(bot_id, some))
            these = differences[first : first + _AT_ONCE]
            done += [
                replace(each, recorded=True, in_force=holds)
                for each, holds in zip(these, held, strict=True)
            ]
        return tuple(done)


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


def _claim(bot: Bot, entry: ListEntry, listing: Listing) -> Claim:
    """Signed: it comes from the provider itself, and is never refused for its time (R3)."""
    provider = bot.value("upstream")
    parts = (bot.bot_id, "consent list", provider, entry.name, entry.identity, str(listing.at))
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
    """Records what is not recorded yet; says of each claim whether it holds after the commit."""

    bot_id: str
    claims: tuple[Claim, ...]

    @property
    def reads(self) -> Reads:
        return Reads(
            identities=frozenset(claim.identity for claim in self.claims),
            event_ids=frozenset(claim.event_id for claim in self.claims),
        )

    def run(self, tx: Transaction) -> list[bool]:
        for claim in self.claims:
            if not tx.is_recorded(claim.event_id):
                tx.record(claim)
        policy = tx.bot().policy
        return [_holds(tx.reading(c.identity), c.kind, tx.now, policy) for c in self.claims]


def _holds(clocks: Clocks, kind: Kind, now: int, policy: Policy) -> bool:
    if kind is Kind.MARKETING_STOP:
        return consent.marketing_stopped(clocks)
    in_session = consent.session_until(clocks, now) is not None
    return not in_session and not consent.opted_in(clocks, now, policy)
