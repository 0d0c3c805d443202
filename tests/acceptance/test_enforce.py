"""R7, `enforce`: what is let through and what is recorded, in every setting; R12 in all of them.

The tables are the contract, written out. A reason in CAPITALS refuses; in small letters it is
recorded only, and the message goes out.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.program import Program
from tests.acceptance.waiting import until
from tests.upstreams.cloud_api import NUMBER, TOKEN, CloudApi, answering, cloud_api, graph_error

SETTINGS = ("all", "opt_outs", "none")

#: A template that nobody recorded counts as marketing; "service" is a text.
CATEGORIES = ("marketing", "unrecorded", "utility", "authentication", "service")
#: state -> what happened to the contact, in this order.
STATES: dict[str, tuple[str, ...]] = {
    "stranger": (),
    "opted in": ("opt_in",),
    "opted out": ("opt_in", "opt_out"),
    "in session": ("message",),
    "opted in, in session": ("opt_in", "message"),
    "opted out, in session": ("opt_out", "message"),
    "session over": ("old message",),
    "stopped": ("opt_in", "marketing_stop"),
    "stopped stranger": ("marketing_stop",),
    "stopped, in session": ("message", "marketing_stop"),
    "stopped, opted out": ("opt_out", "marketing_stop"),
    "stopped, opted out, in session": ("opt_out", "message", "marketing_stop"),
    "resumed": ("opt_in", "marketing_stop", "marketing_resume"),
}

TABLES: dict[str, str] = {
    "all": """
        stranger               | NO_OPT_IN NO_OPT_IN NO_OPT_IN NO_OPT_IN NO_OPT_IN
        opted in               | opt_in opt_in opt_in opt_in SESSION_REQUIRED
        opted out              | OPTED_OUT OPTED_OUT OPTED_OUT OPTED_OUT OPTED_OUT
        in session             | session session session session session
        opted in, in session   | opt_in opt_in opt_in opt_in opt_in
        opted out, in session  | OPTED_OUT OPTED_OUT session session session
        session over           | NO_OPT_IN NO_OPT_IN NO_OPT_IN NO_OPT_IN NO_OPT_IN
        stopped                | MARKETING_STOPPED MARKETING_STOPPED opt_in opt_in SESSION_REQUIRED
        stopped stranger       | NO_OPT_IN NO_OPT_IN NO_OPT_IN NO_OPT_IN NO_OPT_IN
        stopped, in session    | MARKETING_STOPPED MARKETING_STOPPED session session session
        stopped, opted out     | OPTED_OUT OPTED_OUT OPTED_OUT OPTED_OUT OPTED_OUT
        stopped, opted out, in session | OPTED_OUT OPTED_OUT session session session
        resumed                | opt_in opt_in opt_in opt_in SESSION_REQUIRED
    """,
    "opt_outs": """
        stranger               | no_opt_in no_opt_in no_opt_in no_opt_in no_opt_in
        opted in               | opt_in opt_in opt_in opt_in session_required
        opted out              | OPTED_OUT OPTED_OUT OPTED_OUT OPTED_OUT OPTED_OUT
        in session             | session session session session session
        opted in, in session   | opt_in opt_in opt_in opt_in opt_in
        opted out, in session  | OPTED_OUT OPTED_OUT session session session
        session over           | no_opt_in no_opt_in no_opt_in no_opt_in no_opt_in
        stopped                | MARKETING_STOPPED MARKETING_STOPPED opt_in opt_in session_required
        stopped stranger       | MARKETING_STOPPED MARKETING_STOPPED no_opt_in no_opt_in no_opt_in
        stopped, in session    | MARKETING_STOPPED MARKETING_STOPPED session session session
        stopped, opted out     | OPTED_OUT OPTED_OUT OPTED_OUT OPTED_OUT OPTED_OUT
        stopped, opted out, in session | OPTED_OUT OPTED_OUT session session session
        resumed                | opt_in opt_in opt_in opt_in session_required
    """,
    "none": """
        stranger               | no_opt_in no_opt_in no_opt_in no_opt_in no_opt_in
        opted in               | opt_in opt_in opt_in opt_in session_required
        opted out              | opted_out opted_out opted_out opted_out opted_out
        in session             | session session session session session
        opted in, in session   | opt_in opt_in opt_in opt_in opt_in
        opted out, in session  | opted_out opted_out session session session
        session over           | no_opt_in no_opt_in no_opt_in no_opt_in no_opt_in
        stopped                | marketing_stopped marketing_stopped opt_in opt_in session_required
        stopped stranger       | no_opt_in no_opt_in no_opt_in no_opt_in no_opt_in
        stopped, in session    | marketing_stopped marketing_stopped session session session
        stopped, opted out     | opted_out opted_out opted_out opted_out opted_out
        stopped, opted out, in session | opted_out opted_out session session session
        resumed                | opt_in opt_in opt_in opt_in session_required
    """,
}
BASES = ("opt_in", "session")


def table_of(enforce: str) -> dict[tuple[str, str], str]:
    """(state, category) -> the word in the table."""
    cells = {}
    for line in TABLES[enforce].strip().splitlines():
        state, words = (part.strip() for part in line.split("|"))
        for category, word in zip(CATEGORIES, words.split(), strict=True):
            cells[state, category] = word
    return cells


def expected(word: str) -> tuple[Any, ...]:
    """(status and state answered, then as recorded: reason, basis, passed, state; reached)."""
    reason = None if word in BASES else word.lower()
    basis = word if word in BASES else None
    if not word.isupper():
        return "success", "queued", reason, basis, 1, "dispatched", True
    state = "no_opt_in" if reason in ("no_opt_in", "opted_out") else "failed"
    return "failure", state, reason, None, 0, state, False


class Business:
    """A bot on the simulated Cloud API, over HTTP."""

    def __init__(self, program: Program, bot_id: str, token: str, file: Path) -> None:
        self.bot_id, self.program, self._file = bot_id, program, file
        self._headers = {"Authorization": f"Bearer {token}"}

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        url = self.program.url + path
        async with (
            aiohttp.ClientSession(headers=self._headers) as session,
            session.post(url, json=body) as answer,
        ):
            return answer.status, await answer.json()

    async def bring_into(self, number: str, happened: tuple[str, ...]) -> None:
        """The contact's state."""
        items: list[dict[str, str]] = [
            {"identity": number, "action": action.removeprefix("old ")} for action in happened
        ]
        if happened and happened[0].startswith("old "):
            items[0]["occurred_at"] = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
        for item in items:
            answer = await self.post(f"/v1/bots/{self.bot_id}/consents", [item])
            assert answer[0] == 200, answer

    async def send(self, number: str, category: str) -> tuple[int, Any]:
        message: dict[str, Any] = {"type": "text", "text": "Hello"}
        if category != "service":
            message = {"type": "template", "template_name": f"t_{category}", "language": "en"}
        return await self.post(
            f"/whatsapp/v1/{self.bot_id}/messages", {"to": [number], "message": message}
        )

    async def row(self, number: str, category: str) -> dict[str, Any]:
        """The one row of the answer to a send."""
        status, answer = await self.send(number, category)
        assert status == 201, answer
        [row] = answer["statuses"]
        assert isinstance(row, dict)
        return row

    def recorded(self, message_id: str) -> tuple[Any, ...]:
        """(reason, basis, passed, state) in the table of messages."""
        columns = "reason, basis, passed, state"
        return self.stored(f"SELECT {columns} FROM messages WHERE message_id = ?", message_id)

    def stored(self, query: str, *values: Any) -> tuple[Any, ...]:
        with closing(sqlite3.connect(self._file, timeout=30)) as file, file:
            found = file.execute(query, values).fetchone()
            return tuple(found) if found else ()

    async def settled(self) -> None:
        """Waits until nothing of any bot is on its way."""
        query = "SELECT count(*) FROM messages WHERE stage <> 'settled'"
        await until(lambda: self.stored(query) == (0,))


