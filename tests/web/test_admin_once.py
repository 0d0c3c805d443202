"""`Idempotency-Key` on `/v1/admin`, on both stores: done once, and no token in the database."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from optin.domain.errors import StoreUnavailable
from optin.domain.tokens import derived_secret, token_text
from optin.ports.store import Store
from optin.stores.postgres import PostgresStore
from tests.stores.contract.conftest import Open, clock, opened
from tests.stores.postgres.server import fetched
from tests.web.admin_doors import Runner, runner_on
from tests.web.doors import doors_on
from tests.web.test_native import assert_problem

__all__ = ["clock", "opened"]

ROTATE = "/tokens/rotate"


@pytest.fixture
async def runner(opened: Open) -> Runner:
    return await runner_on(await opened())


def elsewhere(runner: Runner, store: Store) -> Runner:
    """The same caller at another node."""
    return Runner(doors_on(store), runner.fresh)


async def test_repeated_anywhere_the_answer_is_the_same(runner: Runner, opened: Open) -> None:
    """SPEC 6: a bot is made once, its tokens are added and rotated once; each repetition tells the
    same, byte for byte, at any node."""
    other = elsewhere(runner, await opened())
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/bots", {"id": "b1", "settings": {"name": "One"}}),
        ("POST", "/bots/b1/tokens", {"scopes": ["read"], "name": "crm"}),
        ("POST", ROTATE, {"bots": ["b1", "nobody"], "overlap": 60}),
        ("POST", ROTATE, {"all": True, "overlap": 60}),
        ("PATCH", "/bots/b1", {"settings": {"name": "Two"}}),
        ("DELETE", "/bots/b1", None),
    ]
    for number, (method, path, body) in enumerate(calls):
        key = f"key-{number}"
        first = await runner.call(method, path, body, key=key)
        assert first.status_code in (200, 201), first.text
        for each in (runner, other):
            again = await each.call(method, path, body, key=key)
            assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len(await runner.doors.store.tokens("b1")) == 2 + 2 + 2


async def test_two_nodes_at_once_agree(runner: Runner, opened: Open) -> None:
    """SPEC 6: one key at two nodes at the same time: one rotation, one answer."""
    other = elsewhere(runner, await opened())
    await runner.good("POST", "/bots", {"id": "b1"})
    for round_ in range(5):
        both = await asyncio.gather(
            *(
                each.call("POST", ROTATE, {"bots": ["b1"]}, key=f"k{round_}")
                for each in (runner, other)
            )
        )
        assert both[0].content == both[1].content
        assert len(await runner.doors.store.tokens("b1")) == 2 + round_


async def test_another_request_under_a_key_is_a_conflict(runner: Runner) -> None:
    """SPEC 6: with new tokens in the answer, and without; what was refused uses no key up."""
    assert (await runner.call("POST", "/bots", {"id": "a b"}, key="k")).status_code == 400
    await runner.good("POST", "/bots", {"id": "b1"}, key="k")
    assert_problem(await runner.call("POST", "/bots", {"id": "b2"}, key="k"), 409, "conflict")
    await runner.good("PATCH", "/bots/b1", {"settings": {"name": "1"}}, key="k")
    other = await runner.call("PATCH", "/bots/b1", {"settings": {"name": "2"}}, key="k")
    assert_problem(other, 409, "conflict")
    taken = await runner.call("POST", "/bots", {"id": "b1"}, key="another")
    assert_problem(taken, 409, "conflict")
    for wrong in ("a b", "x" * 256):
        assert (await runner.call("POST", "/bots", {"id": "b3"}, key=wrong)).status_code == 400
    assert [bot.bot_id for bot in await runner.doors.store.bots()] == ["b1"]


async def test_a_key_is_its_tokens_own(runner: Runner) -> None:
    """SPEC 6: another deployment token's key of the same text is another key."""
    await runner.good("POST", "/bots", {"id": "b1"})
    second = Runner(runner.doors, await runner.managing.add())
    one, two = [
        await each.good("POST", ROTATE, {"bots": ["b1"]}, key="k") for each in (runner, second)
    ]
    assert one != two


async def test_a_rotation_cut_short_is_finished_under_its_key(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R12: the rows that failed are done by the repetition, the others stay as they were told."""
    names = [f"b{number:02d}" for number in range(60)]
    for name in names:
        await runner.doors.add_bot(name)
    replace_tokens, calls = runner.doors.store.replace_tokens, []

    async def failing(*asked: Any) -> Any:
        calls.append(asked)
        if len(calls) == 2:
            raise StoreUnavailable("It is gone.")
        return await replace_tokens(*asked)

    monkeypatch.setattr(runner.doors.store, "replace_tokens", failing)
    half = (await runner.good("POST", ROTATE, {"bots": names}, key="k"))["results"]
    assert [each["status"] for each in half] == ["rotated"] * 50 + ["failed"] * 10
    assert {each["code"] for each in half[50:]} == {"store_unavailable"}
    assert "It is gone" not in str(half)
    whole = (await runner.good("POST", ROTATE, {"bots": names}, key="k"))["results"]
    assert whole[:50] == half[:50]
    assert {each["status"] for each in whole} == {"rotated"}
    assert {len(await runner.doors.store.tokens(name)) for name in names} == {2}


async def test_no_token_stands_in_the_database(runner: Runner, tmp_path: Path) -> None:
    """H4: neither its text nor its bytes, in no table and no file; and what is kept for a
    repetition does not give it away without the caller's own token."""
    made = await runner.good("POST", "/bots", {"id": "b1"}, key="k1")
    added = await runner.good("POST", "/bots/b1/tokens", {}, key="k2")
    rotated = await runner.good("POST", ROTATE, {"all": True}, key="k3")
    new = [each["token"] for each in rotated["results"][0]["tokens"]]
    texts = [made["token"]["token"], added["token"], *new, runner.fresh.text]
    assert len(set(texts)) == 5
    everything = await whole_database(runner.doors.store, tmp_path)
    assert b"b1" in everything
    for text in texts:
        raw = base64.urlsafe_b64decode(text[-43:] + "=")
        for form in (text[-43:].encode(), raw, raw.hex().encode(), text.encode().hex().encode()):
            assert form not in everything
    seeds = await kept_seeds(runner.doors.store)
    assert len(seeds) == 3
    guesses = {token_text(derived_secret(seed, "bot", "b1"), "b1") for seed in seeds}
    assert texts[0] not in guesses


async def whole_database(store: Store, folder: Path) -> bytes:
    """All that it keeps: SQLite's files, PostgreSQL's rows."""
    if not isinstance(store, PostgresStore):
        files = sorted(folder.glob("contract.db*"))  # noqa: ASYNC240 - a test may wait
        return b"".join(file.read_bytes() for file in files)
    tables = await fetched(
        store._url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    found = [
        str(row[0])
        for (name,) in tables
        for row in await fetched(store._url, f"SELECT t::text FROM {name} t")
    ]
    return "\n".join(found).encode()


async def kept_seeds(store: Any) -> list[bytes]:
    """What is kept for repetitions of calls that told tokens."""
    asked = "SELECT body FROM answers"
    of_its_own = isinstance(store, PostgresStore)  # what the store sends is held against the lint
    found: Any = await (fetched(store._url, asked) if of_its_own else store._fetch(asked))
    return [bytes(row[0]) for row in found]
