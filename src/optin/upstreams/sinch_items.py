"""An event of Sinch's webhook -> one inbound item, None if nothing follows, or `Unreadable`.

An app can have several channels. A message on another channel than WhatsApp says nothing about
this bot (R1), but an opt-out does: Sinch's own opt-out lists, too, are the app's and not a
channel's, and in doubt nobody is written to. Identities are taken as they come (H3).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from optin.domain.errors import InvalidInput
from optin.domain.events import SECOND
from optin.domain.identities import parse_identity
from optin.domain.inbound import (
    IdentityChange,
    InboundMessage,
    ProviderConsent,
    ReportedError,
    StatusUpdate,
)
from optin.domain.rfc3339 import parse_time
from optin.upstreams.provider_json import at, text_at
from optin.upstreams.sinch_contents import changed_identity, content

_WHATSAPP = "WHATSAPP"
#: Channels on which a person is known by their phone number.
_BY_PHONE = frozenset({_WHATSAPP, "SMS", "MMS", "RCS", "VIBERBM"})
_LONGEST_IDENTITY = 200  # a BSUID has 135 at most
_LONGEST_DETAILS = 500
_LONGEST_CODE = 9

#: Sinch's words for what became of a message -> ours. Handed to WhatsApp is what Meta calls sent.
_STATUSES = {
    "QUEUED_ON_CHANNEL": "sent",
    "DELIVERED": "delivered",
    "READ": "read",
    "FAILED": "failed",
}

_FRACTION = re.compile(r"\.([0-9]+)")
_WITHOUT_OFFSET = re.compile(r"[0-9]{4}-[0-9-]+[Tt][0-9:.]+")


class Unreadable(Exception):
    """The event has no shape we know; its text says why."""


def message(event: Any) -> InboundMessage | IdentityChange | None:
    """Something the contact sent (R9, R10), or their new number (R11).

    Messages of the app, and those that the business put in itself (`injected`), prove nothing.
    """
    given = at(event, "message")
    if not isinstance(given, dict):
        raise Unreadable("a message that is no object")
    if text_at(given, "direction") == "TO_CONTACT" or "app_message" in given:
        return None
    channel = _channel(given, "channel_identity") or _channel(given)
    if channel and channel != _WHATSAPP:
        return None
    if given.get("injected") is True:
        raise Unreadable("a message that was put in by the business")
    moment, unit = _moment(event, given)
    if changed := changed_identity(given, _app(event)):
        return changed if changed.at is not None else replace(changed, at=moment, unit=unit)
    said = content(given)
    sender = _needed(identity_in(given, "channel_identity"), "a message without a sender")
    return InboundMessage(
        phone_number_id=_app(event),
        identities=tuple(dict.fromkeys((sender, *said.identities))),
        upstream_id=_needed(text_at(given, "id"), "a message without an id"),
        at=moment,
        unit=unit,
        type=said.type,
        texts=said.texts,
        opens_session=said.opens_session and channel == _WHATSAPP,
        is_reply=said.is_reply,
        raw=said.raw,
        group=said.group,
        shared=said.shared,
    )


def report(event: Any) -> StatusUpdate:
    """What became of a message of ours."""
    given = at(event, "message_delivery_report")
    moment, unit = _moment(event, given)
    status = _needed(text_at(given, "status"), "a report that says nothing")
    on_whatsapp = _channel(given, "channel_identity") in ("", _WHATSAPP)
    identity = identity_in(given, "channel_identity") if on_whatsapp else ""
    return StatusUpdate(
        phone_number_id=_app(event),
        upstream_id=_needed(text_at(given, "message_id"), "a report without a message id"),
        correlation=text_at(event, "correlation_id"),
        status=_STATUSES.get(status, status),
        at=moment,
        unit=unit,
        identities=(identity,) if identity else (),
        errors=_errors(at(given, "reason")),
    )


def opt_in(event: Any) -> ProviderConsent | None:
    """An opt-in that Sinch took over WhatsApp. One that failed is none."""
    given = at(event, "opt_in_notification")
    if _channel(given) != _WHATSAPP:
        return None
    if text_at(given, "status") != "OPT_IN_SUCCEEDED":
        raise Unreadable("an opt-in that did not succeed")
    return _consent(event, given, opted_in=True)


def opt_out(event: Any) -> ProviderConsent | None:
    """The contact's wish to hear no more. Whether Sinch could note it makes no difference.

    It counts for what Sinch calls them and for the number that is meant, which messages go to.
    """
    given = at(event, "opt_out_notification")
    channel = _channel(given)
    if channel and channel not in _BY_PHONE:
        return None
    return _consent(event, given, opted_in=False)


def _consent(event: Any, given: Any, *, opted_in: bool) -> ProviderConsent:
    moment, unit = _moment(event, given)
    names = ("status", "channel", "request_id", "contact_id", "processing_mode")
    told = {name: word for name in names if (word := text_at(given, name)[:_LONGEST_DETAILS])}
    identity = _needed(identity_in(given), "a consent of nobody")
    return ProviderConsent(
        phone_number_id=_app(event),
        identities=(identity,) if opted_in else tuple(dict.fromkeys((identity, number(identity)))),
        opted_in=opted_in,
        at=moment,
        unit=unit,
        request_id=text_at(given, "request_id"),
        evidence={"provider": "sinch", **told},
    )


def _errors(reason: Any) -> tuple[ReportedError, ...]:
    """The reason of a failure: WhatsApp's own code where it has one, 0 else."""
    if not isinstance(reason, dict):
        return ()
    code = text_at(reason, "channel_code")
    known = code.isascii() and code.isdigit() and len(code) <= _LONGEST_CODE
    names = (text_at(reason, "code"), text_at(reason, "description"))
    details = ": ".join(filter(None, names))[:_LONGEST_DETAILS]
    return (ReportedError(int(code) if known else 0, details),)


