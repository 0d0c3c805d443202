"""Template records in the native API (H9, SPEC 6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.doors import BOT, Doors
from tests.web.test_native import assert_problem

ROOT = f"/v1/bots/{BOT}/templates"


async def test_put_and_get(doors: Doors) -> None:
    """What was put is what is read, under the language's one spelling."""
    body = {"category": "MARKETING", "status": "APPROVED"}
    put = (await doors.call("PUT", f"{ROOT}/spring_sale/pt-br", body)).json()
    assert (put["name"], put["language"]) == ("spring_sale", "pt_BR")
    assert (put["category"], put["status"]) == ("marketing", "APPROVED")
    assert put["updated"].endswith("Z")
    assert (await doors.call("GET", f"{ROOT}/spring_sale/pt_BR")).json() == put


async def test_texts(doors: Doors) -> None:
    """What people read is put and shown, in Meta's shape too; without it what is known stays."""
    texts = [{"type": "body", "text": "Reply STOP"}, {"type": "button", "text": "Stop"}]
    put = (await doors.call("PUT", f"{ROOT}/a/en", {"components": texts})).json()
    assert put["components"] == texts
    meta = [
        {"type": "BODY", "text": "Reply STOP"},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Stop"}]},
    ]
    again = (await doors.call("PUT", f"{ROOT}/b/en", {"components": meta})).json()
    assert again["components"] == texts
    plain = (await doors.call("PUT", f"{ROOT}/a/en", {"category": "utility"})).json()
    assert (plain["category"], plain["components"]) == ("utility", texts)
    listed = (await doors.call("GET", ROOT)).json()["templates"]
    assert [each["components"] for each in listed] == [texts, texts]


async def test_an_unknown_template(doors: Doors) -> None:
    """A template without a record is 404."""
    assert_problem(await doors.call("GET", f"{ROOT}/nothing/en"), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("a/en", {"category": "service"}, "category"),
        ("a/en", {"category": 7}, "category"),
        ("a/en", {"status": ["x"]}, "status"),
        ("a/no language", {"category": "utility"}, "language"),
        ("%20/en", {"category": "utility"}, "name"),
        ("a/en", {"components": "BODY"}, "components"),
        ("a/en", {"components": [["BODY"]]}, "components"),
    ],
)
async def test_bad_records(doors: Doors, path: str, body: Any, field: str) -> None:
    """What is no record is a problem that names the member, and nothing is stored."""
    answer = await doors.call("PUT", f"{ROOT}/{path}", body)
    assert assert_problem(answer, 400, "invalid_input")["field"] == field
    assert (await doors.call("GET", ROOT)).json() == {"templates": [], "next": None}


async def test_pages(doors: Doors) -> None:
    """The pages hold every record once, in order, though one is added and one is new meanwhile."""
    for n in range(7):
        await doors.call("PUT", f"{ROOT}/t{n}/en", {"category": "utility"})
    seen: list[str] = []
    path = f"{ROOT}?limit=3"
    while path:
        page = (await doors.call("GET", path)).json()
        seen += [each["name"] for each in page["templates"]]
        path = f"{ROOT}?limit=3&cursor={page['next']}" if page["next"] else ""
        await doors.call("PUT", f"{ROOT}/a_earlier/en", {"category": "utility"})
    assert seen == [f"t{n}" for n in range(7)]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "cursor=x", "cursor=%ff"])
async def test_pages_that_are_none(doors: Doors, query: str) -> None:
    """A limit or cursor that is none is a problem, not the first page."""
    assert_problem(await doors.call("GET", f"{ROOT}?{query}"), 400, "invalid_input")
