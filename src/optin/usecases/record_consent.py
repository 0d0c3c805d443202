"""Puts what callers tell us about consent into the ledger (R2, R3, H1, H2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from optin.domain import consent
from optin.domain.consent import Clocks
from optin.domain.consent_items import ConsentItem, parse_item
from optin.domain.errors import FutureDated, InvalidInput
from optin.domain.events import Claim, Kind, Origin
from optin.domain.ids import NewId
from optin.domain.times import repeated
from optin.ports.once import Once
from optin.ports.store import Reads, Store, Transaction


@dataclass(frozen=True, slots=True)
class Caller:
    """Who tells us, and from where: kept with every event as proof (R14).

    `actor`: the token's id; `source`: the door, such as `legacy_api`; `context`: what we saw
    ourselves, such as `ip` and `user_agent`.
    """

    actor: str
    source: str
    context: Mapping[str, str]


class Status(StrEnum):
    """What became of an item. `ignored`: recorded, but it is older than what was known."""

    RECORDED = "recorded"
    IGNORED = "ignored"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item. `identity`: as it was given.

    `in_force`: whether what the item says holds after the commit; None if it was rejected.
    `reason`: a stable code, or "not_newer"; `details`: the same for people.
    """

    identity: object
    status: Status
    in_force: bool | None = None
    reason: str | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True)
class RecordConsent:
    """Records consent that a business tells us of."""

    store: Store
    new_id: NewId

    async def provision(
        self, bot_id: str, identities: Sequence[str], kind: Kind, caller: Caller
    ) -> None:
        """Records one live event of `kind` for each of the identities: all or none (H2).

        `identities` are canonical; repeated ones count once. Returns when they are on disk (R13).
        Repeating what holds already is recorded again (H1). Raises `StoreUnavailable`.
        """
        claims = tuple(
            Claim(
                event_id=self.new_id(),
                identity=identity,
                kind=kind,
                origin=Origin.LIVE,
                source=caller.source,
                actor=caller.actor,
                context=caller.context,
            )
            for identity in dict.fromkeys(identities)
        )
        await self.store.commit(_Provision(bot_id, claims))

    async def record(
        self,
        bot_id: str,
        items: Sequence[object],
        caller: Caller,
        once: Once[list[ItemResult]] | None = None,
        first_seen: int | None = None,
    ) -> list[ItemResult]:
        """Records the good items in one commit; a bad one is rejected alone. A result per item.

        `items` are decoded JSON (`consent_items.parse_item`). `first_seen`: for what came before
        and may not have been committed, the database's time at which it first came (R3). Raises
        `StoreUnavailable`, and then nothing was recorded, and `Answered` as `once` does.
        """
        results: list[ItemResult] = []
        claims: list[tuple[int, Claim]] = []
        for place, value in enumerate(items):
            try:
                item = parse_item(value)
            except InvalidInput as wrong:
                results.append(_rejected(_identity_in(value), wrong))
            else:
                results.append(ItemResult(_identity_in(value), Status.RECORDED))
                claims.append((place, self._claim(item, caller, first_seen)))
        if not claims and once is None:
            return results

        def finish(outcomes: Sequence[ItemResult]) -> list[ItemResult]:
            whole = list(results)
            for (place, _), outcome in zip(claims, outcomes, strict=True):
                whole[place] = replace(outcome, identity=results[place].identity)
            return whole

        work = _Record(bot_id, tuple(claim for _, claim in claims))
        if once is not None:
            return await self.store.commit(once.of(work, finish))
        return finish(await self.store.commit(work))

    def _claim(self, item: ConsentItem, caller: Caller, first_seen: int | None) -> Claim:
        claim = item.claim(
            self.new_id(), source=caller.source, actor=caller.actor, context=caller.context
        )
        return repeated(claim, first_seen)


@dataclass(frozen=True, slots=True)
class _Provision:
    bot_id: str
    claims: tuple[Claim, ...]

    @property
    def reads(self) -> Reads:
        return Reads(identities=frozenset(claim.identity for claim in self.claims))

    def run(self, tx: Transaction) -> None:
        for claim in self.claims:
            tx.record(claim)


@dataclass(frozen=True, slots=True)
class _Record:
    bot_id: str
    claims: tuple[Claim, ...]

    @property
    def reads(self) -> Reads:
        return Reads(identities=frozenset(claim.identity for claim in self.claims))

    def run(self, tx: Transaction) -> list[ItemResult]:
        """All are recorded before any is judged: `in_force` speaks of the whole list's end."""
        policy = tx.bot().policy
        recorded = [_recorded(tx, claim) for claim in self.claims]
        return [
            result
            if result.status is Status.REJECTED
            else replace(
                result, in_force=_in_force(tx.reading(claim.identity), claim.kind, tx.now, policy)
            )
            for claim, result in zip(self.claims, recorded, strict=True)
        ]


def _recorded(tx: Transaction, claim: Claim) -> ItemResult:
    before = tx.clocks(claim.identity)
    try:
        tx.record(claim)
    except FutureDated as wrong:
        return _rejected(claim.identity, wrong)
    if tx.clocks(claim.identity) == before:
        return ItemResult(claim.identity, Status.IGNORED, reason="not_newer")
    return ItemResult(claim.identity, Status.RECORDED)


def _in_force(clocks: Clocks, kind: Kind, now: int, policy: consent.Policy) -> bool:
    match kind:
        case Kind.OPT_IN:
            return consent.opted_in(clocks, now, policy)
        case Kind.OPT_OUT:
            return not consent.opted_in(clocks, now, policy)
        case Kind.MARKETING_STOP:
            return consent.our_marketing_stopped(clocks)
        case Kind.MARKETING_RESUME:
            return not consent.our_marketing_stopped(clocks)
        case _:
            return consent.session_until(clocks, now) is not None


def _rejected(identity: object, wrong: InvalidInput) -> ItemResult:
    return ItemResult(identity, Status.REJECTED, reason=wrong.code, details=str(wrong))


def _identity_in(value: object) -> object:
    return value.get("identity") if isinstance(value, dict) else None
