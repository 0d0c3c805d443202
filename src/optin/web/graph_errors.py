"""Errors as Graph tells them, so that Cloud API libraries understand them (SPEC 7)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from optin.domain.decision import Reason
from optin.domain.errors import (
    Forbidden,
    InvalidIdentity,
    InvalidInput,
    NotFound,
    OptinError,
    StoreUnavailable,
    TooLarge,
    TooManyRequests,
    Unauthorized,
)
from optin.domain.events import SECOND
from optin.domain.outbox import OutboxMessage
from optin.ports.graph import Held, Limit, NotReached
from optin.web.answers import Answer, json_answer

#: Names the message's record here, in answers to messages.
MESSAGE_ID = b"x-optin-message-id"

#: reason -> (Graph's code for it, what people are told).
REFUSALS: Mapping[Reason, tuple[int, str]] = {
    Reason.NO_OPT_IN: (131050, "Not sent: the contact has not opted in."),
    Reason.OPTED_OUT: (131050, "Not sent: the contact has opted out."),
    Reason.MARKETING_STOPPED: (131050, "Not sent: the contact stopped marketing messages."),
    Reason.SESSION_REQUIRED: (
        131047,
        "Re-engagement message. Not sent: the contact's 24 hours are over; send a template.",
    ),
}

#: Code and status of an unknown outcome. Libraries repeat passing faults by themselves, by Meta's
#: codes or by status (408, 425, 429, 5xx), and this message may be on its way: so it is neither a
#: code of Meta's nor a status on any such list.
UNKNOWN_OUTCOME = 424

#: limit -> (Meta's code for it, what people are told, our reason).
_TOO_FAST: Mapping[Limit, tuple[int, str, str]] = {
    Limit.NUMBER: (130429, "Rate limit hit. Nothing was sent.", "number_rate"),
    Limit.PAIR: (
        131056,
        "(Business Account, Consumer Account) pair rate limit hit. Nothing was sent.",
        "pair_rate",
    ),
}

_NO_SUCH_OBJECT = 33
#: Statuses of answers, and what no header's value may hold.
_STATUSES = range(200, 600)
_UNWRITABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_UNTYPED = b"application/octet-stream"
_SERVICE_UNAVAILABLE = 131016


class Unserved(NotFound):
    """A call that this face neither judges nor passes on."""


def refused(record: OutboxMessage) -> Answer:
    """A message that may not be sent; `error_data.details` is the reason (R7)."""
    reason = record.reason or Reason.NO_OPT_IN
    code, message = REFUSALS[reason]
    return _error(400, code, message, reason.value, _named(record))


def unknown(record: OutboxMessage) -> Answer:
    """No answer came that can be handed on: it must not be sent again blindly (H8)."""
    message = "The outcome is unknown: the message may have been sent. Do not repeat it."
    return _error(UNKNOWN_OUTCOME, UNKNOWN_OUTCOME, message, "unknown_outcome", _named(record))


def unreached(details: str) -> Answer:
    """The provider could not be reached, and certainly got no message."""
    again = ((b"retry-after", b"1"),)
    message = "Service unavailable. Nothing was sent."
    return _error(503, _SERVICE_UNAVAILABLE, message, details, again, is_transient=True)


def held(by: Held) -> Answer:
    """A message that a limit of ours held up: nothing was sent, and it may be sent again later."""
    seconds = max(1, -(-by.after // SECOND))
    again = ((b"retry-after", b"%d" % seconds),)
    if by.limit is Limit.BREAKER:
        message = (
            "Service unavailable. Nothing was sent: the provider fails, or refuses this sender."
        )
        details = "upstream_on_hold"
        return _error(503, _SERVICE_UNAVAILABLE, message, details, again, is_transient=True)
    code, message, details = _TOO_FAST[by.limit]
    return _error(429, code, message, details, again, is_transient=True)


def no_such_object(method: str) -> Answer:
    """As Graph answers for an id that is not the caller's."""
    message = f"Unsupported {method.lower()} request. The object does not exist for this token."
    return _error(400, 100, message, "not_this_sender", error_subcode=_NO_SUCH_OBJECT)


def failed(error: OptinError) -> Answer:
    """Everything that is raised; before anything was sent."""
    match error:
        case Unauthorized() | NotFound() if not isinstance(error, Unserved):
            said = "Invalid OAuth access token - Cannot parse access token"
            return _error(401, 190, said, headers=((b"www-authenticate", b"Bearer"),))
        case StoreUnavailable():
            return unreached("The database did not answer or could not commit.")
        case TooManyRequests():
            wait = ((b"retry-after", b"%d" % error.retry_after),)
            return _error(429, 130429, "Rate limit hit", str(error), wait, is_transient=True)
        case TooLarge():
            return _error(413, 100, "Invalid parameter", str(error), ((b"connection", b"close"),))
    for kind, (status, code, message) in _RAISED.items():
        if isinstance(error, kind):
            return _error(status, code, message, str(error))
    return _error(500, 131000, "Something went wrong", "The log has the details.")


#: The rest of what is raised: (HTTP status, code, message), the narrower class first.
_RAISED: Mapping[type[OptinError], tuple[int, int, str]] = {
    Unserved: (400, 3, "Not served: this call is neither judged nor passed on."),
    Forbidden: (403, 10, "Permission denied"),
    InvalidIdentity: (400, 131009, "Parameter value is not valid"),
    InvalidInput: (400, 100, "Invalid parameter"),
}


def handed_back(
    status: int,
    media_type: str,
    body: bytes,
    retry_after: str,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> Answer:
    """The provider's own answer, with `more` headers of ours. Raises `NotReached` for a status that
    HTTP does not know."""
    if status not in _STATUSES:
        raise NotReached(f"an answer with the status {status}")
    again = header_value(retry_after)
    headers = ((b"retry-after", again), *more) if again else more
    return Answer(status, body, header_value(media_type) or _UNTYPED, headers)


def header_value(text: str) -> bytes:
    """A header's value in the bytes that it came in, whatever their encoding; nothing if it cannot
    be written."""
    try:
        value = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return b""
    return b"" if _UNWRITABLE.search(value) else value


def _named(record: OutboxMessage) -> tuple[tuple[bytes, bytes], ...]:
    return ((MESSAGE_ID, record.message_id.encode()),)


def _error(
    status: int,
    code: int,
    message: str,
    details: str = "",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    **more: Any,
) -> Answer:
    error: dict[str, Any] = {
        "message": f"(#{code}) {message}",
        "type": "OAuthException",
        "code": code,
        **more,
    }
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    error["fbtrace_id"] = secrets.token_urlsafe(8)
    return json_answer({"error": error}, status)._replace(headers=headers)
