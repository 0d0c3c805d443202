"""The opt-out lists that a provider keeps of its own, read to compare them with ours (SPEC 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from optin.domain.bots import Bot
from optin.domain.events import SECOND


class ListsNotRead(Exception):
    """The provider did not answer, or not with all of its lists; its text says why."""


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One identity on one of the provider's lists. `name`: the list's, in the provider's words.

    `identity`: "" for an entry from which it can not be told who is meant. `marketing_only`: the
    list stops marketing and nothing else. `known_as`: what the provider calls the identity, "" if
    it is the same.
    """

    identity: str
    name: str
    marketing_only: bool
    known_as: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Since when an entry is on its list: UTC µs, `unit` µs; None if the provider does not say.

    `origin`: how it came there, in the provider's words.
    """

    at: int | None
    unit: int = SECOND
    origin: str = ""


class ConsentLists(Protocol):
    """One provider's opt-out lists of a bot."""

    async def entries(self, bot: Bot) -> list[ListEntry]:
        """Everybody on every list, each list in the provider's order, nobody twice on one. Entries
        that name nobody come one by one, so that somebody can look into it.

        Raises `ListsNotRead`: with half a list, people would seem to be missing from it.
        """

    async def listing(self, bot: Bot, entry: ListEntry) -> Listing:
        """How and since when `entry` is on its list. Raises `ListsNotRead`."""

    async def close(self) -> None:
        """Closes idle connections."""
