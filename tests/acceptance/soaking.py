"""What happens in a soak: a business that sends, customers who opt out, kills, and a hurry."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from optin.settings import Settings
from optin.wiring.opening import opened_store
from tests.acceptance.processes import resident, workers_of
from tests.acceptance.program import Program
from tests.acceptance.waiting import until
from tests.upstreams.cloud_api import NUMBER, TOKEN
from tests.upstreams.failing_api import SECRET, FailingApi
from tests.upstreams.failing_ways import NEVER

BOT = "b1"
DAY = 86_400_000_000
#: Of a contact's messages in one run; the provider's limit for a pair is not what is tried here.
_EACH = 2
#: How long the service may take to get over what was done to it, seconds.
_PATIENCE = 900.0
_LAST = ("failed", "read", "delivered", "sent")


@dataclass(frozen=True)
class Row:
    """A message as the database has it."""

    message_id: str
    identity: str
    stage: str
    state: str
    details: str
    attempts: int
    claimed: int


class Soak:
    """One bot on a failing provider, behind the real program."""

    def __init__(
        self, folder: Path, api: FailingApi, count: int, kills: int, options: tuple[str, ...]
    ) -> None:
        (folder / "optin.toml").write_text("upstream_timeout = 1\n")
        self.api = api
        self.acknowledged: set[str] = set()
        self.opted_out: dict[str, float] = {}
        self._file = folder / "optin.db"
        self.program = Program(folder, *options)
        self._count, self._kills = count, kills
        self._chance = random.Random(count)
        self._token = self.program.add_bot(BOT, **self._bot_settings())
        record = ("template", "set", "--bot", BOT, "order_ready", "en", "utility")
        assert self.program.command(*record).returncode == 0
        self._numbers = [str(46_700_000_000 + n) for n in range(max(count // _EACH, 40))]
        self._memory: list[int] = []
        self._repairs = 0
        self._seconds = 0.0

    def _bot_settings(self) -> dict[str, str]:
        return {
            "upstream": "meta",
            "meta.base_url": self.api.base_url,
            "meta.phone_number_id": NUMBER,
            "meta.access_token": TOKEN,
            "meta.app_secret": SECRET,
            "meta.messages_per_second": "1000",
        }

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """The program runs, and an operator beside it mends what it can."""
        await asyncio.to_thread(self.program.start)
        self.api.hook = f"{self.program.url}/webhooks/meta/{BOT}"
        mending = asyncio.create_task(self._mend())
        try:
            yield
        finally:
            mending.cancel()
            await asyncio.gather(mending, return_exceptions=True)
            await asyncio.to_thread(self.program.__exit__)

    async def opt_everybody_in(self) -> None:
        for numbers in _in_lists(self._numbers, 20):
            assert await self._provision("POST", numbers)
        self._memory.append(self._megabytes())

    async def load(self) -> None:
        """The business sends, customers opt out, the service is killed now and then."""
        begun = time.monotonic()
        contacts = itertools.cycle(self._numbers)
        lists = [[next(contacts) for _ in range(20)] for _ in range(self._count // 20)]
        waiting = iter(lists)
        loads = [self._send_all(waiting) for _ in range(4)]
        await asyncio.gather(*loads, self._opt_some_out(), self._kill_now_and_then())
        self._seconds = time.monotonic() - begun

    async def _send_all(self, waiting: Iterator[list[str]]) -> None:
        for numbers in waiting:
            await until(partial(self._send, numbers), _PATIENCE, 0.1)
            await asyncio.sleep(0.02)

    async def _send(self, numbers: list[str]) -> bool:
        """Whether it was acknowledged; if not, it may have been taken in all the same."""
        message = {"type": "template", "template_name": "order_ready", "language": "en"}
        body = {"to": numbers, "message": message}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._session() as session, session.post("messages", json=body) as answer:
                if answer.status == 201:
                    rows = (await answer.json())["statuses"]
                    self.acknowledged |= {row["message_id"] for row in rows}
                    return True
                assert answer.status in (429, 503), await answer.text()
        return False

    async def _opt_some_out(self) -> None:
        """A tenth as many as there are messages, while these are on their way."""
        leaving = self._chance.sample(self._numbers, self._count // 10)
        for place, numbers in enumerate(_in_lists(leaving, 5)):
            await self._until_sent(place * 5 / len(leaving))
            await until(partial(self._provision, "DELETE", numbers), _PATIENCE, 0.1)
            self.opted_out |= dict.fromkeys(numbers, time.time())

    async def _kill_now_and_then(self) -> None:
        for number in range(self._kills):
            await self._until_sent((number + 0.5) / self._kills)
            await asyncio.sleep(self._chance.uniform(0, 0.3))
            workers = workers_of(self.program.pid)
            if workers and number % 2:
                os.kill(self._chance.choice(workers), signal.SIGKILL)
            else:
                await asyncio.to_thread(self.program.kill)
                self._write("UPDATE messages SET leased_until = 0 WHERE stage <> 'settled'")
                await asyncio.to_thread(self.program.start)

    async def _until_sent(self, part: float) -> None:
        await until(lambda: len(self.acknowledged) >= part * self._count, _PATIENCE)

    async def _provision(self, method: str, numbers: list[str]) -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with (
                self._session() as session,
                session.request(method, "provision/optin", json={"numbers": numbers}) as answer,
            ):
                return answer.status == 200
        return False

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            base_url=f"{self.program.url}/whatsapp/v1/{BOT}/",
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(20),
        )

    async def _mend(self) -> None:
        """Waits are made short, and an error of the sender's is answered by its operator."""
        settings = Settings(database=f"sqlite:{self._file}")
        seen = 0
        while True:
            await asyncio.sleep(0.5)
            self._hurry()
            self._memory.append(self._megabytes())
            if self.api.sender_errors > seen:
                seen, self._repairs = self.api.sender_errors, self._repairs + 1
                async with opened_store(settings) as store:
                    await store.put_settings(BOT, {"meta.verify_token": f"mended-{seen}"})

    def _hurry(self) -> None:
        """Nobody waits a quarter of an hour for a test: what is put off is due now."""
        now = time.time_ns() // 1000
        self._write(f"UPDATE messages SET due = {now} WHERE stage = 'waiting' AND due > {now}")

    async def until_few_wait(self) -> None:
        """Most of the queue meets the failing provider."""
        await until(lambda: self._waiting() <= self._count // 20, _PATIENCE, 0.2)

    def _waiting(self) -> int:
        [(waiting,)] = self._read("SELECT count(*) FROM messages WHERE stage = 'waiting'")
        return int(waiting)

    async def until_nothing_waits(self) -> None:
        """The provider is well again: what is still alive goes out. Leases of those that were
        killed end now; nobody else's, or messages would lose their places."""

        def none_waits() -> bool:
            if self._kills:
                self._write("UPDATE messages SET leased_until = 0 WHERE stage <> 'settled'")
            return self._waiting() == 0

        await until(none_waits, _PATIENCE, 0.5)
        await asyncio.sleep(self.api.hang)

    async def a_day_passes(self) -> int:
        """What has an unknown outcome ends when it is a day old; how many those were."""
        self._write(f"UPDATE messages SET claimed = claimed - {DAY} WHERE stage = 'claimed'")
        unknown = len([row for row in self.messages() if row.stage == "claimed"])
        await asyncio.to_thread(self.program.kill)
        await asyncio.to_thread(self.program.start)
        await until(lambda: all(row.stage == "settled" for row in self.messages()), every=0.2)
        ended = [row for row in self.messages() if row.details == "unknown_outcome"]
        assert (len(ended), {row.state for row in ended} - {"failed"}) == (unknown, set())
        return unknown

    # What became of them

    def messages(self) -> list[Row]:
        """All messages."""
        columns = "message_id, identity, stage, state, details, attempts, claimed"
        return [Row(*row) for row in self._read(f"SELECT {columns} FROM messages")]

    def taken_after_their_opt_out(self) -> list[Row]:
        """Those that the provider took after the opt-out of their contact was acknowledged."""
        last = {message_id: max(times) for message_id, times in self.api.taken.items()}
        return [
            row
            for row in self.messages()
            if last.get(row.message_id, 0) > self.opted_out.get(row.identity, float("inf"))
        ]

    def recorded_opt_out(self, row: Row) -> int:
        """When it was committed that the contact of this message opted out, µs."""
        [(recorded,)] = self._read(
            "SELECT min(recorded) FROM events WHERE kind = 'opt_out' AND identity = ?", row.identity
        )
        return int(recorded)

    def check_what_became_of_each(self) -> None:
        """Each message's state is what its answers and reports say, and nothing was given up."""
        never = tuple(f"{code}: " for code in NEVER)
        for row in self.messages():
            reported = self.api.told[row.message_id]
            ended = next((state for state in _LAST if state in reported), None)
            if ended:
                assert (row.stage, row.state) == ("settled", ended), row
            elif row.stage == "claimed":
                assert row.state in ("queued", "dispatched"), row
            elif row.state == "dispatched":
                assert row.message_id in self.api.taken, row
            elif row.state == "no_opt_in":
                assert row.identity in self.opted_out, row
                assert row.message_id not in self.api.taken, row
            else:
                assert (row.state, row.details.startswith(never)) == ("failed", True), row
                assert row.message_id not in self.api.taken, row

    def most_passed(self) -> int:
        """How many that were accepted earlier a message has left behind, at most; those that had
        to be tried again aside."""
        created = dict(self._read("SELECT message_id, created FROM messages WHERE attempts = 1"))
        order = sorted(
            (times[0], created[m]) for m, times in self.api.taken.items() if m in created
        )
        went: list[int] = [at for _, at in order]
        return max(sum(later < at for later in went[place:]) for place, at in enumerate(went))

    # Figures

    @property
    def memory_grew(self) -> int:
        """MiB, all processes of the service, from the start of the load to its highest."""
        return max(self._memory) - self._memory[0]

    def figures(self, late: int, unknown: int) -> str:
        """What was measured, for people."""
        rows = self.messages()
        states = dict(Counter(row.state for row in rows).most_common())
        answers = {answer.value: n for answer, n in self.api.answers.most_common()}
        return (
            f"{len(rows)} messages in {self._seconds:.0f} s ({len(rows) / self._seconds:.0f}/s) "
            f"with {self._kills} kills and {len(self.opted_out)} opt-outs: {states}, "
            f"{unknown} unknown to the end, {late} claimed before their opt-out and taken after; "
            f"{sum(max(row.attempts - 1, 0) for row in rows)} retries, {self._repairs} repairs; "
            f"at most {self.api.most_under_way} at the provider; memory {self._memory[0]} MiB at "
            f"the start, {max(self._memory)} at most, {self._memory[-1]} at the end; "
            f"answers {answers}"
        )

    def _megabytes(self) -> int:
        try:
            pids = [self.program.pid, *workers_of(self.program.pid)]
            return sum(map(resident, pids)) // 1024
        except (AssertionError, OSError):
            return self._memory[-1]  # it was killed just now

    def _read(self, query: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)) as file:
            return file.execute(query, values).fetchall()

    def _write(self, statement: str) -> None:
        with closing(sqlite3.connect(self._file, timeout=30)) as file, file:
            file.execute(statement)


def _in_lists(numbers: list[str], size: int) -> list[list[str]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
