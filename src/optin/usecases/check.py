"""May this bot message these contacts, now or at a past moment (R7, SPEC 6). Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optin.domain import links
from optin.domain.bots import Bot
from optin.domain.consent import NEVER, Clocks
from optin.domain.decision import Basis, decide, gate
from optin.domain.errors import InvalidIdentity, InvalidInput, NotFound
from optin.domain.events import Event
from optin.domain.identities import Reach, parse_identity
from optin.domain.links import State
from optin.domain.messages import Category
from optin.domain.times import TOLERANCE
from optin.ports.store import Store

#: The reason of a row whose identity is none.
INVALID = "invalid"
#: The reason of a row about a past that retention or erasure has emptied (R16).
UNKNOWN = "unknown"

TemplateName = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CheckRow:
    """The rule's answer about one identity, never softened by the bot's `enforce` (R7).

    `identity`: as it was given. `reason`: why not, None if allowed. `until`: UTC µs, the instant
    from which the answer is void. `enforced`: whether the gate would refuse the message.
    """

    identity: object
    allowed: bool
    reason: str | None
    basis: Basis | None
    until: int | None
    enforced: bool


@dataclass(frozen=True, slots=True)
class Check:
    """Answers; each answer rests on one reading of the store that began after the question."""

    store: Store

    async def now(
        self,
        bot_id: str,
        identities: Sequence[object],
        category: Category | None = None,
        template: TemplateName | None = None,
    ) -> list[CheckRow]:
        """A row for each identity, in order. Neither category nor template: as for utility.

        `template`: (name, canonical language). Raises `NotFound` for an unknown bot and
        `StoreUnavailable`; never allows when it does not know (R12).
        """
        bot = await self._bot(bot_id)
        asked = await self._category(bot_id, category, template)
        known = _parsed(identities)
        reading = await self.store.read(bot_id, _each(known))
        return [_row(bot, given, one, reading.clocks, asked, reading.now) for given, one in known]

    async def at(
        self,
        bot_id: str,
        identities: Sequence[object],
        category: Category | None = None,
        template: TemplateName | None = None,
        at: int | None = None,
        known_at: int | None = None,
    ) -> list[CheckRow]:
        """As `now`, but for the instant `at`, from the events that were in effect by then.

        `known_at`: only from those recorded by then; alone it asks about now. Both UTC µs. The
        bot's settings and template records are those of today. Raises `InvalidInput` if `at` lies
        ahead of the database's clock by more than 5 minutes.
        """
        bot = await self._bot(bot_id)
        asked = await self._category(bot_id, category, template)
        known = _parsed(identities)
        histories = await self.store.histories(bot_id, _each(known))
        moment = _Moment(_instant(at, histories.now), histories.now, known_at)
        states = {one: moment.state(events) for one, events in histories.events.items()}
        clocks = {one: links.reading(one, states.__getitem__) for one in _each(known)}
        lost = {
            one: max(histories.known_from, _erased(links.reach(one, states.__getitem__), states))
            for one in clocks
        }
        return [
            _row_unknown(given)
            if one is not None and moment.is_before(lost[one])
            else _row(bot, given, one, clocks, asked, moment.at)
            for given, one in known
        ]

    async def _bot(self, bot_id: str) -> Bot:
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        return bot

    async def _category(
        self, bot_id: str, category: Category | None, template: TemplateName | None
    ) -> Category:
        if template is None:
            return category or Category.UTILITY
        record = await self.store.template(bot_id, *template)
        return (record.category if record else None) or Category.MARKETING


@dataclass(frozen=True, slots=True)
class _Moment:
    """Which events count. About now, all do: a live time may lie ahead of the clock (R3)."""

    at: int
    now: int
    known_at: int | None

    def is_before(self, instant: int) -> bool:
        """Whether the question reaches back behind an instant."""
        asked = self.at if self.known_at is None else min(self.at, self.known_at)
        return asked < min(instant, self.now)

    def state(self, events: Sequence[Event]) -> State:
        """The identity's state by then. Links are as known now, or by `known_at` (SPEC 6); a
        change of number counts from its own time on, as all else does."""
        then = links.folded(event for event in events if self._counts(event))
        known = links.folded(event for event in events if self._is_known(event)).links
        # An erasure empties what was known before it, so it counts whenever it was recorded (R16).
        erased = max((links.moved(event).erased for event in events), default=NEVER)
        return State(then.clocks, known._replace(cutoff=then.links.cutoff, erased=erased))

    def _counts(self, event: Event) -> bool:
        in_effect = event.effective is not None and event.effective <= self.at
        return self._is_known(event) and (in_effect or self.at >= self.now)

    def _is_known(self, event: Event) -> bool:
        return self.known_at is None or event.recorded <= self.known_at


def _erased(who: Reach, states: Mapping[str, State]) -> int:
    """When any of the contact's identities was erased last; `NEVER` if none was (R15)."""
    return max(states[one].links.erased for one in who.blocking)


def _row_unknown(given: object) -> CheckRow:
    return CheckRow(given, False, UNKNOWN, None, None, enforced=True)


def _instant(at: int | None, now: int) -> int:
    if at is None:
        return now
    if at > now + TOLERANCE:
        raise InvalidInput("Field [at] lies ahead of this service's clock.", field="at")
    return min(at, now)


def _parsed(identities: Sequence[object]) -> list[tuple[object, str | None]]:
    """Each identity as given, with its canonical form or None."""
    return [(given, _identity(given)) for given in identities]


def _identity(given: object) -> str | None:
    try:
        return parse_identity(given)
    except InvalidIdentity:
        return None


def _each(known: Sequence[tuple[object, str | None]]) -> list[str]:
    return list(dict.fromkeys(one for _, one in known if one is not None))


def _row(
    bot: Bot,
    given: object,
    identity: str | None,
    clocks: Mapping[str, Clocks],
    category: Category,
    now: int,
) -> CheckRow:
    if identity is None:
        return CheckRow(given, False, INVALID, None, None, enforced=True)
    decision = decide(clocks[identity], category, now, bot.policy)
    refused = not gate(clocks[identity], category, now, bot.policy, bot.enforce).passes
    return CheckRow(
        given, decision.allowed, decision.reason, decision.basis, decision.until, refused
    )
