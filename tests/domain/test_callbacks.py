"""Callback bodies and their signature (SPEC 4)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.callbacks import (
    notification_body,
    relay_id,
    relayed_headers,
    report_id,
    signature_headers,
    signed_anew,
    status_body,
)
from optin.domain.inbound import InboundMessage
from optin.domain.messages import Category, MessageState
from optin.domain.outbox import OutboxMessage
from tests.vectors import load

AT = 1_588_444_842_123_456
MESSAGE = OutboxMessage(
    bot_id="shop",
    message_id="01DPNXZ0WCF9XD19MH84XD0P62",
    identity="46732001122",
    body={"type": "text", "text": "hi"},
    category=Category.SERVICE,
    created=AT,
    expires=AT,
    due=AT,
)


def inbound(kind: str, raw: Any, **more: Any) -> InboundMessage:
    """A message of that type from a provider's object."""
    return InboundMessage(
        phone_number_id="PNID1",
        identities=more.pop("identities", ("46732001122",)),
        upstream_id="wamid.A",
        at=more.pop("at", AT),
        type=kind,
        opens_session=True,
        raw=raw,
        **more,
    )


def told(item: InboundMessage) -> dict[str, Any]:
    """The notification row that the business gets."""
    content: dict[str, Any] = json.loads(notification_body(item, "shop", AT))
    row: dict[str, Any] = content["notifications"][0]
    return row


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (MessageState.QUEUED, "success"),
        (MessageState.DISPATCHED, "success"),
        (MessageState.SENT, "success"),
        (MessageState.DELIVERED, "success"),
        (MessageState.READ, "success"),
        (MessageState.DELETED, "success"),
        (MessageState.FAILED, "failure"),
        (MessageState.NO_OPT_IN, "failure"),
        (MessageState.NO_CAPABILITY, "failure"),
    ],
)
def test_a_report_has_the_original_shape(state: MessageState, status: str) -> None:
    """SPEC 4: members, `+` before the recipient, whole seconds; what failed says `failure`."""
    assert json.loads(status_body(replace(MESSAGE, state=state, details="x"), AT)) == {
        "type": "whatsapp",
        "statuses": [
            {
                "status": status,
                "state": state.value,
                "message_id": MESSAGE.message_id,
                "recipient": "+46732001122",
                "details": "x",
                "timestamp": "2020-05-02T18:40:42Z",
            }
        ],
    }


def test_a_report_without_details_has_no_such_member() -> None:
    """`details` is there when there is something to say."""
    assert "details" not in json.loads(status_body(MESSAGE, AT))["statuses"][0]


def test_each_state_has_a_report_of_its_own() -> None:
    """Two reports of one message never share an id."""
    ids = {report_id(replace(MESSAGE, state=state), AT) for state in MessageState}
    assert len(ids) == len(MessageState)


