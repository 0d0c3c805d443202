"""docs/moving.md: its commands are run as they stand there, but for the server's address."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

from tests.cli.program import succeeded
from tests.docs.pages import blocks, text_of
from tests.stores.postgres.server import server

_ADDRESS = "postgresql://optin:PASSWORD@db.example/optin?sslmode=verify-full"


def test_the_steps_work_there_and_back(tmp_path: Path) -> None:
    """To PostgreSQL, given back, and from there to a new file, as the page says."""
    asyncio.run(server().execute("CREATE DATABASE moving"))
    succeeded(tmp_path, "bot", "add", "shop")
    for block in blocks(text_of("docs/moving.md")):
        program, *arguments = shlex.split(block.text)
        assert program == "optin"
        address = server().url("moving")
        succeeded(tmp_path, *(address if each == _ADDRESS else each for each in arguments))
    assert (tmp_path / "back.db").exists()
