"""The review queue in the native API (SPEC 6, R10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import OpenStore
from tests.usecases.hearing import body as bodied
from tests.usecases.hearing import text as written
from tests.web.doors import ANNA, BOT, Doors, open_doors

PATH = f"/v1/bots/{BOT}/reviews"
UNCLEAR = "Stop sending me the wrong parcels, where is mine?"


@pytest.fixture
async def doors(open_store: OpenStore) -> AsyncIterator[Doors]:
    made = await open_doors(await open_store())
    yield made
    await made.client.aclose()


async def said(doors: Doors, text: str, wamid: str = "wamid.1") -> None:
    at = await doors.store.now() // 1_000_000
    content = bodied(BOT, messages=[written(text, wamid, at) | {"from": ANNA}])
    await doors.services.receive_inbound.take_in(BOT, content)


async def listed(doors: Doors, query: str = "") -> list[dict[str, Any]]:
    answer = await doors.call("GET", PATH + query)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["reviews"]
    return rows


async def test_a_stop_decided_by_a_person_bites(doors: Doors) -> None:
    """R6: after the answer nobody is allowed, and the ledger says whose decision it was."""
    await said(doors, UNCLEAR)
    [row] = await listed(doors)
    assert (row["kind"], row["identities"], row["text"]) == ("message", [f"+{ANNA}"], UNCLEAR)
    assert (row["decision"], row["decided"], row["decided_by"]) == (None, None, None)
    assert await doors.allowed(ANNA, category="service")
    body = {"decision": "stop", "note": "meant it"}
    answer = await doors.call("POST", f"{PATH}/{row['id']}", body)
    assert (answer.status_code, answer.json()["decision"]) == (200, "stop")
    assert not await doors.allowed(ANNA, category="service")
    assert await listed(doors) == []
    [after] = await listed(doors, "?state=all")
    assert (after["note"], after["decision"]) == ("meant it", "stop")
    [opt_out] = [e for e in await doors.events(ANNA) if e.claim.kind == "opt_out"]
    assert (opt_out.claim.source, opt_out.claim.actor) == ("native_api", after["decided_by"])


async def test_twice_is_a_conflict(doors: Doors) -> None:
    """409, and the first decision stands."""
    await said(doors, UNCLEAR)
    [row] = await listed(doors)
    path = f"{PATH}/{row['id']}"
    assert (await doors.call("POST", path, {"decision": "nothing"})).status_code == 200
    answer = await doors.call("POST", path, {"decision": "stop"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert await doors.allowed(ANNA, category="service")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/nobody", {"decision": "stop"}, 404),
        ("/{id}", {"decision": "perhaps"}, 400),
        ("/{id}", {"decision": None}, 400),
        ("/{id}", {"decision": "stop", "note": 7}, 400),
        ("/{id}", {"decision": "stop", "note": "x" * 1001}, 400),
        ("/{id}", ["stop"], 400),
    ],
)
async def test_odd_decisions(doors: Doors, path: str, body: Any, status: int) -> None:
    """What is no decision about an item there is changes nothing."""
    await said(doors, UNCLEAR)
    [row] = await listed(doors)
    answer = await doors.call("POST", PATH + path.format(id=row["id"]), body)
    assert answer.status_code == status, answer.text
    assert await listed(doors) == [row]


async def test_pages(doors: Doors) -> None:
    """`next` leads on, and odd parameters are 400."""
    for n in range(3):
        await said(doors, UNCLEAR, f"wamid.{n}")
    first = (await doors.call("GET", PATH + "?limit=2")).json()
    assert len(first["reviews"]) == 2
    second = (await doors.call("GET", f"{PATH}?limit=2&after={first['next']}")).json()
    assert (len(second["reviews"]), second["next"]) == (1, None)
    for odd in ("?limit=0", "?limit=x", "?limit=1001", "?state=closed"):
        assert (await doors.call("GET", PATH + odd)).status_code == 400


async def test_scopes(doors: Doors) -> None:
    """Reading needs `read`, deciding `provision`."""
    await said(doors, UNCLEAR)
    [row] = await listed(doors)
    path, decision = f"{PATH}/{row['id']}", {"decision": "nothing"}
    reader, writer = await doors.add_token("read"), await doors.add_token("provision")
    assert (await doors.call("GET", PATH, token=writer)).status_code == 403
    assert (await doors.call("POST", path, decision, token=reader)).status_code == 403
    assert (await doors.call("POST", path, decision, token=writer)).status_code == 200
    assert (await doors.call("GET", PATH, token="")).status_code == 401
