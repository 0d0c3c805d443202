"""Takes back what an import did: one compensating event for everybody in whom it changed something.

Nothing is deleted: the ledger keeps the import's events and what took them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from optin.domain.bots import Bot
from optin.domain.consent import Clocks
from optin.domain.errors import Conflict, NotFound
from optin.domain.events import Claim, Event, Origin
from optin.domain.ids import derived_id
from optin.domain.lists.effects import Compensation, Ledgers, compensations
from optin.domain.lists.ids import span
from optin.ports.imports import ImportJob
from optin.ports.store import Store
from optin.usecases.import_list.works import Step, TakeBack

#: Events of the import that are looked at together.
_AT_ONCE = 200
#: Looks at people who change meanwhile; then they are left as they are.
_TRIES = 3

SOURCE = "import_undo"

_NOBODY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Undoing:
    """Takes one import back, step by step."""

    store: Store
    undo: ImportJob
    import_: ImportJob

    async def step(self, job: ImportJob) -> ImportJob | None:
        """Takes back some more; None when there is nothing left. Raises `Conflict` if another
        process has gone on with the job."""
        begin, end = span(job.bot_id, self.import_.import_id, self.import_.created)
        after = bytes.fromhex(job.cursor) if job.cursor else begin
        events = await self.store.import_events(job.bot_id, after, end, _AT_ONCE)
        if not events:
            return None
        bot = await self.store.bot(job.bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        who = tuple(dict.fromkeys(event.claim.identity for event in events))
        for _ in range(_TRIES):
            try:
                return await self._taken_back(bot, job, who, events)
            except Conflict:
                now = await self.store.imported(job.bot_id, job.import_id)
                if now is None or now.cursor != job.cursor or now.claimant != job.claimant:
                    raise
        return await self._first(bot, job, events[0])

    async def _taken_back(
        self, bot: Bot, job: ImportJob, who: Sequence[str], events: Sequence[Event]
    ) -> ImportJob:
        states = (await self.store.states(job.bot_id, who)).states
        found = await self.store.histories(job.bot_id, who)
        begin, end = span(job.bot_id, self.import_.import_id, self.import_.created)
        mine = frozenset(
            event.claim.event_id
            for its in found.events.values()
            for event in its
            if begin < event.claim.event_id <= end
        )
        ledgers = Ledgers(found.events, mine)
        claims = [
            self._claim(identity, each)
            for identity in who
            for each in compensations(identity, ledgers, found.now, bot.policy)
        ]
        readings = {one: ledgers.reading(one) for one in who}
        versions = {one: state.version for one, state in states.items()}
        return await self._commit(job, events, readings, versions, claims)

    async def _first(self, bot: Bot, job: ImportJob, event: Event) -> ImportJob:
        """One of them does not come to rest, or has a state that its events do not make: one by
        one, and who cannot be taken back is counted."""
        try:
            return await self._taken_back(bot, job, (event.claim.identity,), (event,))
        except Conflict:
            return await self._commit(job, (event,), left=1)

    async def _commit(
        self,
        job: ImportJob,
        events: Sequence[Event],
        readings: Mapping[str, Clocks] = _NOBODY,
        versions: Mapping[str, int] = _NOBODY,
        claims: Sequence[Claim] = (),
        left: int = 0,
    ) -> ImportJob:
        step = Step(job.bot_id, job.import_id, job.claimant, job.rows, job.cursor)
        cursor = events[-1].claim.event_id.hex()
        work = TakeBack(step, readings, versions, tuple(claims), cursor, len(events), left)
        return await self.store.commit(work)

    def _claim(self, identity: str, each: Compensation) -> Claim:
        parts = (self.undo.bot_id, "undo", self.undo.import_id, identity, each.kind.value)
        like = each.like.claim if each.like else None
        return Claim(
            event_id=derived_id(self.undo.created, *parts, str(each.at)),
            identity=identity,
            kind=each.kind,
            origin=Origin.DATED,
            source=SOURCE,
            at=each.at,
            evidence=like.evidence if like else {},
            wording=like.wording if like else None,
            actor=self.undo.actor,
            context={"import": self.import_.import_id, "undo": self.undo.import_id},
        )
