"""The Conversation API bodies that messages become, written out from Sinch's documented shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from sinch.domains.conversation.models.v1.messages.internal.request import (  # type: ignore[import-untyped]
    SendMessageRequest,
)

from optin.domain.errors import InvalidMessage
from optin.domain.messages import Category, parse_message
from optin.upstreams.sinch_messages import refuse_unsayable, request_body
from tests.domain.message_examples import EXAMPLES, URL, damaged
from tests.upstreams.conversation_api import APP, complaint

PHONES = [{"phone": "+46 70 174 06 05", "type": "WORK", "wa_id": "46701740605"}]

#: A whole card, but for the street.
CARD: dict[str, Any] = {
    **EXAMPLES["contacts"]["contacts"][0],
    "addresses": [{"city": "Lund", "country_code": "se"}],
}

#: Those examples that this upstream can send as they are, and what is sent in place of the others.
SENT: dict[str, dict[str, Any]] = {
    name: example
    for name, example in EXAMPLES.items()
    if name not in ("sticker, uploaded", "contacts")
} | {
    "contact": {"type": "contacts", "contacts": [CARD]},
    "contact, bare": {
        "type": "contacts",
        "contacts": [{"name": {"formatted_name": "Bo"}, "phones": PHONES}],
    },
    "template, image": {
        "type": "template",
        "template_name": "sale",
        "language": "en_US",
        "media": {"type": "image", "url": URL},
        "header_params": ["left out"],
    },
    "image, bare": {"type": "image", "url": URL},
    "location, bare": {"type": "location", "lat": 55.7, "lng": -13},
    "location, address": {"type": "location", "lat": 55.7, "lng": -13, "address": "Main St 17"},
    "interactive, no header": {
        "type": "interactive",
        "message": {
            "type": "button",
            "body": {"text": "Shall we?"},
            "footer": {"text": "Shop"},
            "action": {"buttons": [{"type": "reply", "id": "y", "title": "Yes"}]},
        },
    },
    "interactive, text header": {
        "type": "interactive",
        "message": {
            "type": "button",
            "header": {"type": "text", "text": "Offer"},
            "body": {"text": "Shall we?"},
            "action": {"buttons": [{"type": "reply", "id": "y", "title": "Yes"}]},
        },
    },
}

CONTENT: dict[str, str] = {
    "text": '{"text_message": {"text": "See https://shop.example"}}',
    "template": """{"template_message": {"channel_template": {"WHATSAPP": {
        "template_id": "order_ready", "language_code": "en_US", "parameters": {
            "header[1]text": "Ada", "body[1]text": "two books", "body[2]text": "desk 4",
            "button[1]url[1]text": "orders/17",
            "button[3]quick_reply[1]payload": "STOP_MARKETING",
            "button[4]quick_reply[1]payload": ""}}}}}""",
    "template, document": """{"template_message": {"channel_template": {"WHATSAPP": {
        "template_id": "invoice", "language_code": "de", "parameters": {
            "header[1]document.link": "https://cdn.example/a",
            "header[1]document.filename": "invoice.pdf", "body[1]text": "Ada"}}}}}""",
    "template, image": """{"template_message": {"channel_template": {"WHATSAPP": {
        "template_id": "sale", "language_code": "en_US", "parameters": {
            "header[1]image.link": "https://cdn.example/a"}}}}}""",
    "template, bare": """{"template_message": {"channel_template": {"WHATSAPP": {
        "template_id": "hello", "language_code": "en"}}}}""",
    "image": """{"card_message": {
        "title": "Menu", "media_message": {"url": "https://cdn.example/a"}}}""",
    "image, bare": '{"media_message": {"url": "https://cdn.example/a"}}',
    "video": """{"card_message": {
        "title": "How to", "media_message": {"url": "https://cdn.example/a"}}}""",
    "document": """{"card_message": {"title": "Study", "media_message": {
        "url": "https://cdn.example/a", "filename_override": "study.pdf"}}}""",
    "audio": '{"media_message": {"url": "https://cdn.example/a"}}',
    "sticker": '{"media_message": {"url": "https://cdn.example/a"}}',
    "location": """{"location_message": {"title": "The desk", "label": "Main Street 17",
        "coordinates": {"latitude": 55.7047, "longitude": -13}}}""",
    "location, bare": """{"location_message": {"title": "55.7, -13",
        "coordinates": {"latitude": 55.7, "longitude": -13}}}""",
    "location, address": """{"location_message": {"title": "Main St 17", "label": "Main St 17",
        "coordinates": {"latitude": 55.7, "longitude": -13}}}""",
    "contact": """{"contact_info_message": {
        "name": {"full_name": "Dr. Ada Berg", "first_name": "Ada", "prefix": "Dr."},
        "phone_numbers": [{"phone_number": "+46 70 174 06 05", "type": "WORK"}],
        "addresses": [{"city": "Lund", "country_code": "se"}],
        "email_addresses": [{"email_address": "ada@shop.example", "type": "WORK"}],
        "organization": {"company": "Shop", "title": "Manager"},
        "urls": [{"url": "www.shop.example", "type": "WORK"}],
        "birthday": "1990-08-18"}}""",
    "contact, bare": """{"contact_info_message": {"name": {"full_name": "Bo"},
        "phone_numbers": [{"phone_number": "+46 70 174 06 05", "type": "WORK"}]}}""",
    "interactive, button": """{"card_message": {
        "title": "Shall we send it?", "description": "Shop",
        "media_message": {"url": "https://cdn.example/a", "filename_override": "offer.pdf"},
        "choices": [{"text_message": {"text": "Yes"}, "postback_data": "y"},
                    {"text_message": {"text": "No"}, "postback_data": "n"}]}}""",
    "interactive, no header": """{"choice_message": {
        "text_message": {"text": "Shall we?"},
        "choices": [{"text_message": {"text": "Yes"}, "postback_data": "y"}],
        "message_properties": {"whatsapp_footer": "Shop"}}}""",
    "interactive, text header": """{"card_message": {
        "title": "Shall we?",
        "message_properties": {"whatsapp_header": "Offer"},
        "choices": [{"text_message": {"text": "Yes"}, "postback_data": "y"}]}}""",
    "interactive, list": """{"list_message": {
        "title": "When do you have time?",
        "sections": [
            {"title": "Today", "items": [{"choice": {
                "title": "Noon", "description": "12 to 13", "postback_data": "t1"}}]},
            {"title": "Later", "items": [{"choice": {
                "title": "Tomorrow", "postback_data": "l1"}}]}],
        "message_properties": {"menu": "Choose", "whatsapp_header": "Delivery"}}}""",
}


def body_of(
    message: dict[str, Any], to: str = "46701740605", category: Category = Category.SERVICE
) -> dict[str, Any]:
    return request_body(parse_message(message), to, "01MESSAGE", app_id=APP, category=category)


def contact(**changes: Any) -> dict[str, Any]:
    """A message with one card, changed."""
    return {"type": "contacts", "contacts": [{**CARD, **changes}]}


def strangers(value: Any) -> list[str]:
    """The members in a model of the SDK that the SDK does not know."""
    if isinstance(value, list):
        return [name for element in value for name in strangers(element)]
    if isinstance(value, dict):
        return [name for element in value.values() for name in strangers(element)]
    if not isinstance(value, BaseModel):
        return []
    own = [*(value.model_extra or {})]
    return own + [n for name in type(value).model_fields for n in strangers(getattr(value, name))]


@pytest.mark.parametrize("name", SENT)
def test_each_type_becomes_its_documented_body(name: str) -> None:
    """H9: the whole body for each type, nothing more and nothing less."""
    body = body_of(SENT[name])
    assert body == {
        "app_id": APP,
        "recipient": {
            "identified_by": {
                "channel_identities": [{"channel": "WHATSAPP", "identity": "46701740605"}]
            }
        },
        "message": json.loads(CONTENT[name]),
        "channel_priority_order": ["WHATSAPP"],
        "correlation_id": "01MESSAGE",
        "message_content_type": "CONTENT_NOTIFICATION",
    }
    assert complaint(body) is None


@pytest.mark.parametrize("name", SENT)
def test_sinchs_own_models_take_each_body(name: str) -> None:
    """Sinch's Python SDK validates every body, knows every member of it and would send the same."""
    body = body_of(SENT[name])
    model = SendMessageRequest.model_validate(body)
    assert strangers(model) == []
    assert model.model_dump(mode="json", by_alias=True, exclude_none=True) == body


