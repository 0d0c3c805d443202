"""`Idempotency-Key`: done once, answered alike (SPEC 6, R3)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from optin.domain.errors import StoreUnavailable
from optin.domain.events import DAY, Kind
from optin.usecases.housekeep import Housekeep
from optin.web import once
from tests.web.doors import ANNA, BERTIL, BOT, Doors, doors_on
from tests.web.test_native import CONSENTS, assert_problem, item

MESSAGES = f"/v1/bots/{BOT}/messages"


async def post(doors: Doors, key: str, path: str, body: Any, **more: Any) -> httpx.Response:
    """One call with a key."""
    return await doors.call("POST", path, body, headers=[("Idempotency-Key", key)], **more)


async def test_the_same_key_and_body_get_the_same_answer(doors: Doors) -> None:
    """SPEC 6: consents are recorded once; the answer is the same byte for byte."""
    body = {"items": [item("opt_in"), item("opt_in", "12")]}
    first = await post(doors, "k1", CONSENTS, body)
    again = await post(doors, "k1", CONSENTS, body)
    assert (again.status_code, again.content) == (200, first.content)
    assert len(await doors.events(ANNA)) == 1


async def test_a_message_is_sent_once(doors: Doors) -> None:
    """SPEC 6: a send whose answer was lost can be repeated."""
    await doors.call("POST", CONSENTS, {"items": [item("message")]})
    body = {"to": ANNA, "message": {"type": "text", "preview_url": False, "text": "Hi"}}
    first = await post(doors, "k1", MESSAGES, body)
    assert first.status_code == 201, first.text
    again = await post(doors, "k1", MESSAGES, body)
    assert again.json()["message_id"] == first.json()["message_id"]


@pytest.mark.parametrize("path", ["", "?x=1"])
async def test_another_body_is_a_conflict(doors: Doors, path: str) -> None:
    """SPEC 6: `409`, and nothing is recorded; so it is for another query."""
    await post(doors, "k1", CONSENTS, {"items": [item("opt_in")]})
    other = {"items": [item("opt_in") if path else item("opt_out")]}
    assert_problem(await post(doors, "k1", CONSENTS + path, other), 409, "conflict")
    assert len(await doors.events(ANNA)) == 1


async def test_a_key_is_that_of_its_token_and_route(doors: Doors) -> None:
    """SPEC 6: another token's or another path's key of the same text is another key."""
    body = {"items": [item("opt_in")]}
    await post(doors, "k1", CONSENTS, body)
    token = await doors.add_token("provision")
    await post(doors, "k1", CONSENTS, body, token=token)
    assert len(await doors.events(ANNA)) == 2
    review = await post(doors, "k1", MESSAGES, {"to": "12"})
    assert review.status_code == 400


async def test_one_that_is_under_way_is_a_conflict(doors: Doors) -> None:
    """SPEC 6: of two at once one is done and one is `409`."""
    body = {"items": [item("opt_in")]}
    both = await asyncio.gather(*(post(doors, "k1", CONSENTS, body) for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [200, 409]
    assert len(await doors.events(ANNA)) == 1


async def test_another_process_gives_the_same_answer(doors: Doors) -> None:
    """SPEC 6: the answer is in the commit, so it is there for everybody, at once or later."""
    body = {"items": [item("opt_in")]}
    other = doors_on(doors.store, doors.token)
    both = await asyncio.gather(*(post(d, "k1", CONSENTS, body) for d in (doors, other)))
    assert both[0].content == both[1].content
    assert len(await doors.events(ANNA)) == 1


async def test_an_error_is_not_kept(doors: Doors) -> None:
    """What was refused can be asked for again under its key, corrected."""
    assert (await post(doors, "k1", CONSENTS, {"items": []})).status_code == 400
    assert (await post(doors, "k1", CONSENTS, {"items": [item("opt_in")]})).status_code == 200


async def test_a_key_is_kept_for_seven_days(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 6: then it is forgotten, and the same request is a new one."""
    body = {"items": [item("opt_in")]}
    await post(doors, "k1", CONSENTS, body)
    now = await doors.store.now()
    for days, times in ((6, 1), (8, 2)):
        monkeypatch.setattr(doors.store, "_clock", lambda days=days: now + days * DAY)
        await Housekeep(doors.store)()
        await post(doors, "k1", CONSENTS, body)
        assert len(await doors.events(ANNA)) == times


