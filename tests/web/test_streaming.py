"""Long answers on a real server: whole, cut off when something fails, no work for nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from optin.web.streaming import streamed
from tests.web.running import serving


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Streams ten pieces; at /broken it fails behind the fifth."""
    if scope["type"] != "http":
        return

    async def pieces() -> AsyncIterator[bytes]:
        for n in range(10):
            if scope["path"] == "/broken" and n == 5:
                raise RuntimeError
            yield b"%d\n" % n

    answer = await streamed(pieces(), receive, "text/csv", "all.csv")
    await answer.send(send)


def test_a_whole_answer() -> None:
    """All pieces come, with the name of the file."""
    with serving(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        answer = client.get("/")
    assert answer.text.split() == [str(n) for n in range(10)]
    assert answer.headers["content-disposition"] == 'attachment; filename="all.csv"'


def test_an_answer_that_fails_on_the_way() -> None:
    """R12: the connection is cut, so no client takes what came for the whole."""
    with (
        serving(app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.get("/broken")
