"""Errors on the wire: the only table from code to HTTP status, and the two forms of an error."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from optin.domain.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    OptinError,
    Overloaded,
    StoreUnavailable,
    TooLarge,
    TooManyRequests,
    TooSlow,
    Unauthorized,
    WrongMethod,
)
from optin.web.answers import Answer, json_answer

_log = logging.getLogger(__name__)

#: docs/errors.md shows it to people; a test holds the two together.
STATUS: Mapping[str, int] = {
    "invalid_input": 400,
    "invalid_number": 400,
    "invalid_identity": 400,
    "invalid_message": 400,
    "future_dated": 400,
    "invalid_setting": 400,
    "invalid_list": 400,
    "unauthorized": 401,
    "invalid_signature": 401,
    "forbidden": 403,
    "not_found": 404,
    "wrong_method": 405,
    "too_slow": 408,
    "conflict": 409,
    "gone": 410,
    "too_large": 413,
    "too_many_requests": 429,
    "internal_error": 500,
    "provider_error": 502,
    "overloaded": 503,
    "store_unavailable": 503,
    "inconsistent_record": 503,
}

_PROBLEM = b"application/problem+json"
_ENCODER = msgspec.json.Encoder()

#: Faults on our side: what the inside looks like is for the log.
_DETAIL: Mapping[str, str] = {
    "internal_error": "A fault in this program. The log has the details.",
    "store_unavailable": "The database did not answer or could not commit. Nothing was recorded.",
    "inconsistent_record": "A stored record contradicts itself, so nothing is decided from it.",
}

#: Where the original API had a text of its own, or ours would say too much.
_LEGACY_DETAILS: Mapping[int, str] = {
    401: "Unauthorized bot",
    500: "Internal server error",
    503: "Internal service not available, request could not be handled",
}


def problem(error: OptinError) -> Answer:
    """The error as RFC 9457 problem details, with its `code` (SPEC 6)."""
    status = _status(error)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": told(error)[1],
        "code": error.code,
    }
    if isinstance(error, InvalidInput) and error.field:
        body["field"] = error.field
    if isinstance(error, InvalidInput) and error.position is not None:
        body["position"] = error.position
    return Answer(status, _ENCODER.encode(body), _PROBLEM, _headers(error, status))


def told(error: OptinError) -> tuple[str, str]:
    """The error's code and what people may know of it, where it is one row's."""
    return error.code, _DETAIL.get(error.code) or _sentence(error, _status(error))


def legacy_error(error: OptinError) -> Answer:
    """The error as the Sinch API told it (SPEC 3): `reason` always equals `details`.

    There it has no 403: a token without the scope is answered as an unknown one (SPEC 6). So is a
    bot that was removed while the call was under way.
    """
    if isinstance(error, Forbidden | NotFound):
        error = Unauthorized("Unauthorized bot")
    status = _status(error)
    details = _LEGACY_DETAILS.get(status) or _sentence(error, status)
    return _legacy(status, details)._replace(headers=_headers(error, status))


#: Of a path under the Sinch-compatible face that leads nowhere (H6).
NO_SUCH_PATH = "There is nothing at this path."


def legacy_unknown_path() -> Answer:
    """The `404` of the Sinch-compatible face."""
    return _legacy(404, NO_SUCH_PATH)


def unexpected(error: Exception) -> OptinError:
    """What the caller may know of a fault in this program; the rest goes to the log."""
    if isinstance(error, StoreUnavailable):
        _log.error("A request failed, since the store did: %s", error)
    if isinstance(error, OptinError):
        return error
    _log.error("A request failed", exc_info=error)
    return OptinError("The log has the details.")


def _legacy(status: int, details: str) -> Answer:
    message = "Validation error" if status == 400 else str(status)
    return json_answer({"message": message, "details": details, "reason": details}, status)


def _status(error: OptinError) -> int:
    return STATUS.get(error.code, 500)


def _sentence(error: OptinError, status: int) -> str:
    return str(error) or HTTPStatus(status).phrase


def _headers(error: OptinError, status: int) -> tuple[tuple[bytes, bytes], ...]:
    match error:
        case TooManyRequests():
            return ((b"retry-after", b"%d" % error.retry_after),)
        case WrongMethod():
            return ((b"allow", ", ".join(error.allowed).encode()),)
        case TooLarge() | TooSlow():  # what is left of the body is not waited for
            return ((b"connection", b"close"),)
        case Overloaded():
            return ((b"retry-after", b"1"), (b"connection", b"close"))
        case Unauthorized():
            return ((b"www-authenticate", b"Bearer"),)
    return ((b"retry-after", b"1"),) if status == 503 else ()
