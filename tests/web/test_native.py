"""The native API: consents, checks, contacts (SPEC 6)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from optin.domain.events import DAY
from optin.domain.rfc3339 import parse_time, shown_time
from tests.web.doors import ANNA, BERTIL, BOT, Doors

CONSENTS = f"/v1/bots/{BOT}/consents"
CHECK = f"/v1/bots/{BOT}/check"
PAST = "2026-04-11T00:00:00Z"
LATER = "2026-04-11T01:00:00Z"


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """One problem of RFC 9457 with our code."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"]
    assert body["detail"]
    return body


async def record(doors: Doors, *items: Any) -> list[dict[str, Any]]:
    """The results of a list of consents."""
    answer = await doors.call("POST", CONSENTS, {"items": list(items)})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def item(action: str, identity: Any = ANNA, at: str | None = None, **more: Any) -> dict[str, Any]:
    """One consent."""
    return {"identity": identity, "action": action, "occurred_at": at, **more}


async def test_a_result_an_item(doors: Doors) -> None:
    """Good items are recorded, bad ones rejected with a reason, in order and side by side."""
    results = await record(
        doors,
        item("opt_in", f"+{ANNA}"),
        item("opt_in", "12"),
        item("opt_out", BERTIL),
        item("dance", BERTIL),
        "no object",
        item("opt_in", "SE.Abc123"),
    )
    assert [row["status"] for row in results] == [
        "recorded",
        "rejected",
        "recorded",
        "rejected",
        "rejected",
        "recorded",
    ]
    assert [row["identity"] for row in results] == [
        f"+{ANNA}",
        "12",
        BERTIL,
        BERTIL,
        None,
        "SE.Abc123",
    ]
    assert [row.get("reason") for row in results] == [
        None,
        "invalid_identity",
        None,
        "invalid_input",
        "invalid_input",
        None,
    ]
    assert [row["in_force"] for row in results] == [True, None, True, None, None, True]
    assert await doors.allowed(ANNA)
    assert (await doors.check(BERTIL))[0]["reason"] == "opted_out"


async def test_a_bare_array_will_do(doors: Doors) -> None:
    """The list may come without its wrapping."""
    answer = await doors.call("POST", CONSENTS, [item("opt_in")])
    assert [row["status"] for row in answer.json()["results"]] == ["recorded"]


async def test_an_older_date_is_recorded_but_ignored(doors: Doors) -> None:
    """`ignored`: it is in the ledger, and the state is what it was."""
    await record(doors, item("opt_in", at=LATER))
    [row] = await record(doors, item("opt_in", at=PAST))
    assert (row["status"], row["in_force"], row["reason"]) == ("ignored", True, "not_newer")
    assert len(await doors.events(ANNA)) == 2


async def test_an_opt_out_that_is_outweighed(doors: Doors) -> None:
    """R6: a dated opt-out older than the opt-in is answered as not in force."""
    await record(doors, item("opt_in", at=LATER))
    [row] = await record(doors, item("opt_out", at=PAST))
    assert (row["status"], row["in_force"]) == ("recorded", False)
    assert await doors.allowed(ANNA)


async def test_in_force_is_told_after_the_whole_list(doors: Doors) -> None:
    """What a later item of the same list took back is not in force."""
    results = await record(
        doors, item("opt_in"), item("marketing_stop"), item("marketing_resume"), item("opt_out")
    )
    assert [row["in_force"] for row in results] == [False, False, True, True]


async def test_marketing_stop_and_resume(doors: Doors) -> None:
    """R8: our stop stops marketing alone, our resume lifts it."""
    await record(doors, item("opt_in"))
    assert [r["in_force"] for r in await record(doors, item("marketing_stop"))] == [True]
    assert (await doors.check(ANNA, category="marketing"))[0]["reason"] == "marketing_stopped"
    assert await doors.allowed(ANNA, category="utility")
    assert [r["in_force"] for r in await record(doors, item("marketing_resume"))] == [True]
    assert await doors.allowed(ANNA, category="marketing")


async def test_an_opt_in_for_some_categories(doors: Doors) -> None:
    """R8: an opt-in that leaves marketing out stops it; one that names it lifts our stop."""
    [row] = await record(doors, item("opt_in", categories=["utility"]))
    assert row["in_force"]
    assert not await doors.allowed(ANNA, category="marketing")
    await record(doors, item("opt_in", categories=["marketing"]))
    assert await doors.allowed(ANNA, category="marketing")


