"""Files through the Graph face: handed on whole, or cut off; nobody is waited for (SPEC 7, H6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect

from optin.domain.bots import Bot
from optin.ports.graph import Download, GraphAnswer, GraphCall, NotReached
from optin.web.graph_files import CutOff, content, upload
from optin.web.graph_reads import Passing
from tests.web.running import serving

TOLD = {"url": "https://files.example/1", "mime_type": "a/b", "sha256": "ab"}
NAMED = 'inline;filename="\u0421\u0447.pdf"'


@dataclass
class Files:
    """A provider with one file of five pieces; breaks behind piece `breaks`."""

    breaks: int = 99
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "a/b"})
    open: int = 0
    uploaded: list[bytes] = field(default_factory=list)

    def number(self, bot: Bot) -> str:
        return "1"

    async def send(self, *_: Any) -> Any:
        raise AssertionError

    async def call(self, bot: Bot, call: GraphCall) -> GraphAnswer:
        if call.content is not None:
            assert not isinstance(call.content.chunks, bytes)
            try:
                async for chunk in call.content.chunks:
                    self.uploaded.append(chunk)
            except TimeoutError as fault:
                raise NotReached("stalled") from fault
        return GraphAnswer(200, "application/json", json.dumps(TOLD).encode())

    @asynccontextmanager
    async def download(self, bot: Bot, url: str) -> AsyncIterator[Download]:
        async def chunks() -> AsyncIterator[bytes]:
            for n in range(5):
                if n == self.breaks:
                    raise NotReached("cut off")
                yield b"%d" % n

        self.open += 1
        try:
            yield Download(200, self.headers, chunks())
        finally:
            self.open -= 1

    async def close(self) -> None:
        """Nothing is open."""


async def waiting() -> Any:
    """A client that stays, and says nothing."""
    await asyncio.Event().wait()


def passing(files: Files, receive: Any = waiting, **scope: Any) -> Passing:
    return Passing(files, Bot("shop"), {"type": "http", **scope}, receive, "v25.0", "9", "9")


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The file at any path; broken on the way at /broken."""
    if scope["type"] == "http":
        files = Files(2 if scope["path"] == "/broken" else 99)
        await content(passing(files, receive), send)


def test_a_file_that_ends_early_is_cut_off() -> None:
    """On a real server: no client takes a part for the whole, and no second answer begins."""
    with serving(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/").content == b"01234"
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/broken")


async def test_a_broken_download_begins_no_second_answer() -> None:
    """What is raised says that the answer has begun."""
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(CutOff):
        await content(passing(Files(2)), send)
    assert [m["type"] for m in sent] == ["http.response.start", *["http.response.body"] * 2]
    assert all(m["more_body"] for m in sent[1:])


async def test_a_client_that_takes_nothing_is_not_waited_for() -> None:
    """Its connection to the provider is free again."""
    files = Files()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            assert files.open == 1
            await asyncio.Event().wait()

    with pytest.raises(CutOff, match="took nothing"):
        await asyncio.wait_for(content(passing(files), send, 0.05), 5)
    assert files.open == 0


async def test_a_client_that_goes_away_ends_the_download() -> None:
    """The rest is not fetched for nobody."""
    files, sent = Files(), []

    async def send(message: Any) -> None:
        sent.append(message)
        await asyncio.sleep(0)

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        await content(passing(files, gone), send)
    assert (files.open, len(sent) < 4) == (0, True)


async def test_an_upload_that_stalls_is_not_waited_for() -> None:
    """What came had gone on."""
    files, pieces = Files(), [{"type": "http.request", "body": b"a", "more_body": True}]

    async def receive() -> Any:
        return pieces.pop() if pieces else await waiting()

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    with pytest.raises(NotReached):
        await asyncio.wait_for(upload(passing(files, receive, headers=headers), 0.05), 5)
    assert files.uploaded == [b"a"]


async def test_a_file_name_comes_in_its_own_bytes() -> None:
    """Providers write UTF-8 there; a header that cannot be written is left out."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"content-disposition": NAMED, "content-type": "a\x00b", "x-other": "1"}
    await content(passing(Files(headers=headers)), send)
    assert sent[0]["headers"] == [(b"content-disposition", NAMED.encode())]
