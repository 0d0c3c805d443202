"""`/v1/admin`: bots, settings and tokens for those who run many (SPEC 6, 8, H4, H6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from optin.domain.bots import SCOPES, SECRETS
from optin.domain.errors import StoreUnavailable
from optin.web.waiting import Waiting
from tests.conftest import OpenStore
from tests.web.admin_doors import ROOT, Runner, runner_on
from tests.web.doors import BOT
from tests.web.test_native import assert_problem

ROTATE = "/tokens/rotate"
CALLS = [
    ("GET", "/bots"),
    ("POST", "/bots"),
    ("GET", f"/bots/{BOT}"),
    ("PATCH", f"/bots/{BOT}"),
    ("DELETE", f"/bots/{BOT}"),
    ("GET", f"/bots/{BOT}/tokens"),
    ("POST", f"/bots/{BOT}/tokens"),
    ("DELETE", f"/bots/{BOT}/tokens/x"),
    ("POST", ROTATE),
]


@pytest.fixture
async def runner(open_store: OpenStore) -> AsyncIterator[Runner]:
    made = await runner_on(await open_store())
    made.doors.token = await made.doors.add_bot(BOT)
    yield made
    await made.doors.client.aclose()


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_deployment_token_alone_opens_it(runner: Runner, method: str, path: str) -> None:
    """H4: none, a bot's with every scope, an unknown and a revoked one are `401`, all alike, before
    the body is looked at; nothing is done."""
    other = await runner.managing.add()
    await runner.managing.revoke(other.token.token_id)
    bodies = []
    for token in ("", runner.doors.token, "optin_admin_" + "x" * 43, other.text):
        answer = await runner.call(method, path, token=token, content=b"no JSON at all")
        bodies.append(assert_problem(answer, 401, "unauthorized"))
        assert answer.headers["www-authenticate"] == "Bearer"
    assert bodies == bodies[:1] * 4
    assert [bot.bot_id for bot in await runner.doors.store.bots()] == [BOT]


async def test_without_a_deployment_token_it_is_shut(open_store: OpenStore) -> None:
    """A deployment that made none has no `/v1/admin`."""
    runner = await runner_on(await open_store())
    await runner.managing.revoke(runner.fresh.token.token_id)
    assert_problem(await runner.call("GET", "/bots"), 401, "unauthorized")


async def test_a_deployment_token_is_no_bots_token(runner: Runner) -> None:
    """H4: neither for a bot, nor for a bot without a name, on no face."""
    for path in (f"/v1/bots/{BOT}/check", f"/whatsapp/v1/{BOT}/messages", "/v1/bots//check"):
        answer = await runner.doors.call("POST", path, {}, token=runner.fresh.text)
        assert answer.status_code in (401, 404)
    graph = await runner.doors.call("GET", "/graph/v25.0/me", token=runner.fresh.text)
    assert graph.status_code == 401


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_other_methods_are_405(runner: Runner, method: str, path: str) -> None:
    """H6: with `Allow`."""
    answer = await runner.call("PUT", path, {})
    assert_problem(answer, 405, "wrong_method")
    assert method in answer.headers["allow"].split(", ")


async def test_the_rest_of_the_rules(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """H6: unknown path, too large, too many, store down: as on the native API."""
    assert_problem(await runner.call("GET", "/nothing"), 404, "not_found")
    large = await runner.call("POST", "/bots", content=b" " * (1024 * 1024 + 1))
    assert_problem(large, 413, "too_large")
    assert_problem(await runner.call("POST", "/bots", content=b"{"), 400, "invalid_input")
    full = await runner_on(runner.doors.store, waiting=Waiting(most=0))
    answer = await full.call("GET", "/bots")
    assert_problem(answer, 429, "too_many_requests")
    assert "of the deployment" in answer.text
    assert answer.headers["retry-after"]

    async def down(*_: Any) -> None:
        raise StoreUnavailable("It is gone.")

    monkeypatch.setattr(runner.doors.store, "token", down)
    answer = await runner.call("GET", "/bots")
    assert_problem(answer, 503, "store_unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_a_bot_is_made_shown_changed_and_ended(runner: Runner) -> None:
    """SPEC 6, 8: its first token works at once and is told once; secrets are set or unset."""
    settings = {"region": "eu1", "meta.app_secret": "s3cret", "name": None}
    made = await runner.good("POST", "/bots", {"id": "new", "settings": settings})
    token = made.pop("token")
    assert token["scopes"] == list(SCOPES)
    assert made["settings"]["region"] == "eu1"
    assert made["secrets"].keys() == SECRETS
    assert await runner.good("GET", "/bots/new") == made
    assert "s3cret" not in str(made)
    assert "token" not in made

    check = {"identities": ["46700000000"]}
    answer = await runner.doors.call("POST", "/v1/bots/new/check", check, token=token["token"])
    assert answer.status_code == 200

    changed = await runner.good("PATCH", "/bots/new", {"settings": made["settings"]})
    assert changed == made
    changed = await runner.good("PATCH", "/bots/new", {"settings": {"meta.app_secret": None}})
    assert (made["secrets"]["meta.app_secret"], changed["secrets"]["meta.app_secret"]) == (
        "set",
        "unset",
    )
    assert await runner.good("DELETE", "/bots/new") == {"id": "new", "removed": True}
    answer = await runner.doors.call("POST", "/v1/bots/new/check", check, token=token["token"])
    assert answer.status_code == 401
    assert_problem(await runner.call("DELETE", "/bots/new"), 404, "not_found")
    again = await runner.call("POST", "/bots", {"id": "new"})
    assert_problem(again, 409, "conflict")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"name": "Good", "enforce": "sometimes"}, "enforce"),
        ({"name": "Good", "colour": "red"}, "colour"),
        ({"name": "Good", "opt_in_days": 30}, "opt_in_days"),
        ({}, "settings"),
        ([], "settings"),
    ],
)
async def test_settings_are_changed_all_or_none(runner: Runner, settings: Any, field: str) -> None:
    """SPEC 8: the error names the setting, and the good ones beside it are not set."""
    body = assert_problem(
        await runner.call("PATCH", f"/bots/{BOT}", {"settings": settings}),
        400,
        "invalid_input" if field == "settings" else "invalid_setting",
    )
    assert body["field"] == field
    assert (await runner.good("GET", f"/bots/{BOT}"))["settings"]["name"] == ""


@pytest.mark.parametrize("bot_id", [None, "", "a b", "x" * 65, 7])
async def test_a_bot_needs_an_id(runner: Runner, bot_id: Any) -> None:
    """What can name no bot is refused; in a path it names none."""
    answer = await runner.call("POST", "/bots", {"id": bot_id})
    assert answer.status_code == 400
    if bot_id:
        assert_problem(await runner.call("GET", f"/bots/{bot_id}"), 404, "not_found")


async def test_bots_are_listed_in_pages(runner: Runner) -> None:
    """SPEC 6: by id, with a cursor; of one region, those of it; whichever region is served."""
    for number in range(5):
        region = "eu1" if number % 2 else "us1"
        await runner.good("POST", "/bots", {"id": f"b{number}", "settings": {"region": region}})
    served = await runner_on(runner.doors.store, region="ap1")
    seen: list[str] = []
    after = ""
    while True:
        page = await served.good("GET", f"/bots?limit=2&after={after}")
        seen += [bot["id"] for bot in page["bots"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == ["b0", "b1", "b2", "b3", "b4", BOT]
    page = await served.good("GET", "/bots?region=eu1")
    assert page["bots"][0] == {"id": "b1", "region": "eu1", "name": "", "upstream": "sandbox"}
    assert [bot["id"] for bot in page["bots"]] == ["b1", "b3"]
    for query in ("limit=0", "limit=x", "limit=1001", "after=%00"):
        assert_problem(await runner.call("GET", f"/bots?{query}"), 400, "invalid_input")


async def test_tokens_are_added_listed_and_revoked(runner: Runner) -> None:
    """H4: the text is told once; one that was revoked stays in the list, and works no more."""
    made = await runner.good("POST", f"/bots/{BOT}/tokens", {"scopes": ["read"], "name": "crm"})
    assert (made["name"], made["scopes"], made["revoked"]) == ("crm", ["read"], None)
    assert await _check(runner, made["token"]) == 200
    text = made.pop("token")
    page = await runner.good("GET", f"/bots/{BOT}/tokens?limit=1")
    assert page["next"] == page["tokens"][0]["token_id"]
    page = await runner.good("GET", f"/bots/{BOT}/tokens?after={page['next']}")
    assert page == {"tokens": [made], "next": None}
    gone = await runner.good("DELETE", f"/bots/{BOT}/tokens/{made['token_id']}")
    assert gone["revoked"] is not None
    assert await _check(runner, text) == 401
    path = f"/bots/{BOT}/tokens"
    wrong: list[dict[str, Any]] = [
        {"scopes": []},
        {"scopes": "read"},
        {"scopes": ["fly"]},
        {"name": "a b"},
    ]
    for body in wrong:
        assert_problem(await runner.call("POST", path, body), 400, "invalid_input")
    assert_problem(await runner.call("DELETE", f"{path}/x"), 404, "not_found")
    assert_problem(await runner.call("POST", "/bots/nobody/tokens", {}), 404, "not_found")


async def _check(runner: Runner, token: str) -> int:
    body = {"identities": ["46700000000"]}
    answer = await runner.doors.call("POST", f"/v1/bots/{BOT}/check", body, token=token)
    return answer.status_code


async def test_a_rotation_has_a_result_a_bot(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 6: new tokens work at once, old ones until they are said to; errors stay apart."""
    done = await runner.good("POST", ROTATE, {"bots": ["nobody", BOT, BOT], "overlap": 60})
    assert done["next"] is None
    failed, good = done["results"]
    assert (failed["bot_id"], failed["status"], failed["code"]) == ("nobody", "failed", "not_found")
    assert (good["bot_id"], good["status"]) == (BOT, "rotated")
    [new] = good["tokens"]
    assert await _check(runner, new["token"]) == 200
    assert await _check(runner, runner.doors.token) == 200
    listed = (await runner.good("GET", f"/bots/{BOT}/tokens"))["tokens"]
    assert listed[0] == {**listed[0], **new["replaces"]}
    now = await runner.doors.store.now()
    monkeypatch.setattr(runner.doors.store, "_clock", lambda: now + 60_000_000)
    assert await _check(runner, runner.doors.token) == 401
    assert await _check(runner, new["token"]) == 200