async def test_a_message_opens_a_session(doors: Doors) -> None:
    """R5: a message heard elsewhere opens 24 hours; one of long ago is not in force."""
    results = await record(doors, item("message"), item("message", BERTIL, PAST))
    assert [row["in_force"] for row in results] == [True, False]
    [row] = await doors.check(ANNA, category="service")
    assert (row["allowed"], row["basis"]) == (True, "session")
    assert parse_time(row["until"], "until") > await doors.store.now() + DAY - 60_000_000


@pytest.mark.parametrize("action", ["opt_in", "marketing_resume", "message"])
async def test_dated_too_far_ahead(doors: Doors, action: str) -> None:
    """R3: more than 5 minutes ahead is refused, alone; a little ahead counts as now."""
    now = await doors.store.now()
    far, near = (shown_time(now + minutes * 60_000_000) for minutes in (6, 4))
    results = await record(doors, item(action, at=far), item(action, BERTIL, near))
    assert [row["status"] for row in results] == ["rejected", "recorded"]
    assert results[0]["reason"] == "future_dated"
    assert not await doors.events(ANNA)
    [event] = await doors.events(BERTIL)
    assert event.effective == event.recorded


@pytest.mark.parametrize("action", ["opt_out", "marketing_stop"])
async def test_stops_dated_ahead_count_at_once(doors: Doors, action: str) -> None:
    """R3: a stop dated a year ahead takes effect when it is recorded."""
    await record(doors, item("opt_in"))
    ahead = shown_time(await doors.store.now() + 365 * DAY)
    [row] = await record(doors, item(action, at=ahead))
    assert (row["status"], row["in_force"]) == ("recorded", True)
    assert not await doors.allowed(ANNA, category="marketing")


@pytest.mark.parametrize(
    "bad",
    [
        {"action": None},
        {"action": "opt_out_keyword"},
        {"action": ["opt_in"]},
        {"identity": None},
        {"identity": {"msisdn": ANNA}},
        {"occurred_at": "yesterday"},
        {"occurred_at": "2026-04-11"},
        {"occurred_at": "2026-04-11T00:00:00"},
        {"occurred_at": "2026-02-30T00:00:00Z"},
        {"occurred_at": "2026-04-11T24:00:00Z"},
        {"occurred_at": "2026-04-11T00:00:00+24:00"},
        {"occurred_at": 1775865600},
        {"categories": "marketing"},
        {"categories": []},
        {"categories": ["news"]},
        {"categories": [["marketing"]]},
        {"action": "opt_out", "categories": ["marketing"]},
        {"evidence": "a form"},
        {"evidence": [1]},
        {"evidence": {"page": "x" * 8193}},
        {"evidence": {"page": "a\u0000b"}},
        {"evidence": {"\u0000": 1}},
        {"evidence": {"a": [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}},
    ],
)
async def test_bad_items(doors: Doors, bad: dict[str, Any]) -> None:
    """What breaks an item rejects it alone, and says in a sentence what is wrong."""
    results = await record(doors, item("opt_in") | bad, item("opt_in", BERTIL))
    assert [row["status"] for row in results] == ["rejected", "recorded"]
    assert results[0]["details"].endswith(".")
    assert not await doors.events(ANNA)


async def test_evidence_is_kept(doors: Doors) -> None:
    """R14: what was given is in the ledger as it was given, with the caller beside it."""
    given = {"channel": "web", "page": "https://x.example/ö", "version": 3, "deep": [{"a": 1.5}]}
    headers = [("User-Agent", "crm/2"), ("X-Forwarded-For", "203.0.113.9")]
    await doors.call(
        "POST", CONSENTS, {"items": [item("opt_in", at=PAST, evidence=given)]}, headers=headers
    )
    [event] = await doors.events(ANNA)
    assert event.claim.evidence == given
    assert event.claim.source == "native_api"
    # Nobody is trusted here, so what the caller says of its address is nothing.
    assert event.claim.context == {"ip": "127.0.0.1", "user_agent": "crm/2"}
    assert event.effective == parse_time(PAST, "")


async def test_big_numbers_in_evidence(doors: Doors) -> None:
    """Numbers that fit no machine word are kept as they are."""
    await record(doors, item("opt_in", evidence={"id": 10**30, "size": -0.5}))
    [event] = await doors.events(ANNA)
    assert event.claim.evidence == {"id": 10**30, "size": -0.5}


async def test_reopt_in_needs_evidence(doors: Doors) -> None:
    """R4: after an opt-out of the contact's own, `reopt_in: evidence` takes proof to come back."""
    await doors.bots.change(BOT, {"reopt_in": "evidence"})
    await record(doors, item("opt_in"), item("opt_out", evidence={"actor": "contact"}))
    assert [row["in_force"] for row in await record(doors, item("opt_in"))] == [False]
    assert (await doors.check(ANNA))[0]["reason"] == "opted_out"
    proof = {"wording": "Yes, send me offers", "channel": "web"}
    assert [r["in_force"] for r in await record(doors, item("opt_in", evidence=proof))] == [True]
    assert await doors.allowed(ANNA)


async def test_an_opt_out_by_the_business_needs_no_proof_back(doors: Doors) -> None:
    """R4: only an opt-out that came from the contact asks for evidence."""
    await doors.bots.change(BOT, {"reopt_in": "evidence"})
    await record(doors, item("opt_in"), item("opt_out", evidence={"actor": "agent 7"}))
    assert [row["in_force"] for row in await record(doors, item("opt_in"))] == [True]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": {}}, "items"),
        ({"items": [{}] * 1001}, "items"),
        (7, "items"),
    ],
)
async def test_no_list(doors: Doors, body: Any, field: str) -> None:
    """What is no list of 1 to 1,000 items is one problem for all."""
    problem = assert_problem(await doors.call("POST", CONSENTS, body), 400, "invalid_input")
    assert problem["field"] == field


