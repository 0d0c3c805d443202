"""Whose commit is next: bots take turns in a process, processes take turns on a file (R6)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optin.domain.events import SECOND, Kind
from optin.ports.store import Work
from optin.stores.sqlite import SQLiteStore
from tests.stores.works import BOT, OTHER_BOT, WHO, claim, record

#: As heavy as a request may be (SPEC 6).
A_LOT = 1_000


def bulk(first: int) -> Work[Any]:
    return record(*(claim(Kind.OPT_IN, f"46{first + n:08}") for n in range(A_LOT)), bot_id=BOT)


async def test_an_opt_out_does_not_wait_for_anothers_bulk(store: SQLiteStore) -> None:
    """R6: with forty requests of a thousand items of one bot waiting, the opt-out of another bot's
    contact is in the second group after the one that runs at the latest."""
    groups: list[list[str]] = []
    begun = asyncio.Event()
    run = store._commits.groups._run

    async def recorded(asked: Sequence[Any]) -> Any:
        groups.append([each.work.bot_id for each in asked])
        begun.set()
        return await run(asked)

    store._commits.groups._run = recorded
    rest = [asyncio.create_task(store.commit(bulk(A_LOT * n))) for n in range(40)]
    await begun.wait()
    assert len(groups) == 1
    await store.commit(record(claim(Kind.OPT_OUT, WHO), bot_id=OTHER_BOT))
    assert [OTHER_BOT in group for group in groups].index(True) <= 2
    assert sum(task.done() for task in rest) < 10
    await asyncio.gather(*rest)
    assert max(map(len, groups)) == 2  # a thousand items are as much as a group takes


@contextmanager
def hammering(path: Path) -> Iterator[None]:
    """Another process that writes without a pause."""
    command = [sys.executable, "-m", "tests.stores.sqlite.hammering", str(path)]
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"committed\n"
            yield
        finally:
            process.kill()


async def turns_of_the_other(store: SQLiteStore) -> int:
    """How many groups the other process has committed: each has one time of recording."""
    sql = "SELECT count(DISTINCT recorded) FROM events WHERE bot_id = ?"
    return int((await store._fetch(sql, BOT))[0][0])


async def test_two_processes_take_turns_on_one_file(store: SQLiteStore, tmp_path: Path) -> None:
    """While another process commits long groups without a pause, each commit of ours comes after
    a few of them: counted in turns, not in time, since machines are slow at times."""
    waited: list[int] = []
    with hammering(tmp_path / "optin.db"):
        while len(waited) < 15 or sum(waited) < 10:  # it was busy all the time
            before = await turns_of_the_other(store)
            await store.commit(record(claim(Kind.OPT_OUT, WHO), bot_id=OTHER_BOT))
            waited.append(await turns_of_the_other(store) - before)
            assert len(waited) < 1_000, "the other process does nothing"
    print(f"turns of the other process before each commit of ours: {waited}")
    assert sorted(waited)[len(waited) // 2] <= 3
    assert max(waited) <= 10


async def test_looking_for_work_keeps_nobody_from_writing(store: SQLiteStore) -> None:
    """Workers look several times a second, and mostly find nothing: that takes no turn."""
    end = threading.Event()
    writing = asyncio.create_task(store._writer.run(lambda _: end.wait(10)))
    try:
        for _ in range(3):
            _, messages = await asyncio.wait_for(store.lease_messages("w", SECOND, 10), 5)
            _, callbacks = await asyncio.wait_for(store.lease_callbacks("w", SECOND, 10), 5)
            assert (messages, callbacks) == ([], [])
        assert not writing.done()
    finally:
        end.set()
        await writing
