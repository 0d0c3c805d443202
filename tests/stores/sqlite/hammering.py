"""A process that commits long groups, one after another without a pause, until it is ended.

Run as `python -m tests.stores.sqlite.hammering PATH`; it prints a line after each.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from optin.domain.events import Kind
from optin.ports.store import Reads, Transaction
from optin.stores.sqlite import SQLiteStore
from tests.conftest import SEAL
from tests.stores.works import BOT, Do, claim

#: How long one of them holds the lock for writing, in seconds.
HELD = 0.05


async def hammer(path: str) -> None:
    """Commits for ever: while one runs, the next one waits already."""
    store = await SQLiteStore.open(path, SEAL)
    numbers = iter(range(10**9))

    async def one_after_another() -> None:
        while True:
            who = f"46{next(numbers) % 10**6:08}"

            def slowly(tx: Transaction, who: str = who) -> Any:
                time.sleep(HELD)
                return tx.record(claim(Kind.OPT_IN, who))

            await store.commit(Do(slowly, Reads(identities=frozenset({who})), BOT))
            print("committed", flush=True)

    await asyncio.gather(one_after_another(), one_after_another())


if __name__ == "__main__":
    asyncio.run(hammer(sys.argv[1]))