async def test_a_thousand_items(doors: Doors) -> None:
    """A thousand items go in one commit; all of them count."""
    people = [f"4673{n:07}" for n in range(1000)]
    results = await record(doors, *(item("opt_in", each) for each in people))
    assert {row["status"] for row in results} == {"recorded"}
    assert all(row["allowed"] for row in await doors.check(*people))


async def test_no_json(doors: Doors) -> None:
    """A body that is no JSON is a problem with its code."""
    for path in (CONSENTS, CHECK):
        assert_problem(await doors.call("POST", path, content=b"{"), 400, "invalid_input")


async def test_the_contact(doors: Doors) -> None:
    """State, clocks, linked identities and the decision per category, as of one instant."""
    mexican = "5215512345678"
    await record(doors, item("opt_in", mexican, PAST), item("marketing_stop", mexican, LATER))
    answer = await doors.call("GET", f"/v1/bots/{BOT}/contacts/+{mexican}")
    body = answer.json()
    assert body["identity"] == f"+{mexican}"
    assert body["state"] == "opted_in"
    assert body["session_until"] is None
    assert body["marketing_stopped"] is True
    assert (body["clocks"]["opt_in"], body["clocks"]["marketing_stop"]) == (PAST, LATER)
    assert body["clocks"]["opt_out_other"] is None
    assert body["identities"] == [
        {"identity": f"+{mexican}", "allows": True},
        {"identity": "+525512345678", "allows": True},
    ]
    decisions = body["decisions"]
    assert set(decisions) == {"marketing", "utility", "authentication", "service"}
    assert decisions["utility"] == {
        "allowed": True,
        "reason": None,
        "basis": "opt_in",
        "until": None,
    }
    assert decisions["marketing"]["reason"] == "marketing_stopped"
    assert decisions["service"]["reason"] == "session_required"


async def test_a_contact_with_wordings(doors: Doors) -> None:
    """The wordings that somebody opted in under are named by their digests."""
    await record(doors, item("opt_in", at=PAST, evidence={"wording": "Yes"}))
    body = (await doors.call("GET", f"/v1/bots/{BOT}/contacts/{ANNA}")).json()
    digest = "85a39ab345d672ff8ca9b9c6876f3adcacf45ee7c1e2dbd2408fd338bd55e07e"
    assert body["clocks"]["wordings"] == {digest: PAST}
    assert body["state"] == "opted_in"


async def test_contacts_with_little_to_tell(doors: Doors) -> None:
    """Somebody unknown is `unknown`; somebody who left is `opted_out`; nonsense is a problem."""
    path = f"/v1/bots/{BOT}/contacts/"
    assert (await doors.call("GET", path + ANNA)).json()["state"] == "unknown"
    await record(doors, item("opt_out"), item("message", BERTIL))
    assert (await doors.call("GET", path + ANNA)).json()["state"] == "opted_out"
    writing = (await doors.call("GET", path + BERTIL)).json()
    assert writing["state"] == "unknown"
    assert writing["session_until"] is not None
    assert_problem(await doors.call("GET", path + "12"), 400, "invalid_identity")
