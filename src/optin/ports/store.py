"""What every store promises. One suite, `tests/stores/contract`, holds them all to it.

All times are UTC µs as int. `now` is always the database's clock. Identities compare byte-wise.
Every method raises `StoreUnavailable` when the store cannot answer or commit (R12), and then
nothing was changed, unless it says otherwise.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from optin.domain.outbox import OutboxMessage
from optin.domain.retention import Horizons
from optin.ports.directory import Directory
from optin.ports.imports import Imports
from optin.ports.ledger import Ledger
from optin.ports.records import (
    Callback,
    CallbackKind,
    CallbackStage,
    Erased,
    Erasing,
    Histories,
    RawWebhook,
    Reading,
    Reads,
    Review,
    States,
    Template,
)
from optin.ports.stats import Counts
from optin.ports.transaction import Transaction, Work

__all__ = [
    "Callback",
    "CallbackKind",
    "CallbackStage",
    "Committed",
    "Directory",
    "Erased",
    "Erasing",
    "Histories",
    "RawWebhook",
    "Reading",
    "Reads",
    "Review",
    "States",
    "Store",
    "Template",
    "Transaction",
    "Work",
]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Committed(Generic[R]):
    """A commit that holds. `on_disk` ends when it is on disk, None if it is, and raises
    `StoreUnavailable` if it may never be."""

    answer: R
    on_disk: Future[None] | None = None


class Store(Directory, Imports, Ledger, Counts, Protocol):
    """Where consent is kept."""

    async def commit(self, work: Work[R]) -> R:
        """Runs the work in the next batch and returns when that is on disk (R13), fsynced.

        Raises what the work raised, or `StoreUnavailable` if the batch could not be committed.
        Cancelling the wait does not undo the work.
        """

    async def commit_ahead(self, work: Work[R]) -> Committed[R]:
        """As `commit`, but returns as soon as the commit holds: for everybody who looks or commits
        from then on, in every process, and whatever becomes of this process.

        Only a machine that loses its power before `on_disk` may forget it, and all commits after
        it. So nobody may be told of it before that (R13).
        """

    async def read(self, bot_id: str, identities: Sequence[str]) -> Reading:
        """Joined clocks of the identities at one instant that lies after this call began (R6)."""

    async def states(self, bot_id: str, identities: Sequence[str]) -> States:
        """As `read`, but the states themselves, each identity's own; `UNKNOWN` if unknown."""

    async def histories(self, bot_id: str, identities: Sequence[str]) -> Histories:
        """All events of the identities and of those in W."""

    async def contacts(self, bot_id: str, after: str, limit: int) -> Reading:
        """As `read`, of the known identities from behind `after`, in the order of their bytes;
        those of erased contacts left out (R15)."""

    async def templates(self, bot_id: str) -> list[Template]:
        """All template records, by name and language."""

    async def template(self, bot_id: str, name: str, language: str) -> Template | None:
        """One template record."""

    async def message(self, bot_id: str, message_id: str) -> OutboxMessage | None:
        """One message as it stands."""

    async def lease_messages(
        self, claimant: str, lease_for: int, limit: int, without: Collection[str] = ()
    ) -> tuple[int, list[OutboxMessage]]:
        """(now, up to `limit` waiting messages that are due and not leased), oldest due first.

        They are leased to `claimant` for `lease_for` µs, in one commit: no other worker gets them
        meanwhile. Nothing to lease writes nothing. Bots that were removed are left out, and those
        in `without`: one with a long queue must not be in the way of the others.
        """

    async def stale_messages(self, claimed_before: int, limit: int) -> list[OutboxMessage]:
        """Messages still `claimed` since before that instant, and those still `waiting` that have
        outlived `expires`."""

    async def lease_callbacks(
        self,
        claimant: str,
        lease_for: int,
        limit: int,
        without: Collection[str] = (),
        without_bots: Collection[str] = (),
    ) -> tuple[int, list[Callback]]:
        """As `lease_messages`, for callbacks; `without` names receivers, `without_bots` bots."""

    async def put_callbacks(
        self, done: Sequence[Callback], again: Sequence[Callback], dead: Sequence[Callback] = ()
    ) -> None:
        """Puts away the `done` and the `dead` ones, and puts back those to try `again` (`due`,
        `attempts`, `outcome`). They stay to be replayed until they are pruned."""

    async def callback(self, bot_id: str, callback_id: str) -> Callback | None:
        """One callback, with its body."""

    async def callbacks(
        self,
        bot_id: str,
        after: str,
        limit: int,
        stage: CallbackStage | None = None,
        *,
        bodies: bool = True,
    ) -> list[Callback]:
        """Callbacks by id, which is by time, from behind the cursor `after` ("" for the first).

        Without `bodies`, which can have megabytes each, these stay in the store (`unread`).
        """

    async def replay_callbacks(self, bot_id: str, callback_ids: Sequence[str]) -> int:
        """Makes them owed again from now on, with all their tries; how many there were."""

    async def webhooks(
        self, bot_id: str, after: bytes, limit: int, noted: bool = False
    ) -> list[RawWebhook]:
        """Kept bodies by id from behind `after` (b"" for the first); only those with a note."""

    async def reviews(
        self, bot_id: str, after: str, limit: int, is_open: bool = True
    ) -> list[Review]:
        """Review items by id from behind `after`: the open ones, or all."""

    async def opt_outs_since(self, bot_id: str, since: int) -> Mapping[str, int]:
        """How many opt-outs were recorded since then, by source."""

    async def prune(self, bot_id: str, webhooks_before: int, callbacks_before: int) -> int:
        """Deletes kept webhooks received, callbacks done or dead and kept answers made before then;
        how many."""

    async def forget(self, bot_id: str, identity: str, asked: Erasing) -> Erased:
        """Forgets the contact behind an identity, with all of W and whoever else its links name.

        State and links stay under digests, with an opt-out at that instant; the contact's entries
        lose their personal fields; every other record that tells of them is deleted (R15). Not
        one commit: the first does all that decides, the others clear away bodies that name the
        contact; after a failure in between it is to be repeated, which is harmless. Raises
        `NotFound` for an unknown bot; those of a removed one can be forgotten.
        """

    async def retain(self, bot_id: str, until: Horizons) -> int | None:
        """Cuts a bounded piece off the beginning of the bot's ledger, as `retention.stays` says,
        behind a chained checkpoint, in one commit: how many entries went. None: nothing is left
        to cut. So it is called until it says so (R16)."""

    async def keep_room(self) -> None:
        """Makes room for what is to come and gives back what retention has emptied, where the
        store does not do so by itself; several processes may at once, while others write (R16)."""

    async def compact(self) -> None:
        """Rewrites the database, so that free space holds no remnant of what was deleted. Writers
        wait meanwhile."""

    async def blacklist(self, bot_id: str, offset: int, limit: int) -> list[str]:
        """Blacklisted identities in byte order."""

    async def ready(self) -> None:
        """Returns if the store can commit, as of a second ago at most, so that probes cost little
        (SPEC 6)."""

    async def now(self) -> int:
        """The database's clock."""

    async def close(self) -> None:
        """Ends after what is waiting has been committed."""
