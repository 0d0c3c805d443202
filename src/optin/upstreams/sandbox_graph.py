"""The sandbox as Cloud API clients see it: Graph's shapes, and nothing goes anywhere (SPEC 8)."""

from __future__ import annotations

import json
import secrets
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

from optin.domain.bots import Bot
from optin.domain.graph_posts import GraphMessage
from optin.domain.identities import is_bsuid, shown
from optin.domain.outbox import OutboxMessage
from optin.ports.graph import Download, GraphAnswer, GraphCall, NotReached, Relayed
from optin.ports.upstream import Accepted, Release, Unknown, Upstream
from optin.upstreams.sandbox import phone_number_id
from optin.upstreams.sandbox_script import error_object, script_for


@dataclass(frozen=True, slots=True)
class SandboxGraph:
    """Takes what `sandbox` takes, and has it report in the same way."""

    sandbox: Upstream

    def number(self, bot: Bot) -> str:
        """As in the sandbox's webhooks."""
        return phone_number_id(bot)

    async def send(
        self, bot: Bot, path: str, given: GraphMessage, record: OutboxMessage, release: Release
    ) -> Relayed:
        """Its reports carry the client's own `biz_opaque_callback_data`, as Meta's would."""
        reported = replace(record, message_id=given.opaque or record.message_id)
        outcome = await self.sandbox.hand_over(bot, reported, release)
        if isinstance(outcome, Unknown):
            return Relayed(None, lambda: outcome)
        code = script_for(bot, reported).error(reported.attempts)
        if code is not None:
            error = {**error_object(code), "type": "OAuthException", "fbtrace_id": "SANDBOX"}
            return Relayed(_answer({"error": error}, 400), lambda: outcome)
        taken = outcome.upstream_id if isinstance(outcome, Accepted) else ""
        who = given.identities[0]
        contact = {"user_id": who} if is_bsuid(who) else {"wa_id": who}
        told = {
            "messaging_product": "whatsapp",
            "contacts": [{"input": shown(who), **contact}],
            "messages": [{"id": taken}],
        }
        return Relayed(_answer(told), lambda: outcome)

    async def call(self, bot: Bot, call: GraphCall) -> GraphAnswer:
        """Keeps no media and no templates: an upload gets an id that leads nowhere."""
        if call.content is not None and not isinstance(call.content.chunks, bytes):
            async for _ in call.content.chunks:
                pass
        number = self.number(bot)
        _, node, *edge = call.path.split("/")
        match call.method, edge:
            case "POST", ["messages"]:
                return _answer({"success": True})
            case "POST", ["media"]:
                return _answer({"id": str(secrets.randbelow(10**15))})
            case "GET", ["message_templates"]:
                return _answer({"data": []})
            case "GET", ["phone_numbers"]:
                return _answer({"data": [{"id": number}]})
            case "GET", [] if node == number:
                return _answer({"id": number, "verified_name": bot.value("name") or bot.bot_id})
        error = {"message": "(#100) The sandbox keeps no such object", "type": "OAuthException"}
        told = {**error, "code": 100, "error_subcode": 33, "fbtrace_id": "SANDBOX"}
        return _answer({"error": told}, 400)

    def download(self, bot: Bot, url: str) -> AbstractAsyncContextManager[Download]:
        """There is nothing to download."""
        raise NotReached("the sandbox keeps no media")

    async def close(self) -> None:
        """Nothing is open: the sandbox itself is ended by who made it."""


def _answer(told: Any, status: int = 200) -> GraphAnswer:
    return GraphAnswer(status, "application/json; charset=UTF-8", json.dumps(told).encode())
