"""The built-in simulated WhatsApp (SPEC 8): works without an account, speaks in Meta's shapes.

It takes every message after its release and later reports it sent, delivered and read, through
the same parser that Meta's webhooks go through. It sends nothing anywhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.domain.identities import is_bsuid
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Accepted, Outcome, Release
from optin.upstreams.meta_webhook import sign

__all__ = ["SandboxUpstream", "customer_message", "phone_number_id", "sign", "status_report"]

_log = logging.getLogger(__name__)

#: Given a bot and a webhook body for it, as if Meta had posted it. Raising means: not taken.
Report = Callable[[Bot, bytes], Awaitable[None]]

REPORTED = ("sent", "delivered", "read")


@dataclass(frozen=True, slots=True, eq=False)
class SandboxUpstream:
    """`report` gets each status. `delay`: seconds before each; a report that fails is tried
    `tries` times, `pause` seconds after the first failure and doubling, then dropped."""

    report: Report
    delay: float = 0.3
    tries: int = 5
    pause: float = 0.2
    clock: Callable[[], float] = time.time
    _reporting: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)

    async def hand_over(self, bot: Bot, message: OutboxMessage, release: Release) -> Outcome:
        """See `Upstream`. Always accepted, under an id that begins with `wamid.SANDBOX`."""
        await release()
        upstream_id = "wamid.SANDBOX" + secrets.token_hex(12).upper()
        task = asyncio.create_task(self._report_all(bot, message, upstream_id))
        self._reporting.add(task)
        task.add_done_callback(self._reporting.discard)
        return Accepted(upstream_id, "" if is_bsuid(message.identity) else message.identity)

    async def close(self) -> None:
        """Ends what is still to be reported; nobody is told of it."""
        waiting = list(self._reporting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _report_all(self, bot: Bot, message: OutboxMessage, upstream_id: str) -> None:
        for status in REPORTED:
            await asyncio.sleep(self.delay)
            at = int(self.clock() * SECOND)
            await self._report(bot, status_report(bot, message, upstream_id, status, at))

    async def _report(self, bot: Bot, body: bytes) -> None:
        for attempt in range(self.tries):
            try:
                await self.report(bot, body)
            except Exception:  # noqa: BLE001 - whatever went wrong, WhatsApp would try again
                _log.warning("sandbox report for bot %s failed", bot.bot_id, exc_info=True)
                await asyncio.sleep(self.pause * 2**attempt)
            else:
                return


def phone_number_id(bot: Bot) -> str:
    """The business number that the bot's sandbox webhooks name: `meta.phone_number_id`, or the bot
    id while that is not set."""
    return bot.value("meta.phone_number_id") or bot.bot_id


def status_report(
    bot: Bot, message: OutboxMessage, upstream_id: str, status: str, at: int
) -> bytes:
    """A webhook body with one status of `message`, as Meta would report it. `at`: UTC µs."""
    recipient = "recipient_user_id" if is_bsuid(message.identity) else "recipient_id"
    report = {
        "id": upstream_id,
        "status": status,
        "timestamp": str(at // SECOND),
        recipient: message.identity,
        "biz_opaque_callback_data": message.message_id,
    }
    return _webhook(bot, {"statuses": [report]})


def customer_message(bot: Bot, sender: str, text: str, at: int, wamid: str) -> bytes:
    """A webhook body in which `sender`, an identity, writes `text` to the bot. `at`: UTC µs, of
    which Meta's time stamps keep the seconds."""
    hidden = is_bsuid(sender)
    written = {
        "from_user_id" if hidden else "from": sender,
        "id": wamid,
        "timestamp": str(at // SECOND),
        "type": "text",
        "text": {"body": text},
    }
    contact = {"profile": {"name": "Customer"}, "user_id" if hidden else "wa_id": sender}
    return _webhook(bot, {"contacts": [contact], "messages": [written]})


def _webhook(bot: Bot, content: Mapping[str, Any]) -> bytes:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": phone_number_id(bot)},
        **content,
    }
    change = {"field": "messages", "value": value}
    entry = {"id": "SANDBOX", "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
