"""Counts of a bot's contacts, consent and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from optin.domain.consent import Policy


@dataclass(frozen=True, slots=True)
class Contacts:
    """How many identities stand how now. Each is counted by what it gave itself: people with two
    identities count twice, and spellings and links are not read (R11). So these are counts to look
    at, and no decision rests on them. `erased`: of contacts who were forgotten (R15)."""

    identities: int
    opted_in: int
    opted_out: int
    in_session: int
    marketing_stopped: int
    erased: int


@dataclass(frozen=True, slots=True)
class Day:
    """What was recorded on one day (UTC), as days since 1970.

    `events`: kind -> how many; `messages`: our messages by state; `refused`: by reason.
    """

    day: int
    events: Mapping[str, int]
    messages: Mapping[str, int]
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stats:
    """A bot's counts at the instant `now`, UTC µs; `days` oldest first, those without anything
    left out."""

    now: int
    contacts: Contacts
    days: Sequence[Day]


class Counts(Protocol):
    """Counts, on a connection of their own: they read much."""

    async def stats(self, bot_id: str, since: int, policy: Policy) -> Stats:
        """The counts, with days from the one that holds `since`, UTC µs. Contacts' messages count
        on the day that they were sent, all else on the day that it was recorded."""
