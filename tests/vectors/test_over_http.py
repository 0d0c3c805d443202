"""The rule cases, run through the real application (SPEC 3, 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from optin.domain.consent_items import ACTIONS
from tests.conftest import OpenStore
from tests.vectors import load
from tests.web.doors import ANNA, BOT, Doors, open_doors

NUMBERS = load("numbers")
CASES = [
    case
    for case in load("decisions")["cases"]
    if all(event["kind"] in ACTIONS for event in case["events"])
]
CONSENTS = f"/v1/bots/{BOT}/consents"


@pytest.fixture
async def doors(open_store: OpenStore) -> AsyncIterator[Doors]:
    made = await open_doors(await open_store())
    yield made
    await made.client.aclose()


@pytest.mark.parametrize("case", NUMBERS["valid"], ids=lambda case: str(case["input"]))
async def test_good_numbers(doors: Doors, case: dict[str, Any]) -> None:
    """H3: the number is taken and is the one MSISDN, for opt-ins and for checks."""
    given, msisdn = case["input"], case["msisdn"]
    answer = await doors.legacy("POST", "provision/optin", given)
    assert (answer.status_code, answer.content) == (200, b"")
    [event] = await doors.events(msisdn)
    assert event.claim.identity == msisdn
    assert [row["allowed"] for row in await doors.check(given, msisdn)] == [True, True]


@pytest.mark.parametrize("given", NUMBERS["invalid"], ids=repr)
async def test_bad_numbers(doors: Doors, given: Any) -> None:
    """H2, H3: a bad number is 400 and spoils its list; in a check it is a row of its own."""
    answer = await doors.legacy("POST", "provision/optin", ANNA, given)
    assert answer.status_code == 400
    assert answer.json()["details"] == "Field [numbers[1]] is not a phone number."
    assert not await doors.events(ANNA)
    [row] = await doors.check(given)
    assert (row["allowed"], row["reason"], row["identity"]) == (False, "invalid", given)


def test_most_cases_can_be_run_here() -> None:
    """The cases left out are those whose events only a provider can tell."""
    assert len(CASES) >= 20


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
async def test_decisions(doors: Doors, case: dict[str, Any], backwards: bool) -> None:
    """R2, R7: recorded with their dates, in either order, the events give the case's decisions."""
    events = case["events"][::-1] if backwards else case["events"]
    for event in events:
        item = {"identity": ANNA, "action": event["kind"], "occurred_at": event["at"]}
        [result] = (await doors.call("POST", CONSENTS, {"items": [item]})).json()["results"]
        assert result["status"] in ("recorded", "ignored")
    for expected in case["decisions"]:
        wanted = {"category": expected["category"], "at": expected["now"]}
        [row] = await doors.check(ANNA, **wanted)
        told = {name: row[name] for name in ("allowed", "reason", "basis", "until")}
        assert told == {name: expected[name] for name in told}
