"""Meta's error codes and what each means for a message, as one table.

Codes and meanings after Meta's "Error codes" page (2026-09-11); what to do is ours. Decided on the
code alone: HTTP status, title and subcode are not dependable. An error object from Graph says that
the message was NOT sent, which is what makes a retry safe (H8), but for `UNCERTAIN`. A time-out,
a broken connection or an answer that is no Graph error says nothing, and is never sent again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_DIGITS = re.compile(r"[0-9]{1,9}")
_LONGEST_DETAILS = 500


class Outcome(StrEnum):
    """What to do with a message, or with the bot's connection, after an error."""

    RETRY = "retry"
    """Not sent, through no fault of the message: try it again after a short wait."""
    RETRY_PAIR = "retry_pair"
    """Too fast for this recipient: only messages to them wait."""
    RETRY_SLOWLY = "retry_slowly"
    """A quota of the sender is used up: try again with long waits, and raise an alarm."""
    FAIL = "fail"
    """It never will be sent: the message ends as failed."""
    MARKETING_STOP = "marketing_stop"
    """The contact stopped marketing at the provider: fail, and record that stop (R8)."""
    WINDOW_CLOSED = "window_closed"
    """No open session at the provider (R5): fail; only a template can be sent."""
    CIRCUIT_BREAK = "circuit_break"
    """Nothing of this sender can go out until somebody acts: stop sending, raise an alarm."""


#: Outcomes after which the same message may be handed over again, judged anew (H8).
RETRIED = frozenset({Outcome.RETRY, Outcome.RETRY_PAIR, Outcome.RETRY_SLOWLY})

_O = Outcome
ERRORS: dict[int, tuple[Outcome, str]] = {
    # the consent of the recipient, as the provider knows it
    131047: (_O.WINDOW_CLOSED, "more than 24 hours since the contact's last message"),
    131050: (_O.MARKETING_STOP, "the contact stopped marketing messages of this business"),
    # the recipient can not be reached, or not now
    130403: (_O.FAIL, "this business blocked the recipient"),
    130472: (_O.FAIL, "the recipient is part of an experiment of the provider"),
    130497: (_O.FAIL, "this account may not message the recipient's country"),
    131021: (_O.FAIL, "sender and recipient are the same"),
    131026: (_O.FAIL, "the message can not be delivered to the recipient"),
    # Not inside 24 hours, which is all the life a message has (H8), and no opt-out either.
    131049: (_O.FAIL, "the provider limits marketing messages to this recipient"),
    131062: (_O.FAIL, "this message needs a phone number as recipient"),
    137000: (_O.FAIL, "the recipient's identity key does not match"),
    # too fast, too much
    4: (_O.RETRY_SLOWLY, "the app's call limit is reached"),
    80007: (_O.RETRY_SLOWLY, "the business account's call limit is reached"),
    130429: (_O.RETRY, "the sender's throughput is reached"),
    131048: (_O.RETRY_SLOWLY, "the sender is limited for too many blocks and reports"),
    131056: (_O.RETRY_PAIR, "too many messages to this recipient in a short time"),
    131064: (_O.FAIL, "limit reached through templates in the wrong category"),
    133016: (_O.RETRY_SLOWLY, "the sender's number was registered too often"),
    # faults at the provider that pass
    1: (_O.RETRY, "an unknown fault at the provider"),
    2: (_O.RETRY, "the provider is down for a moment"),
    131000: (_O.RETRY, "something went wrong at the provider"),
    131016: (_O.RETRY, "a service of the provider is not available"),
    131053: (_O.RETRY, "the media could not be fetched"),
    131057: (_O.RETRY, "the sender's number is in maintenance"),
    # the sender's access, account and number
    0: (_O.CIRCUIT_BREAK, "the access token can not be verified"),
    3: (_O.CIRCUIT_BREAK, "the app may not use this call"),
    10: (_O.CIRCUIT_BREAK, "the permission is missing or was taken away"),
    190: (_O.CIRCUIT_BREAK, "the access token has expired"),
    368: (_O.CIRCUIT_BREAK, "the account is restricted for breaking a policy"),
    131005: (_O.CIRCUIT_BREAK, "access is denied"),
    131031: (_O.CIRCUIT_BREAK, "the account is locked"),
    131037: (_O.CIRCUIT_BREAK, "the sender's display name is not approved"),
    131042: (_O.CIRCUIT_BREAK, "the account's payment needs attention"),
    131045: (_O.CIRCUIT_BREAK, "the sender's number is not registered"),
    # the message itself
    33: (_O.FAIL, "the sender's number does not exist any more"),
    100: (_O.FAIL, "the request has a wrong or unknown parameter"),
    131008: (_O.FAIL, "a required parameter is missing"),
    131009: (_O.FAIL, "a parameter has a wrong value"),
    131051: (_O.FAIL, "this type of message is not supported"),
    131052: (_O.FAIL, "the contact's media could not be fetched"),
    131060: (_O.FAIL, "the message is not available at present"),
    131063: (_O.FAIL, "marketing templates are switched off on this endpoint for the account"),
    132000: (_O.FAIL, "the number of template parameters is wrong"),
    132001: (_O.FAIL, "the template does not exist in this language"),
    132005: (_O.FAIL, "the template's text is too long with its parameters"),
    132007: (_O.FAIL, "the template breaks a policy"),
    132012: (_O.FAIL, "a template parameter has the wrong form"),
    132015: (_O.FAIL, "the template is paused"),
    132016: (_O.FAIL, "the template is disabled"),
}

#: Codes of which Meta does not say that the message was not sent: 1 is an "invalid request or
#: possible server error", 2 is "due to downtime or due to being overloaded", 131016 "a service is
#: temporarily unavailable", which may be one behind the one that took the message. With a status
#: from 500 on, so no refusal of the request, the outcome is unknown (H8). 131000 stays a retry: it
#: says "message failed to send".
UNCERTAIN = frozenset({1, 2, 131016})

#: Graph's permission errors, as far as the table does not name them.
_PERMISSIONS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Classified:
    """An error, judged. `code` None: this was no error of Graph's, so it does not say that nothing
    was sent; whoever waited for an answer to a send must count its outcome as unknown (H8).

    `details` is for people, never empty, and fit for every store.
    """

    code: int | None
    outcome: Outcome
    details: str


def classify(error: object) -> Classified:
    """Judge Graph's error: the object itself, an answer with it in `error`, or a webhook's item.

    Never raises, whatever it is given. A code nobody knows fails the message, unless Graph itself
    calls it transient.
    """
    given = _members(error)
    if isinstance(given.get("error"), Mapping):
        given = _members(given["error"])
    code = _code(given.get("code"))
    if code is None:
        return Classified(None, Outcome.FAIL, "The provider's answer can not be read.")
    outcome, meaning = _judge(code, transient=given.get("is_transient") is True)
    return Classified(code, outcome, _details(given) or meaning)


def _judge(code: int, *, transient: bool) -> tuple[Outcome, str]:
    if code in ERRORS:
        return ERRORS[code]
    if code in _PERMISSIONS:
        return Outcome.CIRCUIT_BREAK, "a permission is missing"
    return (Outcome.RETRY if transient else Outcome.FAIL), f"the provider's error {code}"


def _members(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _code(value: object) -> int | None:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _details(error: Mapping[str, object]) -> str:
    """The most telling text in the error, cleaned as all webhook text is; empty if none."""
    data = _members(error.get("error_data"))
    texts = (data.get("details"), error.get("message"), error.get("title"))
    said = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", said[:_LONGEST_DETAILS]).strip()
