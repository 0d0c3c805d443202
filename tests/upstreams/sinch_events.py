"""Events of Sinch's webhook, written out from its documented shapes."""

from __future__ import annotations

import json
from typing import Any

from optin.domain.inbound import SignedBy
from optin.upstreams.sinch_webhook import sign

APP, SECRET, ADA = "01APP", "cb-secret", "46701740605"
NONCE = "01FJA8B4A7BM43YGWSG9GBV067"
#: 2026-11-23T10:00:00Z, UTC seconds.
AT = 1_795_428_000


def event(**members: Any) -> dict[str, Any]:
    """An event with these members."""
    times = {"accepted_time": "2026-11-23T10:00:01.5Z", "event_time": "2026-11-23T10:00:00Z"}
    return {"app_id": APP, "project_id": "p-1", "message_metadata": "", **times, **members}


def inbound(content: Any, message_id: str = "01IN", **more: Any) -> dict[str, Any]:
    """A message from Ada; `more` are members of the message."""
    message = {
        "id": message_id,
        "direction": "TO_APP",
        "channel_identity": {"channel": "WHATSAPP", "identity": ADA, "app_id": ""},
        "contact_id": "01CON",
        "conversation_id": "01CNV",
        "accept_time": "2026-11-23T10:00:00.25Z",
        "sender_id": "PN",
        "processing_mode": "CONVERSATION",
        "contact_message": content,
        "metadata": "",
        "injected": False,
        **more,
    }
    return event(message=message)


def text(said: str, message_id: str = "01IN", **more: Any) -> dict[str, Any]:
    """A text from Ada."""
    return inbound({"text_message": {"text": said}}, message_id, **more)


def report(status: str, correlation: str = "", **more: Any) -> dict[str, Any]:
    """What became of our message 01MSG."""
    told = {
        "message_id": "01MSG",
        "conversation_id": "01CNV",
        "status": status,
        "channel_identity": {"channel": "WHATSAPP", "identity": ADA, "app_id": ""},
        "contact_id": "01CON",
        "metadata": "",
        "processing_mode": "CONVERSATION",
        **more,
    }
    return event(message_delivery_report=told, correlation_id=correlation)


def failure(channel_code: str, code: str = "CHANNEL_REJECT") -> dict[str, Any]:
    """The reason of a failed message."""
    reason = {"code": code, "sub_code": "UNSPECIFIED_SUB_CODE", "description": "No."}
    return {"reason": {**reason, "channel_code": channel_code}}


def consent(kind: str, status: str, **more: Any) -> dict[str, Any]:
    """An `opt_in` or `opt_out` of Ada's."""
    told = {
        "request_id": "R1",
        "contact_id": "01CON",
        "channel": "WHATSAPP",
        "identity": ADA,
        "status": status,
        "processing_mode": "CONVERSATION",
        **more,
    }
    return event(**{f"{kind}_notification": told})


def body_of(given: Any) -> bytes:
    """As Sinch posts it: with characters that an escaping encoder would not write."""
    return json.dumps(given, ensure_ascii=False, indent=1).encode()


def signed(body: bytes, *, nonce: str = NONCE, at: int = AT, secret: str = SECRET) -> SignedBy:
    """The signature's parts."""
    return SignedBy(sign(secret, body, nonce, str(at)), nonce, str(at), "HmacSHA256")


def headers(signature: SignedBy) -> dict[str, str]:
    """As they stand in the request."""
    name = "x-sinch-webhook-signature"
    return {
        name: signature.value,
        f"{name}-nonce": signature.nonce,
        f"{name}-timestamp": signature.at,
        f"{name}-algorithm": signature.algorithm,
    }
