"""The application as a whole: its paths, its errors, its health (H5, SPEC 6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from optin.domain.events import Kind
from optin.usecases.check import Check
from optin.usecases.record_consent import RecordConsent
from optin.web.client_address import networks
from tests.conftest import OpenStore
from tests.web.doors import ANNA, BOT, Doors, open_doors
from tests.web.test_legacy import assert_error
from tests.web.test_legacy_bodies import rename
from tests.web.test_native import CHECK, CONSENTS, assert_problem, item


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/bots", f"/v1/bots/{BOT}", "/v1/bots//check", "/healthz/", "/x/check"]
)
async def test_unknown_paths(doors: Doors, path: str) -> None:
    """A path that leads nowhere is a 404 problem, never a redirect and never HTML."""
    for method in ("GET", "POST"):
        assert_problem(await doors.call(method, path), 404, "not_found")


async def test_wrong_methods_of_the_router(doors: Doors) -> None:
    """What the router itself refuses looks like every other problem."""
    answer = await doors.call("POST", "/healthz")
    assert_problem(answer, 405, "wrong_method")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_healthy(doors: Doors) -> None:
    """Both are 200 without a token while the store can commit."""
    for path in ("/healthz", "/readyz"):
        answer = await doors.call("GET", path, token="")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_not_ready(doors: Doors) -> None:
    """`/readyz` is 503 with the reason when the store does not answer; `/healthz` stays 200."""
    await doors.store.close()
    answer = await doors.call("GET", "/readyz", token="")
    assert answer.status_code == 503
    assert answer.json()["code"] == "store_unavailable"
    assert answer.json()["detail"]
    assert (await doors.call("GET", "/healthz", token="")).status_code == 200


async def test_the_store_down(doors: Doors, tmp_path: Path) -> None:
    """R12: while the store fails, nothing is recorded, allowed or shown: 503 with its code."""
    await doors.call("GET", f"/v1/bots/{BOT}/templates")  # the token is known by now
    rename(tmp_path, "events", "gone")
    rename(tmp_path, "identities", "gone_too")
    for method, path, body in (
        ("POST", CONSENTS, {"items": [item("opt_in")]}),
        ("POST", CHECK, {"identities": [ANNA]}),
        ("POST", CHECK, {"identities": [ANNA], "known_at": "2026-04-11T00:00:00Z"}),
        ("GET", f"/v1/bots/{BOT}/contacts/{ANNA}", None),
    ):
        answer = await doors.call(method, path, body)
        problem = assert_problem(answer, 503, "store_unavailable")
        assert answer.headers["retry-after"] == "1"
        assert "events" not in problem["detail"]


async def test_a_fault_of_ours(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault is 500 with a JSON body that says nothing of the inside; the log has it."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    for name in ("provision", "record"):
        monkeypatch.setattr(RecordConsent, name, broken)
    answer = await doors.legacy("POST", "provision/optin", ANNA)
    assert_error(answer, 500, "Internal server error")
    assert "ZeroDivisionError" in caplog.text
    answer = await doors.call("POST", CONSENTS, {"items": [item("opt_in")]})
    assert_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        ("", "203.0.113.9", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.0/8", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1,10.0.0.0/8", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1,10.0.0.0/8", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
    ],
)
async def test_where_a_call_came_from(
    open_store: OpenStore, trusted: str, forwarded: str, address: str
) -> None:
    """R14: `X-Forwarded-For` is believed from trusted proxies alone, and read from its end."""
    doors = await open_doors(await open_store(), trusted_proxies=networks(trusted))
    headers = [("X-Forwarded-For", forwarded)]
    await doors.legacy("POST", "provision/optin", ANNA, headers=headers)
    [event] = await doors.events(ANNA)
    assert event.claim.context["ip"] == address
    await doors.client.aclose()


async def test_use_cases_stand_alone(doors: Doors) -> None:
    """What one door recorded, a use case on the same store reads."""
    await doors.legacy("POST", "provision/optin", ANNA)
    [row] = await Check(doors.store).now(BOT, [ANNA])
    assert row.allowed
    assert [e.claim.kind for e in await doors.events(ANNA)] == [Kind.OPT_IN]
