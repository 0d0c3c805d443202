"""One body of a webhook, and what becomes of it as a whole: kept, relayed (SPEC 4, 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from optin.domain.callbacks import relay_id
from optin.domain.ids import derived_id
from optin.ports.store import Callback, CallbackKind, RawWebhook, Reads, Transaction


@dataclass(frozen=True, slots=True)
class SignedBody:
    """A body for one bot. `digest`: its SHA-256 in hex. `source` names the webhook."""

    bot_id: str
    content: bytes
    digest: str
    source: str

    def keep(self, tx: Transaction, part: bytes, note: str) -> int:
        """Keeps the body, or a part of it as a body of its own, to be parsed again. The same bytes
        come again under the same id, and are kept once, with the first note. Returns 1, for one
        part that is not understood, or 0 without a note."""
        webhook_id = derived_id(0, self.bot_id, hashlib.sha256(part).hexdigest())
        tx.put_webhook(RawWebhook(webhook_id, tx.now, part, note, self.source))
        return int(bool(note))


@dataclass(frozen=True, slots=True)
class Onward:
    """What a receiver gets of a body (`forward_url`): the bytes, and the headers that sign them.

    `url` is the one for which it was decided: the bot may have another by now."""

    url: str
    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A body that came from outside: it is kept, and goes on, understood or not.

    `received`: UTC µs. `onward`: what goes on to this bot's receiver; None for nothing.
    """

    received: int
    onward: Onward | None = None

    def end(self, tx: Transaction, body: SignedBody) -> None:
        """All of the body is taken in."""
        if int(tx.bot().value("keep_webhooks_days")):
            body.keep(tx, body.content, "")
        self.relay(tx, body)

    def relay(self, tx: Transaction, body: SignedBody) -> None:
        """Owes the bot's receiver what goes on to it."""
        if self.onward is not None:
            owed_id = relay_id(body.bot_id, body.digest, self.received)
            url, content, headers = self.onward.url, self.onward.content, self.onward.headers
            owed = Callback(body.bot_id, owed_id, url, content, tx.now, tx.now)
            tx.put_callback(replace(owed, kind=CallbackKind.RELAY, headers=headers))


@dataclass(frozen=True, slots=True)
class Keep:
    """Keeps a body that could not be taken in as a whole, so that it is seen and replayed."""

    body: SignedBody
    note: str

    @property
    def bot_id(self) -> str:
        """Whose body it is."""
        return self.body.bot_id

    @property
    def reads(self) -> Reads:
        """Nothing but the bot."""
        return Reads()

    def run(self, tx: Transaction) -> None:
        """Keeps it; one that is kept already stays as it is."""
        self.body.keep(tx, self.body.content, self.note)


@dataclass(frozen=True, slots=True)
class PassOn:
    """Relays what is this bot's of a body that another bot keeps."""

    body: SignedBody
    arrival: Arrival

    @property
    def bot_id(self) -> str:
        """Whose receiver it is."""
        return self.body.bot_id

    @property
    def reads(self) -> Reads:
        """Nothing but the bot."""
        return Reads()

    def run(self, tx: Transaction) -> None:
        """Owes the relay."""
        self.arrival.relay(tx, self.body)
