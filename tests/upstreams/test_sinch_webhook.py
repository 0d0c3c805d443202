"""Sinch's webhook: which signatures hold, and what each event says (SPEC 5, R3, R8 to R11)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sinch.domains.conversation.sinch_events.v1 import (  # type: ignore[import-untyped]
    ConversationSinchEvent,
)

from optin.domain.events import SECOND
from optin.domain.inbound import (
    IdentityChange,
    InboundMessage,
    NotUnderstood,
    ProviderConsent,
    ReportedError,
    SignedBy,
    StatusUpdate,
)
from optin.upstreams.sinch_webhook import WINDOW, SignatureCheck, parse, sign
from tests.domain.message_examples import JSON
from tests.upstreams.sinch_events import (
    ADA,
    APP,
    AT,
    SECRET,
    body_of,
    consent,
    event,
    failure,
    headers,
    inbound,
    report,
    signed,
    text,
)
from tests.vectors import load

BODY = body_of(text("Stopp, tack å så"))
[VECTOR] = load("signatures")["sinch_conversation"]


def holds(body: bytes, signature: SignedBy | None, *, secret: str = SECRET, now: int = AT) -> bool:
    return SignatureCheck(lambda: float(now))(secret, body, signature)


def only(given: Any) -> Any:
    """The one item of an event."""
    [item] = parse(body_of(given))
    return item


# --- the signature --------------------------------------------------------------------------------


def test_the_vector() -> None:
    """The computed vector holds, in its own time."""
    signature = SignedBy(VECTOR["signature"], VECTOR["nonce"], VECTOR["timestamp"], "HmacSHA256")
    body, now = VECTOR["body"].encode(), int(VECTOR["timestamp"])
    assert sign(VECTOR["secret"], body, signature.nonce, signature.at) == VECTOR["signature"]
    assert holds(body, signature, secret=VECTOR["secret"], now=now)


@pytest.mark.parametrize("damage", ["none", "value", "nonce", "timestamp", "body", "secret"])
def test_sinchs_own_validator_agrees(damage: str) -> None:
    """Sinch's SDK and we take and refuse the same signatures on our test bodies."""
    body, secret = BODY, SECRET
    signature = signed(body)
    match damage:
        case "value":
            signature = replace(signature, value=signature.value.swapcase())
        case "nonce":
            signature = replace(signature, nonce="other")
        case "timestamp":
            signature = replace(signature, at=str(AT + 1))
        case "body":
            body += b" "
        case "secret":
            secret = "other"
    theirs = ConversationSinchEvent(secret).validate_authentication_header(headers(signature), body)
    assert holds(body, signature, secret=secret) is theirs is (damage == "none")


@pytest.mark.parametrize(
    "signature",
    [
        None,
        SignedBy("", "", "", ""),
        replace(signed(BODY), value=""),
        replace(signed(BODY), value="\N{SNOWMAN}"),
        replace(signed(BODY), at=""),
        replace(signed(BODY), at="9" * 5000),
        replace(signed(BODY), at="\N{ARABIC-INDIC DIGIT ONE}"),
        replace(signed(BODY), algorithm="HmacSHA1"),
        replace(signed(BODY), algorithm="none"),
        signed(BODY, nonce=""),
        signed(BODY, secret=""),
    ],
)
def test_a_wrong_signature(signature: SignedBy | None) -> None:
    """Missing or odd parts, another algorithm, no nonce: none of it signs anything."""
    assert not holds(BODY, signature)


def test_without_a_secret_nothing_holds() -> None:
    """A bot without a secret believes nobody, not even who signs with an empty one."""
    assert not holds(BODY, signed(BODY, secret=""), secret="")


@pytest.mark.parametrize("algorithm", ["", "HmacSHA256", "HMACSHA256"])
def test_the_algorithm_may_go_unnamed(algorithm: str) -> None:
    """There is only one, however it is spelled."""
    assert holds(BODY, replace(signed(BODY), algorithm=algorithm))


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0, True), (WINDOW, True), (WINDOW + 1, False), (-WINDOW, True), (-WINDOW - 1, False)],
)
def test_the_age_limit(age: int, expected: bool) -> None:
    """Two days, to both sides; a time in milliseconds means the same."""
    assert holds(BODY, signed(BODY), now=AT + age) is expected
    assert holds(BODY, signed(BODY, at=AT * 1000), now=AT + age) is expected


