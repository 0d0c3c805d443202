"""What every store promises. One suite, `tests/stores/contract`, holds them all to it.

All times are UTC µs as int. `now` is always the database's clock. Identities compare byte-wise.
Every method raises `StoreUnavailable` when the store cannot answer or commit (R12), and then
nothing was changed, unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from optin.domain.bots import Bot, Token
from optin.domain.consent import Clocks
from optin.domain.events import Claim, Event
from optin.domain.links import Links
from optin.domain.outbox import OutboxMessage
from optin.ports.records import (
    Callback,
    CallbackKind,
    CallbackStage,
    Histories,
    RawWebhook,
    Reading,
    Reads,
    Review,
    States,
    Template,
)

__all__ = [
    "Callback",
    "CallbackKind",
    "CallbackStage",
    "Directory",
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

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Transaction(Protocol):
    """One work's view of the store inside its commit.

    It sees what earlier works of the same batch wrote, and its own writes at once. If the work
    raises, its own writes are forgotten and no other work's are.
    """

    @property
    def now(self) -> int:
        """The database's clock at the batch's begin; the same for every work in it."""

    def bot(self) -> Bot:
        """The work's bot with its settings as of this commit. Raises `NotFound`."""

    def clocks(self, identity: str) -> Clocks:
        """The identity's own stored clocks; all `NEVER` if it is not known."""

    def links(self, identity: str) -> Links:
        """The identity's own stored links; `UNLINKED` if it has none."""

    def reading(self, identity: str) -> Clocks:
        """The clocks that a decision about it reads: `links.reading` over W and N (R11)."""

    def newest(self, identity: str) -> int:
        """The newest clock of every identity in W: what the live time must exceed (R3)."""

    def is_recorded(self, event_id: bytes) -> bool:
        """Whether an event of this id is in the ledger already."""

    def record(self, claim: Claim) -> Event:
        """Makes the event of a claim (`times.effective_time`), adds it to the ledger and folds it
        into its identity's clocks. Raises `FutureDated`. The id must not be recorded already."""

    def template(self, name: str, language: str) -> Template | None:
        """The template record, or None if there is none."""

    def message(self, message_id: str) -> OutboxMessage | None:
        """The message of that id."""

    def message_by_upstream_id(self, upstream_id: str) -> OutboxMessage | None:
        """The message that the provider knows under `upstream_id`."""

    def put_message(self, message: OutboxMessage) -> None:
        """Adds the message, or replaces the one of the same id."""

    def is_blacklisted(self, identity: str) -> bool:
        """Whether its inbound messages are kept from the business's callbacks (SPEC 3)."""

    def put_blacklisted(self, identity: str, listed: bool) -> None:
        """Puts the identity on the blacklist, or takes it off."""

    def put_template(self, template: Template) -> None:
        """Adds or replaces a template record."""

    def put_callback(self, callback: Callback) -> None:
        """Owes the business a callback; it is delivered after the commit."""

    def put_webhook(self, webhook: RawWebhook) -> None:
        """Keeps a body; the same id again changes nothing."""

    def review(self, review_id: str) -> Review | None:
        """The review item of that id."""

    def put_review(self, review: Review) -> None:
        """Adds the review item, or replaces the one of the same id."""


class Work(Protocol[R_co]):
    """What one request wants done in one commit: all of it or nothing (H2).

    `run` is called once or more, in the store's own thread, with nothing of an earlier call left
    behind: it must be a pure function of the transaction (plus values made before).
    """

    @property
    def bot_id(self) -> str:
        """The bot that everything in this work belongs to."""

    @property
    def reads(self) -> Reads:
        """Everything that `run` will look at."""

    def run(self, tx: Transaction) -> R_co:
        """Does the work. Whatever it raises, only this work fails."""


class Directory(Protocol):
    """Bots, their settings and tokens: changed by operators, read by everybody.

    Reads here may be as old as one second, never older (SPEC 8): they raise `StoreUnavailable`
    rather than answer from an older copy. Writes are one transaction each.
    """

    async def bot(self, bot_id: str) -> Bot | None:
        """The bot, or None."""

    async def token(self, digest: bytes) -> Token | None:
        """The token with that SHA-256, revoked or not, or None (H4)."""

    async def bots(self) -> list[Bot]:
        """All bots, by id."""

    async def tokens(self, bot_id: str) -> list[Token]:
        """A bot's tokens, oldest first, revoked ones included."""

    async def add_bot(self, bot: Bot, token: Token) -> None:
        """Adds a bot and its first token. Raises `Conflict` if the id is taken."""

    async def put_settings(self, bot_id: str, changes: Mapping[str, str]) -> Bot:
        """Sets the given settings, "" taking one back to its default. Raises `NotFound`."""

    async def remove_bot(self, bot_id: str) -> None:
        """Ends a bot: its tokens are dead, nothing of it is sent or recorded from then on.

        Its ledger stays as proof. The id cannot be used again. Raises `NotFound`.
        """

    async def add_token(self, token: Token) -> None:
        """Adds a token to a bot. Raises `NotFound` for an unknown bot."""

    async def revoke_token(self, bot_id: str, token_id: str) -> None:
        """Kills one token, in every process within a second. Raises `NotFound`."""

    async def meta(self, key: str) -> str | None:
        """A value that belongs to the database as a whole, such as the key's fingerprint."""

    async def put_meta(self, key: str, value: str) -> str:
        """Sets it if it was not set yet; returns the value that holds from then on."""


class Store(Directory, Protocol):
    """Where consent is kept."""

    async def commit(self, work: Work[R]) -> R:
        """Runs the work in the next batch and returns when that is on disk (R13), fsynced.

        Raises what the work raised, or `StoreUnavailable` if the batch could not be committed.
        Cancelling the wait does not undo the work.
        """

    async def read(self, bot_id: str, identities: Sequence[str]) -> Reading:
        """Joined clocks of the identities at one instant that lies after this call began (R6)."""

    async def states(self, bot_id: str, identities: Sequence[str]) -> States:
        """As `read`, but the states themselves, each identity's own; `UNKNOWN` if unknown."""

    async def histories(self, bot_id: str, identities: Sequence[str]) -> Histories:
        """All events of the identities and of those in W."""

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
        self, claimant: str, lease_for: int, limit: int, without: Collection[str] = ()
    ) -> tuple[int, list[Callback]]:
        """As `lease_messages`, for callbacks; `without` names receivers."""

    async def put_callbacks(
        self, done: Sequence[Callback], again: Sequence[Callback], dead: Sequence[Callback] = ()
    ) -> None:
        """Puts away the `done` and the `dead` ones, and puts back those to try `again` (`due`,
        `attempts`, `outcome`). They stay to be replayed until they are pruned."""

    async def callbacks(
        self, bot_id: str, after: str, limit: int, stage: CallbackStage | None = None
    ) -> list[Callback]:
        """Callbacks by id, which is by time, from behind the cursor `after` ("" for the first)."""

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
        """Deletes kept webhooks received, and callbacks done or dead, before then; how many."""

    async def blacklist(self, bot_id: str, offset: int, limit: int) -> list[str]:
        """Blacklisted identities in byte order."""

    async def ready(self) -> None:
        """Returns if the store can commit, as of a second ago at most, so that probes cost little
        (SPEC 6)."""

    async def now(self) -> int:
        """The database's clock."""

    async def close(self) -> None:
        """Ends after what is waiting has been committed."""
