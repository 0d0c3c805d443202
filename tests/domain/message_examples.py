"""One full message of each type and variant, in the callers' shape, and ways to damage them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from optin.domain.messages import MessageType

URL = "https://cdn.example/a"

EXAMPLES: dict[str, dict[str, Any]] = {
    "text": {"type": "text", "preview_url": True, "text": "See https://shop.example"},
    "template": {
        "type": "template",
        "template_name": "order_ready",
        "language": "en_US",
        "header_params": ["Ada"],
        "body_params": ["two books", "desk 4"],
        "media": {"type": "text"},
        "buttons": [
            {"type": "call"},
            {"type": "url", "parameter": "orders/17"},
            {"type": "url"},
            {"type": "quick_reply", "payload": "STOP_MARKETING"},
            {"type": "quick_reply"},
        ],
    },
    "template, document": {
        "type": "template",
        "template_name": "invoice",
        "language": "de",
        "body_params": ["Ada"],
        "media": {"type": "document", "url": URL, "filename": "invoice.pdf"},
    },
    "template, bare": {"type": "template", "template_name": "hello", "language": "en"},
    "image": {"type": "image", "url": URL, "caption": "Menu"},
    "video": {"type": "video", "url": URL, "caption": "How to"},
    "document": {"type": "document", "url": URL, "caption": "Study", "filename": "study.pdf"},
    "audio": {"type": "audio", "url": URL},
    "sticker": {"type": "sticker", "url": URL},
    "sticker, uploaded": {"type": "sticker", "id": "7301"},
    "location": {
        "type": "location",
        "lat": 55.7047,
        "lng": -13,
        "name": "The desk",
        "address": "Main Street 17",
    },
    "contacts": {
        "type": "contacts",
        "contacts": [
            {
                "name": {"formatted_name": "Dr. Ada Berg", "first_name": "Ada", "prefix": "Dr."},
                "addresses": [{"street": "Main Street 17", "city": "Lund", "country_code": "se"}],
                "birthday": "1990-08-18",
                "emails": [{"email": "ada@shop.example", "type": "WORK"}],
                "org": {"company": "Shop", "title": "Manager"},
                "phones": [{"phone": "+46 70 174 06 05", "type": "WORK", "wa_id": "46701740605"}],
                "urls": [{"url": "www.shop.example", "type": "WORK"}],
            },
            {"name": {"formatted_name": "Bo"}},
        ],
    },
    "interactive, button": {
        "type": "interactive",
        "message": {
            "type": "button",
            "header": {"type": "document", "url": URL, "filename": "offer.pdf"},
            "body": {"text": "Shall we send it?"},
            "footer": {"text": "Shop"},
            "action": {
                "buttons": [
                    {"type": "reply", "id": "y", "title": "Yes"},
                    {"type": "reply", "id": "n", "title": "No"},
                ]
            },
        },
    },
    "interactive, list": {
        "type": "interactive",
        "message": {
            "type": "list",
            "header": {"type": "text", "text": "Delivery"},
            "body": {"text": "When do you have time?"},
            "action": {
                "button": "Choose",
                "sections": [
                    {
                        "title": "Today",
                        "rows": [{"id": "t1", "title": "Noon", "description": "12 to 13"}],
                    },
                    {"title": "Later", "rows": [{"id": "l1", "title": "Tomorrow"}]},
                ],
            },
        },
    },
}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(sorted(MessageType)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("type", "text", "url", "message", "contacts", "id")) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn, examples: Mapping[str, dict[str, Any]] = EXAMPLES) -> Any:
    """An example with one value, anywhere in it, gone or replaced by any JSON."""
    message: Any = copy.deepcopy(draw(st.sampled_from(list(examples.values()))))
    path = draw(st.sampled_from(places(message)[1:]))
    holder = message
    for key in path[:-1]:
        holder = holder[key]
    if draw(st.booleans()):
        holder[path[-1]] = draw(JSON)
    else:
        del holder[path[-1]]
    return message
