"""What a Cloud API client posts to `messages`, read so that Meta cannot read it another way.

Judging one thing while Meta acts on another would be a way round the gate. So what could be read
in two ways is refused: a member named twice, a second content beside that of the type, a type or
member that Meta does not document. All else is Meta's to judge and goes on byte for byte (SPEC 7).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Never

from optin.domain.errors import InvalidIdentity, InvalidInput
from optin.domain.identities import is_bsuid, parse_identity
from optin.domain.message_shapes import canonical_language
from optin.domain.messages import MessageType

TEMPLATE = MessageType.TEMPLATE.value
#: The type of a message that names none, as Meta has it.
_DEFAULT_TYPE = "text"
#: The types that Meta documents; the member that holds the content is named like its type.
_TYPES = frozenset((*(kind.value for kind in MessageType), "reaction", "pin"))
#: All that Meta documents beside the content. What is not known here could be another recipient,
#: another content or a control of Graph's, so it is not passed on.
_MEMBERS = _TYPES | {
    "messaging_product",
    "recipient_type",
    "to",
    "recipient",
    "type",
    "context",
    "biz_opaque_callback_data",
    "recipient_identity_key_hash",
    "product_policy",
    "message_activity_sharing",
    "message_send_ttl_seconds",
    "bid_spec",
}
_RECEIPT = frozenset(("messaging_product", "status", "message_id", "typing_indicator"))
#: What Meta itself takes out of a phone number.
_WRITTEN = str.maketrans("", "", " -()")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_SPACE = re.compile(r"[ \t\n\r]*")
#: So much of the name of an unknown member is told.
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class GraphMessage:
    """One message to judge. `identities`: whom `to` and `recipient` name, in that order, each of
    whom must pass. `template`: (name, canonical language), None if nobody can have a record of it.
    `opaque`: the client's `biz_opaque_callback_data`, "" if none."""

    body: bytes
    identities: tuple[str, ...]
    type: str
    template: tuple[str, str] | None = None
    opaque: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A read receipt, with a typing indicator perhaps: it reaches nobody as a message."""

    body: bytes


def parse_post(body: bytes) -> GraphMessage | Receipt:
    """What the body is. A phone number in `to` is given its `+` where Meta would guess the country.

    `GraphMessage.body` is the body as given, but for that number. Raises `InvalidIdentity` for
    a recipient that is none, `InvalidInput` for what is refused otherwise.
    """
    try:
        text = body.decode("utf-8-sig")
        values = _DECODER.decode(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise InvalidInput("The body is not a JSON object that names each member once.")
    if values.get("messaging_product") != "whatsapp":
        _refuse("messaging_product", "must be whatsapp")
    if "status" in values:
        return _receipt(body, values)
    return _message(body, text, values)


def _message(body: bytes, text: str, values: Mapping[str, Any]) -> GraphMessage:
    if values.get("recipient_type") not in (None, "individual"):
        _refuse("recipient_type", "must be individual: groups are not served")
    unknown = next((name for name in values if name not in _MEMBERS), None)
    if unknown is not None:
        _refuse(ascii(unknown)[1:-1][:_LONGEST_NAME], "is not a member of a message")
    kind = values.get("type") or _DEFAULT_TYPE
    if not isinstance(kind, str) or kind not in _TYPES:
        _refuse("type", f"must be one of {', '.join(sorted(_TYPES))}")
    if (_TYPES & values.keys()) - {kind}:
        _refuse("type", "must name the only content of the message")
    identities = _identities(values)
    opaque = values.get("biz_opaque_callback_data")
    return GraphMessage(
        body=_addressed(body, text, values.get("to"), identities[0]),
        identities=identities,
        type=kind,
        template=_template(values.get(TEMPLATE)) if kind == TEMPLATE else None,
        opaque=opaque if isinstance(opaque, str) else "",
    )


def _identities(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Whom the message is for: `to`, which wins at Meta, before `recipient` (R11)."""
    to, recipient = values.get("to"), values.get("recipient")
    if to is None and recipient is None:
        raise InvalidInput("One of [to] and [recipient] is required.", field="to")
    if recipient is not None and not (isinstance(recipient, str) and is_bsuid(recipient)):
        raise InvalidIdentity("Field [recipient] must be a business-scoped user id.")
    named = [] if to is None else [parse_identity(to)]
    return tuple(dict.fromkeys([*named, *([] if recipient is None else [recipient])]))


def _addressed(body: bytes, text: str, to: Any, identity: str) -> bytes:
    """The body, with a number that Meta would read otherwise than we did written as we read it."""
    if to is None or is_bsuid(identity):
        return body
    written = to if isinstance(to, str) else ""
    if written.startswith("+") and written.translate(_WRITTEN) == f"+{identity}":
        return body
    start, end = _place(text, "to")
    return f'{text[:start]}"+{identity}"{text[end:]}'.encode()


def _template(value: Any) -> tuple[str, str] | None:
    language = value.get("language") if isinstance(value, dict) else None
    code = language.get("code") if isinstance(language, dict) else None
    if not isinstance(code, str) or not isinstance(value.get("name"), str):
        _refuse("template", "must have a name and a language with its code")
    if _UNSTORABLE.search(value["name"]):
        _refuse("template", "must have a name of letters and digits")
    spelt = canonical_language(code)
    return None if spelt is None else (value["name"], spelt)


def _receipt(body: bytes, values: Mapping[str, Any]) -> Receipt:
    typing = values.get("typing_indicator", {})
    plain = isinstance(typing, dict) and typing.keys() <= {"type"}
    if values["status"] != "read" or not values.keys() <= _RECEIPT or not plain:
        _refuse("status", "can only be read, of a message_id, with a typing_indicator")
    if not isinstance(values.get("message_id"), str):
        _refuse("message_id", "must be a string")
    return Receipt(body)


def _place(text: str, wanted: str) -> tuple[int, int]:
    """Where the value of that member begins and ends, in the text of an object that has it."""
    name, at = None, _skipped(text, 0)
    while name != wanted:
        name, end = _DECODER.raw_decode(text, _skipped(text, at + 1))  # behind a brace or comma
        start = _skipped(text, _skipped(text, end) + 1)
        _, end = _DECODER.raw_decode(text, start)
        at = _skipped(text, end)
    return start, end


def _skipped(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name comes twice")
    return members


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _refuse(field: str, rule: str) -> Never:
    raise InvalidInput(f"Field [{field}] {rule}.", field=field)
