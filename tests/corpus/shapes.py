"""Every shape in which a provider's webhook speaks of a contact, composed, with what follows.

A shape is one change of a body and the kinds of event that it gives each identity. Names, numbers
and ids are invented. `AT` is in whole seconds, well before the clock of the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optin.domain.events import Kind

NUMBER = "PNID1"
PHONE, BSUID, PARENT = "46701740605", "SE.1349120865530274", "SE.ENT.77aB"
NEW_PHONE, NEW_BSUID = "46709998877", "SE.2000"
EVERYBODY = (PHONE, BSUID, PARENT, NEW_PHONE, NEW_BSUID)
AT = 1_794_990_000
CONTACT = {"profile": {"name": "Ada", "username": "ada.l"}, "wa_id": PHONE, "user_id": BSUID}
METADATA = {"display_phone_number": "46850000000", "phone_number_id": NUMBER}

_M, _STOP, _LINK = Kind.MESSAGE, Kind.OPT_OUT_KEYWORD, Kind.LINKED


@dataclass(frozen=True)
class Shape:
    """One change. `gives`: identity -> kinds, sorted. `reviews`: questions that it raises.
    `noted`: parts that are kept since they were not understood."""

    name: str
    change: Mapping[str, Any]
    gives: Mapping[str, list[Kind]] = field(default_factory=dict)
    reviews: int = 0
    noted: int = 0


def change(lists: Mapping[str, Any], named: str = "messages") -> dict[str, Any]:
    return {
        "field": named,
        "value": {"messaging_product": "whatsapp", "metadata": METADATA, **lists},
    }


def message(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    """A message from the phone; `more` replaces members or, if None, leaves them out."""
    given = {"from": PHONE, "id": f"w.{kind}", "timestamp": str(AT), "type": kind, kind: content}
    return {name: part for name, part in (given | more).items() if part is not None}


def hidden(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    """The same from somebody whose phone is withheld."""
    return message(kind, content, **{"from": None, "from_user_id": BSUID}, **more)


def _said(name: str, kind: str, content: Any, *given: Kind, **more: Any) -> list[Shape]:
    """A message with phone, with both, and without phone: the same for whom it names."""
    kinds, both = sorted(given), sorted([*given, _LINK])
    one = message(kind, content, id=f"w.{name}", **more)
    other = hidden(kind, content, id=f"w.{name}.h", **more)
    pair = message(kind, content, id=f"w.{name}.b", **more)
    old = other | {"from": BSUID}
    del old["from_user_id"]
    return [
        Shape(f"{name}, phone", change({"messages": [one]}), {PHONE: kinds}),
        Shape(
            f"{name}, both",
            change({"messages": [pair], "contacts": [CONTACT]}),
            {PHONE: both, BSUID: both},
        ),
        Shape(f"{name}, hidden", change({"messages": [other]}), {BSUID: kinds}),
        Shape(f"{name}, BSUID in from", change({"messages": [old]}), {BSUID: kinds}),
        Shape(
            f"{name}, standby",
            change({"standby": {"messages": [one]}}, "standby"),
            {PHONE: kinds},
        ),
    ]


_REPLY = {"type": "button_reply", "button_reply": {"id": "b-1", "title": "Stop"}}
_ROW = {"type": "list_reply", "list_reply": {"id": "r-1", "title": "Unsubscribe"}}
_FORM = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{}"}}
_EDIT = {"original_message_id": "w.0", "message": {"type": "text", "text": {"body": "STOP"}}}
_CARD = {"origin": "contact_request", "phones": [{"phone": "+46 701 74 06 05", "wa_id": PHONE}]}
_UNCLEAR = "Stop sending me the wrong parcels, where is mine?"


def _status(word: str, **more: Any) -> dict[str, Any]:
    return {"id": "w.S", "status": word, "timestamp": str(AT), **more}


def _failed(code: int, **more: Any) -> dict[str, Any]:
    return _status("failed", errors=[{"code": code, "title": "x"}], **more)


def _choice(value: str, **more: Any) -> dict[str, Any]:
    category = "marketing_messages"
    return {"wa_id": PHONE, "category": category, "value": value, "timestamp": AT, **more}


def _prefs(*choices: dict[str, Any], **lists: Any) -> dict[str, Any]:
    return change({"user_preferences": list(choices), **lists}, "user_preferences")


def _call(event: str, direction: str) -> dict[str, Any]:
    call = {"id": "wacid.1", "from": PHONE, "event": event, "direction": direction}
    return change({"calls": [call | {"timestamp": str(AT)}]}, "calls")


def _system(kind: str, **told: Any) -> dict[str, Any]:
    return change({"messages": [message("system", {"type": kind, "body": "STOP", **told})]})


_PAIR = {"recipient_id": PHONE, "recipient_user_id": BSUID}
_OUT = Kind.PROVIDER_MARKETING_STOP

SHAPES: list[Shape] = [
    *_said("text", "text", {"body": "Hello"}, _M),
    *_said("stop", "text", {"body": "STOP"}, _STOP),
    *_said("polite stop", "text", {"body": "Please stop \U0001f64f"}, _STOP),
    *_said("marketing stop", "text", {"body": "stop promotions"}, Kind.MARKETING_STOP, _M),
    *_said("start", "text", {"body": "Start"}, Kind.START_WORD, _M),
    *_said("caption", "image", {"id": "1", "caption": "Stop"}, _STOP),
    *_said("video", "video", {"id": "1"}, _M),
    *_said("voice", "audio", {"id": "1", "voice": True}, _M),
    *_said("document", "document", {"id": "1", "caption": "unsubscribe"}, _STOP),
    *_said("sticker", "sticker", {"id": "1"}, _M),
    *_said("location", "location", {"latitude": 1, "longitude": 2, "name": "STOP"}, _M),
    *_said("button", "button", {"text": "Stop", "payload": "P"}, _STOP),
    *_said("payload", "button", {"text": "No thanks", "payload": "STOP"}, _STOP),
    *_said("reply", "interactive", _REPLY, _STOP),
    *_said("row", "interactive", _ROW, _STOP),
    *_said("form", "interactive", _FORM, _M),
    *_said("reaction", "reaction", {"message_id": "w.0", "emoji": "\U0001f44d"}, _M),
    *_said("order", "order", {"catalog_id": "1", "product_items": []}, _M),
    *_said("unsupported", "unsupported", {"type": "poll_creation"}, _M, errors=[{"code": 131051}]),
    *_said("a kind of tomorrow", "hologram", {"body": "STOP"}, _M),
    *_said("edit to stop", "edit", _EDIT, _STOP),
    *_said("taken back", "revoke", {"original_message_id": "w.0"}),
    *_said("reaction taken back", "reaction", {"message_id": "w.0", "emoji": ""}),
    *_said("not available", "unsupported", {"type": "x"}, errors=[{"code": 131060}]),
    *_said("chat opened", "request_welcome", {}),
    Shape(
        "unclear",
        change({"messages": [message("text", {"body": _UNCLEAR})]}),
        {PHONE: [_M]},
        reviews=1,
    ),
    Shape("group", change({"messages": [message("text", {"body": "STOP"}, group_id="G")]})),
    Shape(
        "parent",
        change({"messages": [hidden("text", {"body": "STOP"}, from_parent_user_id=PARENT)]}),
        {BSUID: [_LINK, _STOP], PARENT: [_LINK, _STOP]},
    ),
    Shape(
        "number handed over",
        change({"messages": [hidden("contacts", [_CARD])]}),
        {BSUID: [_LINK, _M], PHONE: [_LINK]},
    ),
    Shape(
        "somebody's card",
        change({"messages": [hidden("contacts", [_CARD | {"origin": "other"}])]}),
        {BSUID: [_M]},
    ),
    Shape(
        "milliseconds",
        change({"messages": [message("text", {"body": "STOP"}, timestamp=AT * 1000)]}),
        {PHONE: [_STOP]},
    ),
    Shape(
        "no time",
        change({"messages": [message("text", {"body": "STOP"}, timestamp=None)]}),
        {PHONE: [_STOP]},
    ),
    Shape("call", _call("connect", "USER_INITIATED"), {PHONE: [_M]}),
    Shape("call ended", _call("terminate", "USER_INITIATED")),
    Shape("call of ours", _call("connect", "BUSINESS_INITIATED")),
    Shape("strange call", _call("beamed", "USER_INITIATED"), noted=1),
    Shape(
        "status naming both",
        change({"statuses": [_status("delivered", **_PAIR)]}),
        {PHONE: [_LINK], BSUID: [_LINK]},
    ),
    Shape(
        "status, contacts",
        change({"statuses": [_status("read", recipient_user_id=BSUID)], "contacts": [CONTACT]}),
        {PHONE: [_LINK], BSUID: [_LINK]},
    ),
    Shape(
        "status, standby",
        change({"standby": {"statuses": [_status("sent", **_PAIR)]}}, "standby"),
        {PHONE: [_LINK], BSUID: [_LINK]},
    ),
    Shape(
        "status of a group",
        change({"statuses": [_status("read", **_PAIR, recipient_type="group")]}),
    ),
    Shape("131050", change({"statuses": [_failed(131050, recipient_id=PHONE)]}), {PHONE: [_OUT]}),
    Shape(
        "131050, both",
        change({"statuses": [_failed(131050, **_PAIR)]}),
        {PHONE: sorted([_LINK, _OUT]), BSUID: sorted([_LINK, _OUT])},
    ),
    Shape("131050 of nobody", change({"statuses": [_failed(131050)]}), noted=1),
    *(
        Shape(f"error {code}", change({"statuses": [_failed(code, recipient_id=PHONE)]}))
        for code in (131047, 131049, 131026, 130472, 131048, 1002)
    ),
    Shape("preference stop", _prefs(_choice("stop")), {PHONE: [_OUT]}),
    Shape(
        "preference, both",
        _prefs(_choice("stop"), contacts=[CONTACT]),
        {PHONE: sorted([_LINK, _OUT]), BSUID: sorted([_LINK, _OUT])},
    ),
    Shape(
        "preferences, all of the list",
        _prefs(_choice("stop"), _choice("resume", wa_id=NEW_PHONE, timestamp=AT * 1000)),
        {PHONE: [_OUT], NEW_PHONE: [Kind.PROVIDER_MARKETING_RESUME]},
    ),
    Shape("preference signup", _prefs(_choice("signup", signup_id="1")), noted=1),
    Shape(
        "changed number",
        _system("user_changed_number", wa_id=NEW_PHONE, user_id=NEW_BSUID, previous_user_id=BSUID),
        {
            PHONE: [Kind.REPLACED],
            BSUID: [Kind.REPLACED],
            NEW_PHONE: [_LINK, Kind.REPLACES],
            NEW_BSUID: [_LINK, Kind.REPLACES],
        },
    ),
    Shape(
        "changed number, old shape",
        _system("customer_changed_number", new_wa_id=NEW_PHONE),
        {PHONE: [Kind.REPLACED], NEW_PHONE: [Kind.REPLACES]},
    ),
    Shape("identity changed", _system("customer_identity_changed", identity={"hash": "x"})),
    Shape(
        "user_id_update",
        change(
            {
                "user_id_update": [
                    {"user_id": {"previous": BSUID, "current": NEW_BSUID}, "timestamp": str(AT)}
                ]
            },
            "user_id_update",
        ),
        {BSUID: [Kind.REPLACED], NEW_BSUID: [Kind.REPLACES]},
    ),
    Shape(
        "echo",
        change({"message_echoes": [{"to": PHONE, "to_user_id": BSUID, "text": {"body": "STOP"}}]}),
    ),
    Shape("empty standby", change({"standby": {}}, "standby")),
    Shape("click", change({"user_actions": [{"action_type": "click"}]})),
    Shape("handover", change({"control_passed": {}}, "messaging_handovers")),
    Shape("list of tomorrow", change({"holograms": [{"from": PHONE}]}), noted=1),
    Shape("field of tomorrow", {"field": "x", "value": {"metadata": METADATA}}, noted=1),
]
