"""Meta's webhook bodies in, inbound items out (SPEC 5, R9, R10)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.events import SECOND
from optin.domain.inbound import (
    IdentityChange,
    InboundMessage,
    Item,
    NotUnderstood,
    Preference,
    ReportedError,
    StatusUpdate,
    TemplateUpdate,
)
from optin.upstreams.meta_webhook import parse, sign, valid_signature
from tests import vectors
from tests.upstreams import meta_bodies as meta
from tests.upstreams.meta_bodies import AT, BOTH, BSUID, CONTACT, NUMBER, PHONE, message, one

SIGNATURES = vectors.load("signatures")["meta"]


def only(body: bytes) -> Item:
    (item,) = parse(body)
    return item


def read(item: dict[str, Any], **lists: Any) -> InboundMessage:
    read = only(one(item, **lists))
    assert isinstance(read, InboundMessage), read
    return read


# --- the signature --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", SIGNATURES)
def test_the_signature_of_the_vectors(case: dict[str, str]) -> None:
    """What Meta computes is what we compute, and accept."""
    body = case["body"].encode()
    assert sign(case["app_secret"], body) == case["header"]
    assert valid_signature(case["app_secret"], body, case["header"])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        SIGNATURES[0]["header"].removeprefix("sha256="),
        SIGNATURES[0]["header"].upper(),
        SIGNATURES[0]["header"].replace("d3e4", "D3E4"),
        SIGNATURES[0]["header"].replace("sha256", "sha1"),
        SIGNATURES[0]["header"] + "0",
        SIGNATURES[0]["header"] + "\n",
        " " + SIGNATURES[0]["header"],
        SIGNATURES[0]["header"][:-1] + "0",
        "sha256=" + "\u00e9" * 64,
        "sha256=" + "\u0663" * 64,
    ],
)
def test_any_other_header_is_refused(header: str | None) -> None:
    """The header's form is exact: prefix, 64 lower-case hex digits, nothing around them."""
    case = SIGNATURES[0]
    assert not valid_signature(case["app_secret"], case["body"].encode(), header)


def test_bytes_are_signed_not_meanings() -> None:
    """The same JSON with one more space has another signature, and so has another secret."""
    case = SIGNATURES[0]
    assert not valid_signature(case["app_secret"], case["body"].encode() + b" ", case["header"])
    assert not valid_signature("other", case["body"].encode(), case["header"])


def test_without_a_secret_nothing_is_valid() -> None:
    """A bot without app secret accepts no signature, not even one made with the empty key."""
    assert not valid_signature("", b"{}", sign("", b"{}"))


# --- messages -------------------------------------------------------------------------------------


def test_a_text_message() -> None:
    """A message with phone and BSUID becomes one item with both, its time, text and sender."""
    assert read(BOTH, contacts=[CONTACT]) == InboundMessage(
        phone_number_id=NUMBER,
        identities=(PHONE, BSUID),
        upstream_id="wamid.A",
        at=AT * SECOND,
        type="text",
        opens_session=True,
        unit=SECOND,
        texts=("Hello",),
        profile_name="Ada",
        raw=BOTH,
    )


@pytest.mark.parametrize(
    ("sender", "contacts", "identities"),
    [
        ({}, [], (PHONE,)),
        ({"from": None, "from_user_id": BSUID}, [], (BSUID,)),
        ({"from": BSUID}, [{"wa_id": BSUID}], (BSUID,)),
        ({"from": BSUID, "from_user_id": BSUID}, [], (BSUID,)),
        ({"from_parent_user_id": "SE.ENT.p"}, [], (PHONE, "SE.ENT.p")),
        ({"from": f"+{PHONE}"}, [], (PHONE,)),
        ({"from": int(PHONE)}, [], (PHONE,)),
        ({"from": "0732001122"}, [], ("0732001122",)),
        ({"from": ["x"], "from_user_id": BSUID}, [], (BSUID,)),
        ({}, [{"wa_id": "46700000000", "user_id": "SE.other"}, CONTACT], (PHONE, BSUID)),
        ({}, [{"wa_id": "46700000000", "user_id": "SE.other"}], (PHONE,)),
        ({"from": None, "from_user_id": BSUID}, [CONTACT], (BSUID, PHONE)),
    ],
)
def test_who_sent_it(
    sender: dict[str, Any], contacts: list[Any], identities: tuple[str, ...]
) -> None:
    """Identities are taken as they come, from either field; contacts join by id, never by place."""
    assert read(message(**sender), contacts=contacts).identities == identities


