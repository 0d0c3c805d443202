"""The template list of the simulated Cloud API: pages with cursors, as Graph has them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.upstreams.cloud_api import TOKEN, VERSION, CloudApi, graph_error

ACCOUNT = "WABA1"
_FIELDS = {"id", "name", "language", "category", "status", "components", "quality_score"}

Page = Callable[[web.Request, int], Awaitable[web.StreamResponse | None]]


def template(
    name: str, language: str, category: str, status: str = "APPROVED", **more: Any
) -> dict[str, Any]:
    named = {"name": name, "language": language, "category": category, "status": status}
    return {**named, "id": "7", **more}


@dataclass
class TemplateApi(CloudApi):
    """`templates`: what the account has. `instead` may answer a page, by its number from 0."""

    templates: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 2
    instead: Page | None = None
    pages: int = 0

    async def listed(self, request: web.Request) -> web.StreamResponse:
        if request.headers.getall("Authorization", []) != [f"Bearer {TOKEN}"]:
            return self._object("token", graph_error(190, "Invalid OAuth access token."), 401)
        unknown = set(request.query) - {"fields", "limit", "after", "before", "status", "name"}
        fields = request.query.get("fields", "name").split(",")
        if unknown or not set(fields) <= _FIELDS or int(request.query.get("limit", "25")) > 1000:
            return self._object("query", graph_error(100, "Invalid parameter"), 400)
        page, self.pages = self.pages, self.pages + 1
        if self.instead is not None and (answer := await self.instead(request, page)):
            return answer
        after = request.query.get("after")
        first = 0 if after is None else int(base64.b64decode(after))
        last = first + self.page_size
        chosen = self.templates[first:last]
        rows = [{k: row[k] for k in ("id", *fields) if k in row} for row in chosen]
        paging: dict[str, Any] = {"cursors": {"after": _cursor(last)}}
        if last < len(self.templates):
            paging["next"] = f"https://elsewhere.example/{VERSION}/x?access_token=secret"
        return web.json_response({"data": rows, **({"paging": paging} if rows else {})})


def _cursor(place: int) -> str:
    return base64.b64encode(str(place).encode()).decode()


@asynccontextmanager
async def template_api(*templates: dict[str, Any]) -> AsyncIterator[TemplateApi]:
    """The server: sends and template lists."""
    api = TemplateApi(templates=list(templates))
    app = web.Application()
    app.router.add_get(f"/{VERSION}/{ACCOUNT}/message_templates", api.listed)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api.base_url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()
