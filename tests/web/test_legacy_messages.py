"""`POST messages` of the Sinch-compatible face (H8, H9)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from optin.domain.messages import MessageState
from tests.web.doors import ANNA, BERTIL, BOT, CECILIA, Doors
from tests.web.test_legacy import assert_error

TEXT = {"type": "text", "text": "Hello"}
ORDER = {"type": "template", "template_name": "order_ready", "language": "en"}
SALE = {"type": "template", "template_name": "spring_sale", "language": "en"}


async def send(doors: Doors, to: Any, message: Any, **more: Any) -> httpx.Response:
    """One POST of a message."""
    body = {"to": to, "message": message, **more}
    return await doors.call("POST", f"/whatsapp/v1/{BOT}/messages", body)


async def rows(doors: Doors, to: list[Any], message: Any) -> list[dict[str, Any]]:
    """The rows of a message that was taken in."""
    answer = await send(doors, to, message)
    assert answer.status_code == 201, answer.text
    assert answer.json()["type"] == "whatsapp"
    statuses: list[dict[str, Any]] = answer.json()["statuses"]
    return statuses


@pytest.fixture
async def shop(doors: Doors) -> Doors:
    """A bot that knows its templates' categories, and one contact who opted in."""
    for message, category in ((ORDER, "utility"), (SALE, "marketing")):
        path = f"/v1/bots/{BOT}/templates/{message['template_name']}/en"
        assert (await doors.call("PUT", path, {"category": category})).status_code == 200
    await doors.legacy("POST", "provision/optin", ANNA)
    return doors


async def wrote(doors: Doors, *identities: str) -> None:
    """The contacts write to the bot, and so open their sessions (R5)."""
    items = [{"identity": identity, "action": "message"} for identity in identities]
    answer = await doors.call("POST", f"/v1/bots/{BOT}/consents", {"items": items})
    assert all(row["in_force"] for row in answer.json()["results"])


async def test_a_row_a_recipient_in_order(shop: Doors) -> None:
    """H8: who may be messaged is queued, who may not is a row of its own; the others go on."""
    await shop.legacy("DELETE", "provision/optin", CECILIA)
    one, two, three = await rows(shop, [BERTIL, f"+{ANNA}", CECILIA], ORDER)
    assert (one["recipient"], one["status"], one["state"]) == (
        f"+{BERTIL}",
        "failure",
        "no_opt_in",
    )
    assert (two["recipient"], two["status"], two["state"]) == (f"+{ANNA}", "success", "queued")
    assert "details" not in two
    assert (three["status"], three["state"]) == ("failure", "no_opt_in")
    kept = await shop.services.send_message.get(BOT, two["message_id"])
    assert (kept.identity, kept.state) == (ANNA, MessageState.QUEUED)


async def test_free_form_needs_a_session(shop: Doors) -> None:
    """H8: without one a text fails with `session_required`; with one it is queued."""
    [row] = await rows(shop, [ANNA], TEXT)
    assert (row["status"], row["state"]) == ("failure", "failed")
    assert row["details"] == "session_required"
    await wrote(shop, ANNA, BERTIL)
    assert [row["state"] for row in await rows(shop, [ANNA, BERTIL], TEXT)] == ["queued"] * 2


async def test_marketing_stopped(shop: Doors) -> None:
    """H8, R8: a marketing template fails with `marketing_stopped`; others go out."""
    stop = {"identity": ANNA, "action": "marketing_stop"}
    await shop.call("POST", f"/v1/bots/{BOT}/consents", {"items": [stop]})
    [row] = await rows(shop, [ANNA], SALE)
    assert (row["state"], row["details"]) == ("failed", "marketing_stopped")
    assert [row["state"] for row in await rows(shop, [ANNA], ORDER)] == ["queued"]


async def test_the_category_is_never_the_callers(shop: Doors) -> None:
    """H9: an unknown template is marketing, whatever the caller says it is."""
    stop = {"identity": ANNA, "action": "marketing_stop"}
    await shop.call("POST", f"/v1/bots/{BOT}/consents", {"items": [stop]})
    unknown = {**ORDER, "template_name": "nobody_knows", "category": "utility"}
    assert [row["details"] for row in await rows(shop, [ANNA], unknown)] == ["marketing_stopped"]


async def test_a_number_twice_is_one_recipient(shop: Doors) -> None:
    """H3: duplicates collapse, so that nobody gets a message twice."""
    assert len(await rows(shop, [ANNA, f"+{ANNA}", int(ANNA)], ORDER)) == 1


async def test_a_callback_of_its_own(shop: Doors) -> None:
    """The message's callback is kept with it."""
    answer = await send(shop, [ANNA], ORDER, callback="https://shop.example/status")
    [row] = answer.json()["statuses"]
    kept = await shop.services.send_message.get(BOT, row["message_id"])
    assert kept.callback_url == "https://shop.example/status"


@pytest.mark.parametrize("callback", [None, "", " "])
async def test_no_callback(shop: Doors, callback: Any) -> None:
    """A callback that is null or blank is none."""
    answer = await send(shop, [ANNA], ORDER, callback=callback)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("to", "details"),
    [
        (None, "Field [to] can not be empty."),
        ([], "Field [to] can not be empty."),
        (ANNA, "Field [to] must be an array."),
        ([ANNA] * 21, "Field [to] can not have more than 20 elements."),
        ([ANNA, "12"], "Field [to[1]] is not a phone number."),
        ([None], "Field [to[0]] is not a phone number."),
        (["SE.1349120865530274"], "Field [to[0]] is not a phone number."),
    ],
)
async def test_recipients_that_are_none(shop: Doors, to: Any, details: str) -> None:
    """H2: a bad recipient is 400 and nobody gets anything."""
    assert_error(await send(shop, to, ORDER), 400, details)
    assert (await shop.store.lease_messages("test", 1, 10))[1] == []


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (None, "[message]"),
        ("hello", "[message]"),
        ({}, "[message.type]"),
        ({"type": "fax"}, "[message.type]"),
        ({"type": "text"}, "[message.text]"),
        ({"type": "template"}, "[message.template_name]"),
    ],
)
async def test_messages_that_are_none(shop: Doors, message: Any, field: str) -> None:
    """H9: a message that is none is 400, which names the member at fault."""
    answer = await send(shop, [ANNA], message)
    assert_error(answer, 400)
    assert field in answer.json()["details"]


@pytest.mark.parametrize("callback", ["ftp://x.example/", "shop", 7, ["https://x.example"]])
async def test_a_callback_that_is_no_address(shop: Doors, callback: Any) -> None:
    """A callback nobody could be called back at is 400."""
    answer = await send(shop, [ANNA], ORDER, callback=callback)
    assert_error(answer, 400)
    assert "[callback]" in answer.json()["details"]