async def test_all_are_rotated_in_pages(runner: Runner) -> None:
    """`next` leads on until there is nothing behind."""
    for number in range(4):
        await runner.good("POST", "/bots", {"id": f"b{number}", "settings": {"region": "eu1"}})
    first = await runner.good("POST", ROTATE, {"all": True, "limit": 3, "region": "eu1"})
    assert [each["bot_id"] for each in first["results"]] == ["b0", "b1", "b2"]
    rest = await runner.good("POST", ROTATE, {"all": True, "after": first["next"]})
    assert [each["bot_id"] for each in rest["results"]] == ["b3", BOT]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "bots"),
        ({"bots": []}, "bots"),
        ({"bots": "b1"}, "bots"),
        ({"bots": ["b1", 2]}, "bots"),
        ({"bots": ["b1"] * 1001}, "bots"),
        ({"bots": [BOT], "all": True}, "all"),
        ({"all": "yes"}, "all"),
        ({"all": True, "limit": 0}, "limit"),
        ({"all": True, "after": "a b"}, "after"),
        ({"all": True, "after": 1}, "after"),
        ({"bots": [BOT], "overlap": -1}, "overlap"),
        ({"bots": [BOT], "overlap": 1.5}, "overlap"),
        ({"bots": [BOT], "overlap": True}, "overlap"),
        ({"bots": [BOT], "overlap": 2_592_001}, "overlap"),
    ],
)
async def test_a_rotation_out_of_bounds_does_nothing(runner: Runner, body: Any, field: str) -> None:
    """H2: the error names the field."""
    told = assert_problem(await runner.call("POST", ROTATE, body), 400, "invalid_input")
    assert told["field"] == field
    assert len(await runner.doors.store.tokens(BOT)) == 1


async def test_the_log_says_who_did_what(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    """R14: each write is logged with the id of its token, without any secret."""
    caplog.set_level("INFO", "optin.web.admin_call")
    made = await runner.good("POST", "/bots", {"id": "new"})
    await runner.good("GET", "/bots")
    [line] = [record.getMessage() for record in caplog.records if "admin" in record.name]
    assert line == f"deployment token {runner.fresh.token.token_id}: POST {ROOT}/bots: 201"
    assert made["token"]["token"] not in caplog.text
