"""What a request wants done in one commit, and what it sees of the store in there."""

from __future__ import annotations

from typing import Protocol, TypeVar

from optin.domain.bots import Bot
from optin.domain.consent import Clocks
from optin.domain.events import Claim, Event
from optin.domain.links import Links
from optin.domain.outbox import OutboxMessage
from optin.ports.imports import ImportJob, ImportRow
from optin.ports.records import (
    AnswerKey,
    Callback,
    RawWebhook,
    Reads,
    Review,
    StoredAnswer,
    Template,
)

R_co = TypeVar("R_co", covariant=True)


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

    def version(self, identity: str) -> int:
        """How many events made the identity's own state; it grows with each (`State.version`)."""

    def links(self, identity: str) -> Links:
        """The identity's own stored links; `UNLINKED` if it has none."""

    def reading(self, identity: str) -> Clocks:
        """The clocks that a decision about it reads: `links.reading` over W and N (R11)."""

    def newest(self, identity: str) -> int:
        """The newest clock of every identity in W: what the live time must exceed (R3)."""

    def entries(self, identity: str) -> int:
        """How many events there are of all of W: whether anything came since (`links.entries`)."""

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

    def put_note(self, webhook_id: bytes, note: str) -> None:
        """Replaces the note of a body that is kept; does nothing if none is."""

    def answer(self, key: AnswerKey) -> StoredAnswer | None:
        """What was answered under that key."""

    def put_answer(self, answer: StoredAnswer) -> None:
        """Keeps what is answered under a key that has no answer yet."""

    def review(self, review_id: str) -> Review | None:
        """The review item of that id."""

    def put_review(self, review: Review) -> None:
        """Adds the review item, or replaces the one of the same id."""

    def imported(self, import_id: str) -> ImportJob | None:
        """The job of that id, as earlier works left it."""

    def put_import(self, job: ImportJob) -> None:
        """Replaces the job: its progress goes with what it recorded."""

    def put_import_row(self, row: ImportRow) -> None:
        """Keeps a row of a job for people."""


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
