"""One body of a webhook, and what becomes of it as a whole: kept, relayed (SPEC 4, 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from optin.domain.callbacks import relay_id
from optin.domain.ids import derived_id
from optin.ports.store import Callback, CallbackKind, RawWebhook, Transaction


@dataclass(frozen=True, slots=True)
class SignedBody:
    """A body for one bot. `digest`: its SHA-256 in hex. `source` names the webhook."""

    bot_id: str
    content: bytes
    digest: str
    source: str

    def keep(self, tx: Transaction, part: bytes, note: str) -> None:
        """Keeps the body, or a part of it as a body of its own, to be parsed again. The same bytes
        come again under the same id, and are kept once, with the first note."""
        webhook_id = derived_id(0, self.bot_id, hashlib.sha256(part).hexdigest())
        tx.put_webhook(RawWebhook(webhook_id, tx.now, part, note, self.source))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A body that came from outside: it is kept, and goes on as it came, understood or not.

    `received`: UTC µs. `headers`: those that are relayed; None if it is not to be relayed.
    """

    headers: Mapping[str, str] | None
    received: int

    def end(self, tx: Transaction, body: SignedBody) -> None:
        """All of the body is taken in."""
        bot = tx.bot()
        if int(bot.value("keep_webhooks_days")):
            body.keep(tx, body.content, "")
        url = bot.value("forward_url")
        if url and self.headers is not None:
            owed_id = relay_id(body.bot_id, body.digest, self.received)
            owed = Callback(body.bot_id, owed_id, url, body.content, tx.now, tx.now)
            tx.put_callback(replace(owed, kind=CallbackKind.RELAY, headers=self.headers))
