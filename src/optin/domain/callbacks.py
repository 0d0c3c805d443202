"""What the business is told: callback bodies in the legacy shape, and their signature (SPEC 4).

One callback carries one report or one inbound message: many receivers read the first row only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from optin.domain.identities import shown
from optin.domain.ids import derived_id, ulid
from optin.domain.inbound import InboundMessage
from optin.domain.inbound_shapes import legacy_message
from optin.domain.messages import MessageState
from optin.domain.outbox import OutboxMessage

_FAILURES = frozenset({MessageState.FAILED, MessageState.NO_OPT_IN, MessageState.NO_CAPABILITY})
#: Only with these kinds did the original send the contact's profile along.
_WITH_CONTACTS = frozenset({"text", "contacts", "location"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: The headers by which a provider's webhook is read and believed; Sinch has several of its own.
_RELAYED = ("content-type", "x-hub-signature", "x-hub-signature-256")
_RELAYED_OF_SINCH = "x-sinch-webhook-signature"


def status_row(message: OutboxMessage) -> dict[str, str]:
    """One recipient's row: that of the answer to a send, and of a report (H8)."""
    row = {
        "message_id": message.message_id,
        "recipient": shown(message.identity),
        "status": "failure" if message.state in _FAILURES else "success",
        "state": message.state.value,
    }
    return row | {"details": message.details} if message.details else row


def report_id(message: OutboxMessage, now: int) -> str:
    """The id of the callback for the state that the message has just entered."""
    return ulid(derived_id(now, message.bot_id, message.message_id, message.state.value))


def status_body(message: OutboxMessage, at: int) -> bytes:
    """The report that `message` is in its state since `at` (UTC µs)."""
    return _body({"statuses": [status_row(message) | {"timestamp": _iso(at)}]})


def notification_body(item: InboundMessage, bot_id: str, now: int) -> bytes:
    """The inbound message as the business is told of it; `now` stands in for an unreadable time."""
    sender = next(iter(item.identities), "")
    row: dict[str, Any] = {
        "from": sender,
        "to": bot_id,
        "message_id": item.upstream_id,
        "message": legacy_message(item),
        "timestamp": _iso(item.at, now),
    }
    told: dict[str, Any] = {"notifications": [row | _circumstances(item.raw)]}
    if item.type in _WITH_CONTACTS:
        told["contacts"] = [{"profile": {"name": item.profile_name}, "wa_id": sender}]
    return _body(told)


def signature_headers(key: str, encoding: str, body: bytes, nonce: str) -> dict[str, str]:
    """The signature over `body.nonce`; `encoding` is `hex` or `base64` (SPEC 4)."""
    digest = hmac.digest(key.encode(), body + b"." + nonce.encode(), hashlib.sha256)
    return {
        "sinch-whatsapp-callback-signature": (
            b64encode(digest).decode() if encoding == "base64" else digest.hex()
        ),
        "sinch-whatsapp-callback-signature-algorithm": "HMAC_SHA_256",
        "sinch-whatsapp-callback-signature-nonce": nonce,
    }


def relayed_headers(given: Mapping[str, str]) -> dict[str, str]:
    """What is relayed of a webhook's headers (`forward_url`), by lower-case name."""
    named = {name.lower(): value for name, value in given.items()}
    return {
        name: value
        for name, value in named.items()
        if name in _RELAYED or name.startswith(_RELAYED_OF_SINCH)
    }


def signed_anew(given: Mapping[str, str], secret: str, body: bytes) -> dict[str, str]:
    """The headers of a relay whose body is only a part of what Meta signed (`relayed_headers`):
    its own signature, made as Meta makes them with the same app secret, and no other."""
    kept = {name: value for name, value in given.items() if "signature" not in name}
    digest = hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    return {**kept, "x-hub-signature-256": f"sha256={digest}"}


def relay_id(bot_id: str, digest: str, received: int) -> str:
    """The id of the relay of one body: one that comes again is relayed again, as its sender meant.
    `digest` is the body's, `received` UTC µs."""
    return ulid(derived_id(received, bot_id, digest, str(received), "relay"))


def _circumstances(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a message answers, whether it was forwarded, and the ad that it came from."""
    told: dict[str, Any] = {}
    context = raw.get("context")
    if isinstance(context, Mapping):
        answered = {"message_id": context.get("id"), "from": context.get("from")}
        if answered["message_id"] is not None:
            told["replying_to"] = {name: of for name, of in answered.items() if of is not None}
        told |= {
            name: True
            for name in ("forwarded", "frequently_forwarded")
            if context.get(name) is True
        }
    if isinstance(raw.get("referral"), Mapping):
        told["referral"] = raw["referral"]
    return told


def _iso(at: int | None, otherwise: int = 0) -> str:
    """ISO-8601 in whole seconds, as the original had it; a provider's time may be any number."""
    for candidate in (at, otherwise):
        if candidate is not None and 0 <= candidate < 2**57:
            moment = _EPOCH + timedelta(microseconds=candidate)
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return "1970-01-01T00:00:00Z"


def _body(told: Mapping[str, Any]) -> bytes:
    """Compact JSON; what is no Unicode text becomes a question mark rather than an error."""
    text = json.dumps({"type": "whatsapp", **told}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
