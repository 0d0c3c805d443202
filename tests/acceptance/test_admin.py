"""Administration over two nodes on one PostgreSQL database (SPEC 6, 8, H4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.nodes import enforced, node, sessions, status
from tests.acceptance.program import Program, wait_until
from tests.stores.postgres.server import server

AT_ONCE = 8
#: H4, SPEC 8: in force everywhere within a second; the rest is the asking's.
BOUND = 1.5


@pytest.fixture
def url() -> Iterator[str]:
    """An empty database on the shared server."""
    shared = server()
    asyncio.run(shared.execute("CREATE DATABASE run_by_admin TEMPLATE template0"))
    yield shared.url("run_by_admin")
    asyncio.run(shared.execute("DROP DATABASE run_by_admin WITH (FORCE)"))


@pytest.fixture
def nodes(tmp_path: Path, url: str) -> Iterator[tuple[Program, Program, str]]:
    """Two that run, and a deployment token."""
    with ExitStack() as ending:
        one, other = (node(tmp_path / name, url) for name in ("one", "other"))
        token: str = one.result("admin", "token", "add", "--name", "ops")["token"]
        for program in (one, other):
            ending.enter_context(program)
        yield one, other, token


async def call(program: Program, token: str, method: str, path: str, body: Any = None) -> Any:
    """The answer of one call, which goes well."""
    async with sessions(token) as session:
        return await called(session, program, method, path, body)


async def called(
    session: aiohttp.ClientSession, program: Program, method: str, path: str, body: Any = None
) -> Any:
    async with session.request(method, f"{program.url}/v1/admin{path}", json=body) as answer:
        assert answer.status in (200, 201), await answer.text()
        return await answer.json()


def test_what_one_node_changes_the_other_keeps_to(nodes: tuple[Program, Program, str]) -> None:
    """H4, SPEC 8: a setting within a second; an old token dies at its end on both nodes, and stays
    dead in one that was killed and started anew; a deployment token dies everywhere, too."""
    one, other, admin = nodes
    made = asyncio.run(call(one, admin, "POST", "/bots", {"id": "b1"}))
    old = made["token"]["token"]
    assert asyncio.run(status(other, old)) == 200
    assert asyncio.run(enforced(other, old))
    change = {"settings": {"enforce": "none"}}
    asyncio.run(call(one, admin, "PATCH", "/bots/b1", change))
    wait_until(lambda: not asyncio.run(enforced(other, old)), BOUND)

    rotation = {"bots": ["b1"], "overlap": 4}
    begun = time.monotonic()
    [done] = asyncio.run(call(one, admin, "POST", "/tokens/rotate", rotation))["results"]
    new = done["tokens"][0]["token"]
    assert [asyncio.run(status(each, old)) for each in (one, other)] == [200, 200]
    one.kill()
    wait_until(lambda: asyncio.run(status(other, old)) == 401, 4 + BOUND)
    assert time.monotonic() - begun > 4 - BOUND
    one.start()
    assert [asyncio.run(status(each, old)) for each in (one, other)] == [401, 401]
    assert [asyncio.run(status(each, new)) for each in (one, other)] == [200, 200]

    asyncio.run(call(other, admin, "POST", "/tokens/rotate", {"all": True, "overlap": 0}))
    wait_until(lambda: asyncio.run(status(one, new)) == 401, BOUND)

    [listed] = one.result("admin", "token", "list")["tokens"]
    assert one.command("admin", "token", "revoke", listed["token_id"]).returncode == 0
    wait_until(lambda: asyncio.run(_shut(other, admin)), BOUND)


async def _shut(program: Program, token: str) -> bool:
    async with sessions(token) as session, session.get(f"{program.url}/v1/admin/bots") as answer:
        return answer.status == 401


@pytest.mark.parametrize("bots", [100, pytest.param(1_000, marks=pytest.mark.long)])
def test_many_bots_are_made_and_rotated(nodes: tuple[Program, Program, str], bots: int) -> None:
    """SPEC 6: for those who run thousands; every new token is there, and each is another."""
    one, other, admin = nodes
    begun = time.monotonic()
    made = asyncio.run(_make(one, admin, bots))
    between = time.monotonic()
    rotation = {"all": True, "overlap": 60}
    answer = asyncio.run(call(other, admin, "POST", "/tokens/rotate", rotation))
    ended = time.monotonic()
    print(f"{bots} bots made in {between - begun:.1f} s, rotated in {ended - between:.1f} s")
    assert {each["status"] for each in answer["results"]} == {"rotated"}
    told = {token["token"] for each in answer["results"] for token in each["tokens"]}
    assert len(told) == len(made) == bots
    assert told.isdisjoint(made)


async def _make(program: Program, admin: str, bots: int) -> set[str]:
    numbers = iter(range(bots))
    made: set[str] = set()

    async def some(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            body = {"id": f"bot-{number:04d}", "settings": {"region": "eu1"}}
            answer = await called(session, program, "POST", "/bots", body)
            made.add(answer["token"]["token"])

    async with sessions(admin) as session:
        await asyncio.gather(*(some(session) for _ in range(AT_ONCE)))
    return made
