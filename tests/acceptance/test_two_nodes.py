"""Two services on one PostgreSQL database: what one acknowledged, the other knows (R6, R13)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.nodes import empty_database, enforced, node, sessions, status
from tests.acceptance.program import Program, wait_until
from tests.acceptance.test_kill import allowed
from tests.stores.postgres.server import PostgresServer

ROUNDS = 40


@pytest.fixture
def url() -> Iterator[str]:
    with empty_database("nodes") as made:
        yield made


async def bites(here: Program, there: Program, token: str) -> None:
    """Opt in at one node, out at the other, and ask both at once, again and again."""
    async with sessions(token) as session:
        for number in range(ROUNDS):
            one, other = (here, there) if number % 2 else (there, here)
            who = f"4670{number % 7:07d}"
            for program, method in ((one, "POST"), (other, "DELETE")):
                url = f"{program.url}/whatsapp/v1/b1/provision/optin"
                async with session.request(method, url, json={"numbers": [who]}) as answer:
                    assert answer.status == 200, await answer.text()
            told = await asyncio.gather(*(allowed(p, token, [who]) for p in (one, other)))
            assert told == [{who: False}] * 2


def test_an_opt_out_at_one_node_bites_at_the_other(tmp_path: Path, url: str) -> None:
    """R6, SPEC 8: consent at once, settings and tokens within a second; afterwards the ledger of
    both nodes is whole."""
    with ExitStack() as ending:
        one, other = (node(tmp_path / name, url) for name in ("one", "other"))
        token = one.add_bot("b1")
        for program in (one, other):
            ending.enter_context(program)
        asyncio.run(bites(one, other, token))
        assert one.command("bot", "set", "b1", "--set", "enforce=none").returncode == 0
        wait_until(lambda: not asyncio.run(enforced(other, token)), 1.5)
        [named] = one.result("bot", "token", "b1", "--list")["tokens"]
        assert one.command("bot", "token", "b1", "--revoke", named["token_id"]).returncode == 0
        wait_until(lambda: asyncio.run(status(other, token)) == 401, 1.5)
    report = one.result("verify")
    assert "b1" in json.dumps(report)


def test_a_node_without_the_key_does_not_start(tmp_path: Path, url: str) -> None:
    """SPEC 8: neither with another key nor, on a database that is not empty, with none."""
    first = node(tmp_path / "first", url)
    first.add_bot("b1")
    other = node(tmp_path / "other", url, key="cd" * 32)
    assert "another master key" in other.command("bot", "list").stderr
    (other.folder / "shared.key").unlink()
    assert "is missing" in other.command("bot", "list").stderr
    done = first.result("migrate")
    assert done["before"] == done["now"]
    assert done["database"].startswith("postgresql://postgres@")


def test_a_server_that_goes_and_comes_back(tmp_path: Path) -> None:
    """R12, SPEC 6: while PostgreSQL is down the service says 503 and is not ready; afterwards it
    goes on by itself, and what was acknowledged is there."""
    own = PostgresServer()
    try:
        program = node(tmp_path / "node", own.url())
        token = program.add_bot("b1")
        with program:
            assert asyncio.run(_provision(program, token)) == 200
            own.kill()
            assert asyncio.run(_provision(program, token)) == 503
            assert asyncio.run(status(program, token)) == 503
            own.start()
            wait_until(lambda: asyncio.run(status(program, token)) == 200)
            assert asyncio.run(allowed(program, token, ["46700000001"])) == {"46700000001": True}
    finally:
        own.close()


async def _provision(program: Program, token: str) -> int:
    async with sessions(token) as session:
        url = f"{program.url}/whatsapp/v1/b1/provision/optin"
        async with session.post(url, json={"numbers": ["46700000001"]}) as answer:
            return answer.status
