"""A strict simulated Cloud API that fails in every way there is, and reports what it took.

It notes for each of our message ids every request and every time that it took the message. Reports
go to `hook` as Meta's do: signed, over HTTP, in batches, again and again until they are taken.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.upstreams.cloud_api import NUMBER, VERSION, CloudApi, breaking_off, graph_error
from tests.upstreams.failing_ways import UNCERTAIN, Answer, Plan, Way

SECRET = "app-secret"
_SLOW = 0.25
_POSTERS, _BATCH = 6, 20
#: Answers that are the same for every message.
_ODD: Mapping[Answer, Callable[[], web.Response]] = {
    Answer.LIMITED: lambda: web.Response(status=429, text="Slow down"),
    Answer.LIMITED_FOR: lambda: web.json_response(
        graph_error(130429), status=429, headers={"Retry-After": "1"}
    ),
    Answer.NONSENSE: lambda: web.Response(text='{"messages":[{"id', content_type="text/plain"),
    Answer.NO_ID: lambda: web.json_response({"messaging_product": "whatsapp", "messages": []}),
    Answer.HTML_500: lambda: web.Response(
        text="<h1>Sorry</h1>", status=500, content_type="text/html"
    ),
}
_STATUS = {Answer.LATER: 500, Answer.FAULT: 503, Answer.SENDER: 401, Answer.NEVER: 400}


@dataclass
class FailingApi:
    """`well`: it takes everything, at once. `hang`: seconds; longer than its clients wait."""

    plan: Plan
    well: bool = False
    hang: float = 3.0
    hook: str = ""
    strict: CloudApi = field(default_factory=CloudApi)
    requests: Counter[str] = field(default_factory=Counter)
    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answers: Counter[Answer] = field(default_factory=Counter)
    uncertain: set[str] = field(default_factory=set)
    again: list[str] = field(default_factory=list)
    sender_errors: int = 0
    under_way: int = 0
    most_under_way: int = 0
    told: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    turned_away: list[int] = field(default_factory=list)
    _seen: int = 0
    _reports: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)
    _telling: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.strict.behaviour = self._behave

    @property
    def base_url(self) -> str:
        """For the bot's settings."""
        return self.strict.base_url

    @property
    def twice(self) -> list[str]:
        """Messages that the customer got more than once."""
        return [correlation for correlation, times in self.taken.items() if len(times) > 1]

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """`POST …/messages`."""
        self._seen += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if not self.well and self.plan.hangs_up_unread(self._seen):
                return _hang_up(request)
            return await self.strict.messages(request)
        finally:
            self.under_way -= 1

    async def _behave(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        correlation = body["biz_opaque_callback_data"]
        if correlation in self.uncertain:
            self.again.append(correlation)
        self.requests[correlation] += 1
        attempt = self.requests[correlation]
        way = Way(Answer.ACCEPTED, True) if self.well else self.plan.way(correlation, attempt)
        self.answers[way.answer] += 1
        if way.taken:
            await self._take(correlation, body)
        if way.answer in UNCERTAIN:
            self.uncertain.add(correlation)
        return await self._answer(request, body, way, attempt)

    async def _answer(
        self, request: web.Request, body: Mapping[str, Any], way: Way, attempt: int
    ) -> web.StreamResponse:
        match way.answer:
            case Answer.ACCEPTED | Answer.SLOW:
                await asyncio.sleep(_SLOW if way.answer is Answer.SLOW else 0)
                return web.json_response(accepted(body, attempt))
            case Answer.LATER | Answer.FAULT | Answer.SENDER | Answer.NEVER:
                self.sender_errors += way.answer is Answer.SENDER
                code = self.plan.code(body["biz_opaque_callback_data"], attempt, way.answer)
                return web.json_response(graph_error(code, "No."), status=_STATUS[way.answer])
            case Answer.HALF:
                return await breaking_off(request)
            case Answer.HANG | Answer.CLOSED:
                await asyncio.sleep(self.hang if way.answer is Answer.HANG else 0)
                return _hang_up(request)
        return _ODD[way.answer]()

    async def _take(self, correlation: str, body: Mapping[str, Any]) -> None:
        """The message is on its way to the customer; its reports follow, or come at once."""
        self.taken[correlation].append(time.time())
        upstream_id = accepted(body, self.requests[correlation])["messages"][0]["id"]
        reports = [
            (correlation, _status(upstream_id, correlation, body, status))
            for status in self.plan.reports(correlation)
        ]
        if reports and self.hook and self.plan.tells_first(correlation):
            await self._post_one(reports.pop(0))
        if reports:
            task = asyncio.create_task(self._tell_later(correlation, reports))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _tell_later(
        self, correlation: str, reports: list[tuple[str, dict[str, Any]]]
    ) -> None:
        chance = self.plan.chance(correlation, "delays")
        for report in reports:
            await asyncio.sleep(chance.uniform(0, 0.15))
            self._reports.put_nowait(report)

    async def _post_one(self, report: tuple[str, dict[str, Any]]) -> None:
        """One report, posted once within the time that a client waits; else it comes later."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(0.5)) as session:
            if not await self._tried(session, [report]):
                self._reports.put_nowait(report)

    async def post_reports(self) -> None:
        """Posts what there is to report, without end, some at a time."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
            while True:
                batch = [await self._reports.get()]
                while len(batch) < _BATCH and not self._reports.empty():
                    batch.append(self._reports.get_nowait())
                # As Meta does, for days; nobody is there who could set an event.
                while not await self._tried(session, batch):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                for _ in batch:
                    self._reports.task_done()

    async def _tried(
        self, session: aiohttp.ClientSession, batch: list[tuple[str, dict[str, Any]]]
    ) -> bool:
        try:
            return await self._post(session, batch)
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _post(
        self, session: aiohttp.ClientSession, batch: list[tuple[str, dict[str, Any]]]
    ) -> bool:
        body = _webhook([status for _, status in batch])
        headers = {"X-Hub-Signature-256": signed(body), "Content-Type": "application/json"}
        async with session.post(self.hook, data=body, headers=headers) as answer:
            if answer.status not in (200, 429, 503):
                self.turned_away.append(answer.status)
            if answer.status == 200:
                for correlation, status in batch:
                    self.told[correlation].add(status["status"])
            return answer.status == 200

    async def all_told(self) -> None:
        """Waits until every report has been taken."""
        while self._telling:
            await asyncio.gather(*self._telling)
        await self._reports.join()


def accepted(body: Mapping[str, Any], attempt: int) -> dict[str, Any]:
    """Graph's answer to a message that it took."""
    number = body["to"]
    upstream_id = f"wamid.{body['biz_opaque_callback_data']}.{attempt}"
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": number, "wa_id": number.removeprefix("+")}],
        "messages": [{"id": upstream_id}],
    }


