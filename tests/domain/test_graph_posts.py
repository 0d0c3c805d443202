"""Reading what Cloud API clients post: what is judged is what Meta will act on (SPEC 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.errors import InvalidIdentity, InvalidInput
from optin.domain.graph_posts import GraphMessage, Receipt, parse_post

BSUID = "SE.1349120865530274"
TEXT: dict[str, Any] = {
    "messaging_product": "whatsapp",
    "to": "+46732001122",
    "type": "text",
    "text": {"body": "Hej, å!"},
}
TEMPLATE = {"name": "order_ready", "language": {"code": "en-us"}}


def parsed(**changes: Any) -> GraphMessage:
    found = parse_post(as_json(**changes))
    assert isinstance(found, GraphMessage)
    return found


def as_json(**changes: Any) -> bytes:
    return json.dumps({k: v for k, v in (TEXT | changes).items() if v is not ...}).encode()


@pytest.mark.parametrize(
    ("to", "identity", "forwarded"),
    [
        ("+46732001122", "46732001122", "+46732001122"),
        ("+46 (732) 00-11 22", "46732001122", "+46 (732) 00-11 22"),
        ("46732001122", "46732001122", "+46732001122"),
        ("0046732001122", "46732001122", "+46732001122"),
        (46732001122, "46732001122", "+46732001122"),
        ("+46 (0)732001122", "46732001122", "+46732001122"),
        ("+46.732.001.122", "46732001122", "+46732001122"),
        ("5215512345678", "5215512345678", "+5215512345678"),
        (" +46732001122", "46732001122", "+46732001122"),
        ("(+46) 732001122", "46732001122", "+46732001122"),
        (BSUID, BSUID, BSUID),
    ],
)
def test_a_number_goes_on_as_it_was_judged(to: Any, identity: str, forwarded: str) -> None:
    """Meta guesses a country for a number that does not begin with +, and keeps a trunk zero:
    neither goes on."""
    found = parsed(to=to)
    assert found.identities == (identity,)
    assert json.loads(found.body) == TEXT | {"to": forwarded}


@given(
    before=st.sampled_from(
        ["", " ", "\n\t", '"context":{"to":"1"},', '"bid_spec":[{"to":2}, "to"],']
    ),
    after=st.sampled_from(["", " ", ',"type":null,"text":"\\u00e5, to"', ',"text":{"to":[]}\r\n']),
    space=st.sampled_from(["", " ", "\n"]),
)
def test_nothing_but_the_number_changes(before: str, after: str, space: str) -> None:
    """Byte for byte the same around the number, whatever stands there, and however it is spaced."""
    product = '"messaging_product":"whatsapp"'
    head = f'{{{before}{product},{space}"to"{space}:{space}'
    body = f'{head}"46732001122"{space}{after}}}'
    found = parse_post(body.encode())
    assert isinstance(found, GraphMessage)
    assert found.body.decode() == f'{head}"+46732001122"{space}{after}}}'


def test_a_body_that_needs_no_change_is_the_same_bytes() -> None:
    """Odd spacing, escapes and a BOM survive."""
    body = b"\xef\xbb\xbf" + as_json().replace(b', "', b' ,\n "')
    assert parse_post(body).body == body


def test_both_recipients_are_judged() -> None:
    """`to` first, which wins at Meta, then `recipient`; one alone is enough."""
    assert parsed(recipient=BSUID).identities == ("46732001122", BSUID)
    assert parsed(to=..., recipient=BSUID).identities == (BSUID,)
    assert parsed(to=None, recipient=BSUID).identities == (BSUID,)


def test_a_template_is_found_by_name_and_canonical_language() -> None:
    """Spelt as its record is; one in a language that is none has no record."""
    assert parsed(text=..., type="template", template=TEMPLATE).template == ("order_ready", "en_US")
    odd = TEMPLATE | {"language": {"code": "!"}}
    found = parsed(text=..., type="template", template=odd)
    assert (found.type, found.template) == ("template", None)


def test_a_message_without_a_type_is_text() -> None:
    """As Meta has it."""
    assert parsed(type=...).type == "text"


def test_the_clients_own_data_is_known() -> None:
    """`biz_opaque_callback_data` stays in the body and is told."""
    found = parsed(biz_opaque_callback_data="mine")
    assert (found.opaque, json.loads(found.body)["biz_opaque_callback_data"]) == ("mine", "mine")


@pytest.mark.parametrize(
    "to", ["", "STOP", "12", "+4673200112X", True, 1.5, [], {}, "++46732001122"]
)
def test_what_is_no_identity_is_refused(to: Any) -> None:
    """Nothing is sent to a recipient that cannot be judged."""
    with pytest.raises(InvalidIdentity):
        parsed(to=to)


@pytest.mark.parametrize("recipient", ["46732001122", "", 5, "se.1"])
def test_a_recipient_must_be_a_bsuid(recipient: Any) -> None:
    """Even beside a `to` that is right."""
    with pytest.raises(InvalidIdentity):
        parsed(recipient=recipient)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"to"',
        b"{}x",
        b'{"to":}',
        b'{"to":1,}',
        b"{1:2}",
        b'{"a":NaN}',
        b"\xff",
        b"[" * 100_000,
        as_json().decode().encode("utf-16"),
        as_json()[:-1] + b',"to":"+46732001133"}',
        as_json()[:-1] + b',"t\\u006f":"+46732001133"}',
        as_json(text=..., type="template").decode()[:-1].encode()
        + b',"template":{"name":"a","name":"b","language":{"code":"en"}}}',
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_refused(body: bytes) -> None:
    """A member named twice is read by one parser first and by another last."""
    with pytest.raises(InvalidInput):
        parse_post(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"to": ...},
        {"messaging_product": ...},
        {"messaging_product": "messenger"},
        {"recipient_type": "group"},
        {"recipient_type": "INDIVIDUAL"},
        {"type": "template"},
        {"type": "TEMPLATE", "template": TEMPLATE},
        {"type": 5},
        {"template": TEMPLATE},
        {"type": "template", "template": TEMPLATE},
        {"type": ..., "image": {"id": "1"}},
        {"text": ..., "type": "template", "template": {"name": "a"}},
        {"text": ..., "type": "template", "template": {"name": 1, "language": {"code": "en"}}},
        {"text": ..., "type": "template", "template": TEMPLATE | {"name": "\ud800"}},
        {"type": "hsm", "text": ..., "hsm": {"element_name": "promo"}},
        {"type": "hsm", "text": ...},
        {"type": "Text"},
        {"status": "read"},
        {"status": None},
    ],
)
def test_what_could_pass_the_judgement_by_is_refused(changes: Any) -> None:
    """Groups, two contents, Graph's control members, a message dressed as a receipt."""
    with pytest.raises(InvalidInput) as refused:
        parsed(**changes)
    assert not isinstance(refused.value, InvalidIdentity)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("access_token", "access_token"),
        ("method", "method"),
        ("batch", "batch"),
        ("ids", "ids"),
        ("to[]", "to[]"),
        ("Template", "Template"),
        ("Recipient_Type", "Recipient_Type"),
        ("preview_url", "preview_url"),
        ("\ud800", "\\ud800"),
        ("", ""),
        ("x" * 100_000, "x" * 64),
    ],
)
def test_an_unknown_member_is_refused_by_name(name: str, told: str) -> None:
    """Whatever Meta may read in it, now or later: nothing of it was judged."""
    with pytest.raises(InvalidInput) as refused:
        parsed(**{name: None})
    assert str(refused.value) == f"Field [{told}] is not a member of a message."


