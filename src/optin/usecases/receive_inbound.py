"""Take in what a provider's signed webhook says: consent, reports, messages (SPEC 5, R9 to R11).

Everything in a body is committed before the provider gets its 200 (R13). What was taken in before
is recognised by ids made of the provider's own, so bodies may come late, twice or out of order.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from optin.domain.callbacks import notification_body, report_id, status_body
from optin.domain.errors import InvalidSignature, NotFound
from optin.domain.events import Claim
from optin.domain.handing_over import reported
from optin.domain.identities import reach
from optin.domain.ids import derived_id, ulid
from optin.domain.inbound import (
    InboundMessage,
    Item,
    NotUnderstood,
    Parsed,
    Preference,
    StatusUpdate,
)
from optin.domain.inbound_claims import (
    message_claims,
    message_event_ids,
    preference_claims,
    stop_claims,
)
from optin.domain.messages import MessageState
from optin.domain.outbox import OutboxMessage
from optin.ports.store import Callback, RawWebhook, Reads, Store, Transaction

#: The provider's words for what became of a message. Voice messages are played instead of read.
STATES: Mapping[str, MessageState] = {
    "sent": MessageState.SENT,
    "delivered": MessageState.DELIVERED,
    "read": MessageState.READ,
    "played": MessageState.READ,
    "deleted": MessageState.DELETED,
    "failed": MessageState.FAILED,
}

#: Items in one commit: a huge body must not hold up everybody else's writes.
_AT_ONCE = 500
#: Bodies above this are parsed beside the event loop, bytes.
_LARGE = 128 * 1024
_LONGEST_DETAILS = 500


def _nobody() -> None:
    """Nobody needs to know."""


@dataclass(frozen=True, slots=True)
class ReceiveInbound:
    """One provider's webhook: `parse` and `valid_signature(secret, body, header)` are its own.

    `source` names it in the ledger. `received` is called after the commit, so that the callbacks
    it owes need not wait for a poll.
    """

    store: Store
    parse: Callable[[bytes], Parsed]
    valid_signature: Callable[[str, bytes, str | None], bool]
    source: str = "webhook:meta"
    received: Callable[[], None] = _nobody

    async def handshake(self, bot_id: str, mode: str, token: str) -> bool:
        """Whether the provider may register this address: it knows the bot's verify token."""
        bot = await self.store.bot(bot_id)
        expected = "" if bot is None else bot.value("meta.verify_token")
        same = hmac.compare_digest(token.encode("utf-8", "replace"), expected.encode())
        return same and bool(expected) and mode == "subscribe"

    async def receive(self, bot_id: str, body: bytes, signature: str | None) -> None:
        """Takes in a body from outside; when this returns it is on disk (R13).

        Raises `InvalidSignature`, also for an unknown bot or one without a secret: nothing was
        changed. Raises `StoreUnavailable`: the provider must send it again.
        """
        bot = await self.store.bot(bot_id)
        secret = "" if bot is None else bot.value("meta.app_secret")
        if not secret or not self.valid_signature(secret, body, signature):
            raise InvalidSignature("The signature is missing or wrong.")
        try:
            await self.take_in(bot_id, body)
        except NotFound:
            raise InvalidSignature("The signature is missing or wrong.") from None

    async def take_in(self, bot_id: str, body: bytes) -> None:
        """Takes in a body that needs no signature, since it never left this program (sandbox)."""
        parsing = asyncio.to_thread(self.parse, body) if len(body) > _LARGE else None
        items = self.parse(body) if parsing is None else await parsing
        recipients: Mapping[int, str] = {}
        stopped = {n: i for n, i in enumerate(items) if _tells_of_a_stop(i)}
        if stopped:
            recipients = await self.store.commit(_Recipients(bot_id, stopped))
        digest = hashlib.sha256(body).hexdigest()
        for first in range(0, len(items), _AT_ONCE):
            some = dict(enumerate(items[first : first + _AT_ONCE], first))
            await self.store.commit(_TakeIn(bot_id, body, digest, some, self.source, recipients))
        self.received()


def _tells_of_a_stop(item: Item) -> bool:
    return isinstance(item, StatusUpdate) and item.marketing_stopped


def _found(tx: Transaction, item: StatusUpdate) -> OutboxMessage | None:
    """The message of ours that a report is about."""
    message = tx.message(item.correlation)
    if message is not None and message.upstream_id in ("", item.upstream_id):
        return message
    return tx.message_by_upstream_id(item.upstream_id)


def _reports(items: Mapping[int, Item]) -> Iterator[StatusUpdate]:
    return (item for item in items.values() if isinstance(item, StatusUpdate))


