"""An inbound message's `message` member as the legacy API called it back (SPEC 4).

A provider's object is taken as it comes: what a shape names and the object has is told, nothing
else is asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optin.domain.inbound import InboundMessage

_MEDIA = ("id", "url", "mime_type", "sha256", "caption", "filename")
_REPLY = ("id", "title", "description")

#: type -> the members of the provider's object that are told under that type.
_MEMBERS: Mapping[str, tuple[str, ...]] = {
    "text": ("body",),
    "location": ("latitude", "longitude", "name", "address", "url"),
    "button": ("index", "text", "payload"),
    "image": _MEDIA,
    "document": _MEDIA,
    "audio": _MEDIA,
    "video": _MEDIA,
    "sticker": _MEDIA,
    "reaction": ("message_id", "emoji"),
    "order": ("catalog_id", "text", "product_items"),
}


def legacy_message(item: InboundMessage) -> dict[str, Any]:
    """The message in the legacy shape; kinds that it never had are of type `error`."""
    given = item.raw.get(item.type)
    if item.type == "contacts" and isinstance(given, list):
        return {"type": "contacts", "contacts": given}
    if not isinstance(given, Mapping):
        return _untold(item)
    if item.type == "interactive":
        return _interactive(item, given)
    members = _MEMBERS.get(item.type)
    if members is None:
        return _untold(item)
    kind = "voice" if item.type == "audio" and given.get("voice") is True else item.type
    return {"type": kind, **_told(given, members)}


def _interactive(item: InboundMessage, given: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to a button or a list; a form's answer (a later kind) is told as it is."""
    for member, kind in (("button_reply", "button"), ("list_reply", "list")):
        if isinstance(given.get(member), Mapping):
            return {
                "type": "interactive",
                "message": {"type": kind, **_told(given[member], _REPLY)},
            }
    if isinstance(given.get("nfm_reply"), Mapping):
        return {"type": "interactive", "message": {**given["nfm_reply"], "type": "nfm_reply"}}
    return _untold(item)


def _told(given: Mapping[str, Any], members: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in members if given.get(name) is not None}


def _untold(item: InboundMessage) -> dict[str, Any]:
    return {"type": "error", "details": f"A message of type {item.type} cannot be shown here."}
