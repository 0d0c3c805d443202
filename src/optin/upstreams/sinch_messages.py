"""From a message (H9) to the body of a Conversation API `messages:send`.

Facts from Sinch's pages "WhatsApp message support" and "Template messages". The API has message
types of its own and makes WhatsApp's of them; a message that would lose its meaning on the way is
refused with `InvalidMessage`, at the door already. Lost without harm are a text's `preview_url` and
a phone's `wa_id`, for which the API has no place. docs/sinch.md shows it all as a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from optin.domain.json_shapes import refuse
from optin.domain.messages import Category, Message, MessageType

_Body = Mapping[str, Any]

#: Why something that others take is refused.
_HERE = "with this bot's upstream (sinch)"

_NAME_PARTS = ("first_name", "last_name", "middle_name", "prefix", "suffix")
_ADDRESS = ("city", "country", "state", "zip", "type", "country_code")
_BIRTHDAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
#: Characters of a card's title, which a caption becomes.
_LONGEST_TITLE = 1024
#: Of one template; they are numbered by one digit.
_MOST_BUTTONS = 10


def request_body(
    message: Message, to: str, correlation: str, *, app_id: str, category: Category
) -> dict[str, Any]:
    """The JSON body that hands `message` to one recipient over WhatsApp and nothing else.

    `to` is a canonical identity, digits or BSUID, and goes out as it is (R11). `correlation`
    comes back in every report (H8), up to 128 characters. Sinch keeps opt-out lists of its own by
    content type, so `category` goes along. Raises `InvalidMessage` for what the API cannot say.
    """
    marketing = category is Category.MARKETING
    identity = {"channel": "WHATSAPP", "identity": to}
    return {
        "app_id": app_id,
        "recipient": {"identified_by": {"channel_identities": [identity]}},
        "message": _CONTENT[message.type](message.body),
        "channel_priority_order": ["WHATSAPP"],
        "correlation_id": correlation,
        "message_content_type": "CONTENT_MARKETING" if marketing else "CONTENT_NOTIFICATION",
    }


def refuse_unsayable(message: Message) -> None:
    """Raises `InvalidMessage` for what `request_body` would refuse, whoever it is for."""
    _CONTENT[message.type](message.body)


def _text(body: _Body) -> dict[str, Any]:
    return {"text_message": {"text": body["text"]}}


def _media(body: _Body) -> dict[str, Any]:
    """Media of any kind: Sinch tells the kind by the file. A caption needs a card around it."""
    media = _file(body)
    if "caption" in body:
        if len(body["caption"]) > _LONGEST_TITLE:
            refuse("message.caption", f"can not be longer than {_LONGEST_TITLE} {_HERE}")
        return {"card_message": {"title": body["caption"], "media_message": media}}
    return {"media_message": media}


def _file(body: _Body) -> dict[str, Any]:
    if "url" not in body:
        refuse(
            "message.url", f"can not be empty {_HERE}: what was uploaded elsewhere can't be sent"
        )
    name = {"filename_override": body["filename"]} if "filename" in body else {}
    return {"url": body["url"], **name}


def _location(body: _Body) -> dict[str, Any]:
    """A place must have a title: its name, else its address, else where it is."""
    where = f"{body['lat']}, {body['lng']}"
    label = {"label": body["address"]} if "address" in body else {}
    title = body.get("name") or body.get("address") or where
    coordinates = {"latitude": body["lat"], "longitude": body["lng"]}
    return {"location_message": {"title": title, "coordinates": coordinates, **label}}


def _contacts(body: _Body) -> dict[str, Any]:
    if len(body["contacts"]) > 1:
        refuse("message.contacts", f"can not have more than one element {_HERE}")
    card = body["contacts"][0]
    if "phones" not in card:
        refuse("message.contacts[0].phones", f"can not be empty {_HERE}")
    if "birthday" in card and not _is_date(card["birthday"]):
        refuse("message.contacts[0].birthday", f"must be a date such as 1990-08-18 {_HERE}")
    for place, address in enumerate(card.get("addresses", ())):
        if "street" in address:
            refuse(f"message.contacts[0].addresses[{place}].street", f"can not be sent {_HERE}")
    return {"contact_info_message": dict(_card(card))}


def _is_date(given: str) -> bool:
    try:
        return bool(_BIRTHDAY.fullmatch(given) and date.fromisoformat(given))
    except ValueError:
        return False


def _card(card: _Body) -> Iterator[tuple[str, Any]]:
    yield "name", {"full_name": card["name"]["formatted_name"], **_some(card["name"], _NAME_PARTS)}
    phones = card["phones"]
    yield "phone_numbers", [{"phone_number": p["phone"], **_some(p, ("type",))} for p in phones]
    if addresses := [kept for a in card.get("addresses", ()) if (kept := _some(a, _ADDRESS))]:
        yield "addresses", addresses
    if emails := card.get("emails"):
        yield (
            "email_addresses",
            [{"email_address": e["email"], **_some(e, ("type",))} for e in emails],
        )
    for given, taken in (("org", "organization"), ("urls", "urls"), ("birthday", "birthday")):
        if card.get(given):
            yield taken, card[given]


def _some(given: _Body, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _template(body: _Body) -> dict[str, Any]:
    parameters = dict(_parameters(body))
    reference = {
        "template_id": body["template_name"],
        "language_code": body["language"],
        **({"parameters": parameters} if parameters else {}),
    }
    return {"template_message": {"channel_template": {"WHATSAPP": reference}}}


def _parameters(body: _Body) -> Iterator[tuple[str, str]]:
    """Every parameter under the key that says where it belongs; places count from 1, buttons
    from 0. A quick reply's payload must be given even when it is empty."""
    media = body.get("media", {"type": "text"})
    if len(body.get("buttons", ())) > _MOST_BUTTONS:
        refuse("message.buttons", f"can not have more than {_MOST_BUTTONS} elements {_HERE}")
    if media["type"] == "text":
        if len(body.get("header_params", ())) > 1:
            refuse("message.header_params", f"can not have more than one element {_HERE}")
        yield from _numbered("header", body.get("header_params", ()))
    else:
        kind = f"header[1]{media['type']}"
        yield f"{kind}.link", media["url"]
        if "filename" in media:
            yield f"{kind}.filename", media["filename"]
    yield from _numbered("body", body.get("body_params", ()))
    for index, button in enumerate(body.get("buttons", ())):
        if button["type"] == "quick_reply":
            yield f"button[{index}]quick_reply[1]payload", button.get("payload", "")
        elif "parameter" in button:
            yield f"button[{index}]url[1]text", button["parameter"]