def test_the_window_holds_sinchs_retries() -> None:
    """5 s doubling to 81,920 s adds up to less than the window."""
    assert sum(5 << n for n in range(15)) < WINDOW


# --- messages -------------------------------------------------------------------------------------


def test_a_text() -> None:
    """Who wrote what and when, by Sinch's id; the app stands for the business number."""
    assert only(text("STOP")) == InboundMessage(
        phone_number_id=APP,
        identities=(ADA,),
        upstream_id="01IN",
        at=AT * SECOND,
        unit=SECOND,
        type="text",
        texts=("STOP",),
        opens_session=True,
        raw={"text": {"body": "STOP"}},
    )


FORM = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "response_json": "{}", "body": "Sent"}}
CONTENTS: dict[str, tuple[Any, str, tuple[str, ...], dict[str, Any]]] = {
    "choice": (
        {"choice_response_message": {"message_id": "01MSG", "postback_data": "STOP"}},
        "button",
        ("STOP",),
        {"button": {"payload": "STOP", "text": "STOP"}},
    ),
    "choice without data of ours": (
        {"choice_response_message": {"message_id": "01MSG", "postback_data": "01MSG_Stop it"}},
        "button",
        ("01MSG_Stop it", "Stop it"),
        {"button": {"payload": "01MSG_Stop it", "text": "Stop it"}},
    ),
    "media": (
        {"media_message": {"url": "https://cdn.example/a.JPG?x=1"}},
        "image",
        (),
        {"image": {"url": "https://cdn.example/a.JPG?x=1"}},
    ),
    "media of no known kind": (
        {"media_message": {"url": "https://[cdn"}},
        "document",
        (),
        {"document": {"url": "https://[cdn"}},
    ),
    "media with a caption": (
        {"media_card_message": {"url": "https://cdn.example/a.mp4", "caption": "Stop"}},
        "video",
        ("Stop",),
        {"video": {"url": "https://cdn.example/a.mp4", "caption": "Stop"}},
    ),
    "location": (
        {
            "location_message": {
                "title": "Desk",
                "label": "",
                "coordinates": {"latitude": 55.7, "longitude": 13},
            }
        },
        "location",
        (),
        {"location": {"latitude": 55.7, "longitude": 13, "name": "Desk", "address": None}},
    ),
    "order": (
        {
            "product_response_message": {
                "products": [{"id": "1", "marketplace": "x"}],
                "title": "stop",
                "catalog_id": "c",
            }
        },
        "order",
        ("stop",),
        {
            "order": {
                "catalog_id": "c",
                "text": "stop",
                "product_items": [{"id": "1", "marketplace": "x"}],
            }
        },
    ),
    "form": (
        {"channel_specific_message": {"message_type": "nfm_reply", "message": FORM}},
        "interactive",
        (),
        {"interactive": FORM},
    ),
    "fallback, not JSON": (
        {"fallback_message": {"raw_message": "stop"}},
        "unsupported",
        ("stop",),
        {},
    ),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_each_content(name: str) -> None:
    """Type, places where a keyword can sit, what is told on; each opens a session (R9, R10)."""
    content, kind, texts, raw = CONTENTS[name]
    item = only(inbound(content))
    assert isinstance(item, InboundMessage)
    assert (item.type, item.texts, item.raw) == (kind, texts, raw)
    assert item.opens_session
    assert item.is_reply is (kind in ("button", "interactive"))


@pytest.mark.parametrize("name", CONTENTS)
def test_the_sdk_reads_the_same_message(name: str) -> None:
    """Our test bodies are Sinch's: its SDK parses each, to the same sender, id and time."""
    body = body_of(inbound(CONTENTS[name][0]))
    theirs = ConversationSinchEvent().parse_event(body).message
    ours = only(json.loads(body))
    assert (theirs.id, theirs.channel_identity.identity) == (ours.upstream_id, *ours.identities)
    sent = theirs.contact_message.model_dump(mode="json", exclude_none=True)
    given = json.loads(body)["message"]["contact_message"]
    assert sent == given


RAW: dict[str, tuple[dict[str, Any], bool, tuple[str, ...]]] = {
    "reaction": ({"type": "reaction", "reaction": {"message_id": "w", "emoji": "x"}}, True, ()),
    "reaction taken back": ({"type": "reaction", "reaction": {"message_id": "w"}}, False, ()),
    "system": ({"type": "system", "system": {"body": "changed"}}, False, ()),
    "revoke": ({"type": "revoke", "revoke": {"original_message_id": "w"}}, False, ()),
    "edit": (
        {"type": "edit", "edit": {"message": {"type": "text", "text": {"body": "STOP"}}}},
        False,
        ("STOP",),
    ),
    "unavailable": ({"type": "unsupported", "errors": [{"code": 131060}]}, False, ()),
    "unsupported": ({"type": "unsupported", "errors": [{"code": 131051}]}, True, ()),
    "button": ({"type": "button", "button": {"text": "Stop", "payload": "P"}}, True, ("Stop", "P")),
}


@pytest.mark.parametrize("name", RAW)
def test_a_fallback_is_read_as_whatsapp_sent_it(name: str) -> None:
    """R9, R10: what Sinch has no type for opens a session only if WhatsApp's own type does."""
    raw, opens, texts = RAW[name]
    item = only(inbound({"fallback_message": {"raw_message": json.dumps(raw)}}))
    assert isinstance(item, InboundMessage)
    assert (item.type, item.opens_session, item.texts) == (raw["type"], opens, texts)
    assert (item.identities, item.upstream_id) == ((ADA,), "01IN")


@pytest.mark.parametrize("time", [{"timestamp": str(AT)}, {}])
def test_a_new_number(time: dict[str, str]) -> None:
    """R11: a change of number comes as WhatsApp sent it, at WhatsApp's time or else Sinch's."""
    system = {"type": "user_changed_number", "wa_id": "46709998877"}
    raw = {"from": ADA, "id": "w", "type": "system", "system": system, **time}
    item = only(inbound({"fallback_message": {"raw_message": json.dumps(raw)}}))
    assert item == IdentityChange(APP, (ADA,), ("46709998877",), AT * SECOND, SECOND)


def test_a_fallback_in_a_group_says_nothing() -> None:
    """Group traffic is told by its group id, wherever it comes from."""
    raw = {"type": "text", "text": {"body": "STOP"}, "group_id": "g", "from": "1", "id": "w"}
    item = only(inbound({"fallback_message": {"raw_message": json.dumps(raw)}}))
    assert (item.group, item.opens_session, item.texts) == (True, False, ())


@pytest.mark.parametrize("content", [{}, {"new_message": {"x": 1}}, None, {"text_message": 5}])
def test_an_unknown_content_opens_a_session(content: Any) -> None:
    """R9: a message of an unknown kind has a sender all the same."""
    item = only(inbound(content))
    assert (item.type, item.opens_session, item.texts) == ("unknown", True, ())


def test_what_a_message_answers() -> None:
    """The message that it replies to is told on."""
    content = {"text_message": {"text": "Yes"}, "reply_to": {"message_id": "01MSG"}}
    assert only(inbound(content)).raw == {"text": {"body": "Yes"}, "context": {"id": "01MSG"}}


@pytest.mark.parametrize(
    ("given", "identity"),
    [
        ("+46701740605", ADA),
        (" 46701740605 ", ADA),
        ("SE.1349120865530274", "SE.1349120865530274"),
        ("0701740605", "0701740605"),
    ],
)
def test_identities_are_taken_as_they_come(given: str, identity: str) -> None:
    """H3, R11: only a plus and white space are no part of an identity."""
    who = {"channel": "WHATSAPP", "identity": given}
    assert only(text("Hi", channel_identity=who)).identities == (identity,)


@pytest.mark.parametrize(
    "given",
    [
        text("STOP", channel_identity={"channel": "SMS", "identity": ADA}),
        text("STOP", channel_identity={"identity": ADA}, channel="MESSENGER"),
        inbound(None, direction="TO_CONTACT"),
        inbound(None, app_message={"text_message": {"text": "STOP"}}),
        event(message_submit_notification={}),
        event(event={"contact_event": {}}),
        event(conversation_start_notification={}),
        event(contact_merge_notification={}),
        consent("opt_in", "OPT_IN_SUCCEEDED", channel="SMS"),
        consent("opt_out", "OPT_OUT_SUCCEEDED", channel="MESSENGER"),
    ],
)
def test_what_says_nothing_about_this_bot(given: Any) -> None:
    """Other channels, our own messages and events about something else leave no trace."""
    assert parse(body_of(given)) == ()


def test_a_message_without_a_channel_opens_nothing() -> None:
    """In doubt, block: its STOP counts, but it is no proof that somebody wrote on WhatsApp."""
    item = only(text("STOP", channel_identity={"identity": ADA}))
    assert (item.texts, item.opens_session) == (("STOP",), False)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (text("START", injected=True), "a message that was put in by the business"),
        (text("Hi", ""), "a message without an id"),
        (text("Hi", channel_identity={"channel": "WHATSAPP"}), "a message without a sender"),
        (
            text("Hi", channel_identity={"channel": "WHATSAPP", "identity": "x" * 201}),
            "a message without a sender",
        ),
        (event(message=[]), "a message that is no object"),
        ({**text("Hi"), "app_id": ""}, "an event that names no app"),
        (event(unsupported_callback={"payload": "{}"}), "an event of an unknown kind"),
        (report(""), "a report that says nothing"),
        (report("READ", message_id=""), "a report without a message id"),
        (consent("opt_out", "OPT_OUT_SUCCEEDED", identity=""), "a consent of nobody"),
        (consent("opt_in", "OPT_IN_FAILED"), "an opt-in that did not succeed"),
        (consent("opt_in", "OPT_IN_STATUS_UNSPECIFIED"), "an opt-in that did not succeed"),
        (event(opt_out_notification=None), "a consent of nobody"),
    ],
)
def test_what_is_not_understood_is_kept(given: Any, reason: str) -> None:
    """It comes back whole, with the reason, to be stored (SPEC 5)."""
    body = body_of(given)
    assert parse(body) == (NotUnderstood(given["app_id"] or None, reason, body),)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"STOP"', b"\xff", b"[" * 100_000])
