"""Webhook bodies in the shapes Meta documents; names, numbers and ids are invented."""

from __future__ import annotations

import json
from typing import Any

PHONE = "46701740605"
BSUID = "SE.1349120865530274"
NUMBER = "PNID1"
METADATA = {"display_phone_number": "46850000000", "phone_number_id": NUMBER}
CONTACT = {
    "profile": {"name": "Ada", "username": "ada.l"},
    "wa_id": PHONE,
    "user_id": BSUID,
}
AT = 1_795_430_000


def value(number: str | None = NUMBER, /, **lists: Any) -> dict[str, Any]:
    metadata = {**METADATA, "phone_number_id": number} if number else {}
    return {"messaging_product": "whatsapp", "metadata": metadata, **lists}


def change(content: Any, field: str = "messages") -> dict[str, Any]:
    return {"field": field, "value": content}


def body(*changes: Any) -> bytes:
    entry = {"id": "WABA1", "changes": list(changes)}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def message(kind: str = "text", content: Any = None, /, **more: Any) -> dict[str, Any]:
    """A message by phone; `more` members replace or, if None, remove others."""
    given = {"from": PHONE, "id": "wamid.A", "timestamp": str(AT), "type": kind}
    if kind == "text" and content is None:
        content = {"body": "Hello"}
    if content is not None:
        given[kind] = content
    return {name: part for name, part in (given | more).items() if part is not None}


def one(item: Any, name: str = "messages", **lists: Any) -> bytes:
    """A body with this one item."""
    return body(change(value(**{name: [item]}, **lists)))


STATUS = {
    "id": "wamid.B",
    "status": "failed",
    "timestamp": "1795430100",
    "recipient_id": PHONE,
    "biz_opaque_callback_data": "01J9Z8",
    "errors": [
        {
            "code": 131050,
            "title": "Stopped",
            "message": "Stopped",
            "error_data": {"details": "The user stopped marketing."},
            "href": "https://example.com/",
        }
    ],
}
PREFERENCE = {
    "wa_id": PHONE,
    "user_id": BSUID,
    "detail": "User requested to stop marketing messages",
    "category": "marketing_messages",
    "value": "stop",
    "timestamp": 1_795_430_200,
}
CALL = {
    "id": "wacid.C",
    "from": PHONE,
    "to": "46850000000",
    "event": "connect",
    "direction": "USER_INITIATED",
    "timestamp": "1795430300",
    "session": {"sdp_type": "offer", "sdp": "v=0"},
}
BOTH = message(from_user_id=BSUID, referral={"source_type": "ad", "source_id": "1"})
EDIT = {"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "STOP"}}}
CHANGED_NUMBER = {
    "type": "user_changed_number",
    "body": "STOP changed",
    "wa_id": "46709998877",
    "user_id": "SE.new",
    "previous_user_id": "SE.old",
}

#: One body of each kind, for tests that need real ones.
BODIES = [
    one(BOTH, contacts=[CONTACT]),
    one(message("button", {"text": "Stop", "payload": "STOP_MARKETING"})),
    one(message("interactive", {"type": "list_reply", "list_reply": {"id": "1", "title": "A"}})),
    one(message("image", {"id": "1", "mime_type": "image/jpeg", "caption": "Stop"})),
    one(message("edit", EDIT)),
    one(message("system", CHANGED_NUMBER)),
    one(message("unsupported", {"type": "poll_creation"}, errors=[{"code": 131051}])),
    one(STATUS, "statuses"),
    one(CALL, "calls"),
    body(change(value(user_preferences=[PREFERENCE]), "user_preferences")),
    body(change(value(standby={"messages": [message()], "statuses": [STATUS]}), "standby")),
    body(change({"event": "DISABLED_UPDATE"}, "account_update"), change(value(messages=[BOTH]))),
]
