"""What is known of one contact, as decisions see it (SPEC 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from optin.domain import consent, links
from optin.domain.consent import NEVER, Clocks
from optin.domain.decision import Decision, decide
from optin.domain.errors import NotFound
from optin.domain.identities import is_digest
from optin.domain.messages import Category
from optin.ports.store import Store


class Standing(StrEnum):
    """The contact's standing answer to the bot (R4); `unknown`: never gave one."""

    OPTED_IN = "opted_in"
    OPTED_OUT = "opted_out"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact at the instant `now`. All times UTC µs.

    `clocks`: as decisions read them, from all identities linked (R11). `session_until`: None if
    no session is open (R5). `linked`: identity -> whether it can allow or only block.
    """

    identity: str
    now: int
    standing: Standing
    session_until: int | None
    marketing_stopped: bool
    clocks: Clocks
    linked: Mapping[str, bool]
    decisions: Mapping[Category, Decision]


@dataclass(frozen=True, slots=True)
class ReadContact:
    """Reads one contact."""

    store: Store

    async def read(self, bot_id: str, identity: str) -> Contact:
        """The contact behind a canonical identity; one nobody knows has standing `unknown`.

        Raises `NotFound` for an unknown bot, and `StoreUnavailable`.
        """
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound("There is no such bot.")
        found = await self.store.states(bot_id, [identity])
        clocks = links.reading(identity, found.states.__getitem__)
        who = links.reach(identity, found.states.__getitem__)
        now, policy = found.now, bot.policy
        return Contact(
            identity=identity,
            now=now,
            standing=_standing(clocks, now, policy),
            session_until=consent.session_until(clocks, now),
            marketing_stopped=consent.marketing_stopped(clocks),
            clocks=clocks,
            linked={one: one in who.allowing for one in sorted(who.blocking) if not is_digest(one)},
            decisions={each: decide(clocks, each, now, policy) for each in Category},
        )


def _standing(clocks: Clocks, now: int, policy: consent.Policy) -> Standing:
    if consent.opted_in(clocks, now, policy):
        return Standing.OPTED_IN
    if consent.newest_opt_out(clocks) != NEVER:
        return Standing.OPTED_OUT
    return Standing.UNKNOWN