@pytest.mark.parametrize(
    "item",
    [
        message(**{"from": None}),
        message(**{"from": ""}),
        message(**{"from": "x" * 201}),
        message(id=None),
        message(id=7),
        "a text",
        None,
        7,
        [],
    ],
)
def test_a_broken_message_is_kept(item: Any) -> None:
    """Without sender or id it is not understood; the raw part can be parsed again by itself."""
    body = meta.body(meta.change(meta.value(messages=[message(id="wamid.1"), item])))
    good, broken = parse(body)
    assert isinstance(good, InboundMessage)
    assert isinstance(broken, NotUnderstood)
    assert broken.phone_number_id == NUMBER
    assert parse(broken.raw) == (broken,)


OPENING = [
    message(),
    message("image", {"id": "1"}),
    message("audio", {"id": "1", "voice": True}),
    message("video", {"id": "1"}),
    message("document", {"id": "1"}),
    message("sticker", {"id": "1"}),
    message("location", {"latitude": 1, "longitude": 2}),
    message("contacts", [{"name": {"formatted_name": "Bo"}}]),
    message("button", {"text": "Yes", "payload": "y"}),
    message("interactive", {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent"}}),
    message("reaction", {"message_id": "wamid.0", "emoji": "\N{THUMBS UP SIGN}"}),
    message("order", {"catalog_id": "1", "product_items": []}),
    message("unsupported", {"type": "poll_creation"}, errors=[{"code": 131051}]),
    message("unknown", errors=[{"code": 131051, "title": "Unsupported"}]),
    message("something_new", {"x": 1}),
    message(**{"type": None}),
]
NOT_OPENING = [
    message("system", {"type": "customer_identity_changed", "body": "Ada changed"}),
    message("edit", meta.EDIT),
    message("revoke", {"original_message_id": "wamid.0"}),
    message("request_welcome"),
    message("unsupported", errors=[{"code": 131060}]),
    message("unsupported", errors=[{"code": 131051}, {"code": "131060"}]),
    message("unknown", errors=[{"code": 131060}]),
    message("unsupported", {"type": "edit"}, errors=[{"code": 131051}]),
    message("reaction", {"message_id": "wamid.0", "emoji": ""}),
    message("reaction", {"message_id": "wamid.0"}),
    message(group_id="G1"),
]


@pytest.mark.parametrize("item", OPENING, ids=lambda item: str(item.get("type")))
def test_what_opens_a_session(item: dict[str, Any]) -> None:
    """Whatever the contact sends opens a session (R9)."""
    assert read(item).opens_session


@pytest.mark.parametrize("item", NOT_OPENING, ids=lambda item: str(item.get("type")))
def test_what_opens_none(item: dict[str, Any]) -> None:
    """System messages, edits, what was taken back or cannot be known, and groups do not (R9)."""
    assert not read(item).opens_session


BUTTON_REPLY = {"type": "button_reply", "button_reply": {"id": "stop-1", "title": "Stop"}}
LIST_REPLY = {
    "type": "list_reply",
    "list_reply": {"id": "row-1", "title": "STOP", "description": "x"},
}


@pytest.mark.parametrize(
    ("item", "texts", "is_reply"),
    [
        (message("text", {"body": "STOP"}), ("STOP",), False),
        (message("image", {"caption": "Stop"}), ("Stop",), False),
        (message("video", {"caption": "Stop"}), ("Stop",), False),
        (message("document", {"caption": "Stop", "filename": "END"}), ("Stop",), False),
        (message("button", {"text": "Stop", "payload": "P"}), ("Stop", "P"), True),
        (message("button", {"text": "Stop", "payload": "Stop"}), ("Stop",), True),
        (message("interactive", BUTTON_REPLY), ("Stop", "stop-1"), True),
        (message("interactive", LIST_REPLY), ("STOP", "row-1"), True),
        (message("edit", meta.EDIT), ("STOP",), False),
        (message("edit", {"message": {"image": {"caption": "Stop"}}}), ("Stop",), False),
        (message("system", {"type": "customer_identity_changed", "body": "STOP"}), (), False),
        (message("revoke", {"original_message_id": "x"}, text={"body": "STOP"}), (), False),
        (message("text", {"body": "STOP"}, group_id="G1"), (), False),
        (message("text", {"body": ["STOP"]}), (), False),
        (message("text", "STOP"), (), False),
        (message("location", {"name": "STOP"}), (), False),
    ],
)
def test_where_a_keyword_can_sit(
    item: dict[str, Any], texts: tuple[str, ...], is_reply: bool
) -> None:
    """Every place of R10 is read, and no other; a group's words are nobody's request to the bot."""
    found = read(item)
    assert sorted(found.texts) == sorted(texts)
    assert found.is_reply is is_reply


def test_group_traffic_is_marked() -> None:
    """Group traffic says nothing about the bot, and the item says so."""
    assert read(message(group_id="G1")).group
    assert not read(message()).group


@pytest.mark.parametrize(
    ("stamp", "at", "unit"),
    [
        ("1795430000", AT * SECOND, SECOND),
        (1_795_430_000, AT * SECOND, SECOND),
        ("1795430000123", 1_795_430_000_123_000, 1000),
        (1_795_430_000_123, 1_795_430_000_123_000, 1000),
        ("999999999999", 999_999_999_999 * SECOND, SECOND),
        ("1000000000000", 10**15, 1000),
        ("soon", None, SECOND),
        ("", None, SECOND),
        ("0", None, SECOND),
        ("-5", None, SECOND),
        (-5, None, SECOND),
        (1.5, None, SECOND),
        (True, None, SECOND),
        ({}, None, SECOND),
        ("\u0661\u0662", None, SECOND),
        ("9" * 5000, None, SECOND),
        (None, None, SECOND),
    ],
)
def test_times(stamp: Any, at: int | None, unit: int) -> None:
    """Seconds or milliseconds, text or number; what cannot be read is None, never a guess."""
    found = read(message(timestamp=stamp))
    assert (found.at, found.unit) == (at, unit)


def test_an_endless_number_drops_nobody() -> None:
    """A number too long for any reader spoils its own time only."""
    body = meta.body(meta.change(meta.value(messages=[message(), message(timestamp=123456)])))
    first, second = parse(body.replace(b"123456", b"9" * 10_000))
    assert isinstance(first, InboundMessage)
    assert isinstance(second, InboundMessage)
    assert (first.at, second.at) == (AT * SECOND, None)


# --- statuses, preferences, calls -----------------------------------------------------------------


def test_a_status() -> None:
    """A status carries our id, the provider's, the person and the errors."""
    assert only(one(meta.STATUS, "statuses")) == StatusUpdate(
        phone_number_id=NUMBER,
        upstream_id="wamid.B",
        correlation="01J9Z8",
        status="failed",
        at=1_795_430_100 * SECOND,
        unit=SECOND,
        identities=(PHONE,),
        errors=(ReportedError(131050, "The user stopped marketing."),),
    )


def test_a_status_names_phone_and_bsuid() -> None:
    """`recipient_user_id` and the status's contacts are the same person (R11)."""
    status = {"id": "wamid.B", "status": "sent", "timestamp": "1", "recipient_user_id": BSUID}
    item = only(one(status, "statuses", contacts=[CONTACT]))
    assert isinstance(item, StatusUpdate)
    assert item.identities == (BSUID, PHONE)
    assert (item.correlation, item.errors) == ("", ())


def test_a_status_of_a_group_names_nobody() -> None:
    """The recipient of a group message is the group, which is no person."""
    status = meta.STATUS | {"recipient_type": "group", "recipient_id": "G1"}
    item = only(one(status, "statuses"))
    assert isinstance(item, StatusUpdate)
    assert item.identities == ()


@pytest.mark.parametrize("value", ["stop", "resume", "signup"])
def test_a_preference(value: str) -> None:
    """The provider's word is passed on; every element of the list counts."""
    other = {"user_id": "SE.2", "category": "x", "value": "stop", "timestamp": "bad"}
    lists = meta.value(user_preferences=[meta.PREFERENCE | {"value": value}, other])
    assert parse(meta.body(meta.change(lists, "user_preferences"))) == (
        Preference(
            NUMBER, (PHONE, BSUID), value, "marketing_messages", 1_795_430_200 * SECOND, SECOND
        ),
        Preference(NUMBER, ("SE.2",), "stop", "x", None, SECOND),
    )


def test_a_call_from_the_contact_opens_a_session() -> None:
    """A call that the contact starts counts like a message (R9)."""
    item = only(one(meta.CALL, "calls"))
    assert isinstance(item, InboundMessage)
    assert (item.type, item.opens_session, item.identities) == ("call", True, (PHONE,))
    assert (item.upstream_id, item.at, item.texts) == ("wacid.C", 1_795_430_300 * SECOND, ())


@pytest.mark.parametrize("change", [{"event": "terminate"}, {"direction": "BUSINESS_INITIATED"}])
def test_other_events_of_calls_say_nothing(change: dict[str, str]) -> None:
    """Our own calls and the end of a call open nothing and need no attention."""
    assert parse(one(meta.CALL | change, "calls")) == ()


def test_a_call_of_unknown_direction_opens_nothing() -> None:
    """A call that does not say who started it is kept, not counted."""
    assert isinstance(only(one(meta.CALL | {"direction": None}, "calls")), NotUnderstood)


# --- the envelope ---------------------------------------------------------------------------------


def test_standby_counts_like_any_message() -> None:
    """While Meta's agent has the thread a STOP comes one level deeper, and is found there."""
    standby = {"contacts": [CONTACT], "messages": [message("text", {"body": "Stop"})]}
    item = only(meta.body(meta.change(meta.value(standby=standby), "standby")))
    assert isinstance(item, InboundMessage)
    assert (item.texts, item.identities) == (("Stop",), (PHONE, BSUID))
    both = meta.value(standby={"statuses": [meta.STATUS]}, messages=[message()])
    found = parse(meta.body(meta.change(both, "standby")))
    assert {type(item) for item in found} == {InboundMessage, StatusUpdate}


@pytest.mark.parametrize(
    "content",
    [
        meta.value(standby={}),
        meta.value(standby={"message_echoes": [message()]}),
        meta.value(message_echoes=[message()]),
        meta.value(user_actions=[{"action_type": "click"}]),
        meta.value(messages=[]),
        meta.value(messages=None, statuses=[]),
        meta.value(contacts=[CONTACT]),
    ],
)
def test_what_says_nothing(content: dict[str, Any]) -> None:
    """Echoes, clicks and empty envelopes are known, and give no item."""
    assert parse(meta.body(meta.change(content))) == ()


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (meta.change({"event": "DISABLED_UPDATE"}, "account_update"), None),
        (meta.change(meta.value(history=[{"phase": 0}]), "history"), NUMBER),
        (meta.change(meta.value(errors=[{"code": 130429}])), NUMBER),
        (meta.change(meta.value(messages={"0": message()})), NUMBER),
        (meta.change(meta.value(None, messages=[message()])), None),
        (meta.change(meta.value(metadata=[])), None),
        (meta.change(None), None),
        (meta.change([message()]), None),
        ("a change", None),
    ],
)
def test_what_is_not_understood_is_kept(change: Any, number: str | None) -> None:
    """Unknown fields and shapes are kept whole beside their neighbours, which count."""
    good = meta.change(meta.value(messages=[message()]))
    first, unclear, last = parse(meta.body(good, change, good))
    assert isinstance(first, InboundMessage)
    assert isinstance(last, InboundMessage)
    assert isinstance(unclear, NotUnderstood)
    assert unclear.phone_number_id == number
    assert parse(unclear.raw) == (unclear,)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"entry":{}}',
        b'{"entry":null}',
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"entry":' + b"[" * 100_000,
    ],
)
def test_no_envelope_is_one_item(body: bytes) -> None:
    """What has no entries at all is kept byte for byte."""
    item = only(body)
    assert isinstance(item, NotUnderstood)
    assert (item.phone_number_id, item.raw) == (None, body)


