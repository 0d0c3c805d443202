"""Counts over HTTP (SPEC 6)."""

from __future__ import annotations

import pytest

from tests.web.doors import BERTIL, BOT, Doors
from tests.web.test_native import assert_problem, item, record

STATS = f"/v1/bots/{BOT}/stats"


async def test_counts_of_today(doors: Doors) -> None:
    """Standings now, and today's row with entries by kind and messages by state and reason."""
    await record(doors, item("opt_in"), item("opt_out", BERTIL), item("message"))
    body = {"to": BERTIL, "message": {"type": "text", "text": "Hi"}}
    await doors.call("POST", f"/v1/bots/{BOT}/messages", body)
    answer = await doors.call("GET", STATS)
    told = answer.json()
    assert told["contacts"] == {
        "identities": 2,
        "opted_in": 1,
        "opted_out": 1,
        "in_session": 1,
        "marketing_stopped": 0,
        "erased": 0,
    }
    [day] = told["days"]
    assert day["date"] == told["as_of"][:10]
    assert day["events"] == {"opt_in": 1, "opt_out": 1, "message": 1}
    assert day["refused"] == {"opted_out": 1}
    assert sum(day["messages"].values()) == 1


async def test_an_empty_bot_has_no_days(doors: Doors) -> None:
    """Nothing yet is no error."""
    told = (await doors.call("GET", f"{STATS}?days=366")).json()
    assert (told["contacts"]["identities"], told["days"]) == (0, [])


@pytest.mark.parametrize("days", ["0", "367", "x", "-1", ""])
async def test_what_is_no_number_of_days_is_refused(doors: Doors, days: str) -> None:
    """A clear error that names the field."""
    assert_problem(await doors.call("GET", f"{STATS}?days={days}"), 400, "invalid_input")