@asynccontextmanager
async def businesses(
    folder: Path, *settings: str, **more: str
) -> AsyncIterator[tuple[CloudApi, list[Business]]]:
    """A service with one bot for each setting of `enforce`, named like it."""
    async with cloud_api() as api:
        program = Program(folder)
        tokens = {enforce: add_bot(program, enforce, api.base_url, more) for enforce in settings}
        await asyncio.to_thread(program.start)
        try:
            file = folder / "optin.db"
            yield api, [Business(program, bot, token, file) for bot, token in tokens.items()]
        finally:
            await asyncio.to_thread(program.__exit__)


def add_bot(program: Program, enforce: str, base_url: str, more: Mapping[str, str]) -> str:
    """A bot named like its setting, with its template records; its token."""
    settings = {
        "enforce": enforce,
        "upstream": "meta",
        "meta.base_url": base_url,
        "meta.phone_number_id": NUMBER,
        "meta.access_token": TOKEN,
        **more,
    }
    token = program.add_bot(enforce, **settings)
    for category in ("marketing", "utility", "authentication"):
        named = ("template", "set", "--bot", enforce, f"t_{category}", "en", category)
        assert program.command(*named).returncode == 0
    return token


def reached(api: CloudApi) -> set[str]:
    """Our ids of the messages that the provider was given."""
    return {body["biz_opaque_callback_data"] for body in api.taken}