def test_a_broken_entry_drops_no_neighbour() -> None:
    """Entries without changes are kept, those with changes count."""
    good = json.loads(meta.body(meta.change(meta.value(messages=[message()]))))["entry"][0]
    items = parse(json.dumps({"entry": [None, good, {"id": "x"}, good, 5]}).encode())
    kinds = [type(item) for item in items]
    assert kinds == [NotUnderstood, InboundMessage, NotUnderstood, InboundMessage, NotUnderstood]


def test_every_change_keeps_its_own_number() -> None:
    """One body may be about several business numbers; order is kept."""
    changes = (meta.change(meta.value(n, messages=[message(id=n)])) for n in ("P2", "P1", "P3"))
    items = parse(meta.body(*changes))
    assert [getattr(item, "phone_number_id", None) for item in items] == ["P2", "P1", "P3"]


def test_nothing_to_tell() -> None:
    """A body without entries says nothing."""
    assert parse(SIGNATURES[0]["body"].encode()) == ()


def test_texts_become_storable() -> None:
    """U+0000 and lone surrogates become U+FFFD everywhere; pairs stay the letters they are."""
    item = read(message("text", {"body": "a\0b\ud800c\U0001f600", "k\udfff": "\0"}))
    assert item.texts == ("a\ufffdb\ufffdc\U0001f600",)
    assert item.raw["text"] == {"body": "a\ufffdb\ufffdc\U0001f600", "k\ufffd": "\ufffd"}


