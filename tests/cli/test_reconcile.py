"""`optin reconcile` as a process, against a simulated Conversation API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Done, optin, succeeded
from tests.upstreams.conversation_api import ConversationApi, conversation_api
from tests.upstreams.sinch_events import ADA


@pytest.fixture
async def api() -> AsyncIterator[ConversationApi]:
    async with conversation_api() as api:
        yield api


async def run(folder: Path, *arguments: str) -> Done:
    """One command, while the API answers it."""
    return await asyncio.to_thread(optin, folder, *arguments)


async def json(folder: Path, *arguments: str) -> Any:
    done = await run(folder, *arguments, "--json")
    assert done.code == 0, done.err
    return done.json


async def test_it_shows_and_records_what_differs(tmp_path: Path, api: ConversationApi) -> None:
    """Shown first, recorded with --apply, gone from the next run; check then says no."""
    settings = [part for key, value in api.settings.items() for part in ("--set", f"{key}={value}")]
    await asyncio.to_thread(succeeded, tmp_path, "bot", "add", "shop", *settings)
    told = {"list_type": "OPT_OUT_ALL", "operation": "INSERT", "origin": "MO"}
    api.consents = {"OPT_OUT_ALL": [f"+{ADA}"]}
    api.audits = {ADA: [{**told, "datetime": "2026-01-02T03:04:05.678Z"}]}
    command = ("reconcile", "--bot", "shop")
    row = {
        "identity": f"+{ADA}",
        "list": "OPT_OUT_ALL",
        "since": "2026-01-02T03:04:05.678000Z",
        "ours": "no_opt_out",
        "kind": "opt_out",
        "recorded": False,
        "in_force": False,
    }
    assert await json(tmp_path, *command) == {
        "bot": "shop",
        "listed": 1,
        "unreadable": 0,
        "differences": [row],
    }
    table = (await run(tmp_path, *command)).out.splitlines()
    assert table[1].split() == [f"+{ADA}", "OPT_OUT_ALL", row["since"], "no_opt_out", "no"]
    assert table[2] == "1 of 1 entries on the provider's lists differ. --apply records 1."
    applied = await json(tmp_path, *command, "--apply")
    assert applied["differences"] == [{**row, "recorded": True, "in_force": True}]
    assert (await json(tmp_path, *command))["differences"] == []
    table = (await run(tmp_path, *command)).out.splitlines()
    assert table == ["0 of 1 entries on the provider's lists differ."]
    checked = await json(tmp_path, "check", "--bot", "shop", f"+{ADA}")
    assert checked["results"][0]["reason"] == "opted_out"
    api.consents = {"OPT_OUT_ALL": ["", f"+{ADA}"]}
    done = await run(tmp_path, *command)
    assert (done.code, "1 name nobody and were left out." in done.out) == (0, True), done.out
    assert api.objections == []


async def test_why_it_cannot(tmp_path: Path, api: ConversationApi) -> None:
    """A bot on another upstream is wrong usage; a provider that refuses is told in a sentence."""
    await asyncio.to_thread(succeeded, tmp_path, "bot", "add", "shop")
    other = await run(tmp_path, "reconcile", "--bot", "shop")
    assert (other.code, other.err) == (2, "optin: Bot shop's upstream sandbox keeps no consent.\n")
    wrong = api.settings | {"sinch.key_secret": "wrong"}
    settings = [f"{key}={value}" for key, value in wrong.items()]
    await asyncio.to_thread(succeeded, tmp_path, "bot", "set", "shop", *settings)
    refused = await run(tmp_path, "reconcile", "--bot", "shop", "--apply")
    assert refused.code == 1
    assert "the access key is refused (401)" in refused.err
    assert "wrong" not in refused.err
