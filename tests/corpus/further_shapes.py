"""The rarer shapes of a provider's webhook: variants of those in `shapes`, by their matter."""

from __future__ import annotations

from typing import Any

from optin.domain.events import Kind
from tests.corpus.shapes import (
    AT,
    BSUID,
    CONTACT,
    METADATA,
    NEW_BSUID,
    NEW_PHONE,
    PARENT,
    PHONE,
    Shape,
    change,
    hidden,
    message,
)

_M, _STOP, _LINK = Kind.MESSAGE, Kind.OPT_OUT_KEYWORD, Kind.LINKED
_OUT, _RESUME = Kind.PROVIDER_MARKETING_STOP, Kind.PROVIDER_MARKETING_RESUME

_AD = {"source_type": "ad", "source_id": "1", "source_url": "https://fb.me/x", "ctwa_clid": "c1"}
_ANOTHERS = {"id": "w.0", "from": NEW_PHONE, "from_user_id": NEW_BSUID}
_PERMISSION = {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}}
_CAPTION = {
    "original_message_id": "w.0",
    "message": {"type": "image", "image": {"caption": "Stop"}},
}
_TALK = {"original_message_id": "w.0", "message": {"type": "text", "text": {"body": "At six"}}}
_ALL = (PHONE, BSUID, PARENT)


_NOBODY: dict[str, Any] = {"from": None}


def _text(name: str, body: str = "Hello", **more: Any) -> dict[str, Any]:
    return message("text", {"body": body}, id=f"w.{name}", **more)


def _status(name: str, word: str, **more: Any) -> dict[str, Any]:
    given = {"id": f"w.{name}", "status": word, "timestamp": str(AT)}
    return change({"statuses": [given | more]})


def _preference(**more: Any) -> dict[str, Any]:
    given = {"category": "marketing_messages", "value": "stop", "timestamp": AT - 7}
    return change({"user_preferences": [given | more]}, "user_preferences")


MESSAGES = [
    Shape(
        "from an ad",
        change({"messages": [_text("ad", referral=_AD)], "contacts": [CONTACT]}),
        {PHONE: [_LINK, _M], BSUID: [_LINK, _M]},
    ),
    Shape(
        "an answer to somebody else's words",
        change({"messages": [_text("quoted", context=_ANOTHERS)]}),
        {PHONE: [_M]},
    ),
    Shape(
        "hidden, with its contact",
        change(
            {
                "messages": [hidden("text", {"body": "STOP"}, id="w.hc")],
                "contacts": [
                    {"profile": {"username": "a"}, "user_id": BSUID, "parent_user_id": PARENT}
                ],
            }
        ),
        {BSUID: [_LINK, _STOP], PARENT: [_LINK, _STOP]},
    ),
    Shape(
        "BSUID in from and wa_id",
        change({"messages": [_text("old", **{"from": BSUID})], "contacts": [{"wa_id": BSUID}]}),
        {BSUID: [_M]},
    ),
    Shape(
        "several people at once, each by their own contact",
        change(
            {
                "messages": [
                    _text("two.a", "STOP", from_user_id=BSUID),
                    _text("two.b", **{"from": NEW_PHONE}),
                ],
                "contacts": [{"wa_id": NEW_PHONE, "user_id": NEW_BSUID}, {"user_id": BSUID}],
            }
        ),
        {
            PHONE: [_LINK, _STOP],
            BSUID: [_LINK, _STOP],
            NEW_PHONE: [_LINK, _M],
            NEW_BSUID: [_LINK, _M],
        },
    ),
    Shape(
        "an answer about calls",
        change({"messages": [message("interactive", _PERMISSION)]}),
        {PHONE: [_M]},
    ),
    Shape("a file of music", change({"messages": [message("audio", {"id": "1"})]}), {PHONE: [_M]}),
    Shape(
        "reaction without emoji",
        change({"messages": [message("reaction", {"message_id": "w.0"}, id="w.re")]}),
    ),
    Shape(
        "edited caption",
        change({"messages": [message("edit", _CAPTION, id="w.ec")]}),
        {PHONE: [_STOP]},
    ),
    Shape("edited, no stop", change({"messages": [message("edit", _TALK, id="w.et")]})),
    Shape(
        "a pin",
        change({"messages": [message("unsupported", {"type": "pin"}, errors=[{"code": 131051}])]}),
        {PHONE: [_M]},
    ),
    Shape(
        "an edit that is not supported",
        change({"messages": [message("unsupported", {"type": "edit"}, id="w.ue")]}),
    ),
    Shape(
        "of type unknown", change({"messages": [message("unknown", {}, id="w.u")]}), {PHONE: [_M]}
    ),
    Shape(
        "a card without a number",
        change({"messages": [hidden("contacts", [{"origin": "contact_request"}], id="w.card")]}),
        {BSUID: [_M]},
    ),
    Shape(
        "time as a number",
        change({"messages": [_text("number", "STOP", timestamp=AT)]}),
        {PHONE: [_STOP]},
    ),
    Shape("from nobody", change({"messages": [_text("nobody", **_NOBODY)]}), noted=1),
]

