"""Answers that are longer than memory should hold: sent piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.types import Receive, Send


@dataclass(frozen=True, slots=True)
class Streamed:
    """One response, whose first piece is there. What fails on the way cuts the connection, so that
    nobody takes a part for the whole; nothing is made for a caller that went away."""

    first: bytes
    rest: AsyncIterator[bytes]
    receive: Receive
    media_type: str
    file_name: str

    async def send(self, send: Send) -> None:
        """Sends it; the server makes chunks of it."""
        head = [
            (b"content-type", self.media_type.encode()),
            (b"content-disposition", f'attachment; filename="{self.file_name}"'.encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": self.first, "more_body": True})
        gone = asyncio.create_task(self._gone())
        try:
            async for piece in self.rest:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _gone(self) -> None:
        """Returns when the caller has gone away."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


async def streamed(
    pieces: AsyncIterator[bytes], receive: Receive, media_type: str, file_name: str
) -> Streamed:
    """The response once its first piece is made: what fails until then has an answer of its own."""
    return Streamed(await anext(pieces, b""), pieces, receive, media_type, file_name)
