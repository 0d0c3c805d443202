"""`POST check` of the native API (SPEC 6, R7)."""

from __future__ import annotations

from typing import Any

import pytest

from optin.domain.rfc3339 import shown_time
from tests.web.doors import ANNA, BERTIL, BOT, Doors
from tests.web.test_native import CHECK, CONSENTS, LATER, PAST, assert_problem, item, record


async def test_rows_in_order_as_given(doors: Doors) -> None:
    """Every identity has a row, duplicates and nonsense too, in order and as it was given."""
    await record(doors, item("opt_in"))
    given = [f"+{ANNA}", "12", BERTIL, int(ANNA), None, {"a": [1]}, f"+{ANNA}", 1.5, True]
    rows = await doors.check(*given)
    assert [row["identity"] for row in rows] == given
    assert [row["allowed"] for row in rows] == [n in (0, 3, 6) for n in range(9)]
    assert rows[1] == {
        "identity": "12",
        "allowed": False,
        "reason": "invalid",
        "basis": None,
        "until": None,
        "enforced": True,
    }
    assert rows[2]["reason"] == "no_opt_in"
    assert rows[0] == {
        "identity": f"+{ANNA}",
        "allowed": True,
        "reason": None,
        "basis": "opt_in",
        "until": None,
        "enforced": False,
    }


@pytest.mark.parametrize("depth", [10, 500, *range(800, 1000, 10), 100_000])
async def test_deep_nonsense(doors: Doors, depth: int) -> None:
    """An identity nested however deep is a row or no JSON to us, never a fault of ours."""
    content = b'{"identities":[' + b"[" * depth + b"]" * depth + b"]}"
    answer = await doors.call("POST", CHECK, content=content)
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize(
    ("enforce", "enforced"),
    [("all", [True, True]), ("opt_outs", [False, True]), ("none", [False, False])],
)
async def test_never_softened(doors: Doors, enforce: str, enforced: list[bool]) -> None:
    """R7: `enforce` changes what the gate does, never the rule's answer."""
    await doors.bots.change(BOT, {"enforce": enforce})
    await record(doors, item("opt_out", BERTIL))
    rows = await doors.check(ANNA, BERTIL)
    assert [row["allowed"] for row in rows] == [False, False]
    assert [row["reason"] for row in rows] == ["no_opt_in", "opted_out"]
    assert [row["enforced"] for row in rows] == enforced


async def test_without_category_as_for_utility(doors: Doors) -> None:
    """SPEC 6: who stopped marketing may get a utility template."""
    await record(doors, item("opt_in"), item("marketing_stop"))
    assert await doors.allowed(ANNA)
    assert not await doors.allowed(ANNA, category="marketing")
    assert not await doors.allowed(ANNA, category="service")
    assert await doors.allowed(ANNA, category="authentication")


@pytest.mark.parametrize(
    "template",
    [
        "order_ready/en",
        "order_ready",
        {"name": "order_ready"},
        {"name": "order_ready", "language": "EN"},
    ],
)
async def test_by_template(doors: Doors, template: Any) -> None:
    """A template is judged by its record, one without a record, or a category, as marketing."""
    await record(doors, item("opt_in"), item("marketing_stop"))
    [row] = await doors.check(ANNA, template=template)
    assert row["reason"] == "marketing_stopped"
    path = f"/v1/bots/{BOT}/templates/order_ready/en"
    await doors.call("PUT", path, {"category": "utility"})
    assert await doors.allowed(ANNA, template=template)
    await doors.call("PUT", path, {"status": "APPROVED"})
    assert not await doors.allowed(ANNA, template=template)


async def test_a_past_moment(doors: Doors) -> None:
    """`at` answers from what was in effect by then."""
    await record(doors, item("opt_in", at=PAST), item("opt_out", at=LATER))
    before, then, after = "2026-04-10T23:59:59.999999Z", PAST, LATER
    reasons = [(await doors.check(ANNA, at=at))[0]["reason"] for at in (before, then, after)]
    assert reasons == ["no_opt_in", None, "opted_out"]