def test_what_is_no_event_is_kept(body: bytes) -> None:
    """No bytes make the parser raise."""
    [item] = parse(body)
    assert isinstance(item, NotUnderstood)
    assert item.raw == body


# --- reports and consents -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        ("QUEUED_ON_CHANNEL", "sent"),
        ("DELIVERED", "delivered"),
        ("READ", "read"),
        ("FAILED", "failed"),
        ("SWITCHING_CHANNEL", "SWITCHING_CHANNEL"),
    ],
)
def test_a_report(status: str, ours: str) -> None:
    """What became of our message, by our own id; the SDK reads the same."""
    given = report(status, "01MESSAGE")
    assert only(given) == StatusUpdate(
        phone_number_id=APP,
        upstream_id="01MSG",
        correlation="01MESSAGE",
        status=ours,
        at=AT * SECOND,
        unit=SECOND,
        identities=(ADA,),
    )
    theirs = ConversationSinchEvent().parse_event(body_of(given))
    assert theirs.message_delivery_report.status == status
    assert theirs.correlation_id == "01MESSAGE"


@pytest.mark.parametrize(
    ("code", "number"),
    [("131047", 131047), ("131050", 131050), ("", 0), ("x", 0), ("9" * 5000, 0)],
)
def test_the_reason_of_a_failure(code: str, number: int) -> None:
    """WhatsApp's own code where it has one; only 131050 is a marketing stop (R8)."""
    item = only(report("FAILED", **failure(code)))
    assert item.errors == (ReportedError(number, "CHANNEL_REJECT: No."),)
    assert item.marketing_stopped is (code == "131050")


