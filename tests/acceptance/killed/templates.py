"""Two accounts' templates, which two nodes ask for and cannot read to the end until a test lets
them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.acceptance.killed.business import Business
from tests.acceptance.killed.pair import Pair
from tests.acceptance.receivers import port_of
from tests.acceptance.waiting import until
from tests.upstreams.cloud_api import TOKEN
from tests.upstreams.cloud_templates import ACCOUNT, TemplateApi, template, template_api

CATEGORIES = ("MARKETING", "UTILITY", "AUTHENTICATION")
LOCK = "SELECT 1 FROM templates WHERE bot_id = $1 AND name = $2 FOR UPDATE"
#: A node asks for all templates within half a minute of its start, or so.
PATIENCE = 120.0


@dataclass
class Account:
    """A bot, and a provider that holds back the second page of its list until `let_go` of the node
    that asks. `held`: the nodes that wait for it."""

    pair: Pair
    api: TemplateApi
    business: Business
    held: set[str] = field(default_factory=set)
    let_go: defaultdict[str, asyncio.Event] = field(
        default_factory=lambda: defaultdict(asyncio.Event)
    )

    async def hold_back(self, request: web.Request, _: int) -> None:
        """All pages but the first come when they are let go."""
        if request.query.get("after"):
            name = self.pair.holder(port_of(request))
            self.held.add(name)
            await self.let_go[name].wait()

    @property
    def listed(self) -> dict[str, str | None]:
        """What the records have to be at the end: name -> category."""
        return {each["name"]: each["category"].lower() for each in self.api.templates}

    async def records(self) -> dict[str, str | None]:
        """What they are now."""
        asked = "SELECT name, category FROM templates WHERE bot_id = $1"
        rows = await self.pair.rows(asked, self.business.bot_id)
        return {row["name"]: row["category"] for row in rows}

    async def is_whole(self) -> bool:
        """Whether the records are those of the provider's list."""
        return await self.records() == self.listed


@asynccontextmanager
async def account(pair: Pair, count: int, page_size: int) -> AsyncIterator[Account]:
    """A new one with so many templates, a third of each category."""
    listed: list[Any] = [template(f"t_{n:04}", "en", CATEGORIES[n % 3]) for n in range(count)]
    async with template_api(*listed) as api:
        api.page_size = page_size
        settings = {"upstream": "meta", "meta.base_url": api.base_url, "meta.access_token": TOKEN}
        business = await Business.on(pair, **settings, **{"meta.waba_id": ACCOUNT})
        made = Account(pair, api, business)
        api.instead = made.hold_back
        yield made
        for name in pair.nodes:
            made.let_go[name].set()


@dataclass(frozen=True)
class Killed:
    """What a node left when it was killed in the midst of two syncs: it had the first page of the
    short list, and was in the second commit of the long one.

    `found`: the records that there were of each. `late` is in the second commit; its record was
    there before, as another category.
    """

    short: Account
    long: Account
    late: str
    found: tuple[dict[str, str | None], dict[str, str | None]]


async def _killed(pair: Pair, short: Account, long: Account) -> Killed:
    late = long.api.templates[550]["name"]
    path = f"/v1/bots/{long.business.bot_id}/templates/{late}/en"
    await long.business.ask(pair.a_node, "PUT", path, {"category": "authentication"})
    both = set(pair.nodes)
    await until(lambda: short.held == long.held == both, PATIENCE)
    async with pair.held(LOCK, long.business.bot_id, late) as hold:
        long.let_go["one"].set()
        assert await hold.waiter() == "one"
        await pair.kill("one")
    await pair.forgotten()
    found = (await short.records(), await long.records())
    for each in (short, long):
        each.let_go["other"].set()
    return Killed(short, long, late, found)


@asynccontextmanager
async def killing_in_sync(pair: Pair) -> AsyncIterator[asyncio.Task[Killed]]:
    """Starts the nodes, and kills one as soon as both have come to the point; that takes up to
    half a minute, and no longer, since the provider is not waited for without end."""
    async with account(pair, 5, 2) as short, account(pair, 600, 300) as long:
        await pair.start()
        killing = asyncio.create_task(_killed(pair, short, long))
        yield killing
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