@pytest.mark.parametrize("case", load("signatures")["sinch_legacy"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_the_signature_is_the_vectors(case: dict[str, str], encoding: str) -> None:
    """SPEC 4: HMAC-SHA256 over `payload.nonce`, in both encodings, under the original's names."""
    headers = signature_headers(case["key"], encoding, case["payload"].encode(), case["nonce"])
    assert headers == {
        "sinch-whatsapp-callback-signature": case[encoding],
        "sinch-whatsapp-callback-signature-algorithm": "HMAC_SHA_256",
        "sinch-whatsapp-callback-signature-nonce": case["nonce"],
    }


REPLY = {"id": "1", "title": "Yes", "description": "really"}
MEDIA = {"id": "MID", "mime_type": "image/jpeg", "caption": "Menu", "url": "https://x.example/i"}


@pytest.mark.parametrize(
    ("kind", "given_object", "expected"),
    [
        ("text", {"body": "hi"}, {"type": "text", "body": "hi"}),
        ("image", MEDIA, {"type": "image", **MEDIA}),
        ("audio", {"id": "M", "voice": True}, {"type": "voice", "id": "M"}),
        ("audio", {"id": "M", "voice": False}, {"type": "audio", "id": "M"}),
        (
            "location",
            {"latitude": 55.7, "longitude": 13.1, "name": "Ideon", "else": 1},
            {"type": "location", "latitude": 55.7, "longitude": 13.1, "name": "Ideon"},
        ),
        (
            "contacts",
            [{"name": {"formatted_name": "Ada"}}],
            {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada"}}]},
        ),
        (
            "button",
            {"text": "Stop", "payload": "P"},
            {"type": "button", "text": "Stop", "payload": "P"},
        ),
        (
            "interactive",
            {"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}},
            {"type": "interactive", "message": {"type": "button", "id": "1", "title": "Yes"}},
        ),
        (
            "interactive",
            {"type": "list_reply", "list_reply": REPLY},
            {"type": "interactive", "message": {"type": "list", **REPLY}},
        ),
        (
            "interactive",
            {"type": "nfm_reply", "nfm_reply": {"name": "flow", "response_json": "{}"}},
            {
                "type": "interactive",
                "message": {"type": "nfm_reply", "name": "flow", "response_json": "{}"},
            },
        ),
        (
            "reaction",
            {"message_id": "wamid.0", "emoji": "👍"},
            {"type": "reaction", "message_id": "wamid.0", "emoji": "👍"},
        ),
    ],
)
def test_a_message_is_told_in_the_original_shape(
    kind: str, given_object: Any, expected: dict[str, Any]
) -> None:
    """SPEC 4: each type of message as the legacy API called it back."""
    assert told(inbound(kind, {kind: given_object}))["message"] == expected


@pytest.mark.parametrize("raw", [{}, {"poll": {"x": 1}}, {"poll": 7}])
def test_an_unknown_kind_is_an_error_row(raw: dict[str, Any]) -> None:
    """What the original had no shape for is told as its type `error`, with details."""
    message = told(inbound("poll", raw))["message"]
    assert message["type"] == "error"
    assert "poll" in message["details"]


def test_a_notification_says_who_whom_and_when() -> None:
    """SPEC 4: `from`, `to` (the bot), the provider's message id and its time."""
    row = told(inbound("image", {"image": {}}))
    assert (row["from"], row["to"], row["message_id"]) == ("46732001122", "shop", "wamid.A")
    assert row["timestamp"] == "2020-05-02T18:40:42Z"


@pytest.mark.parametrize("at", [None, -1, 2**62])
def test_an_unreadable_time_is_that_of_the_recording(at: int | None) -> None:
    """A notification always has a time."""
    assert told(inbound("text", {"text": {"body": "x"}}, at=at))["timestamp"] == (
        "2020-05-02T18:40:42Z"
    )


def test_a_reply_a_forward_and_an_ad_are_told() -> None:
    """SPEC 4: `replying_to`, `forwarded`, `frequently_forwarded` and `referral` go along."""
    raw = {
        "text": {"body": "x"},
        "context": {"from": "46850000000", "id": "wamid.0", "forwarded": True},
        "referral": {"source_type": "ad"},
    }
    row = told(inbound("text", raw))
    assert row["replying_to"] == {"message_id": "wamid.0", "from": "46850000000"}
    assert (row["forwarded"], row["referral"]) == (True, {"source_type": "ad"})
    assert "frequently_forwarded" not in row


def test_contacts_come_with_texts_only() -> None:
    """SPEC 4: the original sent the profile with text, contacts and location only."""
    texts = json.loads(
        notification_body(inbound("text", {"text": {}}, profile_name="Ada"), "shop", AT)
    )
    images = json.loads(notification_body(inbound("image", {"image": {}}), "shop", AT))
    assert texts["contacts"] == [{"profile": {"name": "Ada"}, "wa_id": "46732001122"}]
    assert "contacts" not in images


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KINDS = ("text", "image", "audio", "contacts", "interactive", "button", "location", "x")


@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from([*KINDS, "context", "referral"]), JSON),
    st.text(),
)
def test_any_object_makes_a_body(kind: str, raw: dict[str, Any], name: str) -> None:
    """SPEC 5: whatever a provider sends, the row is valid JSON and names a message type."""
    item = inbound(kind, raw, profile_name=name, identities=())
    assert told(item)["message"]["type"]


def test_a_lone_surrogate_makes_no_error() -> None:
    """Text that is no Unicode becomes a question mark."""
    assert told(inbound("text", {"text": {"body": "\ud800"}}))["message"]["body"] == "?"


def test_only_what_proves_a_webhook_is_relayed_with_it() -> None:
    """SPEC 4: signature headers of both providers and the content type; no credentials, no hops."""
    signatures = {
        "content-type": "application/json; charset=utf-8",
        "x-hub-signature-256": "sha256=ab",
        "x-hub-signature": "sha1=cd",
        "x-sinch-webhook-signature": "s",
        "x-sinch-webhook-signature-nonce": "n",
        "x-sinch-webhook-signature-timestamp": "1",
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }
    others = {"host": "h", "authorization": "Bearer x", "cookie": "c", "content-length": "9"}
    others |= {"x-forwarded-for": "192.0.2.1", "transfer-encoding": "chunked", "connection": "x"}
    given = {name.title(): value for name, value in (signatures | others).items()}
    assert relayed_headers(given) == signatures


def test_a_part_is_signed_anew_and_by_nothing_else() -> None:
    """As Meta signs, over the new bytes; the whole's signatures would not hold."""
    given = {"content-type": "application/json", "x-hub-signature": "sha1=cd"}
    given["x-hub-signature-256"] = "sha256=ab"
    # printf '{"entry":[]}' | openssl dgst -sha256 -hmac app-secret
    digest = "fe6aaed5aff30b5679e782271914a2287bdd7de6bedb495c95c24ad91e5e3fdb"
    assert signed_anew(given, "app-secret", b'{"entry":[]}') == {
        "content-type": "application/json",
        "x-hub-signature-256": f"sha256={digest}",
    }


def test_a_body_that_comes_again_is_another_relay() -> None:
    """The same body at another time has an id of its own; in a retried commit it keeps it."""
    one = relay_id("shop", "digest", AT)
    assert one == relay_id("shop", "digest", AT)
    others = {relay_id("shop", "digest", AT + 1), relay_id("shop", "other", AT)}
    assert one not in others | {relay_id("pub", "digest", AT)}
    assert one < relay_id("shop", "digest", AT + 1000)
