"""The strict simulated Cloud API with the rest that Cloud API clients use: media, templates."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from tests.upstreams.cloud_api import NUMBER, TOKEN, VERSION, Behaviour, CloudApi, graph_error

WABA, FOREIGN_WABA, MEDIA, FLOW = "900", "901", "137524587935346", "555"
FILE = bytes(range(256)) * 1000


@dataclass
class GraphApi(CloudApi):
    """`heard`: (method, path with query) of every call but messages; `uploads`: whole bodies.
    `calls` replaces the answer to what is no message."""

    heard: list[tuple[str, str]] = field(default_factory=list)
    uploads: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)
    calls: Behaviour | None = None

    def heard_nothing(self) -> None:
        """Fails if any message came, good or bad."""
        assert (self.taken, self.objections) == ([], [])

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Receipts; all else is a message."""
        body = await request.read()
        if b'"status"' not in body:
            return await self.messages(request)
        self.receipts.append(body)
        if self.calls is not None:
            return await self.calls(request)
        return web.json_response({"success": True})

    async def call(self, request: web.Request) -> web.StreamResponse:
        """Everything else, for the right token only."""
        self.heard.append((request.method, request.path_qs))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response(graph_error(190), status=401)
        for part, answer in (
            (f"/{NUMBER}/media", self._upload),
            (f"/{MEDIA}", self._media),
            (f"/{WABA}/message_templates", self._templates),
            ("/phone_numbers", self._numbers),
            ("/file", self._file),
            (f"/{NUMBER}", self._number),
            (f"/{FLOW}", self._flow),
        ):
            if request.path.endswith(part):
                return await answer(request)
        return web.json_response(graph_error(100, error_subcode=33), status=400)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        parts: dict[str, Any] = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            parts[str(part.name)] = bytes(await part.read())
        self.uploads.append(parts)
        return web.json_response({"id": MEDIA})

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("phone_number_id") != NUMBER:
            return web.json_response(graph_error(100), status=400)
        if request.method == "DELETE":
            return web.json_response({"success": True})
        url = f"{self.base_url}/file?mid=1"
        told: dict[str, Any] = {"messaging_product": "whatsapp", "url": url, "id": MEDIA}
        told |= {"mime_type": "image/jpeg", "sha256": "ab", "file_size": len(FILE)}
        return web.json_response(told)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=FILE, content_type="image/jpeg")

    async def _templates(self, request: web.Request) -> web.StreamResponse:
        path = f"https://graph.facebook.com{request.path}?access_token={TOKEN}&limit=1&after=QVFI"
        paging: dict[str, Any] = {"cursors": {"after": "QVFI"}}
        if "after" not in request.query:
            paging["next"] = path
        return web.json_response({"data": [{"name": "order_ready"}], "paging": paging})

    async def _numbers(self, request: web.Request) -> web.StreamResponse:
        mine = WABA in request.path
        return web.json_response({"data": [{"id": NUMBER if mine else "PNID9"}]})

    async def _number(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"id": NUMBER, "verified_name": "Shop", "said": TOKEN})

    async def _flow(self, request: web.Request) -> web.StreamResponse:
        if request.method == "DELETE":
            return web.json_response({"success": True})
        return web.json_response({"id": FLOW, "name": "a draft flow"})


@asynccontextmanager
async def graph_api() -> AsyncIterator[GraphApi]:
    """The server, on a port of the kernel's choice."""
    api = GraphApi()
    app = web.Application(client_max_size=1 << 27)
    app.router.add_post(f"/{VERSION}/{NUMBER}/messages", api.post)
    app.router.add_post(f"/{VERSION}/{NUMBER}/marketing_messages", api.messages)
    app.router.add_route("*", "/{rest:.*}", api.call)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    api.base_url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()


def as_bytes(body: Any) -> bytes:
    """JSON as a client of another make would write it: no spaces, non-ASCII as it is."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
