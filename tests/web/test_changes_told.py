"""Changes of consent are owed to `events_url`, whatever door they came through (SPEC 4)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from optin.domain.messages import parse_message
from optin.ports.store import Callback, CallbackKind
from optin.ports.upstream import Failed
from optin.upstreams.meta_webhook import sign
from tests.upstreams import meta_bodies
from tests.usecases.outbox import TellingUpstream, deliver_due, deliverer
from tests.web.doors import ANNA, BERTIL, BOT, Doors

EVENTS = "https://shop.example/events"
SECRET, NUMBER = "app-secret", "PNID1"
TEMPLATE = {"type": "template", "template_name": "order_ready", "language": "en"}


@pytest.fixture(autouse=True)
async def settings(doors: Doors) -> None:
    """The bot wants to be told, and hears Meta."""
    wanted = {"events_url": EVENTS, "meta.app_secret": SECRET, "meta.phone_number_id": NUMBER}
    await doors.bots.change(BOT, wanted)


async def changes(doors: Doors) -> list[dict[str, Any]]:
    """The bodies that are owed to `events_url`, in the order of their versions."""
    found = await doors.store.callbacks(BOT, "", 100)
    owed = [c for c in found if c.kind is CallbackKind.CHANGE]
    assert {c.url for c in owed} <= {EVENTS}
    return sorted((json.loads(c.body) for c in owed), key=lambda told: told["version"])


async def heard(doors: Doors, *lists: Any, **named: Any) -> None:
    """A signed webhook of Meta with these items."""
    field = "user_preferences" if "user_preferences" in named else "messages"
    body = meta_bodies.body(meta_bodies.change(meta_bodies.value(NUMBER, **named), field))
    answer = await doors.call(
        "POST",
        f"/webhooks/meta/{BOT}",
        content=body,
        headers=[("X-Hub-Signature-256", sign(SECRET, body))],
    )
    assert answer.status_code == 200, answer.text


def written(text: str, wamid: str) -> dict[str, Any]:
    """Anna writes now."""
    at = str(int(time.time()))
    return meta_bodies.message("text", {"body": text}, id=wamid, timestamp=at, **{"from": ANNA})


async def consents(doors: Doors, *items: dict[str, Any]) -> None:
    """Native consents about Anna."""
    given = [{"identity": ANNA, **item} for item in items]
    answer = await doors.call("POST", f"/v1/bots/{BOT}/consents", {"items": given})
    assert answer.status_code == 200, answer.text


def summary(told: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    """(kind, standing, marketing stopped) of each."""
    return [
        (t["event"]["kind"], t["state"]["standing"], t["state"]["marketing_stopped"]) for t in told
    ]


async def test_the_sinch_compatible_face(doors: Doors) -> None:
    """Opt-in, opt-out and its deprecated twin: one change each, versions that grow."""
    await doors.legacy("POST", "provision/optin", ANNA)
    await doors.legacy("DELETE", "provision/optin", ANNA)
    await doors.legacy("POST", "provision/optin", ANNA)
    await doors.legacy("POST", "provision/optout", ANNA)
    told = await changes(doors)
    assert [t["state"]["standing"] for t in told] == ["opted_in", "opted_out"] * 2
    assert [t["version"] for t in told] == sorted({t["version"] for t in told})
    events = await doors.events(ANNA)
    assert {t["event"]["id"] for t in told} == {e.claim.event_id.hex() for e in events}
    assert {t["event"]["source"] for t in told} == {events[0].claim.source}
    assert {(t["type"], t["bot_id"], t["identity"]) for t in told} == {("consent", BOT, f"+{ANNA}")}


async def test_a_list_is_told_contact_by_contact(doors: Doors) -> None:
    """Each contact of one call has a callback of its own."""
    await doors.legacy("POST", "provision/optin", ANNA, BERTIL)
    assert {t["identity"] for t in await changes(doors)} == {f"+{ANNA}", f"+{BERTIL}"}


async def test_what_changes_nothing_is_not_told(doors: Doors) -> None:
    """H1: repeats are recorded and not told; nor is an old opt-in that an opt-out outweighs."""
    await doors.legacy("DELETE", "provision/optin", ANNA)
    before = await changes(doors)
    await doors.legacy("DELETE", "provision/optin", ANNA)
    await consents(doors, {"action": "opt_in", "occurred_at": "2026-01-01T00:00:00Z"})
    assert len(await doors.events(ANNA)) == 3
    assert await changes(doors) == before
    assert summary(before) == [("opt_out", "opted_out", False)]


async def test_native_consents(doors: Doors) -> None:
    """All actions of the native API are told with the state that they lead to."""
    await consents(doors, {"action": "opt_in"}, {"action": "marketing_stop"})
    await consents(doors, {"action": "marketing_resume"}, {"action": "message"})
    await consents(doors, {"action": "message"}, {"action": "opt_out"})
    told = await changes(doors)
    assert summary(told) == [
        ("opt_in", "opted_in", False),
        ("marketing_stop", "opted_in", True),
        ("marketing_resume", "opted_in", False),
        ("message", "opted_in", False),
        ("opt_out", "opted_out", False),
    ]
    assert [t["state"]["session_until"] is not None for t in told] == [False] * 3 + [True, False]


async def test_a_contact_who_writes(doors: Doors) -> None:
    """R5, R10: the first message opens a session, the second prolongs it untold, STOP ends it."""
    await heard(doors, messages=[written("hello", "wamid.1")])
    await heard(doors, messages=[written("are you there?", "wamid.2")])
    await heard(doors, messages=[written("STOP", "wamid.3")])
    await heard(doors, messages=[written("STOP", "wamid.3")])
    told = await changes(doors)
    assert summary(told) == [
        ("message", "unknown", False),
        ("opt_out_keyword", "opted_out", False),
    ]
    assert [t["state"]["session_until"] is not None for t in told] == [True, False]
    assert {t["event"]["source"] for t in told} == {"webhook:meta"}


async def test_a_preference_at_the_provider(doors: Doors) -> None:
    """R8: stop and resume in WhatsApp itself are told, the same one again is not."""
    stop = meta_bodies.PREFERENCE | {"wa_id": ANNA, "timestamp": int(time.time()) - 60}
    stop.pop("user_id")
    resume = stop | {"value": "resume", "timestamp": int(time.time())}
    await heard(doors, user_preferences=[stop])
    await heard(doors, user_preferences=[stop])
    await heard(doors, user_preferences=[resume])
    assert summary(await changes(doors)) == [
        ("provider_marketing_stop", "unknown", True),
        ("provider_marketing_resume", "unknown", False),
    ]


async def sent_to_anna(doors: Doors) -> str:
    """A message to Anna, who is opted in; its id."""
    await doors.services.manage_templates.put(BOT, "order_ready", "en", "utility")
    await doors.legacy("POST", "provision/optin", ANNA)
    message = parse_message(TEMPLATE)
    [accepted] = await doors.services.send_message.accept(BOT, [ANNA], message, "token-1")
    return accepted.message_id


async def test_a_report_that_marketing_was_stopped(doors: Doors) -> None:
    """R8: error 131050 in a status is a marketing stop of its recipient, and told as one."""
    message_id = await sent_to_anna(doors)
    await deliver_due(deliverer(doors.store, TellingUpstream()))
    failed = meta_bodies.STATUS | {
        "id": f"wamid.{message_id}",
        "recipient_id": ANNA,
        "biz_opaque_callback_data": message_id,
        "timestamp": str(int(time.time())),
    }
    await heard(doors, statuses=[failed])
    assert summary(await changes(doors))[-1] == ("provider_marketing_stop", "opted_in", True)


async def test_an_answer_that_marketing_was_stopped(doors: Doors) -> None:
    """R8: 131050 in the answer to the hand-over itself is told, too."""
    await sent_to_anna(doors)
    upstream = TellingUpstream([Failed("131050", marketing_stop=True)])
    await deliver_due(deliverer(doors.store, upstream))
    assert summary(await changes(doors))[-1] == ("provider_marketing_stop", "opted_in", True)


async def test_a_refused_request_tells_nothing(doors: Doors) -> None:
    """H2: what was not recorded is not told."""
    answer = await doors.legacy("POST", "provision/optin", ANNA, "12")
    assert answer.status_code == 400
    assert await changes(doors) == []


async def test_without_an_address_nothing_is_owed(doors: Doors) -> None:
    """A bot without `events_url` costs nothing."""
    await doors.bots.change(BOT, {"events_url": ""})
    await doors.legacy("POST", "provision/optin", ANNA)
    await heard(doors, messages=[written("STOP", "wamid.1")])
    assert await doors.store.callbacks(BOT, "", 10) == []


async def owed(doors: Doors) -> list[Callback]:
    """All that is due, each once."""
    return (await doors.store.lease_callbacks("test", 10**15, 100))[1]


async def test_both_are_owed_in_one_commit(doors: Doors) -> None:
    """A message opens a session: its notification and the change have kinds of their own."""
    await doors.bots.change(BOT, {"callback_url": "https://shop.example/hook"})
    await heard(doors, messages=[written("hello", "wamid.1")])
    assert sorted((c.kind, c.url) for c in await owed(doors)) == [
        ("change", EVENTS),
        ("notification", "https://shop.example/hook"),
    ]
