"""What a store tells of its ledger as it lies there: for checking it, and for proving from it.

Each call reads one snapshot and holds up no writer; a page has no more than `limit` rows, so that
whoever reads a whole ledger needs no more memory for a long one. Nothing is judged here: rows that
contradict each other are handed out as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from optin.domain.chain import Commit
from optin.domain.entries import Entry
from optin.domain.links import State
from optin.domain.outbox import OutboxMessage


class StoredCommit(NamedTuple):
    """A commit, and the hash that is stored with it."""

    commit: Commit
    hash: bytes


class StoredEntry(NamedTuple):
    """An entry, and whether it lies among the messages."""

    entry: Entry
    as_message: bool


class Position(NamedTuple):
    """Where an entry stands within one chain; entries are read in this order."""

    seq: int = -(2**63)
    place: int = -(2**63)
    event_id: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredErasure:
    """An erasure's entry, None if there is none of that id, and the entries that name it: how many
    they are, and their digest (hex, `chain.emptied_digest`)."""

    entry: Entry | None
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class StoredWording:
    """A text that was shown, under its hash, and whether any entry has it."""

    hash: str
    text: str
    used: bool


@dataclass(frozen=True, slots=True)
class StoredState:
    """What is stored of one identity, beside the fold of its entries; None: there are none.

    `name`: under which the state lies, the identity's digest once it was erased (R15).
    `readable`: whether the state and all entries could be read; if not, both are None.
    """

    identity: str
    name: str
    stored: State | None
    folded: State | None
    readable: bool = True


class Told(NamedTuple):
    """An entry with the text of its wording, "" if it has none or that is gone."""

    entry: Entry
    wording: str


class Before(NamedTuple):
    """Where a page of a history ends: the next one has what is older."""

    recorded: int = 2**62
    event_id: bytes = b"\xff" * 17


@dataclass(frozen=True, slots=True)
class History:
    """A page of entries about some identities, those recorded last first, as of `now`.

    `identities`: all of W, and the digests under which erased ones lie.
    """

    now: int
    identities: Sequence[str]
    entries: Sequence[Told]


class Ledger(Protocol):
    """The ledger and the state as they lie in a store. Raises `StoreUnavailable` (R12)."""

    async def ledger_bots(self) -> list[str]:
        """Every bot that the ledger, the chains, the wordings or the states name, by id; those
        that were removed, or never were, included."""

    async def chain_writers(self, bot_id: str) -> list[int]:
        """Every writer that a commit or an entry of the bot names."""

    async def chain_head(self, bot_id: str, writer: int) -> StoredCommit | None:
        """The chain's newest commit."""

    async def chain_commits(
        self, bot_id: str, writer: int, after: int, limit: int
    ) -> list[StoredCommit]:
        """Commits by number from behind `after`."""

    async def chain_entries(
        self, bot_id: str, writer: int, after: Position, until: int, limit: int
    ) -> list[StoredEntry]:
        """Entries by position from behind `after`, to commit `until` and no further."""

    async def stray_entries(
        self, bot_id: str, writer: int, after: Position, limit: int
    ) -> list[StoredEntry]:
        """Entries by position from behind `after` whose commits are not there."""

    async def erasure(self, bot_id: str, event_id: bytes) -> StoredErasure:
        """The erasure of that id, with what names it."""

    async def wordings(self, bot_id: str, after: str | None, limit: int) -> list[StoredWording]:
        """Wordings by hash from behind `after`, None for the first."""

    async def wordless(self, bot_id: str, after: str, limit: int) -> list[Entry]:
        """Of each wording that is named but whose text is nowhere, one entry; by hash."""

    async def stored_states(self, bot_id: str, after: str | None, limit: int) -> list[StoredState]:
        """Every identity that has entries or a state, from behind `after`, None for the first."""

    async def history(self, bot_id: str, identity: str, before: Before, limit: int) -> History:
        """What was recorded about the contact behind an identity, all of W, before `before`."""

    async def messages_to(
        self, bot_id: str, identities: Sequence[str], after: str, limit: int
    ) -> list[OutboxMessage]:
        """Messages to any of the identities, by id (which is by time) from behind `after`."""

    async def leaves(self, bot_id: str, writer: int, seq: int) -> list[StoredEntry]:
        """All entries of one commit, in order."""
