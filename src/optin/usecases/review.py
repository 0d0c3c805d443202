"""What a person decides: messages that may be a stop, contacts in conflict, sudden rises (R10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from optin.domain import consent, links
from optin.domain.consent import NEVER
from optin.domain.errors import Conflict, InvalidInput, NotFound
from optin.domain.events import Claim, Event, Kind, Origin
from optin.domain.ids import derived_id
from optin.domain.times import live_time
from optin.ports.store import Reads, Review, Store, Transaction

#: Items on one page; how many there are if nobody says.
MOST, PAGE = 1_000, 100
_LONGEST_NOTE = 1_000
_LONGEST_ID = 64


class Decision(StrEnum):
    """What an item turned out to be: an opt-out, one of marketing only, or neither."""

    STOP = "stop"
    MARKETING_STOP = "marketing_stop"
    NOTHING = "nothing"


_KINDS: Mapping[Decision, Kind] = {
    Decision.STOP: Kind.OPT_OUT,
    Decision.MARKETING_STOP: Kind.MARKETING_STOP,
}


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Items by time; `following` is the cursor of the next page, "" if this was the last."""

    items: Sequence[Review]
    following: str


@dataclass(frozen=True, slots=True)
class Reviews:
    """The queue of what only a person can decide."""

    store: Store

    async def page(
        self, bot_id: str, after: str = "", limit: int = PAGE, *, is_open: bool = True
    ) -> ReviewPage:
        """Items behind the cursor, the open ones or all. Raises `NotFound`, `InvalidInput`."""
        if not 1 <= limit <= MOST:
            raise InvalidInput(f"Field [limit] must be a number from 1 to {MOST}.", field="limit")
        await self._known(bot_id)
        found = await self.store.reviews(bot_id, after, limit + 1, is_open)
        more = len(found) > limit
        return ReviewPage(found[:limit], found[limit - 1].review_id if more else "")

    async def decide(
        self,
        bot_id: str,
        review_id: str,
        decision: str,
        *,
        actor: str,
        note: str = "",
        source: str = "review",
    ) -> Review:
        """Decides an open item, once, and records what follows from that, live.

        `nothing` lifts the marketing stop that the item itself had set, unless there is another.
        Raises `NotFound`, `InvalidInput`, and `Conflict` for an item that is decided already.
        """
        if decision not in tuple(Decision):
            names = ", ".join(Decision)
            raise InvalidInput(f"Field [decision] must be one of: {names}.", field="decision")
        if len(note) > _LONGEST_NOTE or "\x00" in note:
            limit = f"Field [note] takes up to {_LONGEST_NOTE} characters of text."
            raise InvalidInput(limit, field="note")
        await self._known(bot_id)
        item = await self._one(bot_id, review_id)
        if not item.identities and decision != Decision.NOTHING:
            raise InvalidInput("This item is about nobody, so nobody can be opted out.")
        own = await self._own_stop(bot_id, item)
        work = _Decide(bot_id, item, Decision(decision), actor, note, source, own)
        return await self.store.commit(work)

    async def _known(self, bot_id: str) -> None:
        if await self.store.bot(bot_id) is None:
            raise NotFound(f"There is no bot {bot_id}.")

    async def _one(self, bot_id: str, review_id: str) -> Review:
        fits = 0 < len(review_id) <= _LONGEST_ID and review_id.isascii() and review_id.isprintable()
        found = await self.store.commit(_Find(bot_id, review_id)) if fits else None
        if found is None:
            raise NotFound("There is no such review item.")
        return found

    async def _own_stop(self, bot_id: str, item: Review) -> int:
        """The effective time of the marketing stop that is in force only since this item set it,
        UTC µs; `NEVER` if it set none, or marketing would be stopped without it."""
        histories = await self.store.histories(bot_id, item.identities)
        events = {who: list(some) for who, some in histories.events.items()}
        own = [e.effective for some in events.values() for e in some if _set_by(item, e)]
        times = [at for at in own if at is not None]
        if not times:
            return NEVER
        others = {
            who: links.folded(e for e in some if not _set_by(item, e))
            for who, some in events.items()
        }
        for who in item.identities:
            if consent.our_marketing_stopped(links.reading(who, others.__getitem__)):
                return NEVER
        return max(times)


def _set_by(item: Review, event: Event) -> bool:
    claim = event.claim
    provisional = claim.kind is Kind.MARKETING_STOP and "decision" not in claim.evidence
    return provisional and claim.context.get("review") == item.review_id


@dataclass(frozen=True, slots=True)
class _Find:
    bot_id: str
    review_id: str

    @property
    def reads(self) -> Reads:
        return Reads(reviews=frozenset({self.review_id}))

    def run(self, tx: Transaction) -> Review | None:
        return tx.review(self.review_id)


@dataclass(frozen=True, slots=True)
class _Decide:
    """`own_stop`: see `Reviews._own_stop`; nothing newer may have come by the commit."""

    bot_id: str
    item: Review
    decision: Decision
    actor: str
    note: str
    source: str
    own_stop: int

    @property
    def reads(self) -> Reads:
        return Reads(
            reviews=frozenset({self.item.review_id}), identities=frozenset(self.item.identities)
        )

    def run(self, tx: Transaction) -> Review:
        item = tx.review(self.item.review_id)
        if item is None:
            raise NotFound("There is no such review item.")
        if item.decision:
            raise Conflict(f"This item was decided before: {item.decision}.")
        kind = _KINDS.get(self.decision)
        if kind is None and self._may_resume(tx):
            kind = Kind.MARKETING_RESUME
        if kind is not None:
            for identity in item.identities:
                tx.record(self._claim(kind, identity))
        decided = replace(
            item,
            decision=self.decision.value,
            decided=max(live_time(tx.now, item.created), 1),
            decided_by=self.actor,
            note=self.note,
        )
        tx.put_review(decided)
        return decided

    def _may_resume(self, tx: Transaction) -> bool:
        return self.own_stop != NEVER and all(
            tx.reading(who).marketing_stop <= self.own_stop for who in self.item.identities
        )

    def _claim(self, kind: Kind, identity: str) -> Claim:
        item = self.item
        told = {
            "review": item.review_id,
            "text": item.text,
            "reviewer": self.actor,
            "note": self.note,
            "decision": self.decision.value,
        }
        parts = (self.bot_id, item.review_id, "decided", kind.value, identity)
        return Claim(
            event_id=derived_id(item.created, *parts),
            identity=identity,
            kind=kind,
            origin=Origin.LIVE,
            source=self.source,
            actor=self.actor,
            from_contact=kind is Kind.OPT_OUT,
            evidence={name: value for name, value in told.items() if value},
            context={"review": item.review_id},
        )