def test_the_tables_are_complete() -> None:
    """Every state and category has its word in every setting."""
    cells = {(state, category) for state in STATES for category in CATEGORIES}
    assert [set(table_of(enforce)) for enforce in SETTINGS] == [cells] * 3


@pytest.mark.parametrize("enforce", SETTINGS)
async def test_what_passes_and_what_is_recorded(tmp_path: Path, enforce: str) -> None:
    """R7: each category for each state of a contact, from the answer to what the provider got."""
    numbers = {state: f"4673200{1100 + n}" for n, state in enumerate(STATES)}
    async with businesses(tmp_path, enforce) as (api, [business]):
        for state, happened in STATES.items():
            await business.bring_into(numbers[state], happened)
        rows = {
            (state, category): await business.row(number, category)
            for state, number in numbers.items()
            for category in CATEGORIES
        }
        await business.settled()
        got = {
            cell: (
                row["status"],
                row["state"],
                *business.recorded(row["message_id"]),
                row["message_id"] in reached(api),
            )
            for cell, row in rows.items()
        }
    assert got == {cell: expected(word) for cell, word in table_of(enforce).items()}
    assert api.objections == []


async def test_the_setting_of_now_counts_at_the_hand_over(tmp_path: Path) -> None:
    """H8: what was accepted under `none` is refused at its next hand-over under `all`."""
    async with businesses(tmp_path, "none") as (api, [business]):
        api.behaviour = answering(graph_error(130429), 400, Retry_After="6")  # time for a command
        row = await business.row("46732001122", "utility")
        await until(lambda: api.taken)
        program = business.program
        assert program.command("bot", "set", "none", "enforce=all").returncode == 0
        await business.settled()
        assert business.recorded(row["message_id"]) == ("no_opt_in", None, 0, "no_opt_in")
        assert len(api.taken) == 1


async def test_a_store_that_is_down_sends_nothing(tmp_path: Path) -> None:
    """R12: while nothing can be committed no setting lets anything out: not at the door, and not
    what was taken up before and is about to be judged and claimed."""
    slowly = {"meta.messages_per_second": "2"}
    async with businesses(tmp_path, *SETTINGS, **slowly) as (api, bots):
        for business in bots:
            await business.bring_into("46732001122", ("opt_in",))
        for _ in range(2):  # the second of each bot waits half a second for its turn
            await asyncio.gather(*(b.row("46732001122", "utility") for b in bots))
        await until(lambda: len(api.taken) >= len(bots), every=0.005)
        with closing(sqlite3.connect(tmp_path / "optin.db", isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            before, begun = len(api.taken), time.monotonic()
            assert before < 2 * len(bots)
            answers = await asyncio.gather(*(b.send("46732001122", "utility") for b in bots))
            assert [status for status, _ in answers] == [503] * len(bots)
            await asyncio.sleep(max(0.0, 8 - (time.monotonic() - begun)))
            assert len(api.taken) == before
        await bots[0].settled()
        assert len(api.taken) == 2 * len(bots)


async def test_a_damaged_record_sends_nothing(tmp_path: Path) -> None:
    """R12: a contact whose record cannot be read gets nothing in any setting, others do."""
    async with businesses(tmp_path, *SETTINGS) as (api, bots):
        for business in bots:
            for number in ("46732001122", "46732001133"):
                await business.bring_into(number, ("opt_in",))
        bots[0].stored("UPDATE identities SET links = '[' WHERE identity = '46732001122'")
        for business in bots:
            assert (await business.send("46732001122", "utility"))[0] == 503
            assert (await business.row("46732001133", "utility"))["state"] == "queued"
        await bots[0].settled()
        assert {body["to"] for body in api.taken} == {"+46732001133"}
        assert len(api.taken) == len(bots)
