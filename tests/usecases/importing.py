"""What the tests of lists share: a store, an import from bytes to its end."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

from optin.domain.consent import Clocks
from optin.domain.events import Event
from optin.domain.ids import time_ordered_id
from optin.domain.lists.reader import ListOptions
from optin.ports.imports import ImportJob
from optin.ports.store import Store
from optin.usecases.check import Check
from optin.usecases.import_list import ImportRequest, ReceiveImport, RunImports
from tests.usecases.ledger import BOT, Ledger

_made = itertools.count(1)


def new_id() -> bytes:
    """Ids that grow."""
    return time_ordered_id(next(_made) * 1000, bytes(10))


async def body(data: bytes, piece: int = 1 << 16) -> AsyncIterator[bytes]:
    """The bytes as they come over a line."""
    for begin in range(0, len(data), piece):
        yield data[begin : begin + piece]


class Lists:
    """Lists on a ledger's store."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.store: Store = ledger.store
        self.receiving = ReceiveImport(self.store, new_id)

    async def received(self, data: bytes | str, bot_id: str = BOT, **given: Any) -> ImportJob:
        """A job that waits."""
        raw = data.encode() if isinstance(data, str) else data
        names = ("dry_run", "reopt_in", "name", "actor")
        more = {name: given.pop(name) for name in names if name in given}
        asked = ImportRequest(ListOptions(**given), **more)
        return await self.receiving.receive(bot_id, asked, body(raw))

    async def imported(self, data: bytes | str, **given: Any) -> ImportJob:
        """A job at its end."""
        job = await self.received(data, **given)
        await RunImports(self.store, "one")()
        return await self.now(job)

    async def undone(self, job: ImportJob) -> ImportJob:
        """Takes it back; the undo at its end."""
        undo = await self.receiving.undo(job.bot_id, job.import_id, ImportRequest(actor="boss"))
        await RunImports(self.store, "one")()
        return await self.now(undo)

    async def now(self, job: ImportJob) -> ImportJob:
        """The job as it stands."""
        found = await self.store.imported(job.bot_id, job.import_id)
        assert found is not None
        return found

    async def reasons(self, *who: str, bot_id: str = BOT) -> list[str | None]:
        """Why each may not be messaged; None who may."""
        return [row.reason for row in await Check(self.store).now(bot_id, who)]

    async def clocks(self, who: str) -> Clocks:
        """What a decision reads."""
        return (await self.store.read(BOT, [who])).clocks[who]

    async def events(self, who: str) -> Sequence[Event]:
        """The ledger's entries about one identity."""
        return await self.ledger.events(who)


def csv(*rows: str, head: str = "phone,status,date") -> str:
    """A list."""
    return "\n".join([head, *rows]) + "\n"
