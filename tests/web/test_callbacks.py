"""Callbacks in the native API: listed, shown, replayed (SPEC 4, 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from optin.ports.store import Callback, CallbackKind
from tests.stores.works import Do
from tests.web.doors import BOT, Doors
from tests.web.test_native import assert_problem

ROOT = f"/v1/bots/{BOT}/callbacks"
URL = "https://shop.example:8443/hook?key=1"
AT = 1_700_000_000_000_000
BODY = '{"type":"whatsapp","é":1}'.encode()


@pytest.fixture(autouse=True)
async def filled(doors: Doors) -> None:
    """Three callbacks: C1 done, C2 dead, C3 waiting, which is a relay of odd bytes."""
    c1, c2, c3 = (Callback(BOT, f"C{n}", URL, BODY, AT, AT) for n in (1, 2, 3))
    c3 = replace(c3, kind=CallbackKind.RELAY, body=b"\xff\x00", headers={"x-hub-signature": "s"})

    def owe(tx: Any) -> None:
        for each in (c1, c2, c3):
            tx.put_callback(each)

    await doors.store.commit(Do(owe, bot_id=BOT))
    done = replace(c1, attempts=2, outcome="HTTP 204")
    await doors.store.put_callbacks([done], [], [replace(c2, attempts=1, outcome="HTTP 404")])


async def rows(doors: Doors, query: str = "") -> tuple[list[str], str | None]:
    """(ids, next) of a page."""
    answer = await doors.call("GET", ROOT + query)
    assert answer.status_code == 200, answer.text
    page = answer.json()
    return [each["id"] for each in page["callbacks"]], page["next"]


async def test_a_row(doors: Doors) -> None:
    """All that is known of a callback but its headers and body, which may speak of a person."""
    answer = await doors.call("GET", f"{ROOT}?stage=dead")
    assert answer.json() == {
        "callbacks": [
            {
                "id": "C2",
                "kind": "status",
                "stage": "dead",
                "url": URL,
                "created": "2023-11-14T22:13:20Z",
                "due": None,
                "attempts": 1,
                "outcome": "HTTP 404",
                "size": len(BODY),
            }
        ],
        "next": None,
    }


async def test_pages(doors: Doors) -> None:
    """`next` of a page is `after` of the one behind it."""
    assert await rows(doors) == (["C1", "C2", "C3"], None)
    assert await rows(doors, "?limit=2") == (["C1", "C2"], "C2")
    assert await rows(doors, "?limit=2&after=C2") == (["C3"], None)
    assert await rows(doors, "?stage=waiting") == (["C3"], None)
    assert await rows(doors, "?stage=done&limit=1") == (["C1"], None)


async def test_a_body_is_shown_by_its_id_only(doors: Doors) -> None:
    """As text, or in base64 when it is none; with the headers of a relay."""
    whole = (await doors.call("GET", f"{ROOT}/C1")).json()
    assert (whole["body"], whole["headers"], whole["outcome"]) == (BODY.decode(), {}, "HTTP 204")
    relay = (await doors.call("GET", f"{ROOT}/C3")).json()
    assert (relay["body_base64"], relay["headers"]) == ("/wA=", {"x-hub-signature": "s"})
    assert relay["due"] == "2023-11-14T22:13:20Z"
    assert_problem(await doors.call("GET", f"{ROOT}/C4"), 404, "not_found")


async def stages(doors: Doors) -> list[str]:
    return [c.stage.value for c in await doors.store.callbacks(BOT, "", 10)]


async def test_replay_by_id(doors: Doors) -> None:
    """The named ones are owed again; the answer says how many there were."""
    answer = await doors.call("POST", f"{ROOT}/replay", {"ids": ["C2", "C9"]})
    assert (answer.status_code, answer.json()) == (200, {"replayed": 1})
    assert await stages(doors) == ["done", "waiting", "waiting"]


async def test_replay_from_a_cursor(doors: Doors) -> None:
    """All behind the cursor; "" is before the first."""
    assert (await doors.call("POST", f"{ROOT}/replay", {"from": "C1"})).json() == {"replayed": 2}
    assert await stages(doors) == ["done", "waiting", "waiting"]
    assert (await doors.call("POST", f"{ROOT}/replay", {"from": ""})).json() == {"replayed": 3}
    assert await stages(doors) == ["waiting"] * 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": ["C1"], "from": "C1"},
        {"ids": []},
        {"ids": "C1"},
        {"ids": [None]},
        {"ids": ["C1"] * 1001},
        {"from": 7},
        {"from": None},
        [],
    ],
)
async def test_wrong_bodies(doors: Doors, body: Any) -> None:
    """400, and nothing is owed again."""
    answer = await doors.call("POST", f"{ROOT}/replay", body)
    assert_problem(answer, 400, "invalid_input")
    assert await stages(doors) == ["done", "dead", "waiting"]


@pytest.mark.parametrize("query", ["stage=gone", "limit=0", "limit=x", "limit=1001", "after=%ff"])
async def test_wrong_queries(doors: Doors, query: str) -> None:
    """400 for a stage, limit or cursor that is none."""
    assert_problem(await doors.call("GET", f"{ROOT}?{query}"), 400, "invalid_input")


async def test_unknown_ids(doors: Doors) -> None:
    """404 if there is none of those named."""
    answer = await doors.call("POST", f"{ROOT}/replay", {"ids": ["C9"]})
    assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/C1"), ("POST", "/replay"), ("DELETE", "/C1")]
)
async def test_who_may(doors: Doors, method: str, path: str) -> None:
    """Only a token of this bot with the scope `admin`."""
    body = {"ids": ["C1"]} if method == "POST" else None
    for token, code in (
        (await doors.add_token("provision", "send", "read"), 403),
        (await doors.add_bot(f"other{len(method + path)}"), 401),
        ("", 401),
        (doors.token, 405 if method == "DELETE" else 200),
    ):
        expected = 405 if method == "DELETE" else code
        answer = await doors.call(method, ROOT + path, body, token=token)
        assert answer.status_code == expected