def test_what_is_no_json_value_becomes_null() -> None:
    """Infinite numbers and endless depth leave an item that every store can keep."""
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    body = one(message(deep=deep, big=777777)).replace(b"777777", b"1e999")
    item = only(body.replace(b'"deep"', b'"n":NaN,"m":-Infinity,"deep"'))
    assert isinstance(item, InboundMessage)
    assert item.raw["big"] is item.raw["n"] is item.raw["m"] is None
    assert "x" not in json.dumps(item.raw["deep"], allow_nan=False)


# --- whatever the bytes ---------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    """Bytes that nobody composed never raise, and are kept."""
    assert all(isinstance(item, NotUnderstood) for item in parse(body))


@given(st.sampled_from(meta.BODIES), st.data())
def test_cut_and_flipped_bodies(body: bytes, data: st.DataObject) -> None:
    """Real bodies with bytes replaced, removed or added never raise."""
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(start + 20, len(body))))
    usable(parse(body[:start] + data.draw(st.binary(max_size=20)) + body[end:]))


@given(st.sampled_from(meta.BODIES), st.data())
def test_bodies_with_odd_members(body: bytes, data: st.DataObject) -> None:
    """Real bodies with any part replaced by any JSON value never raise, and their items fit."""
    usable(parse(json.dumps(replaced(json.loads(body), data)).encode()))


