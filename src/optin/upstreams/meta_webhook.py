"""Meta's signed webhook: the signature, and the body taken apart (SPEC 5).

A body holds entries, these hold changes, and a change is about one business number and holds lists
of items. Each item is read by itself (`meta_items`): one that cannot be read is kept as
`NotUnderstood` and its neighbours count all the same. Pure functions; none raises for any bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optin.domain.inbound import Item, NotUnderstood, Parsed
from optin.upstreams import meta_changes, meta_items, meta_templates
from optin.upstreams.meta_items import Contacts, Unreadable
from optin.upstreams.provider_json import read_json

_HEADER = re.compile(r"sha256=[0-9a-f]{64}")
#: Contacts that are kept with each part that was not understood; Meta names one a message.
_MOST_PEOPLE = 20


def _message(item: Any, number: str, contacts: Contacts) -> Item:
    if meta_changes.is_change(item):
        return meta_changes.change(item, number)
    return meta_items.message(item, number, contacts)


#: Changes of these fields say nothing about consent: who answers the contact, a person or Meta's
#: agent, makes no difference to it.
_SAY_NOTHING = frozenset({"messaging_handovers"})

#: Lists in a change's value -> what reads one element. None: known, and nothing follows from it
#: (R9: echoes are our own messages; clicks on a message are none, nor is an address book).
_READERS: Mapping[str, Callable[[Any, str, Contacts], Item | None] | None] = {
    "messages": _message,
    "statuses": meta_items.status,
    "user_preferences": meta_items.preference,
    "calls": meta_items.call,
    "message_echoes": None,
    "user_actions": None,
    "state_sync": None,
    "user_id_update": meta_changes.user_id_update,
    "contacts": None,
}


def sign(secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature-256` for these very bytes."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signature(header: str | None) -> bool:
    """Whether `header` has a signature's form: without it no secret makes it one."""
    return header is not None and _HEADER.fullmatch(header) is not None


def valid_signature(app_secret: str, body: bytes, header: str | None) -> bool:
    """Whether `header` signs exactly these bytes, in constant time. No secret, no: fail closed."""
    if not app_secret or header is None or not is_signature(header):
        return False
    return hmac.compare_digest(sign(app_secret, body), header)


def parse(body: bytes) -> Parsed:
    """Everything a signed body says, in its order. Never raises.

    U+0000 and lone surrogates in texts become U+FFFD, what no number or too deeply nested becomes
    null. The `raw` of what was not understood is a body of its own, with only that part in it.
    """
    try:
        envelope = read_json(body)
    except ValueError:
        return (NotUnderstood(None, "the body is no JSON", body),)
    entries = envelope.get("entry") if isinstance(envelope, dict) else None
    if not isinstance(entries, list):
        return (NotUnderstood(None, "the body has no entries", body),)
    return tuple(item for entry in entries for item in _entry(entry))


def _entry(entry: Any) -> Iterator[Item]:
    changes = entry.get("changes") if isinstance(entry, dict) else None
    if not isinstance(changes, list):
        yield NotUnderstood(None, "an entry without changes", _body_of(entry))
        return
    for change in changes:
        if meta_templates.is_about_a_template(change):
            yield _template(entry, change)
        else:
            yield from _change(entry.get("id"), change)


def _template(entry: Mapping[str, Any], change: Mapping[str, Any]) -> Item:
    try:
        return meta_templates.update(entry, change)
    except Unreadable as wrong:
        return NotUnderstood(None, str(wrong), _alone(entry.get("id"), change))


def _change(account: Any, change: Any) -> Iterator[Item]:
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(value, dict):
        yield NotUnderstood(None, "a change without a value", _alone(account, change))
        return
    number = meta_items.number_id(value)
    parts = _parts(value)
    if _short(change.get("field")) in _SAY_NOTHING and not parts:
        return
    if not parts and "standby" not in value:
        reason = f"a change of field {_short(change.get('field'))}"
        yield NotUnderstood(number, reason, _alone(account, change))
    elif number is None:
        reason = "a change that names no business number"
        yield NotUnderstood(None, reason, _alone(account, change))
    else:
        people = [*_people(value), *_people(_standby(value))]
        place = _Place(account, change.get("field"), value.get("metadata"), number, people)
        contacts = Contacts.of(value.get("contacts"), _standby(value).get("contacts"))
        for name, content in parts:
            yield from _list(place, name, content, contacts)


def _parts(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The lists of a change, known or not. While Meta's agent has the thread they come one level
    deeper, in `standby`, and mean the same: a STOP counts whoever was talking."""
    found = [*value.items(), *_standby(value).items()]
    return [(name, part) for name, part in found if name in _READERS or isinstance(part, list)]


def _people(value: Mapping[str, Any]) -> list[Any]:
    given = value.get("contacts")
    return given if isinstance(given, list) else []


def _standby(value: Mapping[str, Any]) -> Mapping[str, Any]:
    standby = value.get("standby")
    return standby if isinstance(standby, dict) else {}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a body something stood: enough to write a body that holds nothing else."""

    account: Any
    field: Any
    metadata: Any
    number: str
    people: list[Any]

    def not_understood(self, reason: str, name: str, content: Any) -> NotUnderstood:
        value = {"metadata": self.metadata, name: content}
        if 0 < len(self.people) <= _MOST_PEOPLE and name != "contacts":
            value["contacts"] = self.people
        change = {"field": self.field, "value": value}
        return NotUnderstood(self.number, reason, _alone(self.account, change))


def _list(place: _Place, name: str, content: Any, contacts: Contacts) -> Iterator[Item]:
    if content is None or (name in _READERS and _READERS[name] is None):
        return
    reader = _READERS.get(name)
    if reader is None or not isinstance(content, list):
        yield place.not_understood(f"an unknown list or shape of {_short(name)}", name, content)
        return
    for element in content:
        try:
            item = reader(element, place.number, contacts)
        except Unreadable as wrong:
            item = place.not_understood(str(wrong), name, [element])
        if item is not None:
            yield item


def _alone(account: Any, change: Any) -> bytes:
    return _body_of({"id": account, "changes": [change]})


def _short(name: Any) -> str:
    return str(name)[:64]


def _body_of(entry: Any) -> bytes:
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