STATUSES = [
    *(
        Shape(
            f"{word}, phone alone",
            _status(
                word, word, recipient_id=PHONE, pricing={"billable": True}, conversation={"id": "1"}
            ),
        )
        for word in ("sent", "delivered", "read", "played", "deleted")
    ),
    Shape("a status of tomorrow", _status("melted", "melted", recipient_id=PHONE), noted=1),
    Shape(
        "status naming the parent",
        _status(
            "p",
            "sent",
            recipient_id=PHONE,
            recipient_user_id=BSUID,
            recipient_parent_user_id=PARENT,
        ),
        {who: [_LINK] for who in _ALL},
    ),
    Shape(
        "status naming the parent as it was called",
        _status("q", "sent", recipient_user_id=BSUID, parent_recipient_user_id=PARENT),
        {BSUID: [_LINK], PARENT: [_LINK]},
    ),
    Shape(
        "status of a group's member",
        _status(
            "g",
            "read",
            recipient_type="group",
            recipient_id="G",
            recipient_participant_user_id=BSUID,
        ),
    ),
    Shape(
        "131050 in standby",
        change(
            {
                "standby": {
                    "statuses": [
                        {
                            "id": "w.ss",
                            "status": "failed",
                            "timestamp": str(AT - 5),
                            "recipient_id": PHONE,
                            "errors": [{"code": 131050}],
                        }
                    ]
                }
            },
            "standby",
        ),
        {PHONE: [_OUT]},
    ),
]

OTHERS = [
    Shape(
        "preference naming all",
        _preference(wa_id=PHONE, user_id=BSUID, parent_user_id=PARENT),
        {who: [_LINK, _OUT] for who in _ALL},
    ),
    Shape("preference of a hidden one", _preference(user_id=BSUID), {BSUID: [_OUT]}),
    Shape(
        "resume of another kind",
        _preference(wa_id=PHONE, value="resume", category="news"),
        noted=1,
    ),
    Shape(
        "stop of another kind",
        _preference(wa_id=PHONE, category="news", timestamp=AT - 9),
        {PHONE: [_OUT]},
    ),
    Shape(
        "resume",
        _preference(wa_id=PHONE, value="resume", timestamp=str(AT + 1)),
        {PHONE: [_RESUME]},
    ),
    Shape(
        "changed BSUID",
        change(
            {
                "messages": [
                    message(
                        "system",
                        {
                            "type": "user_changed_user_id",
                            "body": "Ada changed",
                            "user_id": NEW_BSUID,
                            "previous_user_id": BSUID,
                            "previous_parent_user_id": PARENT,
                        },
                        id="w.cb",
                        **{"from": None, "from_user_id": BSUID},
                    )
                ]
            }
        ),
        {BSUID: [Kind.REPLACED], PARENT: [Kind.REPLACED], NEW_BSUID: [Kind.REPLACES]},
    ),
    Shape(
        "echo in standby",
        change(
            {"standby": {"message_echoes": [{"to": PHONE, "text": {"body": "STOP"}}]}}, "standby"
        ),
    ),
    Shape(
        "echo of the phone's own app",
        change({"message_echoes": [{"from": "46850000000", "to": PHONE}]}, "smb_message_echoes"),
    ),
    Shape(
        "address book of the phone's own app",
        change(
            {"state_sync": [{"type": "contact", "contact": {"phone_number": PHONE}}]},
            "smb_app_state_sync",
        ),
    ),
    Shape(
        "control taken",
        {
            "field": "messaging_handovers",
            "value": {
                "control_taken": {},
                "sender": {"phone_number": PHONE},
                "recipient": {"phone_number_id": METADATA["phone_number_id"]},
            },
        },
    ),
    Shape(
        "news of the account",
        {"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}},
        noted=1,
    ),
]

FURTHER: list[Shape] = [*MESSAGES, *STATUSES, *OTHERS]