@given(JSON)
def test_an_odd_item_never_drops_its_neighbours(odd: Any) -> None:
    """Whatever stands between two good messages, both are found."""
    items = parse(meta.body(meta.change(meta.value(messages=[message(), odd, message(id="z")]))))
    ids = [item.upstream_id for item in items if isinstance(item, InboundMessage)]
    assert ids[0] == "wamid.A"
    assert ids[-1] == "z"


def replaced(value: Any, data: st.DataObject) -> Any:
    """`value` with one part, at any depth, replaced by something else."""
    members: list[Any] = []
    if isinstance(value, dict):
        members = list(value)
    elif isinstance(value, list):
        members = list(range(len(value)))
    if not members or data.draw(st.integers(0, 9)) == 0:
        return data.draw(JSON)
    chosen = data.draw(st.sampled_from(members))
    value[chosen] = replaced(value[chosen], data)
    return value


def usable(items: tuple[Item, ...]) -> None:
    """What every receiver relies on."""
    for item in items:
        if isinstance(item, NotUnderstood):
            assert item.reason
            continue
        if isinstance(item, TemplateUpdate):
            assert item.name
            continue
        assert item.phone_number_id
        assert item.at is None or item.at > 0
        named = item.old if isinstance(item, IdentityChange) else item.identities
        assert all(named)
        if isinstance(item, InboundMessage):
            assert item.identities
            json.dumps(item.raw, allow_nan=False).encode()
