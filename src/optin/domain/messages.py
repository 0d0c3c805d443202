"""What can be sent (H9), in which category (R7), and the states it goes through (SPEC 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from optin.domain.json_shapes import is_absent, refuse, storable
from optin.domain.message_shapes import MESSAGE

_MINUTE = 60_000_000
_DAY = 1_440 * _MINUTE


class Category(StrEnum):
    """Of a template `marketing`, `utility` or `authentication`; of all else `service`."""

    MARKETING = "marketing"
    UTILITY = "utility"
    AUTHENTICATION = "authentication"
    SERVICE = "service"


_STRICTEST_FIRST = (
    Category.SERVICE,
    Category.MARKETING,
    Category.UTILITY,
    Category.AUTHENTICATION,
)


def stricter(a: Category, b: Category) -> Category:
    """The category that a hand-over is judged by: the stricter of then and now (H8).

    Marketing before utility before authentication. Service is never compared with a template's
    category, since a message is free-form then and now; if it were, service would be the result.
    """
    return min(a, b, key=_STRICTEST_FIRST.index)


def life(category: Category) -> int:
    """How long a message may wait for its hand-over before it fails, µs (H8), if nobody says."""
    return 10 * _MINUTE if category is Category.AUTHENTICATION else _DAY


class MessageType(StrEnum):
    """The types of H9; the values are the callers'."""

    TEXT = "text"
    TEMPLATE = "template"
    IMAGE = "image"
    VIDEO = "video"
    DOCUMENT = "document"
    AUDIO = "audio"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACTS = "contacts"
    INTERACTIVE = "interactive"


@dataclass(frozen=True, slots=True)
class Message:
    """A message that keeps its type's shape. Only `parse_message` makes one.

    `body` holds the type's members as `message_shapes.SHAPES` lists them, defaults filled in,
    unknown and empty ones gone. It is shared, so it must not be changed.
    """

    type: MessageType
    body: Mapping[str, Any]


def parse_message(value: object) -> Message:
    """The message in the decoded JSON of a `message` member (H9).

    Raises `InvalidMessage` naming the field at fault, as `message.body_params[2]`.
    """
    if is_absent(value):
        refuse("message", "can not be empty")
    storable(value, "message")
    body = MESSAGE(value, "message")
    return Message(MessageType(body.pop("type")), body)


def to_json(message: Message) -> dict[str, Any]:
    """The message as JSON for storage: what `from_json` reads, in the callers' own shape."""
    return {"type": message.type.value, **message.body}


def from_json(value: object) -> Message:
    """The message that `to_json` wrote. Raises `InvalidMessage` if something else did."""
    return parse_message(value)


def template_of(message: Message) -> tuple[str, str] | None:
    """Name and canonical language of the template, by which its record is found; else None."""
    if message.type is not MessageType.TEMPLATE:
        return None
    return message.body["template_name"], message.body["language"]


def category_of(message: Message, recorded: Category | None) -> Category:
    """The category to judge by; `recorded` is that of the template's record, None if unknown.

    Free-form messages are `service`. A template that nobody has a record of, or one recorded with
    a category no template has, is treated as marketing (R7).
    """
    if message.type is not MessageType.TEMPLATE:
        return Category.SERVICE
    if recorded is None or recorded is Category.SERVICE:
        return Category.MARKETING
    return recorded


class MessageState(StrEnum):
    """The states of a message; the values are those of the callbacks (SPEC 4)."""

    QUEUED = "queued"
    DISPATCHED = "dispatched"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    DELETED = "deleted"
    FAILED = "failed"
    NO_OPT_IN = "no_opt_in"
    NO_CAPABILITY = "no_capability"


_S = MessageState
#: state -> the states that may follow. Reports come late, twice and out of order, and may skip
#: states: what is not listed is not news. A refusal can still come after `dispatched`, since each
#: retry is judged again (H8).
_NEXT: dict[MessageState, frozenset[MessageState]] = {
    _S.QUEUED: frozenset(
        {
            _S.DISPATCHED,
            _S.SENT,
            _S.DELIVERED,
            _S.READ,
            _S.FAILED,
            _S.NO_OPT_IN,
            _S.NO_CAPABILITY,
        }
    ),
    _S.DISPATCHED: frozenset(
        {_S.SENT, _S.DELIVERED, _S.READ, _S.FAILED, _S.NO_OPT_IN, _S.NO_CAPABILITY}
    ),
    _S.SENT: frozenset({_S.DELIVERED, _S.READ, _S.DELETED, _S.FAILED, _S.NO_CAPABILITY}),
    _S.DELIVERED: frozenset({_S.READ, _S.DELETED}),
    _S.READ: frozenset({_S.DELETED}),
    _S.DELETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.NO_OPT_IN: frozenset(),
    _S.NO_CAPABILITY: frozenset(),
}


def advances(old: MessageState, new: MessageState) -> bool:
    """Whether a report of `new` changes a message in state `old`: never backwards, never twice."""
    return new in _NEXT[old]
