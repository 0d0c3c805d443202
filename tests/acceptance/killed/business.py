"""A business with one bot, that asks whichever node is named."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from tests.acceptance.killed.pair import Pair
from tests.acceptance.nodes import sessions
from tests.acceptance.program import Program
from tests.acceptance.receivers import Receiver
from tests.upstreams import meta_bodies
from tests.upstreams.cloud_api import NUMBER, TOKEN, CloudApi

SECRET = "app-secret"
TEMPLATE = {"type": "template", "template_name": "order_ready", "language": "en"}


@dataclass(frozen=True)
class Business:
    """One bot on the pair, and its token."""

    pair: Pair
    bot_id: str
    token: str

    @classmethod
    async def on(cls, pair: Pair, **settings: str) -> Business:
        """A new one with these settings."""
        return cls(pair, *await pair.add_bot(settings))

    @classmethod
    async def on_meta(cls, pair: Pair, api: CloudApi, receiver: Receiver) -> Business:
        """One that sends a template through this provider, and is called back under `/ok`."""
        made = await cls.on(
            pair,
            **{
                "upstream": "meta",
                "meta.base_url": api.base_url,
                "meta.phone_number_id": NUMBER,
                "meta.access_token": TOKEN,
                "meta.app_secret": SECRET,
                "callback_url": f"{receiver.url}/ok/reports",
            },
        )
        [record, category] = "/templates/order_ready/en", {"category": "utility"}
        await made.ask(made.a_node, "PUT", f"/v1/bots/{made.bot_id}{record}", category)
        return made

    @property
    def a_node(self) -> Program:
        """A node that runs."""
        return self.pair.a_node

    async def ask(self, program: Program, method: str, path: str, body: Any = None) -> Any:
        """The answer of one request, which goes well; bytes go as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            sessions(self.token) as session,
            session.request(method, f"{program.url}{path}", data=raw) as answer,
        ):
            text = await answer.text()
            assert answer.status in (200, 201, 202), text
            return json.loads(text) if text else None

    async def opt_in(self, program: Program, *numbers: str) -> None:
        """They may be messaged from now on."""
        face = f"/whatsapp/v1/{self.bot_id}/provision/optin"
        await self.ask(program, "POST", face, {"numbers": numbers})

    async def send(self, program: Program, *numbers: str) -> list[str]:
        """Opts them in and sends each the template; the messages' ids."""
        await self.opt_in(program, *numbers)
        face = f"/whatsapp/v1/{self.bot_id}/messages"
        told = await self.ask(program, "POST", face, {"to": numbers, "message": TEMPLATE})
        assert {row["state"] for row in told["statuses"]} == {"queued"}
        return [row["message_id"] for row in told["statuses"]]

    async def message(self, message_id: str) -> dict[str, Any]:
        """What the database has of a message."""
        [row] = await self.pair.rows(
            """SELECT stage, state, details, attempts, claimant, claimed, leased_until
             FROM messages WHERE bot_id = $1 AND message_id = $2""",
            self.bot_id,
            message_id,
        )
        return dict(row)

    async def report(self, program: Program, message_id: str, state: str) -> None:
        """The provider's signed report of this message, posted to this node."""
        told = {"id": f"wamid.{message_id}", "status": state, "timestamp": "1795430100"}
        known = {"recipient_id": meta_bodies.PHONE, "biz_opaque_callback_data": message_id}
        body = meta_bodies.one({**told, **known}, "statuses")
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}
        url = f"{program.url}/webhooks/meta/{self.bot_id}"
        async with (
            sessions(self.token) as session,
            session.post(url, data=body, headers=headers) as answer,
        ):
            assert answer.status == 200, await answer.text()
