"""The real program while its provider refuses the sender: what operators see, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.program import Program
from tests.upstreams.cloud_api import NUMBER, TOKEN, VERSION, answering, graph_error
from tests.upstreams.cloud_templates import ACCOUNT, TemplateApi, template

BOT = "shop"
MANY = 30
WORKERS = 2


@pytest.fixture
async def api() -> AsyncIterator[TemplateApi]:
    """Sends are refused with an expired token; the account has one utility template."""
    api = TemplateApi(templates=[template("order_ready", "en", "UTILITY")])
    api.behaviour = answering(graph_error(190, "Session has expired."), 401)
    app = web.Application()
    app.router.add_post(f"/{VERSION}/{NUMBER}/messages", api.messages)
    app.router.add_get(f"/{VERSION}/{ACCOUNT}/message_templates", api.listed)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.base_url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield api
    await runner.cleanup()


async def until(look: Callable[[], Any]) -> Any:
    """The first true answer of something that blocks; fails if there is none in time."""
    for _ in range(200):
        if found := await asyncio.to_thread(look):
            return found
        await asyncio.sleep(0.1)
    pytest.fail("it did not come to hold in time")


async def come_to_rest(api: TemplateApi) -> int:
    """How many requests there were when none came for a second: each worker has its own breaker,
    and what was on its way when it opened still arrives."""
    for _ in range(20):
        asked = len(api.taken)
        await asyncio.sleep(1.0)
        if len(api.taken) == asked:
            return asked
    pytest.fail("requests go on although the sender is refused")


class Operator:
    """What somebody with a terminal and a browser sees."""

    def __init__(self, program: Program, token: str) -> None:
        self.program = program
        self.http = httpx.Client(
            base_url=program.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False
        )

    def sample(self, name: str, **labels: str) -> float:
        """One sample of `/metrics`."""
        for family in text_string_to_metric_families(self.http.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return 0.0

    def send(self) -> None:
        """Opts people in and sends each the template."""
        people = [f"4670174{n:04}" for n in range(MANY)]
        for first in range(0, MANY, 10):
            some = people[first : first + 10]
            url = f"/whatsapp/v1/{BOT}"
            self.http.post(f"{url}/provision/optin", json={"numbers": some}).raise_for_status()
            message = {"type": "template", "template_name": "order_ready", "language": "en"}
            sent = self.http.post(f"{url}/messages", json={"to": some, "message": message})
            assert {row["state"] for row in sent.json()["statuses"]} == {"queued"}

    def waiting(self, count: int) -> list[dict[str, Any]]:
        """What `bot show` says is waiting, once it is so many; before, one may be on its way."""
        shown: list[dict[str, Any]] = self.program.result("bot", "show", BOT)["waiting"]
        return shown if sum(row["messages"] for row in shown) == count else []


async def test_a_refused_sender_is_seen_and_mended(tmp_path: Path, api: TemplateApi) -> None:
    """190 stops the sending in every worker; `/readyz`, `/metrics` and `bot show` say so; once the
    operator has changed the bot's upstream settings, the rest goes, and nothing is lost."""
    program = Program(tmp_path, "--workers", str(WORKERS))
    settings = {
        "upstream": "meta",
        "meta.base_url": api.base_url,
        "meta.phone_number_id": NUMBER,
        "meta.waba_id": ACCOUNT,
        "meta.access_token": TOKEN,
    }
    token = await asyncio.to_thread(lambda: program.add_bot(BOT, **settings))
    synced = await asyncio.to_thread(program.result, "template", "sync", "--bot", BOT)
    assert [t["category"] for t in synced["changed"]] == ["utility"]
    await asyncio.to_thread(program.start)
    try:
        operator = Operator(program, token)
        await asyncio.to_thread(operator.send)
        await until(lambda: operator.sample("optin_breakers_open", bot=BOT))
        rows = await until(lambda: operator.http.get("/readyz").json()["breakers"])
        assert (rows[0]["bot"], rows[0]["why"]) == (BOT, "190: Session has expired.")
        waiting = await until(lambda: operator.waiting(MANY))
        assert "190: Session has expired." in {row["last_try"] for row in waiting}
        # One of them may just be the breaker's probe, which is on its way and back.
        await until(lambda: operator.sample("optin_queue_length", queue="messages") == MANY)
        asked = await come_to_rest(api)
        assert asked <= MANY
        assert (
            operator.sample("optin_decisions_total", at="send", passed="yes", reason="opt_in")
            == MANY
        )
        api.behaviour = None
        api.taken.clear()
        mend = ("bot", "set", BOT, "meta.api_version=v25.0")
        assert (await asyncio.to_thread(program.command, *mend)).returncode == 0
        untried = MANY - asked
        await until(lambda: len(api.taken) >= untried)
        await until(lambda: operator.sample("optin_breakers_open", bot=BOT) == 0)
        # Those that were refused themselves come back a minute after that, and wait until then.
        assert await until(lambda: operator.waiting(MANY - len(api.taken)))
        operator.http.close()
    finally:
        assert await asyncio.to_thread(program.stop) == 0