def test_the_sdk_would_object() -> None:
    """The test above finds a member that Sinch does not know, at any depth."""
    body = body_of(SENT["interactive, list"])
    body["message"]["list_message"]["sections"][0]["items"][0]["choice"]["id"] = "x"
    assert strangers(SendMessageRequest.model_validate(body)) == ["id"]


@pytest.mark.parametrize("category", Category)
def test_the_content_type_is_the_categorys(category: Category) -> None:
    """Only marketing is told as marketing: Sinch keeps opt-out lists of its own by content type."""
    told = body_of(SENT["text"], category=category)["message_content_type"]
    marketing = category is Category.MARKETING
    assert told == ("CONTENT_MARKETING" if marketing else "CONTENT_NOTIFICATION")


@pytest.mark.parametrize("to", ["SE.1349120865530274", "US.ENT.abcDEF012", "5215512345678"])
def test_the_recipient_goes_out_as_it_is(to: str) -> None:
    """R11: digits without a plus or a BSUID byte for byte, in the caller's own spelling."""
    body = body_of(SENT["text"], to)
    [identity] = body["recipient"]["identified_by"]["channel_identities"]
    assert identity == {"channel": "WHATSAPP", "identity": to}
    assert complaint(body) is None


#: What is refused, and the field that is named.
REFUSED: list[tuple[dict[str, Any], str]] = [
    (EXAMPLES["sticker, uploaded"], "message.url"),
    (EXAMPLES["contacts"], "message.contacts"),
    (contact(phones=None), "message.contacts[0].phones"),
    (contact(birthday="May 1st"), "message.contacts[0].birthday"),
    (contact(birthday="1990-02-30"), "message.contacts[0].birthday"),
    (
        contact(addresses=[{"city": "Lund"}, {"street": "Main Street 17"}]),
        "message.contacts[0].addresses[1].street",
    ),
    ({"type": "image", "url": URL, "caption": "x" * 1025}, "message.caption"),
    ({**SENT["template"], "header_params": ["a", "b"]}, "message.header_params"),
    ({**SENT["template"], "buttons": [{"type": "call"}] * 11}, "message.buttons"),
]


