"""One element of a list in Meta's webhook -> one inbound item, or `Unreadable` with the reason.

What opens a session (R9) and where a keyword can sit (R10) are tables below. Identities are taken
as they come (H3): `from` may be missing, or hold the business-scoped user id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from optin.domain.errors import InvalidNumber
from optin.domain.events import SECOND
from optin.domain.identities import parse_msisdn
from optin.domain.inbound import InboundMessage, Preference, ReportedError, StatusUpdate
from optin.upstreams.meta_errors import classify

T = TypeVar("T")

_MILLISECOND = 1_000
_LONGEST_IDENTITY = 200  # a BSUID has 135 at most

#: Types that open no session though they have a sender (R9), and kinds that `unsupported` names.
#: `request_welcome` says that a chat was opened, before anything is written in it.
_OPENS_NOTHING = frozenset({"system", "edit", "revoke", "deleted", "request_welcome"})
#: "Message currently unavailable": we cannot know what it was (R9).
_UNAVAILABLE = 131060
#: Types in whose texts nobody asks for anything: they are Meta's words, or taken back.
_SAYS_NOTHING = frozenset({"system", "revoke", "deleted"})
_REPLIES = frozenset({"button", "interactive"})

#: Where a keyword can sit (R10); "*" is every member. An edit has a message of its own inside.
_KEYWORD_PLACES = (
    ("text", "body"),
    ("button", "text"),
    ("button", "payload"),
    ("interactive", "*", "title"),
    ("interactive", "*", "id"),
    ("image", "caption"),
    ("video", "caption"),
    ("document", "caption"),
    ("audio", "caption"),
)
_PLACES = (*_KEYWORD_PLACES, *(("edit", "message", *place) for place in _KEYWORD_PLACES))

_SENDER = ("from", "from_user_id", "from_parent_user_id")
_RECIPIENT = (
    "recipient_id",
    "recipient_user_id",
    "recipient_parent_user_id",
    "parent_recipient_user_id",  # until May 2026
)
_PERSON = ("wa_id", "user_id", "parent_user_id")


class Unreadable(Exception):
    """The element has no shape we know; its text says why."""


@dataclass(frozen=True, slots=True)
class _Person:
    identities: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Contacts:
    """The `contacts` beside the items: who goes by which identities, and under what name.

    They belong to an item by a shared identity, never by their place in the list.
    """

    by_identity: Mapping[str, tuple[_Person, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, *lists: Any) -> Contacts:
        """Of all these lists; what is no list or no contact adds nothing."""
        found: dict[str, tuple[_Person, ...]] = {}
        for given in (one for some in lists if isinstance(some, list) for one in some):
            name = _text(_at(given, "profile", "name")) or ""
            person = _Person(_identities(given, _PERSON), name)
            for identity in person.identities:
                known = found.get(identity, ())
                found[identity] = known if person in known else (*known, person)
        return cls(found)

    def complete(self, identities: tuple[str, ...]) -> tuple[str, ...]:
        """`identities` and all others of the same person (R11)."""
        return _unique(identities, *(person.identities for person in self._of(identities)))

    def name(self, identities: tuple[str, ...]) -> str:
        """What the person calls themselves; "" if nobody says."""
        return next((person.name for person in self._of(identities) if person.name), "")

    def _of(self, identities: tuple[str, ...]) -> Iterator[_Person]:
        return (person for one in identities for person in self.by_identity.get(one, ()))


def message(item: Any, number: str, contacts: Contacts) -> InboundMessage:
    """Something the contact sent, of whatever type (R9, R10)."""
    kind = _text(_at(item, "type")) or "unknown"
    identities = contacts.complete(_identities(item, _SENDER))
    at, unit = moment(_at(item, "timestamp"))
    group = _at(item, "group_id") is not None
    return InboundMessage(
        phone_number_id=number,
        identities=_needed(identities, "a message without a sender"),
        upstream_id=_needed(_text(_at(item, "id")), "a message without an id"),
        at=at,
        unit=unit,
        type=kind,
        texts=() if group or kind in _SAYS_NOTHING else _texts(item),
        opens_session=not group and _opens(item, kind),
        is_reply=kind in _REPLIES,
        profile_name=contacts.name(identities),
        raw=item,
        group=group,
        shared=_shared(item, kind),
    )


def call(item: Any, number: str, contacts: Contacts) -> InboundMessage | None:
    """A call that the contact starts, which opens a session (R9); None for its other events."""
    event, direction = _at(item, "event"), _at(item, "direction")
    if event == "terminate" or direction == "BUSINESS_INITIATED":
        return None
    if (event, direction) != ("connect", "USER_INITIATED"):
        raise Unreadable("a call of an unknown kind")
    identities = contacts.complete(_identities(item, _SENDER))
    at, unit = moment(_at(item, "timestamp"))
    return InboundMessage(
        phone_number_id=number,
        identities=_needed(identities, "a call without a caller"),
        upstream_id=_needed(_text(_at(item, "id")), "a call without an id"),
        at=at,
        unit=unit,
        type="call",
        opens_session=True,
        profile_name=contacts.name(identities),
        raw=item,
    )


def status(item: Any, number: str, contacts: Contacts) -> StatusUpdate | None:
    """What became of a message of ours. One to a group names no person; None for one of a call."""
    if _at(item, "type") == "call":
        return None
    in_group = _at(item, "recipient_type") == "group"
    at, unit = moment(_at(item, "timestamp"))
    return StatusUpdate(
        phone_number_id=number,
        upstream_id=_needed(_text(_at(item, "id")), "a status without an id"),
        correlation=_text(_at(item, "biz_opaque_callback_data")) or "",
        status=_needed(_text(_at(item, "status")), "a status that says nothing"),
        at=at,
        unit=unit,
        identities=() if in_group else contacts.complete(_identities(item, _RECIPIENT)),
        errors=_errors(item),
    )


def preference(item: Any, number: str, contacts: Contacts) -> Preference:
    """The contact's choice about marketing, made at the provider (R8)."""
    identities = contacts.complete(_identities(item, _PERSON))
    at, unit = moment(_at(item, "timestamp"))
    return Preference(
        phone_number_id=number,
        identities=_needed(identities, "a preference of nobody"),
        value=_needed(_text(_at(item, "value")), "a preference without a value"),
        category=_text(_at(item, "category")) or "",
        at=at,
        unit=unit,
    )


