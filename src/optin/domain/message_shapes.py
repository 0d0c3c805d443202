"""The message types that can be sent, in the shape of the Sinch WhatsApp API (H9), as one table.

Members and limits are those that API documented. Three of its members do nothing here and are
dropped like unknown ones (H5): `provider` (media behind credentials that it kept), `ttl` (long
deprecated), and `caption` inside a template's `media` (never allowed there).
"""

from __future__ import annotations

import re
from typing import Any

from optin.domain.json_shapes import (
    Shape,
    array,
    flag,
    is_absent,
    number,
    record,
    refuse,
    tagged,
    text,
    url,
)

_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[_-]([A-Za-z0-9]{2,4}))?")
_LETTERS_OF_A_SCRIPT = 4
_LONGEST_HEADER = 60
_LONGEST_BODY = 1024
_MOST_ROWS = 10


def canonical_language(code: str) -> str | None:
    """A template language as providers spell it: `en_us` and `en-US` are `en_US`; None if none.

    Template records are found by (name, language), so both sides must be spelt alike (H9).
    """
    match = _LANGUAGE.fullmatch(code)
    if match is None:
        return None
    language, place = match.groups()
    if place is None:
        return language.lower()
    spelt = place.title() if len(place) == _LETTERS_OF_A_SCRIPT else place.upper()
    return f"{language.lower()}_{spelt}"


def _language(value: object, field: str) -> str:
    code = canonical_language(text()(value, field))
    if code is None:
        refuse(field, "must be a language code such as en or en_US")
    return code


def _parameters(longest: int) -> Shape:
    """Texts that, even without what the template puts around them, fit into `longest`."""
    texts = array(text())

    def shape(value: object, field: str) -> list[str]:
        given: list[str] = texts(value, field)
        if sum(map(len, given)) > longest:
            refuse(field, f"can not be longer than {longest} characters in all")
        return given

    return shape


def _sticker(value: object, field: str) -> dict[str, Any]:
    given: dict[str, Any] = record(optional={"url": url, "id": text()})(value, field)
    if is_absent(given.get("url")) and is_absent(given.get("id")):
        refuse(f"{field}.url", "can not be empty")
    if len(given) > 1:
        refuse(f"{field}.id", f"can not be combined with [{field}.url]")
    return given


def _sections(value: object, field: str) -> list[dict[str, Any]]:
    """Sections of a list: at most ten rows in all, and no row id twice."""
    sections: list[dict[str, Any]] = array(_SECTION, most=_MOST_ROWS)(value, field)
    ids = [row["id"] for section in sections for row in section["rows"]]
    if len(ids) > _MOST_ROWS:
        refuse(field, f"can not have more than {_MOST_ROWS} rows in all")
    if len(set(ids)) < len(ids):
        refuse(field, "can not have two rows with the same id")
    return sections


_NOTHING = record()
_DOCUMENT_FILE = record({"url": url}, {"filename": text()})
_FILE = record({"url": url})
_CAPTIONED = record({"url": url}, {"caption": text()})

_TEMPLATE_BUTTON = tagged(
    {
        "call": _NOTHING,
        "url": record(optional={"parameter": text()}),
        "quick_reply": record(optional={"payload": text()}),
    }
)
_TEMPLATE = record(
    {"template_name": text(512)},
    {
        "language": _language,
        "header_params": _parameters(_LONGEST_HEADER),
        "body_params": _parameters(_LONGEST_BODY),
        "media": tagged(
            {"text": _NOTHING, "image": _FILE, "video": _FILE, "document": _DOCUMENT_FILE}
        ),
        "buttons": array(_TEMPLATE_BUTTON),
    },
    defaults={"language": "en"},
)

_TEXT_HEADER = record({"text": text(_LONGEST_HEADER)})
_BODY = record({"text": text(_LONGEST_BODY)})
_FOOTER = record({"text": text(60)})
_REPLY = tagged({"reply": record({"id": text(230), "title": text(20)})})
_ROW = record({"id": text(174), "title": text(20)}, {"description": text(72)})
_SECTION = record({"title": text(24), "rows": array(_ROW, most=_MOST_ROWS)})
_BUTTON_HEADER = tagged(
    {"text": _TEXT_HEADER, "image": _FILE, "video": _FILE, "document": _DOCUMENT_FILE}
)
_INTERACTIVE = tagged(
    {
        "button": record(
            {"body": _BODY, "action": record({"buttons": array(_REPLY, most=3)})},
            {"header": _BUTTON_HEADER, "footer": _FOOTER},
        ),
        "list": record(
            {"body": _BODY, "action": record({"button": text(20), "sections": _sections})},
            {"header": tagged({"text": _TEXT_HEADER}), "footer": _FOOTER},
        ),
    }
)

_WORDS = text()
_CONTACT = record(
    {
        "name": record(
            {"formatted_name": _WORDS},
            dict.fromkeys(("first_name", "last_name", "middle_name", "prefix", "suffix"), _WORDS),
        )
    },
    {
        "addresses": array(
            record(
                optional=dict.fromkeys(
                    ("street", "city", "state", "zip", "country", "country_code", "type"), _WORDS
                )
            )
        ),
        "birthday": _WORDS,
        "emails": array(record({"email": _WORDS}, {"type": _WORDS})),
        "org": record(optional=dict.fromkeys(("company", "department", "title"), _WORDS)),
        "phones": array(record({"phone": _WORDS}, {"type": _WORDS, "wa_id": _WORDS})),
        "urls": array(record({"url": _WORDS}, {"type": _WORDS})),
    },
)

#: `type` -> what the rest of the message looks like. A message is of one of these or refused (H9).
SHAPES: dict[str, Shape] = {
    "text": record({"text": text(4096)}, {"preview_url": flag}, defaults={"preview_url": False}),
    "template": _TEMPLATE,
    "image": _CAPTIONED,
    "video": _CAPTIONED,
    "document": record({"url": url}, {"caption": text(), "filename": text()}),
    "audio": _FILE,
    "sticker": _sticker,
    "location": record(
        {"lat": number(-90, 90), "lng": number(-180, 180)}, {"name": text(), "address": text()}
    ),
    "contacts": record({"contacts": array(_CONTACT)}),
    "interactive": record({"message": _INTERACTIVE}),
}

MESSAGE: Shape = tagged(SHAPES)
