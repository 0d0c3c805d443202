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


@dataclass(frozen=True, slots=True)
class _Member:
    """A member's value, and where it stands in the text."""

    value: Any
    start: int
    end: int


def parse_post(body: bytes) -> GraphMessage | Receipt:
    """What the body is. A phone number in `to` is given its `+` where Meta would guess the country.

    `GraphMessage.body` is the body as given, but for that number. Raises `InvalidIdentity` for
    a recipient that is none, `InvalidInput` for what is refused otherwise.
    """
    try:
        text = body.decode("utf-8-sig")
        members = _members(text)
    except (ValueError, RecursionError):
        raise InvalidInput("The body is not a JSON object that names each member once.") from None
    values = {name: member.value for name, member in members.items()}
    if values.get("messaging_product") != "whatsapp":
        _refuse("messaging_product", "must be whatsapp")
    if "status" in values:
        return _receipt(body, values)
    return _message(body, text, members, values)


def _message(
    body: bytes, text: str, members: Mapping[str, _Member], values: Mapping[str, Any]
) -> GraphMessage:
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
        body=_addressed(body, text, members.get("to"), identities[0]),
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


def _addressed(body: bytes, text: str, to: _Member | None, identity: str) -> bytes:
    """The body, with a number that Meta would read otherwise than we did written as we read it."""
    if to is None or to.value is None or is_bsuid(identity):
        return body
    written = to.value if isinstance(to.value, str) else ""
    if written.startswith("+") and written.translate(_WRITTEN) == f"+{identity}":
        return body
    return f'{text[: to.start]}"+{identity}"{text[to.end :]}'.encode()


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


def _members(text: str) -> dict[str, _Member]:
    """The members of the object that the text is. Raises `ValueError`."""
    found: dict[str, _Member] = {}
    at = _after(text, _skipped(text, 0), "{")
    if text[at : at + 1] == "}":
        at += 1
    else:
        while True:
            name, end = _DECODER.raw_decode(text, at)
            if not isinstance(name, str) or name in found:
                raise ValueError("a name is none, or comes twice")
            start = _after(text, _skipped(text, end), ":")
            value, end = _DECODER.raw_decode(text, start)
            found[name] = _Member(value, start, end)
            at = _skipped(text, end)
            if text[at : at + 1] != ",":
                break
            at = _skipped(text, at + 1)
        at = _after(text, at, "}")
    if _skipped(text, at) != len(text):
        raise ValueError("something comes after the object")
    return found


def _after(text: str, at: int, mark: str) -> int:
    """Where the next thing begins behind a mark that must stand here."""
    if text[at : at + 1] != mark:
        raise ValueError(f"{mark} is missing")
    return _skipped(text, at + 1)


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