def number_id(value: Mapping[str, Any]) -> str | None:
    """The business number that a change is about."""
    given = _at(value, "metadata", "phone_number_id")
    return str(given) if _is_int(given) else _text(given)


def _shared(item: Any, kind: str) -> tuple[str, ...]:
    """The sender's own number, handed over by the button that asks for it (R11). Any other card is
    a claim about anybody."""
    cards = _at(item, "contacts") if kind == "contacts" else None
    own = [
        phone
        for card in (cards if isinstance(cards, list) else [])
        if _at(card, "origin") == "contact_request" and isinstance(_at(card, "phones"), list)
        for phone in card["phones"]
    ]
    given = (identity_of(_at(phone, "wa_id")) or _number(_at(phone, "phone")) for phone in own)
    return _unique(identity for identity in given if identity)


def _number(value: Any) -> str | None:
    try:
        return parse_msisdn(value)
    except InvalidNumber:
        return None


def _opens(item: Any, kind: str) -> bool:
    """Whether a message from the contact opens a session (R9). When in doubt, it does not."""
    hidden = _at(item, "unsupported", "type")
    if kind in _OPENS_NOTHING or (isinstance(hidden, str) and hidden in _OPENS_NOTHING):
        return False
    if kind == "reaction" and not _at(item, "reaction", "emoji"):
        return False  # taken back
    return all(error.code != _UNAVAILABLE for error in _errors(item))


def _errors(item: Any) -> tuple[ReportedError, ...]:
    given = _at(item, "errors")
    judged = [classify(error) for error in given] if isinstance(given, list) else []
    return tuple(ReportedError(e.code, e.details) for e in judged if e.code is not None)


def _texts(item: Any) -> tuple[str, ...]:
    return _unique(text for place in _PLACES for text in _found(item, *place))


def _found(value: Any, *path: str) -> Iterable[str]:
    """The non-empty texts at the end of the path."""
    if not path:
        return (value,) if isinstance(value, str) and value else ()
    if not isinstance(value, dict):
        return ()
    step, *rest = path
    members = value.values() if step == "*" else (value.get(step),)
    return [text for member in members for text in _found(member, *rest)]


def _identities(item: Any, names: Iterable[str]) -> tuple[str, ...]:
    given = (identity_of(_at(item, name)) for name in names)
    return _unique(identity for identity in given if identity)


def identity_of(value: Any) -> str | None:
    """As it came, but for what is never part of an identity: spaces around it, a `+` before it."""
    if _is_int(value):
        value = str(value)
    if not isinstance(value, str) or len(value) > _LONGEST_IDENTITY:
        return None
    bare = value.strip()
    digits = bare.removeprefix("+")
    return digits if digits.isascii() and digits.isdigit() else bare or None


def moment(value: Any) -> tuple[int | None, int]:
    """A time stamp as UTC µs and its unit in µs: whole seconds as digits, though milliseconds have
    been seen. None if it cannot be read."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if not _is_int(value) or not 0 < value < 10**15:
        return None, SECOND
    unit = _MILLISECOND if value >= 10**12 else SECOND
    return value * unit, unit


def _at(value: Any, *path: str) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _unique(*values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for some in values for value in some))


def _needed(value: T | None, otherwise: str) -> T:
    if not value:
        raise Unreadable(otherwise)
    return value
