"""The built-in simulated WhatsApp (SPEC 8): works without an account, speaks in Meta's shapes.

It takes every message after its release and later reports it sent, delivered and read, in signed
webhooks as Meta posts them; certain recipients make it fail (`sandbox_script`). It sends nothing
anywhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.domain.identities import is_bsuid, shown
from optin.domain.outbox import OutboxMessage
from optin.ports.upstream import Outcome, Release, Unknown
from optin.upstreams.connecting import Answer
from optin.upstreams.meta import outcome
from optin.upstreams.sandbox_script import Script, error_object, script_for
from optin.upstreams.sandbox_webhooks import phone_number_id, status_report

__all__ = ["Report", "SandboxUpstream", "phone_number_id"]

_log = logging.getLogger(__name__)

#: Given a bot and a webhook body for it, as if Meta had posted it. Raising means: not taken.
Report = Callable[[Bot, bytes], Awaitable[None]]


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
        """See `Upstream`. What is accepted has an id that begins with `wamid.SANDBOX`."""
        answer = await self.answer(bot, message, release)
        if answer is None:
            return Unknown("no answer: simulated")
        return outcome(answer, self.clock())

    async def answer(self, bot: Bot, message: OutboxMessage, release: Release) -> Answer | None:
        """Graph's answer to the message, as Meta gives it; None if the connection was lost."""
        script = script_for(bot, message)
        await release()
        await asyncio.sleep(script.delay)
        code = script.error(message.attempts)
        if code is not None:
            return _answer(400, {"error": {**error_object(code), "fbtrace_id": "SANDBOX"}})
        upstream_id = "wamid.SANDBOX" + secrets.token_hex(12).upper()
        task = asyncio.create_task(self._report_all(bot, message, upstream_id, script))
        self._reporting.add(task)
        task.add_done_callback(self._reporting.discard)
        return _answer(200, _accepted(message.identity, upstream_id)) if script.answers else None

    async def close(self) -> None:
        """Ends what is still to be reported; nobody is told of it."""
        waiting = list(self._reporting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _report_all(
        self, bot: Bot, message: OutboxMessage, upstream_id: str, script: Script
    ) -> None:
        error = None if script.failed is None else error_object(script.failed)
        for status in (*script.reports, *(() if error is None else ("failed",))):
            await asyncio.sleep(self.delay)
            at = int(self.clock() * SECOND)
            of = error if status == "failed" else None
            await self._report(bot, status_report(bot, message, upstream_id, status, at, of))

    async def _report(self, bot: Bot, body: bytes) -> None:
        for attempt in range(self.tries):
            try:
                await self.report(bot, body)
            except Exception:  # noqa: BLE001 - whatever went wrong, WhatsApp would try again
                _log.warning("sandbox report for bot %s failed", bot.bot_id, exc_info=True)
                await asyncio.sleep(self.pause * 2**attempt)
            else:
                return


def _accepted(identity: str, upstream_id: str) -> dict[str, object]:
    who = {"user_id": identity} if is_bsuid(identity) else {"wa_id": identity}
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": shown(identity), **who}],
        "messages": [{"id": upstream_id}],
    }


def _answer(status: int, told: object) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(told).encode())
