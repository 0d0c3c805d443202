"""A line between a store and its server that can be cut at the worst moment."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

_SOCKET = ".s.PGSQL.5432"
_COMMIT = b"; COMMIT"


class Wire:
    """Passes everything on. `swallow_answer` and `swallow_commit`: how many of the next COMMITs go
    through without an answer coming back, or never reach the server; the line is then cut.

    `flows`: while it is clear nothing passes, either way, and nobody is told. `slow`: seconds that
    each piece takes on its way to the server.
    """

    def __init__(self, to: Path) -> None:
        self._to = to
        self.swallow_answer = 0
        self.swallow_commit = 0
        self.cut = 0
        self.slow = 0.0
        self.flows = asyncio.Event()
        self.flows.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        there, out = await asyncio.open_unix_connection(self._to)
        deaf = asyncio.Event()
        back = asyncio.create_task(self._back(there, writer, deaf))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await asyncio.sleep(self.slow)
                await self.flows.wait()
                if _COMMIT in data and self.swallow_commit:
                    self.swallow_commit -= 1
                    self.cut += 1
                    break
                if _COMMIT in data and self.swallow_answer:
                    self.swallow_answer -= 1
                    self.cut += 1
                    deaf.set()
                    out.write(data)
                    await out.drain()
                    await asyncio.sleep(0.2)
                    break
                out.write(data)
                await out.drain()
        for end in (out, writer):
            end.transport.abort()
        await asyncio.gather(back, return_exceptions=True)

    async def _back(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self.flows.wait()
                if not deaf.is_set():
                    writer.write(data)
                    await writer.drain()
        if not deaf.is_set():
            writer.close()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """(the line, the URL of the same database through it)."""
    parts = urlsplit(url)
    there = Path(parse_qs(parts.query)["host"][0]) / _SOCKET
    wire = Wire(there)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        async with await asyncio.start_unix_server(wire.carry, Path(folder) / _SOCKET) as line:
            yield wire, f"{url.partition('?')[0]}?host={quote(folder, safe='')}"
            wire.flows.set()
            line.close()
