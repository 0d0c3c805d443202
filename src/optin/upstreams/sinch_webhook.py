"""Sinch's signed webhook for Conversation API apps: the signature, and the event (SPEC 5).

A body is one event, and which kind it is of shows in the member that it holds. Pure functions;
`parse` raises for no bytes.

Sinch signs a nonce and a time along with the body and leaves their use to the receiver. An event
is believed for two days, the longest schedule by which Sinch is known to repeat one (45.5 hours)
and a little: a retry may carry its first signature. As far ahead, too: our own clock may be wrong,
and who replays an event can only make it older. What was taken in once and comes again with the
same nonce changes nothing, since ids of events are made of Sinch's own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optin.domain.inbound import Item, NotUnderstood, Parsed, SignedBy
from optin.upstreams import sinch_items
from optin.upstreams.provider_json import read_json, text_at
from optin.upstreams.sinch_items import Unreadable

#: Seconds for which a signature is believed, before and after its time.
WINDOW = 48 * 3600

_ALGORITHM = "hmacsha256"
_VALUE = re.compile(r"[0-9A-Za-z+/]{43}=")
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_MILLISECONDS = 10**12  # later than any date in seconds

#: The member that an event holds -> what reads the event. None: known, and nothing follows from it.
_READERS: Mapping[str, Callable[[Any], Item | None] | None] = {
    "message": sinch_items.message,
    "message_delivery_report": sinch_items.report,
    "opt_in_notification": sinch_items.opt_in,
    "opt_out_notification": sinch_items.opt_out,
    "message_submit_notification": None,
    "message_redaction": None,
    "smart_conversation_notification": None,
    "event": None,
    "event_delivery_report": None,
    "capability_notification": None,
    "channel_event_notification": None,
    "conversation_start_notification": None,
    "conversation_stop_notification": None,
    "conversation_delete_notification": None,
    "contact_create_notification": None,
    "contact_update_notification": None,
    "contact_delete_notification": None,
    "contact_merge_notification": None,
    "duplicated_contact_identities_notification": None,
}


def sign(secret: str, body: bytes, nonce: str, at: str) -> str:
    """The value of `x-sinch-webhook-signature` for these very bytes, this nonce and time."""
    signed = body + f".{nonce}.{at}".encode()
    return b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """Whether a signature holds. `clock`: UTC seconds."""

    clock: Callable[[], float] = time.time

    def __call__(self, secret: str, body: bytes, signed: SignedBy | None) -> bool:
        """Whether `signed` signs exactly these bytes and is no older than `WINDOW`, in constant
        time. No secret, no: fail closed. An unnamed algorithm is the only one there is."""
        if not secret or signed is None or not self.is_signature(signed):
            return False
        expected = sign(secret, body, signed.nonce, signed.at).encode()
        return hmac.compare_digest(expected, signed.value.encode("utf-8", "replace"))

    def is_signature(self, signed: SignedBy | None) -> bool:
        """Whether it has a signature's form and is not too old: without that no secret holds."""
        if signed is None or not signed.nonce or not _VALUE.fullmatch(signed.value):
            return False
        if (signed.algorithm or _ALGORITHM).lower() != _ALGORITHM:
            return False
        return _TIMESTAMP.fullmatch(signed.at) is not None and self._is_timely(int(signed.at))

    def _is_timely(self, at: int) -> bool:
        seconds = at / 1000 if at >= _MILLISECONDS else at
        return abs(self.clock() - seconds) <= WINDOW


def parse(body: bytes) -> Parsed:
    """What a signed event says. Never raises. What is not understood comes back as it is."""
    try:
        event = read_json(body)
    except ValueError:
        return (NotUnderstood(None, "the body is no JSON", body),)
    if not isinstance(event, dict):
        return (NotUnderstood(None, "the body is no object", body),)
    found = [name for name in _READERS if name in event]
    if not found:
        return (_not_understood(event, "an event of an unknown kind", body),)
    return tuple(item for name in found for item in _read(name, event, body))


def _read(name: str, event: dict[str, Any], body: bytes) -> Parsed:
    reader = _READERS[name]
    if reader is None:
        return ()
    try:
        item = reader(event)
    except Unreadable as wrong:
        return (_not_understood(event, str(wrong), body),)
    return () if item is None else (item,)


def _not_understood(event: dict[str, Any], reason: str, body: bytes) -> NotUnderstood:
    return NotUnderstood(text_at(event, "app_id") or None, reason, body)
