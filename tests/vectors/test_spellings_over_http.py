"""The cases of spellings.json, over HTTP and through the gate (R11, P21); and pairs like them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from optin.domain.identities import is_bsuid
from optin.domain.outbox import OutboxMessage
from optin.upstreams.meta_webhook import sign
from tests.conftest import OpenStore
from tests.usecases.hearing import SECRET, bodied, change, text
from tests.usecases.outbox import UTILITY, TellingUpstream, deliver_due, deliverer
from tests.vectors import load
from tests.web.doors import BOT, Doors, open_doors

CASES = load("spellings")["cases"]
EVERYBODY = sorted({one for case in CASES for one in (case["identity"], *case["blocked_by"])})
NUMBER = "PNID1"
PHONE, BSUID = "46732001122", "SE.1349120865530274"


@pytest.fixture
async def doors(open_store: OpenStore) -> AsyncIterator[Doors]:
    made = await open_doors(await open_store())
    settings = {"meta.app_secret": SECRET, "meta.phone_number_id": NUMBER}
    await made.store.put_settings(BOT, settings)
    await made.services.manage_templates.put(BOT, "order_ready", "en", "utility")
    yield made
    await made.client.aclose()


async def consent(doors: Doors, identity: str, action: str) -> None:
    items = [{"identity": identity, "action": action}]
    answer = await doors.call("POST", f"/v1/bots/{BOT}/consents", {"items": items})
    assert answer.json()["results"][0]["status"] in ("recorded", "ignored"), answer.text


async def say(doors: Doors, said: str, who: str, **more: Any) -> None:
    """A signed webhook of a message of now."""
    at = await doors.store.now() // 1_000_000
    given = text(said, f"w.{said}.{who}.{at}", at, **more)
    given |= {"from": None, "from_user_id": who} if is_bsuid(who) else {"from": who}
    message = {name: part for name, part in given.items() if part is not None}
    await post(doors, change(NUMBER, messages=[message]))


async def post(doors: Doors, *changes: dict[str, Any]) -> None:
    content = bodied(*changes)
    headers = [("X-Hub-Signature-256", sign(SECRET, content))]
    answer = await doors.call(
        "POST", f"/webhooks/meta/{BOT}", content=content, token="", headers=headers
    )
    assert answer.status_code == 200


async def sent(doors: Doors, identity: str) -> bool:
    """Whether a message that waits for this identity passes the gate at its hand-over."""
    upstream = TellingUpstream()
    await deliver_due(deliverer(doors.store, upstream))
    waits: OutboxMessage = (await accept(doors, identity))[0]
    upstream.sent.clear()
    await deliver_due(deliverer(doors.store, upstream))
    return waits.message_id in upstream.sent


async def accept(doors: Doors, identity: str) -> list[OutboxMessage]:
    return await doors.services.send_message.accept(BOT, [identity], UTILITY, "token-1")


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["identity"]))
async def test_who_blocks_whom(doors: Doors, case: dict[str, Any]) -> None:
    """An opt-out of any spelling that blocks refuses the identity, at the door and at the gate,
    also for a message that waited; one of any other identity does not."""
    asked = case["identity"]
    for one in EVERYBODY:
        for each in {asked, *case["blocked_by"], *case["allowed_by"]}:
            await consent(doors, each, "opt_in")
        assert await doors.allowed(asked)
        [waits] = await accept(doors, asked)
        await consent(doors, one, "opt_out")
        blocks = one in case["blocked_by"]
        assert await doors.allowed(asked) is not blocks, one
        upstream = TellingUpstream()
        await deliver_due(deliverer(doors.store, upstream))
        assert (waits.message_id in upstream.sent) is not blocks, one
        assert await sent(doors, asked) is not blocks, one


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["identity"]))
async def test_who_allows_whom(doors: Doors, case: dict[str, Any]) -> None:
    """A message of a spelling that allows opens the identity's session, no other does."""
    for one in EVERYBODY:
        if one not in case["allowed_by"]:
            await say(doors, "hello", one)
    assert not await doors.allowed(case["identity"], category="service")
    for one in case["allowed_by"]:
        await say(doors, "hello", one)
        assert await doors.allowed(case["identity"], category="service"), one
    assert await sent(doors, case["identity"])


@pytest.mark.parametrize("stopper", [PHONE, BSUID])
@pytest.mark.parametrize("first", ["pair", "stop"])
async def test_a_stop_by_one_blocks_the_other(doors: Doors, stopper: str, first: str) -> None:
    """P19: over the webhook and through the gate, as soon as the pair is known."""
    other = BSUID if stopper == PHONE else PHONE
    await consent(doors, other, "opt_in")
    [waits] = await accept(doors, other)
    at = str(await doors.store.now() // 1_000_000)
    named = {"recipient_id": PHONE, "recipient_user_id": BSUID}
    pair = change(NUMBER, statuses=[{"id": "w.S", "status": "sent", "timestamp": at, **named}])
    if first == "pair":
        await post(doors, pair)
    await say(doors, "STOP", stopper)
    if first == "stop":
        assert await doors.allowed(other)
        await post(doors, pair)
    assert not await doors.allowed(other)
    upstream = TellingUpstream()
    await deliver_due(deliverer(doors.store, upstream))
    assert waits.message_id not in upstream.sent
    assert not await sent(doors, other)
