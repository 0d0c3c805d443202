"""A TCP proxy that leads to the primary, as `deploy/ha/haproxy.cfg` tells haproxy to do it.

Every second `GET /primary` is asked of each Patroni; one 200 takes its server in, two misses take
it out and cut its connections. haproxy itself is in no Python package, so tests have this instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Mapping
from typing import Any

_EVERY, _PATIENCE, _CONNECT, _FALL = 1.0, 1.0, 2.0, 2


class PrimaryProxy:
    """Listens on `port` of the loopback, on a thread of its own, until it is closed."""

    def __init__(self, servers: Mapping[str, str]) -> None:
        """`servers`: by the address of Patroni's REST, that of its PostgreSQL."""
        self._servers = servers
        self._missed = dict.fromkeys(servers, _FALL)
        self._cut: dict[str, set[asyncio.StreamWriter]] = {rest: set() for rest in servers}
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port: int = self._call(self._open())

    def close(self) -> None:
        """Ends it and every connection."""
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> int:
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        for rest in self._servers:
            self._begin(self._watch(rest))
        port: int = self._listening.sockets[0].getsockname()[1]
        return port

    async def _shut(self) -> None:
        self._listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, rest: str) -> None:
        while True:
            self._missed[rest] = 0 if await _is_primary(rest) else self._missed[rest] + 1
            if self._missed[rest] >= _FALL:
                for writer in self._cut[rest]:
                    writer.transport.abort()
            await asyncio.sleep(_EVERY)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._begin(self._lead(reader, writer))

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest = next((rest for rest, missed in self._missed.items() if missed < _FALL), None)
        ends = {writer}
        try:
            if rest is None:
                return
            async with asyncio.timeout(_CONNECT):
                there, back = await asyncio.open_connection(*self._servers[rest].split(":"))
            ends.add(back)
            self._cut[rest] |= ends
            pipes = {asyncio.ensure_future(_pipe(reader, back))}
            pipes.add(asyncio.ensure_future(_pipe(there, writer)))
            try:
                await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pipe in pipes:
                    pipe.cancel()
        except OSError:
            pass  # refused, or no answer in time: the client sees its own connection close
        finally:
            for end in ends:
                end.transport.abort()
            if rest is not None:
                self._cut[rest] -= ends


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()


async def _is_primary(rest: str) -> bool:
    writer = None
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(*rest.split(":"))
            writer.write(f"GET /primary HTTP/1.0\r\nHost: {rest}\r\n\r\n".encode())
            return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        if writer is not None:
            writer.transport.abort()
