"""Files through the Graph face, piece by piece: nobody is waited for without end (SPEC 7, H6).

Each holds a connection to the provider for as long as the client takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Send

from optin.domain.errors import InvalidInput
from optin.ports.graph import Content, Download, NotReached
from optin.web.answers import Answer
from optin.web.graph_errors import header_value, no_such_object
from optin.web.graph_reads import Passing, described, handed_on

#: Seconds in which a client must send, or take, the next piece.
STALL: Final = 30.0
_MULTIPART = "multipart/form-data"
_KEPT_HEADERS = ("content-type", "content-length", "content-disposition")


class CutOff(Exception):
    """The file ended before its end: only a cut connection says so."""


async def upload(passing: Passing, stall: float = STALL) -> Answer:
    """A media upload, passed through as it comes in."""
    headers = {name: value.decode("latin-1") for name, value in passing.scope["headers"]}
    media_type = headers.get(b"content-type", "")
    if not media_type.lower().startswith(_MULTIPART):
        raise InvalidInput(f"An upload must be {_MULTIPART}.")
    length = headers.get(b"content-length")
    told = None if length is None else int(length)
    return await passing.post("media", Content(media_type, _chunks(passing.receive, stall), told))


async def _chunks(receive: Receive, stall: float) -> AsyncIterator[bytes]:
    more = True
    while more:
        async with asyncio.timeout(stall):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)


async def content(passing: Passing, send: Send, stall: float = STALL) -> Answer | None:
    """The file itself, as it comes in; an answer if there is none. Raises `CutOff` once its
    beginning is out."""
    answer, told = await described(passing)
    if not told:
        return handed_on(passing, answer)
    begun = False
    try:
        async with passing.graph.download(passing.bot, str(told["url"])) as file:
            if file.status != 200:
                return no_such_object("GET")
            begun = True
            await _passed_on(file, send, passing.receive, stall)
    except (NotReached, TimeoutError) as fault:
        if not begun:
            raise
        raise CutOff(str(fault) or "the client took nothing") from fault
    return None


async def _passed_on(file: Download, send: Send, receive: Receive, stall: float) -> None:
    """Raises `ClientDisconnect` if the caller goes away, `TimeoutError` if it takes nothing."""
    kept = [(name, header_value(file.headers.get(name, ""))) for name in _KEPT_HEADERS]
    head = [(name.encode(), value) for name, value in kept if value]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    gone = asyncio.create_task(_gone(receive))
    try:
        async for chunk in file.chunks:
            if gone.done():
                raise ClientDisconnect
            async with asyncio.timeout(stall):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        gone.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    """Returns when the caller has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
