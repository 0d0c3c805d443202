"""The running service: one process's store, use cases, upstreams, doors and loops, connected."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from optin.domain.bots import Bot
from optin.domain.errors import OptinError
from optin.ports.store import Store
from optin.ports.upstream import Upstream
from optin.settings import Settings
from optin.upstreams import meta_webhook
from optin.upstreams.connecting import ReleasingClient
from optin.upstreams.meta import MetaUpstream
from optin.upstreams.poster import HttpPoster
from optin.upstreams.sandbox import SandboxUpstream
from optin.usecases.blacklist import Blacklist
from optin.usecases.call_back import CallBack
from optin.usecases.check import Check
from optin.usecases.deliver import Deliver
from optin.usecases.manage_templates import ManageTemplates
from optin.usecases.read_contact import ReadContact
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.record_consent import RecordConsent
from optin.usecases.send_message import SendMessage
from optin.web.app import create_app
from optin.web.client_address import networks
from optin.web.services import Services
from optin.wiring.making import new_id
from optin.wiring.opening import opened_store
from optin.worker import Worker

_log = logging.getLogger(__name__)


def start_logging(level: str) -> None:
    """Log lines go to standard error; libraries say less than we do, unless debugging."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, format=form, level=level.upper(), force=True)
    if level != "debug":
        for library in ("uvicorn", "aiohttp", "asyncio"):
            logging.getLogger(library).setLevel(logging.WARNING)


class Service:
    """The ASGI application of one process. All that it holds lives from startup to shutdown.

    `started` is called when everything runs. A start that fails is told in one sentence (SPEC 8).
    """

    def __init__(self, settings: Settings, started: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._started = started
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3: `lifespan` first, and requests between its startup and its shutdown."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with running_app(self._settings) as self._app:
                self._started()
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except OptinError as error:
            if self._app is None:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            _log.exception("The service did not end cleanly")
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def running_app(settings: Settings) -> AsyncIterator[ASGIApp]:
    """The doors with the loops behind them; ended in the order in which they lean on each other."""
    async with AsyncExitStack() as ending:
        store = await ending.enter_async_context(opened_store(settings))
        poster = HttpPoster(allow_private=settings.allow_private_callbacks)
        ending.push_async_callback(poster.close)

        def wake() -> None:
            worker.wake()

        inbound = ReceiveInbound(
            store, meta_webhook.parse, meta_webhook.valid_signature, received=wake
        )
        upstreams = _upstreams(inbound)
        for upstream in upstreams.values():
            ending.push_async_callback(upstream.close)
        claimant = secrets.token_hex(8)
        worker = Worker(
            Deliver(store, upstreams, claimant, new_id), CallBack(store, poster, claimant, new_id)
        )
        services = _services(settings, store, inbound, SendMessage(store, new_id, wake))
        worker.start()
        ending.push_async_callback(worker.stop)
        yield create_app(services)


def _upstreams(inbound: ReceiveInbound) -> Mapping[str, Upstream]:
    """By the value of the bot setting `upstream` (SPEC 8)."""

    async def report(bot: Bot, body: bytes) -> None:
        await inbound.take_in(bot.bot_id, body)

    return {"sandbox": SandboxUpstream(report), "meta": MetaUpstream(ReleasingClient())}


def _services(
    settings: Settings, store: Store, inbound: ReceiveInbound, sending: SendMessage
) -> Services:
    return Services(
        store=store,
        record_consent=RecordConsent(store, new_id),
        check=Check(store),
        read_contact=ReadContact(store),
        blacklist=Blacklist(store),
        manage_templates=ManageTemplates(store),
        send_message=sending,
        receive_inbound=inbound,
        region=settings.region,
        trusted_proxies=networks(settings.trusted_proxies),
    )