async def test_an_opt_in_that_failed_first_counts_from_when_it_came(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: repeated under its key it does not outweigh an opt-out that came in between."""
    body = {"items": [item("opt_in")]}
    commit = doors.store.commit
    failed: list[Any] = []

    async def down(work: Any) -> Any:
        if work.reads.identities and not failed:
            failed.append(work)
            raise StoreUnavailable("the disk is full")
        return await commit(work)

    monkeypatch.setattr(doors.store, "commit", down)
    assert (await post(doors, "k1", CONSENTS, body)).status_code == 503
    await doors.call("POST", CONSENTS, {"items": [item("opt_out")]})
    assert (await post(doors, "k1", CONSENTS, body)).status_code == 200
    assert not await doors.allowed(ANNA)
    assert [e.claim.kind for e in await doors.events(ANNA)] == [Kind.OPT_IN, Kind.OPT_OUT]


async def test_an_erased_contact_is_not_in_any_kept_answer(doors: Doors) -> None:
    """R15: the answer goes, and the request is not done again."""
    body = {"items": [item("opt_in", "+46 (0)70-174 06 05"), item("opt_in", BERTIL)]}
    first = await post(doors, "k1", CONSENTS, body)
    assert first.status_code == 200
    assert (await doors.call("DELETE", f"/v1/bots/{BOT}/contacts/+46701740605")).json()["records"]
    assert_problem(await post(doors, "k1", CONSENTS, body), 409, "conflict")
    assert not await doors.allowed("46701740605")


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256])
async def test_what_is_no_key_is_refused(doors: Doors, key: str) -> None:
    """A key that cannot be one is told instead of ignored."""
    given = [("Idempotency-Key", key.encode())]
    answer = await doors.call("POST", CONSENTS, {"items": [item("opt_in")]}, headers=given)  # type: ignore[arg-type]
    assert_problem(answer, 400, "invalid_input")
    assert not await doors.events(ANNA)


async def test_what_may_be_done_twice_keeps_its_answer_too(doors: Doors) -> None:
    """SPEC 6: every write of the native API takes a key."""
    path = f"/v1/bots/{BOT}/templates/sale/en"
    key = [("Idempotency-Key", "k1")]
    first = await doors.call("PUT", path, {"category": "marketing"}, headers=key)
    again = await doors.call("PUT", path, {"category": "marketing"}, headers=key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    other = await doors.call("PUT", path, {"category": "utility"}, headers=key)
    assert_problem(other, 409, "conflict")


async def test_a_list_with_nothing_good_keeps_its_answer_too(doors: Doors) -> None:
    """SPEC 6: its key is used up: another request under it is no repetition."""
    body = {"items": [item("opt_in", "12")]}
    first = await post(doors, "k1", CONSENTS, body)
    assert (first.status_code, first.json()["results"][0]["status"]) == (200, "rejected")
    assert (await post(doors, "k1", CONSENTS, body)).content == first.content
    other = await post(doors, "k1", CONSENTS, {"items": [item("opt_in")]})
    assert_problem(other, 409, "conflict")
    assert not await doors.events(ANNA)


async def fail(
    doors: Doors, patch: pytest.MonkeyPatch, key: str, path: str, body: Any, **more: Any
) -> None:
    """A call that ends in `503`, of which nobody knows whether it was done."""

    async def down(work: Any) -> Any:
        if work.reads.identities:
            raise StoreUnavailable("the disk is full")
        return await commit(work)

    commit = doors.store.commit
    with patch.context() as now:
        now.setattr(doors.store, "commit", down)
        assert (await post(doors, key, path, body, **more)).status_code == 503


async def test_a_message_that_failed_first_opens_no_session_later(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3: repeated under its key it counts from when it came, so an opt-out since then holds."""
    body = {"items": [item("message")]}
    await fail(doors, monkeypatch, "k1", CONSENTS, body)
    await doors.call("POST", CONSENTS, {"items": [item("opt_out")]})
    assert (await post(doors, "k1", CONSENTS, body)).status_code == 200
    assert not await doors.allowed(ANNA)


@pytest.mark.parametrize("bad", [{"items": []}, None])
async def test_others_and_mistakes_push_no_first_arrival_out(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, bad: Any
) -> None:
    """R3: room is each bot's own, and what was refused takes none."""
    monkeypatch.setattr(once, "_MOST_REMEMBERED", 3)
    body = {"items": [item("opt_in")]}
    await fail(doors, monkeypatch, "k1", CONSENTS, body)
    await doors.call("POST", CONSENTS, {"items": [item("opt_out")]})
    if bad is None:
        token = await doors.add_bot("other")
        for n in range(5):
            path = "/v1/bots/other/consents"
            await fail(doors, monkeypatch, f"o{n}", path, body, token=token)
    else:
        for n in range(5):
            assert (await post(doors, f"o{n}", CONSENTS, bad)).status_code == 400
        assert (await post(doors, "k1", CONSENTS, bad)).status_code == 400
    assert (await post(doors, "k1", CONSENTS, body)).status_code == 200
    assert not await doors.allowed(ANNA)