def test_all_that_is_documented_goes_on() -> None:
    """Beside the content: what Meta's reference lists for both paths."""
    documented = {
        "context": {"message_id": "wamid.1"},
        "biz_opaque_callback_data": "mine",
        "recipient_type": "individual",
        "recipient_identity_key_hash": "hash",
        "product_policy": "STRICT",
        "message_activity_sharing": True,
        "message_send_ttl_seconds": 3600,
        "bid_spec": {"per_message_bid_multiplier": 1.5},
    }
    assert json.loads(parsed(**documented).body) == TEXT | documented


@pytest.mark.parametrize(
    "kind",
    [
        *("text", "image", "video", "document", "audio", "sticker", "location", "contacts"),
        *("interactive", "reaction", "pin"),
    ],
)
def test_all_types_that_are_documented_go_on(kind: str) -> None:
    """With the content under the same name."""
    content = {"text": ..., "type": kind} | {kind: {}}
    assert parsed(**content).type == kind


RECEIPT: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": "w.1"}


@pytest.mark.parametrize("more", [{}, {"typing_indicator": {"type": "text"}}])
def test_a_receipt_is_known_as_one(more: Any) -> None:
    """With a typing indicator, too."""
    body = json.dumps(RECEIPT | more).encode()
    assert parse_post(body) == Receipt(body)


@pytest.mark.parametrize(
    "more",
    [
        {"to": "+46732001122"},
        {"type": "text"},
        {"text": {"body": "x"}},
        {"status": "delivered"},
        {"message_id": None},
        {"typing_indicator": {"type": "text", "to": "1"}},
        {"typing_indicator": "text"},
    ],
)
def test_a_receipt_with_anything_else_is_refused(more: Any) -> None:
    """It is passed on unjudged, so it can hold nothing that could be a message."""
    with pytest.raises(InvalidInput):
        parse_post(json.dumps(RECEIPT | more).encode())