def _numbered(component: str, values: list[str]) -> Iterator[tuple[str, str]]:
    for place, value in enumerate(values, 1):
        yield f"{component}[{place}]text", value


def _interactive(body: _Body) -> dict[str, Any]:
    message = body["message"]
    if message["type"] == "list":
        return _list(message)
    return _card_with_buttons(message) if "header" in message else _buttons(message)


def _buttons(message: _Body) -> dict[str, Any]:
    properties = {"whatsapp_footer": message["footer"]["text"]} if "footer" in message else {}
    choices = {"text_message": {"text": message["body"]["text"]}, "choices": _choices(message)}
    extra = {"message_properties": properties} if properties else {}
    return {"choice_message": {**choices, **extra}}


def _card_with_buttons(message: _Body) -> dict[str, Any]:
    """Only a card can have a header over buttons, and a card has no footer: the footer's words
    come as the last of the body."""
    header = message["header"]
    if header["type"] == "text":
        top = {"message_properties": {"whatsapp_header": header["text"]}}
    else:
        top = {"media_message": _file(header)}
    card = {"title": message["body"]["text"], "choices": _choices(message)}
    return {"card_message": {**card, **_footer(message), **top}}


def _choices(message: _Body) -> list[dict[str, Any]]:
    return [
        {"text_message": {"text": button["title"]}, "postback_data": button["id"]}
        for button in message["action"]["buttons"]
    ]


def _list(message: _Body) -> dict[str, Any]:
    action = message["action"]
    header = {"whatsapp_header": message["header"]["text"]} if "header" in message else {}
    sections = [
        {"title": section["title"], "items": [_row(row) for row in section["rows"]]}
        for section in action["sections"]
    ]
    return {
        "list_message": {
            "title": message["body"]["text"],
            **_footer(message),
            "sections": sections,
            "message_properties": {"menu": action["button"], **header},
        }
    }


def _row(row: _Body) -> dict[str, Any]:
    told = {"title": row["title"], **_some(row, ("description",)), "postback_data": row["id"]}
    return {"choice": told}


def _footer(message: _Body) -> dict[str, str]:
    return {"description": message["footer"]["text"]} if "footer" in message else {}


_CONTENT: dict[MessageType, Callable[[_Body], dict[str, Any]]] = {
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
