"""A tiny ASGI application for tests of what lies beneath every application."""

from __future__ import annotations

import asyncio
import json
from typing import Any

SEEN: list[str] = []  # the paths asked for
GONE: list[str] = []  # the paths whose body never came to its end


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer what arrived; some paths misbehave on purpose."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path = scope["path"]
    SEEN.append(path)
    if path == "/early":
        await answer(send, 401, b"{}")
        return
    if path == "/raises":
        raise LookupError("a fault of the application")
    if path == "/silent":
        return
    if path == "/late":
        await asyncio.sleep(0.8)
    body = await _read(receive)
    if body is None:
        GONE.append(path)
        return
    if path == "/slow":
        await asyncio.sleep(0.3)
    if path == "/empty":
        await answer(send, 200, b"")
        return
    await answer(send, 200, _said(scope, body))


def _said(scope: Any, body: bytes) -> bytes:
    names = sorted(name.decode() for name, _ in scope["headers"])
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "version": scope["http_version"],
        "length": len(body),
        "text": body[:80].decode("latin-1"),
        "headers": names,
    }
    return json.dumps(seen).encode()


async def _read(receive: Any) -> bytes | None:
    """The whole body, or None if the client went away."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message["body"]
        if not message["more_body"]:
            return bytes(body)


async def answer(send: Any, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
