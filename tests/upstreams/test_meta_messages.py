"""The Cloud API bodies that messages become, written out from Meta's documented shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optin.domain.errors import InvalidMessage
from optin.domain.messages import parse_message
from optin.upstreams.meta_messages import request_body
from tests.domain.message_examples import EXAMPLES, damaged

# What each example becomes: its `type`, and the object named like it.
CONTENT: dict[str, str] = {
    "text": '{"preview_url": true, "body": "See https://shop.example"}',
    "template": """{
        "name": "order_ready", "language": {"code": "en_US"},
        "components": [
            {"type": "header", "parameters": [{"type": "text", "text": "Ada"}]},
            {"type": "body", "parameters": [
                {"type": "text", "text": "two books"}, {"type": "text", "text": "desk 4"}]},
            {"type": "button", "sub_type": "url", "index": "1",
             "parameters": [{"type": "text", "text": "orders/17"}]},
            {"type": "button", "sub_type": "quick_reply", "index": "3",
             "parameters": [{"type": "payload", "payload": "STOP_MARKETING"}]}]}""",
    "template, document": """{
        "name": "invoice", "language": {"code": "de"},
        "components": [
            {"type": "header", "parameters": [{"type": "document", "document":
                {"link": "https://cdn.example/a", "filename": "invoice.pdf"}}]},
            {"type": "body", "parameters": [{"type": "text", "text": "Ada"}]}]}""",
    "template, bare": '{"name": "hello", "language": {"code": "en"}}',
    "image": '{"link": "https://cdn.example/a", "caption": "Menu"}',
    "video": '{"link": "https://cdn.example/a", "caption": "How to"}',
    "document": """{
        "link": "https://cdn.example/a", "caption": "Study", "filename": "study.pdf"}""",
    "audio": '{"link": "https://cdn.example/a"}',
    "sticker": '{"link": "https://cdn.example/a"}',
    "sticker, uploaded": '{"id": "7301"}',
    "location": """{
        "latitude": 55.7047, "longitude": -13, "name": "The desk", "address": "Main Street 17"}""",
    "contacts": """[
        {"name": {"formatted_name": "Dr. Ada Berg", "first_name": "Ada", "prefix": "Dr."},
         "addresses": [{"street": "Main Street 17", "city": "Lund", "country_code": "se"}],
         "birthday": "1990-08-18",
         "emails": [{"email": "ada@shop.example", "type": "WORK"}],
         "org": {"company": "Shop", "title": "Manager"},
         "phones": [{"phone": "+46 70 174 06 05", "type": "WORK", "wa_id": "46701740605"}],
         "urls": [{"url": "www.shop.example", "type": "WORK"}]},
        {"name": {"formatted_name": "Bo", "first_name": "Bo"}}]""",
    "interactive, button": """{
        "type": "button",
        "header": {"type": "document", "document":
            {"link": "https://cdn.example/a", "filename": "offer.pdf"}},
        "body": {"text": "Shall we send it?"},
        "footer": {"text": "Shop"},
        "action": {"buttons": [
            {"type": "reply", "reply": {"id": "y", "title": "Yes"}},
            {"type": "reply", "reply": {"id": "n", "title": "No"}}]}}""",
    "interactive, list": """{
        "type": "list",
        "header": {"type": "text", "text": "Delivery"},
        "body": {"text": "When do you have time?"},
        "action": {"button": "Choose", "sections": [
            {"title": "Today",
             "rows": [{"id": "t1", "title": "Noon", "description": "12 to 13"}]},
            {"title": "Later", "rows": [{"id": "l1", "title": "Tomorrow"}]}]}}""",
}


def body_of(message: dict[str, Any], to: str = "46701740605") -> dict[str, Any]:
    return request_body(parse_message(message), to, "gw:01J9Z8")


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_type_becomes_its_documented_body(name: str) -> None:
    """H9: the whole body for each type, nothing more and nothing less."""
    kind = EXAMPLES[name]["type"]
    assert body_of(EXAMPLES[name]) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+46701740605",
        "biz_opaque_callback_data": "gw:01J9Z8",
        "type": kind,
        kind: json.loads(CONTENT[name]),
    }


@pytest.mark.parametrize("bsuid", ["SE.1349120865530274", "US.ENT.abcDEF012", "BR.7"])
def test_a_bsuid_is_the_recipient_and_there_is_no_to(bsuid: str) -> None:
    """R11: a BSUID goes out byte for byte as `recipient`; beside a `to` it would be ignored."""
    body = body_of(EXAMPLES["text"], bsuid)
    assert body["recipient"] == bsuid
    assert "to" not in body


@pytest.mark.parametrize("phone", ["46701740605", "5215512345678", "16315551234"])
def test_a_phone_has_its_plus_and_its_own_spelling(phone: str) -> None:
    """Without the plus Meta would dial the sender's country; the spelling stays the caller's."""
    body = body_of(EXAMPLES["text"], phone)
    assert body["to"] == f"+{phone}"
    assert "recipient" not in body


def test_media_takes_the_header() -> None:
    """A header is media or text: the old API's own samples give both, and media is sent."""
    media = {"type": "image", "url": "https://cdn.example/p.jpg"}
    components = body_of({**EXAMPLES["template"], "media": media})["template"]["components"]
    assert [part for part in components if part["type"] == "header"] == [
        {
            "type": "header",
            "parameters": [{"type": "image", "image": {"link": "https://cdn.example/p.jpg"}}],
        }
    ]


@pytest.mark.parametrize("kind", ["image", "video"])
def test_headers_of_interactive_messages(kind: str) -> None:
    """An image or video above reply buttons becomes a media object with a link."""
    message = {**EXAMPLES["interactive, button"]["message"]}
    message["header"] = {"type": kind, "url": "https://cdn.example/h"}
    interactive = body_of({"type": "interactive", "message": message})["interactive"]
    assert interactive["header"] == {"type": kind, kind: {"link": "https://cdn.example/h"}}


@given(damaged(), st.sampled_from(["46701740605", "SE.1349120865530274"]))
def test_every_message_that_parses_can_be_handed_over(value: object, to: str) -> None:
    """No message that passed the door breaks the hand-over, and its body is plain JSON."""
    try:
        message = parse_message(value)
    except InvalidMessage:
        return
    body = request_body(message, to, "c")
    assert json.loads(json.dumps(body, allow_nan=False).encode()) == body
    assert body[body["type"]]