@dataclass(frozen=True, slots=True)
class _Recipients:
    """Looks up whom the messages of these reports went to: a report need not name its recipient,
    and a commit must know beforehand whose clocks it moves."""

    bot_id: str
    items: Mapping[int, Item]

    @property
    def reads(self) -> Reads:
        return Reads(
            messages=frozenset(item.correlation for item in _reports(self.items)),
            upstream_ids=frozenset(item.upstream_id for item in _reports(self.items)),
        )

    def run(self, tx: Transaction) -> Mapping[int, str]:
        found = {n: _found(tx, i) for n, i in self.items.items() if isinstance(i, StatusUpdate)}
        return {n: message.identity for n, message in found.items() if message is not None}


@dataclass(frozen=True, slots=True)
class _TakeIn:
    """Some items of a body, by their place in it; `digest` is the whole body's."""

    bot_id: str
    body: bytes
    digest: str
    items: Mapping[int, Item]
    source: str
    recipients: Mapping[int, str] = field(default_factory=dict)

    @property
    def reads(self) -> Reads:
        claims = [c for n, item in self.items.items() for c in self._plain_claims(n, item)]
        messages = [i for i in self.items.values() if isinstance(i, InboundMessage)]
        senders = {identity for item in messages for identity in item.identities}
        return Reads(
            identities=frozenset(claim.identity for claim in claims) | senders,
            event_ids=frozenset(claim.event_id for claim in claims).union(
                *(message_event_ids(self.bot_id, m, i) for m in messages for i in m.identities)
            ),
            messages=frozenset(item.correlation for item in _reports(self.items)),
            upstream_ids=frozenset(item.upstream_id for item in _reports(self.items)),
            blacklist=frozenset(s for sender in senders for s in reach(sender).allowing),
        )

    def run(self, tx: Transaction) -> None:
        bot = tx.bot()
        number = bot.value("meta.phone_number_id") or bot.bot_id
        for place, item in self.items.items():
            match item:
                case NotUnderstood():
                    self._keep(tx, item.raw, item.reason)
                case _ if item.phone_number_id != number:
                    self._keep(tx, self.body, "about another business number")
                case InboundMessage():
                    self._message(tx, place, item)
                case _:
                    self._told(tx, place, item)

    def _plain_claims(self, place: int, item: Item) -> list[Claim]:
        """The claims that need no setting of the bot to be understood."""
        if isinstance(item, Preference):
            return preference_claims(self.bot_id, item, self.digest, self.source)
        if isinstance(item, StatusUpdate):
            sent_to = filter(None, [self.recipients.get(place)])
            return stop_claims(self.bot_id, item, sent_to, self.source)
        return []

    def _message(self, tx: Transaction, place: int, item: InboundMessage) -> None:
        known = {
            identity
            for identity in item.identities
            if any(map(tx.is_recorded, message_event_ids(self.bot_id, item, identity)))
        }
        for claim in message_claims(self.bot_id, item, tx.bot().languages, self.source):
            if claim.identity not in known:
                tx.record(claim)
        url = tx.bot().value("callback_url")
        if url and not known and not item.group and not self._is_unwanted(tx, item):
            callback_id = ulid(derived_id(tx.now, self.bot_id, self.digest, str(place)))
            body = notification_body(item, self.bot_id, tx.now)
            tx.put_callback(Callback(self.bot_id, callback_id, url, body, tx.now, tx.now))

    def _is_unwanted(self, tx: Transaction, item: InboundMessage) -> bool:
        """Whether the sender is on the blacklist, however the number is spelled there."""
        spellings = {s for identity in item.identities for s in reach(identity).allowing}
        return any(map(tx.is_blacklisted, spellings))

    def _told(self, tx: Transaction, place: int, item: Preference | StatusUpdate) -> None:
        claims = self._plain_claims(place, item)
        for claim in claims:
            if not tx.is_recorded(claim.event_id):
                tx.record(claim)
        if isinstance(item, StatusUpdate):
            if item.marketing_stopped and not claims:
                self._keep(tx, self.body, "a marketing stop of nobody known")
            self._report(tx, item)
        elif not claims:
            self._keep(tx, self.body, f"a preference of {item.value!r:.50}")

    def _report(self, tx: Transaction, item: StatusUpdate) -> None:
        state = STATES.get(item.status)
        message = _found(tx, item)
        if state is None:
            return self._keep(tx, self.body, f"a status of {item.status!r:.50}")
        if message is None:
            return None  # sent by another program through the same number
        details = "; ".join(f"{error.code} {error.details}" for error in item.errors)
        after = reported(message, state, item.upstream_id, details[:_LONGEST_DETAILS])
        if after != message:
            tx.put_message(after)
        url = after.callback_url or tx.bot().value("callback_url")
        if after.state is not message.state and url:
            body = status_body(after, tx.now if item.at is None else item.at)
            owed_id = report_id(after, tx.now)
            tx.put_callback(Callback(self.bot_id, owed_id, url, body, tx.now, tx.now))
        return None

    def _keep(self, tx: Transaction, body: bytes, reason: str) -> None:
        """The same body comes again under the same id, and is kept once."""
        webhook_id = derived_id(0, self.bot_id, hashlib.sha256(body).hexdigest())
        tx.put_webhook(RawWebhook(webhook_id, tx.now, body, reason))
