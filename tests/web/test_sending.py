"""The native send: a result with reason codes, and what became of it (SPEC 6, H8, H9)."""

from __future__ import annotations

from typing import Any

import pytest

from optin.domain.rfc3339 import parse_time
from tests.usecases.outbox import TellingUpstream, deliver_due, deliverer
from tests.web.doors import ANNA, BOT, Doors
from tests.web.test_native import assert_problem

ROOT = f"/v1/bots/{BOT}/messages"
TEMPLATE = {"type": "template", "template_name": "order_ready", "language": "en"}
TEXT = {"type": "text", "text": "Your parcel is here."}
BSUID = "SE.1349120865530274"


async def send(doors: Doors, message: Any = TEMPLATE, to: Any = ANNA, **more: Any) -> Any:
    answer = await doors.call("POST", ROOT, {"to": to, "message": message, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def opt_in(doors: Doors, identity: str = ANNA) -> None:
    body = {"items": [{"identity": identity, "action": "opt_in"}]}
    await doors.call("POST", f"/v1/bots/{BOT}/consents", body)


@pytest.mark.parametrize("identity", [ANNA, "+" + ANNA, BSUID])
async def test_an_allowed_one(doors: Doors, identity: str) -> None:
    """Who opted in is sent to, by number or BSUID; the row and the message tell the same."""
    await opt_in(doors, identity)
    made = await send(doors, to=identity)
    assert (made["allowed"], made["reason"], made["basis"]) == (True, None, "opt_in")
    assert (made["state"], made["stage"], made["attempts"]) == ("queued", "waiting", 0)
    assert made["to"] == (identity if identity == BSUID else "+" + ANNA)
    assert made["category"] == "marketing"
    assert (await doors.call("GET", f"{ROOT}/{made['message_id']}")).json() == made


@pytest.mark.parametrize(
    ("opted_in", "message", "reason", "state", "details"),
    [
        (False, TEMPLATE, "no_opt_in", "no_opt_in", "no_opt_in"),
        (True, TEXT, "session_required", "failed", "session_required"),
    ],
)
async def test_a_refused_one(
    doors: Doors, opted_in: bool, message: Any, reason: str, state: str, details: str
) -> None:
    """A refusal is a 201 with its reason, kept and settled (R7)."""
    if opted_in:
        await opt_in(doors)
    made = await send(doors, message)
    assert (made["allowed"], made["reason"], made["basis"]) == (False, reason, None)
    assert (made["state"], made["stage"], made["details"]) == (state, "settled", details)


async def test_what_became_of_it(doors: Doors) -> None:
    """After the hand-over the message tells when, with which attempt, and the provider's id."""
    await opt_in(doors)
    made = await send(doors)
    await deliver_due(deliverer(doors.store, TellingUpstream()))
    after = (await doors.call("GET", f"{ROOT}/{made['message_id']}")).json()
    assert (after["state"], after["stage"], after["attempts"]) == ("dispatched", "settled", 1)
    assert after["upstream_id"] == f"wamid.{made['message_id']}"
    assert after["handed_over_at"] >= made["created_at"]


async def test_enforce_none_tells_both(doors: Doors) -> None:
    """Under `enforce: none` it is let through, and the rule's reason is shown beside (R7)."""
    await doors.bots.change(BOT, {"enforce": "none"})
    made = await send(doors)
    assert (made["allowed"], made["reason"]) == (True, "no_opt_in")


async def test_its_life(doors: Doors) -> None:
    """`expires_in` sets the life in seconds; without it the category does."""
    await opt_in(doors)
    for more, seconds in (({"expires_in": 90}, 90), ({}, 86_400), ({"expires_in": None}, 86_400)):
        made = await send(doors, **more)
        life = parse_time(made["expires_at"], "") - parse_time(made["created_at"], "")
        assert life == seconds * 1_000_000


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"message": TEMPLATE}, "invalid_input", "to"),
        ({"to": ANNA}, "invalid_message", "message"),
        ({"to": "nobody", "message": TEMPLATE}, "invalid_identity", None),
        ({"to": [ANNA], "message": TEMPLATE}, "invalid_identity", None),
        ({"to": ANNA, "message": {"type": "fax"}}, "invalid_message", "message.type"),
        ({"to": ANNA, "message": TEMPLATE, "expires_in": 0}, "invalid_input", "expires_in"),
        ({"to": ANNA, "message": TEMPLATE, "expires_in": 1.5}, "invalid_input", "expires_in"),
        ({"to": ANNA, "message": TEMPLATE, "expires_in": True}, "invalid_input", "expires_in"),
        ({"to": ANNA, "message": TEMPLATE, "expires_in": "60"}, "invalid_input", "expires_in"),
        ({"to": ANNA, "message": TEMPLATE, "expires_in": 10**9}, "invalid_input", "expires_in"),
        ({"to": ANNA, "message": TEMPLATE, "callback_url": "x"}, "invalid_message", "callback_url"),
    ],
)
async def test_bad_ones(doors: Doors, body: Any, code: str, field: str | None) -> None:
    """What is no message is a problem that names the member."""
    told = assert_problem(await doors.call("POST", ROOT, body), 400, code)
    assert field is None or told["field"] == field


async def test_scopes(doors: Doors) -> None:
    """Sending needs `send`, looking needs `read` (SPEC 6)."""
    await opt_in(doors)
    made = await send(doors)
    body = {"to": ANNA, "message": TEMPLATE}
    for scopes, sends, reads in ((["send"], 201, 403), (["read", "provision"], 403, 200)):
        token = await doors.add_token(*scopes)
        assert (await doors.call("POST", ROOT, body, token=token)).status_code == sends
        one = f"{ROOT}/{made['message_id']}"
        assert (await doors.call("GET", one, token=token)).status_code == reads


async def test_another_bot_s_message(doors: Doors) -> None:
    """A message is its bot's: with another bot's token it does not exist."""
    await opt_in(doors)
    made = await send(doors)
    token = await doors.add_bot("bot.2")
    path = f"/v1/bots/bot.2/messages/{made['message_id']}"
    assert_problem(await doors.call("GET", path, token=token), 404, "not_found")