@pytest.mark.parametrize(("message", "field"), REFUSED)
def test_what_the_api_cannot_say_is_refused(message: dict[str, Any], field: str) -> None:
    """A message that would lose its meaning on the way is refused by the field at fault."""
    for refusing in (body_of, lambda one: refuse_unsayable(parse_message(one))):
        with pytest.raises(InvalidMessage, match=r"with this bot's upstream \(sinch\)") as wrong:
            refusing(message)
        assert wrong.value.field == field


@pytest.mark.parametrize(
    "message",
    [
        {"type": "image", "url": URL, "caption": "x" * 1024},
        {**SENT["template"], "buttons": [{"type": "quick_reply"}] * 10},
        {**SENT["template, image"], "header_params": ["a", "b"]},
        contact(birthday="2000-02-29"),
    ],
)
def test_the_most_that_can_be_said(message: dict[str, Any]) -> None:
    """At the edge of each limit a message still goes, and the API takes it."""
    assert complaint(body_of(message)) is None


@given(damaged() | damaged(SENT), st.sampled_from(["46701740605", "SE.1349120865530274"]))
def test_every_message_that_parses_is_handed_over_or_refused(value: object, to: str) -> None:
    """No message that passed the door fails for its shape afterwards: the simulated API takes it,
    and so do Sinch's own models, to the last member."""
    try:
        message = parse_message(value)
        refuse_unsayable(message)
    except InvalidMessage:
        return
    body = request_body(message, to, "c", app_id=APP, category=Category.MARKETING)
    assert json.loads(json.dumps(body, allow_nan=False).encode()) == body
    assert complaint(body) is None
    model = SendMessageRequest.model_validate(body)
    assert strangers(model) == []
    assert model.model_dump(mode="json", by_alias=True, exclude_none=True) == body


@pytest.mark.parametrize(
    "change",
    [
        {"app_id": "other"},
        {"recipient": {"contact_id": "01CON"}},
        {"message": {"text_message": {"text": "x"}, "media_message": {"url": URL}}},
        {"message": {"text_message": {"text": "x", "body": "y"}}},
        {"channel_priority_order": ["SMS"]},
        {"message_content_type": "MARKETING"},
        {"correlation_id": "x" * 129},
        {"to": "46701740605"},
    ],
)
def test_the_api_objects(change: dict[str, Any]) -> None:
    """The simulated API finds what Sinch would find."""
    assert complaint({**body_of(SENT["text"]), **change}) is not None


@pytest.mark.parametrize("identity", ["+46701740605", "070-1740605", "se.12", ""])
def test_the_api_takes_no_other_form_of_number(identity: str) -> None:
    """The simulated API wants digits without a plus, or a BSUID."""
    assert complaint(body_of(SENT["text"], identity)) is not None


def test_the_api_knows_its_template_keys() -> None:
    """The simulated API refuses a template parameter under a key that Sinch has no meaning for."""
    body = body_of(SENT["template"])
    body["message"]["template_message"]["channel_template"]["WHATSAPP"]["parameters"]["1"] = "x"
    assert complaint(body) == "1"