def test_an_opt_in() -> None:
    """Sinch's own opt-in, with what it says of it as evidence."""
    assert only(consent("opt_in", "OPT_IN_SUCCEEDED")) == ProviderConsent(
        phone_number_id=APP,
        identities=(ADA,),
        opted_in=True,
        at=AT * SECOND,
        unit=SECOND,
        request_id="R1",
        evidence={
            "provider": "sinch",
            "status": "OPT_IN_SUCCEEDED",
            "channel": "WHATSAPP",
            "request_id": "R1",
            "contact_id": "01CON",
            "processing_mode": "CONVERSATION",
        },
    )


@pytest.mark.parametrize("channel", ["WHATSAPP", "SMS", "RCS", "VIBERBM", ""])
@pytest.mark.parametrize("status", ["OPT_OUT_SUCCEEDED", "OPT_OUT_FAILED", ""])
def test_every_opt_out_counts(status: str, channel: str) -> None:
    """One that Sinch failed to note is a wish all the same, on any channel by phone number."""
    item = only(consent("opt_out", status, channel=channel))
    assert isinstance(item, ProviderConsent)
    assert (item.opted_in, item.identities) == (False, (ADA,))


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "after", "unit"),
    [
        ("2026-11-23T10:00:00Z", 0, SECOND),
        ("2026-11-23T10:00:00.000Z", 0, SECOND),
        ("2026-11-23T10:00:00.25Z", 250_000, 1_000),
        ("2026-11-23T10:00:00.250000Z", 250_000, 1_000),
        ("2026-11-23T10:00:00.2501Z", 250_100, 1),
        ("2026-11-23T10:00:00.892757478Z", 892_757, 1),
        ("2026-11-23T11:00:00+01:00", 0, SECOND),
        ("2026-11-23T10:00:00.5", 500_000, 1_000),
    ],
)
def test_times(given: str, after: int, unit: int) -> None:
    """RFC 3339 of any fineness; zeros that pad make a time no finer (R3)."""
    item = only({**text("Hi"), "event_time": given})
    assert (item.at, item.unit) == (AT * SECOND + after, unit)


