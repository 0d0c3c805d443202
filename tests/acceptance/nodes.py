"""Nodes of one PostgreSQL database: each a folder with its settings and the key that all share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp

from tests.acceptance.program import Program
from tests.stores.postgres.server import server

KEY = "ab" * 32


@contextlib.contextmanager
def empty_database(name: str) -> Iterator[str]:
    """The URL of an empty database on the shared server, gone afterwards."""
    shared = server()
    asyncio.run(shared.execute(f"CREATE DATABASE {name} TEMPLATE template0"))
    try:
        yield shared.url(name)
    finally:
        asyncio.run(shared.execute(f"DROP DATABASE {name} WITH (FORCE)"))


def node(
    folder: Path,
    url: str,
    *options: str,
    key: str = KEY,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Program:
    """A node that is not started yet."""
    folder.mkdir()
    (folder / "optin.toml").write_text(f'database = "{url}"\nkey_file = "shared.key"\n')
    (folder / "shared.key").write_text(key)
    return Program(folder, *options, environment=environment)


def sessions(token: str) -> aiohttp.ClientSession:
    """Requests that carry this token, to any node."""
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})


async def enforced(program: Program, token: str) -> bool:
    """Whether the gate of `b1` would refuse somebody whom nobody knows, as this node has it."""
    [row] = (await _checked(program, token))[1]["results"]
    return bool(row["enforced"])


async def status(program: Program, token: str) -> int:
    """The status with which this node answers a `check` of `b1` under the token."""
    return (await _checked(program, token))[0]


async def _checked(program: Program, token: str) -> tuple[int, Any]:
    url = f"{program.url}/v1/bots/b1/check"
    body = {"identities": ["46700000000"]}
    async with sessions(token) as session, session.post(url, json=body) as answer:
        return answer.status, await answer.json()
