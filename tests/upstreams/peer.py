"""A TCP peer that notes what it hears and answers as it is told, byte for byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

Reply = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


async def answer_ok(writer: asyncio.StreamWriter, request: bytes) -> None:
    """Answers 200 and keeps the connection."""
    writer.write(OK)


def answering(raw: bytes, *, close: bool = False) -> Reply:
    """Answers these bytes, then keeps the connection or closes it."""

    async def reply(writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(raw)
        if close:
            await writer.drain()
            writer.close()

    return reply


async def hang(writer: asyncio.StreamWriter, request: bytes) -> None:
    """Never answers."""


@dataclass
class Peer:
    """`url` to call, and what was heard: connections (`lost`: those that ended), bytes, whole
    requests with their bodies."""

    reply: Reply = answer_ok
    url: str = ""
    connections: int = 0
    lost: int = 0
    heard: int = 0
    requests: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while not writer.is_closing():
                request = await self._one(reader)
                self.requests.append(request)
                self.arrived.set()
                await self.reply(writer, request)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.lost += 1
            self.gone.set()
            writer.close()

    async def has_lost(self, connections: int) -> None:
        """Waits until so many have ended."""
        async with asyncio.timeout(10):
            while self.lost < connections:
                self.gone.clear()
                await self.gone.wait()

    async def has_heard(self, requests: int) -> None:
        """Waits until so many whole ones have come."""
        async with asyncio.timeout(10):
            while len(self.requests) < requests:
                self.arrived.clear()
                await self.arrived.wait()

    async def _one(self, reader: asyncio.StreamReader) -> bytes:
        first = await reader.readexactly(1)
        self.heard += 1
        head = first + await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        body = await reader.readexactly(length)
        self.heard += len(head) - 1 + length
        return head + body


@asynccontextmanager
async def listening(
    reply: Reply = answer_ok, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Peer]:
    """A peer on a port of the kernel's choice; with `tls` it speaks nothing else."""
    peer = Peer(reply)
    server = await asyncio.start_server(peer.serve, host.strip("[]"), 0, ssl=tls)
    place = f"{host}:{server.sockets[0].getsockname()[1]}"
    peer.url = f"{'https' if tls else 'http'}://{place}/v25.0/PNID1/messages"
    try:
        yield peer
    finally:
        server.close()
        for writer in peer.writers:
            writer.close()
        await server.wait_closed()
