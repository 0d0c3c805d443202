"""What a person decides: messages that may be a stop, contacts in conflict, sudden rises (R10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from optin.domain import links
from optin.domain.consent import our_marketing_stopped
from optin.domain.errors import Conflict, InvalidInput, NotFound
from optin.domain.events import Claim, Kind, Origin
from optin.domain.ids import derived_id
from optin.domain.provisional import RESUME_SOURCE, Events, questions, resume_time
from optin.domain.times import live_time
from optin.ports.store import Reads, Review, Store, Transaction

#: Items on one page; how many there are if nobody says.
MOST, PAGE = 1_000, 100
_LONGEST_NOTE = 1_000
_LONGEST_ID = 64
_TRIES = 8


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
        source: str = RESUME_SOURCE,
    ) -> Review:
        """Decides an open item, once, and records what follows from that, live.

        `nothing` ends the marketing stop that the item itself had set, unless there is another:
        the contact's own, or that of an item which is open.
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
        for _ in range(_TRIES):
            seen = await self._seen(bot_id, item)
            work = _Decide(bot_id, item, Decision(decision), actor, note, source, seen)
            decided = await self.store.commit(work)
            if decided is not None:
                return decided
        raise Conflict("There is always something new about this contact; try again.")

    async def _known(self, bot_id: str) -> None:
        if await self.store.bot(bot_id) is None:
            raise NotFound(f"There is no bot {bot_id}.")

    async def _one(self, bot_id: str, review_id: str) -> Review:
        fits = 0 < len(review_id) <= _LONGEST_ID and review_id.isascii() and review_id.isprintable()
        found = await self.store.commit(_Find(bot_id, review_id)) if fits else None
        if found is None:
            raise NotFound("There is no such review item.")
        return found

    async def _seen(self, bot_id: str, item: Review) -> _Seen:
        """The count comes first: what is recorded meanwhile then shows in the commit."""
        states = (await self.store.states(bot_id, item.identities)).states
        count = sum(links.entries(who, states.__getitem__) for who in item.identities)
        histories = await self.store.histories(bot_id, item.identities)
        return _Seen(count, histories.events)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of an item's contact before the commit. `entries`: how many events there were
    when it was read, at most."""

    entries: int
    events: Events


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
    """`seen`: what its stop is judged by. None is answered, and nothing done, if something about
    the contact came meanwhile and would have to be judged as well."""

    bot_id: str
    item: Review
    decision: Decision
    actor: str
    note: str
    source: str
    seen: _Seen

    @property
    def reads(self) -> Reads:
        return Reads(
            reviews=frozenset({self.item.review_id}) | questions(self.seen.events),
            identities=frozenset(self.item.identities),
        )

    def run(self, tx: Transaction) -> Review | None:
        item = tx.review(self.item.review_id)
        if item is None:
            raise NotFound("There is no such review item.")
        if item.decision:
            raise Conflict(f"This item was decided before: {item.decision}.")
        kind, at = _KINDS.get(self.decision), None
        if kind is None:
            at = self._resume_time(tx)
            if at is not None and not self._is_as_seen(tx):
                return None
        if at is not None:
            kind = Kind.MARKETING_RESUME
        if kind is not None:
            for identity in item.identities:
                tx.record(self._claim(kind, identity, at))
        decided = replace(
            item,
            decision=self.decision.value,
            decided=max(live_time(tx.now, item.created), 1),
            decided_by=self.actor,
            note=self.note,
        )
        tx.put_review(decided)
        return decided

    def _resume_time(self, tx: Transaction) -> int | None:
        """See `resume_time`: this item and those that were decided as nothing before it."""
        if not any(our_marketing_stopped(tx.reading(who)) for who in self.item.identities):
            return None
        asked = {each: tx.review(each) for each in questions(self.seen.events)}
        nothing = {each for each, it in asked.items() if it and it.decision == Decision.NOTHING}
        answered = nothing | {self.item.review_id}
        return resume_time(self.seen.events, self.item.identities, answered)

    def _is_as_seen(self, tx: Transaction) -> bool:
        return sum(map(tx.entries, self.item.identities)) == self.seen.entries

    def _claim(self, kind: Kind, identity: str, at: int | None) -> Claim:
        """Live, but for a resume, which takes effect right after the stop that it ends."""
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
            origin=Origin.LIVE if at is None else Origin.REPEATED,
            at=at,
            source=RESUME_SOURCE if kind is Kind.MARKETING_RESUME else self.source,
            actor=self.actor,
            from_contact=kind is Kind.OPT_OUT,
            evidence={name: value for name, value in told.items() if value},
            context={"review": item.review_id},
        )