def _app(event: Any) -> str:
    return _needed(text_at(event, "app_id"), "an event that names no app")


def identity_in(given: Any, *path: str) -> str:
    """The `identity` there, "" if there is none: as it came, but for what is never part of one:
    spaces around it, a `+` before it."""
    bare = text_at(given, *path, "identity").strip()
    digits = bare.removeprefix("+")
    found = digits if digits.isascii() and digits.isdigit() else bare
    return found if len(found) <= _LONGEST_IDENTITY else ""


def number(identity: str) -> str:
    """The MSISDN that a provider's `identity` is another way of writing; itself if it is none."""
    try:
        return parse_identity(identity)
    except InvalidInput:
        return identity


def _channel(given: Any, *path: str) -> str:
    return text_at(given, *path, "channel").upper()


def _moment(event: Any, given: Any) -> tuple[int | None, int]:
    """When it happened, UTC µs, and how coarse that is, µs: WhatsApp's own time if Sinch has it,
    else when Sinch took it in. None if no time can be read."""
    times = (at(event, "event_time"), at(given, "accept_time"), at(event, "accepted_time"))
    readable = (time_of(value) for value in times)
    return next((found for found in readable if found[0] is not None), (None, SECOND))


def time_of(value: Any) -> tuple[int | None, int]:
    """A time of Sinch's as UTC µs, None if it cannot be read, and how coarse it is, µs."""
    moment = _time(value) if isinstance(value, str) else None
    return (None, SECOND) if moment is None else (moment, _unit(value))


def _time(value: str) -> int | None:
    """Sinch has been seen to leave out the offset: it means UTC."""
    try:
        return parse_time(value + "Z" if _WITHOUT_OFFSET.fullmatch(value) else value, "time")
    except InvalidInput:
        return None


def _unit(value: str) -> int:
    """Zeros at the end may be padding: they do not make a time finer (R3)."""
    match = _FRACTION.search(value)
    digits = len(match[1].rstrip("0")) if match else 0
    return SECOND if digits == 0 else 1_000 if digits <= 3 else 1


def _needed(value: str, otherwise: str) -> str:
    if not value:
        raise Unreadable(otherwise)
    return value