@pytest.mark.parametrize(
    ("event_time", "accept_time", "accepted_time", "after"),
    [
        ("yesterday", "2026-11-23T10:00:01Z", "2026-11-23T10:00:02Z", 1),
        (None, "2026-11-23T10:00:01Z", "2026-11-23T10:00:02Z", 1),
        (None, 5, "2026-11-23T10:00:02Z", 2),
        (None, None, "2026-13-23T10:00:02Z", None),
    ],
)
def test_which_time_counts(
    event_time: Any, accept_time: Any, accepted_time: Any, after: int | None
) -> None:
    """WhatsApp's own, else when Sinch took it in; None if none can be read."""
    given = text("Hi", accept_time=accept_time)
    given |= {"event_time": event_time, "accepted_time": accepted_time}
    assert only(given).at == (None if after is None else (AT + after) * SECOND)


@given(
    st.sampled_from(["message", "message_delivery_report", "opt_in_notification", "app_id"])
    | st.sampled_from(["opt_out_notification", "event_time", "x"]),
    JSON,
    st.dictionaries(st.sampled_from(["id", "channel_identity", "contact_message"]), JSON),
)
def test_no_event_makes_it_raise(name: str, value: Any, members: Any) -> None:
    """Whatever stands anywhere in an event, each item comes out whole or not understood."""
    message = inbound({"text_message": {"text": "x"}}, **members)
    for broken in ({**text("Hi"), name: value}, message):
        for item in parse(json.dumps(broken).encode()):
            if isinstance(item, InboundMessage):
                assert all(item.identities)
                assert item.upstream_id
                assert all(item.texts)
                assert json.loads(json.dumps(item.raw)) == item.raw
