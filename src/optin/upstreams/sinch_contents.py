"""What a contact's message in Sinch's webhook holds: where keywords can sit, what is told on.

`Content.raw` is in the shapes that callbacks read (`domain.inbound_shapes`), which are Meta's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from optin.domain.inbound import IdentityChange
from optin.upstreams import meta_changes, meta_items
from optin.upstreams.provider_json import at, read_object, text_at

#: File name endings of media; Sinch does not say what kind it is. All else is a document.
_KINDS = {
    "image": (".jpg", ".jpeg", ".png", ".gif"),
    "video": (".mp4", ".3gp", ".3gpp"),
    "audio": (".aac", ".amr", ".mp3", ".m4a", ".ogg", ".opus"),
    "sticker": (".webp",),
}


@dataclass(frozen=True, slots=True)
class Content:
    """As in `InboundMessage`. `identities`: of the sender, as far as the content names any."""

    type: str
    texts: tuple[str, ...] = ()
    opens_session: bool = True
    is_reply: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)
    group: bool = False
    identities: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


def content(message: Mapping[str, Any]) -> Content:
    """The content of a message. One of a kind we do not know opens a session all the same (R9)."""
    given = at(message, "contact_message")
    known = (name for name in _READERS if isinstance(at(given, name), dict))
    name = next(known, None)
    read = Content("unknown") if name is None else _READERS[name](given[name], message)
    answered = text_at(given, "reply_to", "message_id")
    if not answered:
        return read
    return replace(read, raw={**read.raw, "context": {"id": answered}})


def changed_identity(message: Mapping[str, Any], number: str) -> IdentityChange | None:
    """The person's new number or BSUID, if that is what the message says: Sinch has no type for
    it and passes WhatsApp's own on."""
    raw = _raw(at(message, "contact_message", "fallback_message"))
    if not meta_changes.is_change(raw):
        return None
    try:
        return meta_changes.change(raw, number)
    except meta_items.Unreadable:
        return None


def _raw(fallback: Any) -> dict[str, Any]:
    return read_object(text_at(fallback, "raw_message").encode("utf-8", "replace"))


def _text(given: Any, _: Any) -> Content:
    text = text_at(given, "text")
    return Content("text", _some(text), raw={"text": {"body": text}})


def _choice(given: Any, _: Any) -> Content:
    """An answer to a button or list. Without data of our own Sinch makes it of the message's id
    and the button's title."""
    data = text_at(given, "postback_data")
    title = data.removeprefix(text_at(given, "message_id") + "_")
    button = {"payload": data, "text": title}
    return Content("button", _some(data, title), is_reply=True, raw={"button": button})


def _media(given: Any, _: Any) -> Content:
    url, caption = text_at(given, "url"), text_at(given, "caption")
    kind = _kind(url)
    told = {"url": url, **({"caption": caption} if caption else {})}
    return Content(kind, _some(caption), raw={kind: told})


def _location(given: Any, _: Any) -> Content:
    place = {
        "latitude": at(given, "coordinates", "latitude"),
        "longitude": at(given, "coordinates", "longitude"),
        "name": text_at(given, "title") or None,
        "address": text_at(given, "label") or None,
    }
    return Content("location", raw={"location": place})


def _order(given: Any, _: Any) -> Content:
    title = text_at(given, "title")
    order = {
        "catalog_id": at(given, "catalog_id"),
        "text": title or None,
        "product_items": at(given, "products"),
    }
    return Content("order", _some(title), raw={"order": order})


def _specific(given: Any, _: Any) -> Content:
    """A form that was filled in: what is typed into it is no message to us."""
    told = at(given, "message")
    raw = {"interactive": told} if isinstance(told, dict) else {}
    return Content("interactive", is_reply=True, raw=raw)


def _contact_card(given: Any, _: Any) -> Content:
    return Content("contacts", raw={"contacts": [given]})


def _fallback(given: Any, message: Any) -> Content:
    """What Sinch has no type for comes as WhatsApp sent it: read as Meta's, if it can be, so that
    system messages, edits and what was deleted open nothing (R9) and a STOP in an edit counts."""
    raw, told = text_at(given, "raw_message"), _raw(given)
    sender = text_at(message, "channel_identity", "identity")
    item = {"from": sender, "id": text_at(message, "id"), **told}
    if not told.get("type"):
        opens = text_at(given, "reason", "channel_code") != "131060"
        return Content("unsupported", _some(raw), opens_session=opens)
    try:
        read = meta_items.message(item, "", meta_items.Contacts())
    except meta_items.Unreadable:
        return Content("unsupported")
    return Content(
        read.type,
        read.texts,
        read.opens_session,
        read.is_reply,
        told,
        read.group,
        identities=read.identities,
        shared=read.shared,
    )


_READERS: Mapping[str, Callable[[Any, Any], Content]] = {
    "text_message": _text,
    "choice_response_message": _choice,
    "media_message": _media,
    "media_card_message": _media,
    "location_message": _location,
    "product_response_message": _order,
    "channel_specific_message": _specific,
    "contact_info_message": _contact_card,
    "fallback_message": _fallback,
}


def _kind(url: str) -> str:
    try:
        path = urlsplit(url).path.lower()
    except ValueError:
        return "document"
    return next((kind for kind, endings in _KINDS.items() if path.endswith(endings)), "document")


def _some(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