async def test_times_with_other_offsets(doors: Doors) -> None:
    """A time may be written with any offset, and with more digits than are kept."""
    await record(doors, item("opt_in", at="2026-04-11T02:00:00+02:00"))
    assert await doors.allowed(ANNA, at=PAST)
    assert await doors.allowed(ANNA, at="2026-04-10T18:30:00.000000999-05:30")
    assert not await doors.allowed(ANNA, at="2026-04-10T23:59:59.999999Z")


async def test_what_was_known_then(doors: Doors) -> None:
    """`known_at` leaves out what was recorded later; alone it asks about now."""
    await record(doors, item("opt_in"))
    between = shown_time(await doors.store.now())
    await record(doors, item("opt_out", at=PAST), item("opt_out"))
    assert not await doors.allowed(ANNA)
    assert await doors.allowed(ANNA, known_at=between)
    assert not await doors.allowed(ANNA, known_at=PAST)
    assert not await doors.allowed(ANNA, known_at=between, at=PAST)
    assert (await doors.check(ANNA, at=PAST))[0]["reason"] == "opted_out"
    assert (await doors.check(ANNA, at=PAST, known_at=between))[0]["reason"] == "no_opt_in"


async def test_past_answers_read_spellings_too(doors: Doors) -> None:
    """R11: an opt-out of Argentina's other spelling blocks in the past as well."""
    await record(doors, item("opt_in", "541123456789", PAST), item("opt_in", "5491123456789", PAST))
    await record(doors, item("opt_out", "541123456789", LATER))
    assert await doors.allowed("5491123456789", at=PAST)
    assert (await doors.check("5491123456789", at=LATER))[0]["reason"] == "opted_out"


async def test_about_the_future_nobody_knows(doors: Doors) -> None:
    """`at` more than 5 minutes ahead is a problem; nearer it is now."""
    await record(doors, item("opt_in"))
    now = await doors.store.now()
    assert await doors.allowed(ANNA, at=shown_time(now + 240_000_000))
    ahead = {"identities": [ANNA], "at": shown_time(now + 400_000_000)}
    problem = assert_problem(await doors.call("POST", CHECK, ahead), 400, "invalid_input")
    assert problem["field"] == "at"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"identities": None}, "identities"),
        ({"identities": []}, "identities"),
        ({"identities": ANNA}, "identities"),
        ({"identities": [ANNA] * 1001}, "identities"),
        ({"category": "news"}, "category"),
        ({"category": ["marketing"]}, "category"),
        ({"category": "utility", "template": "a/en"}, "category"),
        ({"template": ""}, "template"),
        ({"template": 7}, "template"),
        ({"template": {"language": "en"}}, "template"),
        ({"template": "a/not a language"}, "template"),
        ({"at": "now"}, "at"),
        ({"known_at": 5}, "known_at"),
    ],
)
async def test_questions_that_are_none(doors: Doors, wrong: dict[str, Any], field: str) -> None:
    """A question that breaks a rule is a problem which names the member."""
    answer = await doors.call("POST", CHECK, {"identities": [ANNA]} | wrong)
    assert assert_problem(answer, 400, "invalid_input")["field"] == field


async def test_a_thousand_and_no_writing(doors: Doors) -> None:
    """A thousand identities are answered, and `check` leaves nothing in the ledger (R7)."""
    people = [f"4673{n:07}" for n in range(1000)]
    assert {row["reason"] for row in await doors.check(*people)} == {"no_opt_in"}
    assert not await doors.events(people[0])


async def test_other_methods(doors: Doors) -> None:
    """A wrong method is 405 with Allow, as a problem."""
    for method, path, allow in (
        ("GET", CHECK, "POST"),
        ("DELETE", CONSENTS, "POST"),
        ("POST", f"/v1/bots/{BOT}/contacts/{ANNA}", "DELETE, GET"),
        ("DELETE", f"/v1/bots/{BOT}/templates/a/en", "GET, PUT"),
    ):
        answer = await doors.call(method, path)
        assert_problem(answer, 405, "wrong_method")
        assert answer.headers["allow"] == allow
