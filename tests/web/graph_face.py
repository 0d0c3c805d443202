"""The Graph face on a real store, with a bot at the simulated Cloud API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from optin.domain.outbox import OutboxMessage
from optin.ports.graph import Graph
from optin.upstreams.connecting import ReleasingClient
from optin.upstreams.graph import CloudGraph
from optin.upstreams.guarded import Breakers
from optin.upstreams.guarded_graph import GuardedGraph
from optin.upstreams.pacing import Pacing
from optin.upstreams.sandbox import SandboxUpstream
from optin.upstreams.sandbox_graph import SandboxGraph
from optin.usecases.relay import Relay
from tests.conftest import OpenStore
from tests.upstreams.cloud_api import NUMBER, TOKEN, VERSION
from tests.upstreams.graph_api import GraphApi, as_bytes, graph_api
from tests.web.doors import ANNA, BOT, Doors, new_id, open_doors

ROOT = f"/graph/{VERSION}"
BSUID = "SE.1349120865530274"
TEXT: dict[str, Any] = {"type": "text", "text": {"body": "Hej, å!"}}


@dataclass
class Face:
    """The doors, the provider behind them, and what relays between the two."""

    doors: Doors
    api: GraphApi
    relay: Relay
    breakers: Breakers
    pacing: Pacing

    async def post(
        self, *, edge: str = "messages", number: str = NUMBER, **body: Any
    ) -> httpx.Response:
        """One message, as a client writes it."""
        common = {"messaging_product": "whatsapp", "recipient_type": "individual"}
        given = {**common, "to": f"+{ANNA}", **body}
        content = as_bytes({name: value for name, value in given.items() if value is not ...})
        headers = [("Content-Type", "application/json")]
        path = f"{ROOT}/{number}/{edge}"
        answer = await self.doors.call("POST", path, content=content, headers=headers)
        for _ in range(2):  # what is done behind an answer begins before a socket is read
            await asyncio.sleep(0)
        return answer

    async def template(self, name: str = "order_ready", **more: Any) -> httpx.Response:
        """One template message in English."""
        template = {"name": name, "language": {"code": "en"}}
        return await self.post(**({"type": "template", "template": template} | more))

    async def call(self, method: str, tail: str, **more: Any) -> httpx.Response:
        """Any other call."""
        return await self.doors.call(method, f"{ROOT}/{tail}", **more)

    async def says(self, action: str, identity: str = ANNA) -> None:
        """Records a consent, or that the contact wrote."""
        item = {"identity": identity, "action": action}
        answer = await self.doors.call("POST", f"/v1/bots/{BOT}/consents", {"items": [item]})
        assert answer.status_code == 200, answer.text

    async def categorise(self, name: str, category: str) -> None:
        """Puts a template on record."""
        path = f"/v1/bots/{BOT}/templates/{name}/en"
        answer = await self.doors.call("PUT", path, {"category": category})
        assert answer.status_code == 200, answer.text

    async def record(self, answer: httpx.Response) -> OutboxMessage:
        """What is kept of the message, once its outcome is written down."""
        await self.relay.close()
        found = await self.doors.store.message(BOT, answer.headers["x-optin-message-id"])
        assert found is not None
        return found

    async def set(self, **settings: str) -> None:
        """Changes the bot's settings; `__` stands for a dot."""
        changes = {name.replace("__", "."): value for name, value in settings.items()}
        await self.doors.bots.change(BOT, changes)


@asynccontextmanager
async def open_face(open_store: OpenStore, **settings: str) -> AsyncIterator[Face]:
    """The face of a bot with these settings besides the provider's."""
    store = await open_store()
    async with graph_api() as api:

        async def nobody(*_: object) -> None:
            """Hears the sandbox's reports."""

        breakers, pacing = Breakers(), Pacing()
        meta = CloudGraph(ReleasingClient(total_timeout=1.0), 1.0)
        graphs: dict[str, Graph] = {
            "meta": GuardedGraph(meta, breakers, pacing),
            "sandbox": GuardedGraph(SandboxGraph(SandboxUpstream(nobody)), breakers),
        }
        relay = Relay(store, graphs, "test", new_id)
        doors = await open_doors(store, relay=relay)
        face = Face(doors, api, relay, breakers, pacing)
        own = {"meta.phone_number_id": NUMBER, "meta.access_token": TOKEN}
        await doors.bots.change(
            BOT, {"upstream": "meta", "meta.base_url": api.base_url, **own, **settings}
        )
        try:
            yield face
        finally:
            await doors.client.aclose()
            await relay.close()
            for graph in graphs.values():
                await graph.close()


def error(answer: httpx.Response) -> tuple[int, int, str]:
    """(HTTP status, Graph's code, our reason) of an error in Graph's shape."""
    told = answer.json()["error"]
    assert told["type"] == "OAuthException"
    assert told["message"].startswith(f"(#{told['code']}) ")
    assert told["fbtrace_id"]
    return answer.status_code, told["code"], told.get("error_data", {}).get("details", "")
