"""Forgetting a contact over HTTP (R15, SPEC 6)."""

from __future__ import annotations

import pytest

from tests.web.doors import ANNA, BERTIL, BOT, Doors
from tests.web.test_native import assert_problem, item, record

MEXICO, MEXICO_OLD = "525512345678", "5215512345678"


def contact(identity: str) -> str:
    """The path of one contact."""
    return f"/v1/bots/{BOT}/contacts/{identity}"


async def test_a_forgotten_contact_is_out_until_a_live_yes(doors: Doors) -> None:
    """R15: old lists revive nobody, a later live opt-in works again; neighbours stay."""
    await record(doors, item("opt_in", MEXICO), item("opt_in", BERTIL))
    answer = await doors.call("DELETE", contact(f"+{MEXICO_OLD}"))
    assert answer.status_code == 200
    assert (answer.json()["identities"], answer.json()["entries"]) == (2, 1)
    await record(doors, item("opt_in", MEXICO, "2026-01-01T00:00:00Z"))
    assert not await doors.allowed(MEXICO)
    assert await doors.allowed(BERTIL)
    await record(doors, item("opt_in", MEXICO))
    assert await doors.allowed(MEXICO_OLD)


async def test_what_is_read_afterwards_names_nobody(doors: Doors) -> None:
    """R15: the contact can still be asked about; digests are shown to nobody."""
    await record(doors, item("opt_in", ANNA))
    await doors.call("DELETE", contact(ANNA))
    body = (await doors.call("GET", contact(ANNA))).json()
    assert body["state"] == "opted_out"
    assert [each["identity"] for each in body["identities"]] == [f"+{ANNA}"]


@pytest.mark.parametrize("identity", ["12", "nobody", "%2B"])
async def test_what_is_no_identity_is_refused(doors: Doors, identity: str) -> None:
    """A mistake in the path forgets nobody."""
    assert_problem(await doors.call("DELETE", contact(identity)), 400, "invalid_identity")


async def test_it_needs_the_scope_admin(doors: Doors) -> None:
    """SPEC 6: a token that may only provision cannot erase."""
    token = await doors.add_token("provision", "read", "send")
    await record(doors, item("opt_in", ANNA))
    answer = await doors.call("DELETE", contact(ANNA), token=token)
    assert_problem(answer, 403, "forbidden")
    assert await doors.allowed(ANNA)
