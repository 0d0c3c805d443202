"""From a message (H9) to the body of a Cloud API `POST /{phone-number-id}/messages`.

Facts from Meta's pages "Send messages" (2026-04-23) and "Business-scoped user IDs" (2026-05-28).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from optin.domain.messages import Message, MessageType

_Body = Mapping[str, Any]

#: Parts of a contact's name, one of which Meta wants beside `formatted_name`.
_NAME_PARTS = frozenset({"first_name", "last_name", "middle_name", "prefix", "suffix"})


def request_body(message: Message, to: str, correlation: str) -> dict[str, Any]:
    """The JSON body that hands `message` to one recipient.

    `to` is a canonical identity, phone or BSUID, and goes out as it was given (R11). `correlation`
    comes back in every status of the message, so that an unknown outcome can be settled (H8).
    """
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_recipient(to),
        "biz_opaque_callback_data": correlation,
        "type": message.type.value,
        message.type.value: _CONTENT[message.type](message.body),
    }


def _recipient(to: str) -> dict[str, str]:
    """`+` and digits for a phone: without the `+` Meta puts the sender's own country in front."""
    if to.isascii() and to.isdigit():
        return {"to": f"+{to}"}
    return {"recipient": to}


def _text(body: _Body) -> dict[str, Any]:
    return {"preview_url": body["preview_url"], "body": body["text"]}


def _media(body: _Body) -> dict[str, Any]:
    """A media object: `link` or, for stickers, `id`; with caption and file name where given."""
    renamed = {"link": body.get("url"), "id": body.get("id")}
    kept = {name: body.get(name) for name in ("caption", "filename")}
    return {name: value for name, value in {**renamed, **kept}.items() if value is not None}


def _location(body: _Body) -> dict[str, Any]:
    named = {name: body[name] for name in ("name", "address") if name in body}
    return {"latitude": body["lat"], "longitude": body["lng"], **named}


def _contacts(body: _Body) -> list[dict[str, Any]]:
    return [{**card, "name": _name(card["name"])} for card in body["contacts"]]


def _name(name: Mapping[str, str]) -> dict[str, str]:
    """Meta refuses a name of `formatted_name` alone; the old API did not."""
    if _NAME_PARTS.isdisjoint(name):
        return {**name, "first_name": name["formatted_name"]}
    return dict(name)


def _template(body: _Body) -> dict[str, Any]:
    template = {"name": body["template_name"], "language": {"code": body["language"]}}
    components = [*_header(body), *_body_parameters(body), *_buttons(body)]
    return {**template, "components": components} if components else template


def _header(body: _Body) -> Iterator[dict[str, Any]]:
    """The header's parameters: a header is media or text, so with media its texts are left out."""
    media = body.get("media", {"type": "text"})
    if media["type"] != "text":
        yield {"type": "header", "parameters": [_typed_media(media)]}
    elif "header_params" in body:
        yield {"type": "header", "parameters": _texts(body["header_params"])}


def _body_parameters(body: _Body) -> Iterator[dict[str, Any]]:
    if "body_params" in body:
        yield {"type": "body", "parameters": _texts(body["body_params"])}


def _buttons(body: _Body) -> Iterator[dict[str, Any]]:
    """A component for each button with a value; the others only count in the numbering."""
    for index, button in enumerate(body.get("buttons", ())):
        if "parameter" in button:
            yield _button(index, "url", {"type": "text", "text": button["parameter"]})
        elif "payload" in button:
            payload = {"type": "payload", "payload": button["payload"]}
            yield _button(index, "quick_reply", payload)


def _button(index: int, sub_type: str, parameter: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "button",
        "sub_type": sub_type,
        "index": str(index),
        "parameters": [parameter],
    }


def _texts(values: list[str]) -> list[dict[str, str]]:
    return [{"type": "text", "text": value} for value in values]


def _typed_media(media: _Body) -> dict[str, Any]:
    return {"type": media["type"], media["type"]: _media(media)}


def _interactive(body: _Body) -> dict[str, Any]:
    message = body["message"]
    given = {name: message[name] for name in ("type", "body", "footer") if name in message}
    if "header" in message:
        given["header"] = _interactive_header(message["header"])
    return {**given, "action": _action(message)}


def _interactive_header(header: _Body) -> dict[str, Any]:
    return dict(header) if header["type"] == "text" else _typed_media(header)


def _action(message: _Body) -> dict[str, Any]:
    action: dict[str, Any] = message["action"]
    if message["type"] == "list":
        return dict(action)
    replies = [{"id": button["id"], "title": button["title"]} for button in action["buttons"]]
    return {"buttons": [{"type": "reply", "reply": reply} for reply in replies]}


_CONTENT: dict[MessageType, Callable[[_Body], Any]] = {
    MessageType.TEXT: _text,
    MessageType.TEMPLATE: _template,
    MessageType.IMAGE: _media,
    MessageType.VIDEO: _media,
    MessageType.DOCUMENT: _media,
    MessageType.AUDIO: _media,
    MessageType.STICKER: _media,
    MessageType.LOCATION: _location,
    MessageType.CONTACTS: _contacts,
    MessageType.INTERACTIVE: _interactive,
}