def signed(body: bytes) -> str:
    """The value of Meta's signature header."""
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:  # else the client has hung up already
        request.transport.close()
    return web.Response()


def _status(
    upstream_id: str, correlation: str, body: Mapping[str, Any], status: str
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": upstream_id,
        "status": status,
        "timestamp": str(int(time.time())),
        "recipient_id": body["to"].removeprefix("+"),
        "biz_opaque_callback_data": correlation,
    }
    if status == "failed":
        told["errors"] = [{"code": 131049, "title": "No", "message": "No"}]
    return told


def _webhook(statuses: list[dict[str, Any]]) -> bytes:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "46850000000", "phone_number_id": NUMBER},
        "statuses": statuses,
    }
    entry = {"id": "WABA1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


@asynccontextmanager
async def failing_api(seed: int, port: int = 0) -> AsyncIterator[FailingApi]:
    """The server, on a port of the kernel's choice if none is given."""
    api = FailingApi(Plan(seed))
    async with listening(api, port):
        posters = [asyncio.create_task(api.post_reports()) for _ in range(_POSTERS)]
        try:
            yield api
        finally:
            ending = [*posters, *api._telling]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)


@asynccontextmanager
async def listening(api: FailingApi, port: int = 0) -> AsyncIterator[int]:
    """Its port, which answers for as long as this lasts."""
    app = web.Application()
    app.router.add_post(f"/{VERSION}/{NUMBER}/messages", api.messages)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    host, bound = runner.addresses[0][:2]
    api.strict.base_url = f"http://{host}:{bound}"
    try:
        yield bound
    finally:
        await runner.cleanup()
