"""The running service: one process's store, use cases, upstreams, doors and loops, connected."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from optin.domain.bots import Bot
from optin.domain.completeness import missing
from optin.domain.errors import OptinError
from optin.ports.graph import Graph
from optin.ports.store import Store
from optin.ports.upstream import Upstream
from optin.settings import Settings
from optin.upstreams import meta_parts, meta_webhook, sinch_webhook
from optin.upstreams.connecting import ReleasingClient
from optin.upstreams.graph import CloudGraph
from optin.upstreams.guarded import Breakers, GuardedUpstream
from optin.upstreams.guarded_graph import GuardedGraph
from optin.upstreams.meta import MetaUpstream
from optin.upstreams.pacing import Pacing
from optin.upstreams.poster import HttpPoster
from optin.upstreams.sandbox import SandboxUpstream
from optin.upstreams.sandbox_graph import SandboxGraph
from optin.upstreams.sinch import SinchUpstream
from optin.upstreams.sinch_messages import refuse_unsayable
from optin.usecases import keep_templates
from optin.usecases.blacklist import Blacklist
from optin.usecases.call_back import CallBack
from optin.usecases.deliver import Deliver
from optin.usecases.erase import Erase
from optin.usecases.housekeep import Housekeep
from optin.usecases.import_list import ReceiveImport, RunImports
from optin.usecases.manage_templates import ManageTemplates
from optin.usecases.read_contact import ReadContact
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.record_consent import RecordConsent
from optin.usecases.relay import Relay
from optin.usecases.replay_callbacks import ReplayCallbacks
from optin.usecases.review import Reviews
from optin.usecases.send_message import SendMessage
from optin.usecases.watch import Watch
from optin.web.app import create_app
from optin.web.client_address import networks
from optin.web.services import Services
from optin.wiring.asking import sync_templates
from optin.wiring.making import manage_bots, new_id, rotate_tokens
from optin.wiring.measuring import (
    MeasuredCheck,
    MeasuredPoster,
    breaker_changed,
    handed_over,
    measured_parse,
    measured_store,
    risen,
    unclaimed,
)
from optin.wiring.opening import open_backlog, opened_store
from optin.worker import Worker

_log = logging.getLogger(__name__)

#: How often what was kept long enough is deleted, in seconds.
HOUSEKEEP_EVERY = 3600.0
#: How often new lists are looked for, in seconds.
IMPORT_EVERY = 1.0
#: How often a sudden rise in opt-outs is looked for, in seconds.
WATCH_EVERY = 60.0

#: Messages on their way through the Graph face at once, in one process.
RELAYED_AT_ONCE = 300


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
        store = measured_store(await ending.enter_async_context(opened_store(settings)))
        backlog = open_backlog(settings)
        ending.push_async_callback(backlog.close)
        poster = HttpPoster(allow_private=settings.allow_private_callbacks)
        ending.push_async_callback(poster.close)

        def wake() -> None:
            worker.wake()

        inbound = ReceiveInbound(
            store,
            measured_parse(meta_webhook.parse),
            meta_webhook.valid_signature,
            received=wake,
            alarm=unclaimed,
            is_signature=meta_webhook.is_signature,
            cut=meta_parts.cut,
        )
        breakers = Breakers(changed=breaker_changed)
        pacing = Pacing(settings.workers)
        bare = _upstreams(inbound, settings, pacing)
        upstreams = {
            name: GuardedUpstream(upstream, breakers, handed_over)
            for name, upstream in bare.items()
        }
        for upstream in upstreams.values():
            ending.push_async_callback(upstream.close)
        claimant = secrets.token_hex(8)
        keeping = await ending.enter_async_context(_kept_templates(store, settings.workers))
        worker = Worker(
            Deliver(store, upstreams, claimant, new_id),
            CallBack(store, MeasuredPoster(poster), claimant, new_id),
            resting=lambda: breakers.resting(store.bot),
            chores={
                Housekeep(store): HOUSEKEEP_EVERY,
                keeping.round: keep_templates.ROUND,
                Watch(store, risen): WATCH_EVERY,
                RunImports(store, claimant): IMPORT_EVERY,
            },
        )
        graphs = _graphs(bare["sandbox"], settings, breakers, pacing)
        relay = Relay(store, graphs, claimant, new_id)
        for graph in relay.graphs.values():
            ending.push_async_callback(graph.close)
        ending.push_async_callback(relay.close)
        sending = SendMessage(store, new_id, wake, {"sinch": refuse_unsayable})
        services = _services(settings, store, inbound, sending, relay)
        services = replace(services, breakers=breakers.not_closed, backlog=backlog)
        await _warn_of_missing(store)
        worker.start()
        ending.push_async_callback(worker.stop)
        yield create_app(services)


async def _warn_of_missing(store: Store) -> None:
    for bot in await store.bots():
        for key, until in missing(bot).items():
            _log.warning("bot %s has no %s: until it is set, %s", bot.bot_id, key, until)


@asynccontextmanager
async def _kept_templates(
    store: Store, workers: int
) -> AsyncIterator[keep_templates.KeepTemplates]:
    """What keeps the template records fresh; its requests end with it."""
    syncing = sync_templates(store)
    keeping = keep_templates.KeepTemplates(store, syncing.can_sync, syncing.sync, workers)
    try:
        yield keeping
    finally:
        await keeping.close()
        await syncing.close()


def _upstreams(
    inbound: ReceiveInbound, settings: Settings, pacing: Pacing
) -> Mapping[str, Upstream]:
    """By the value of the bot setting `upstream` (SPEC 8)."""

    async def report(bot: Bot, body: bytes) -> None:
        """As if Meta had posted it: believed for its signature, and for nothing else (SPEC 8)."""
        signer = await manage_bots(inbound.store).with_app_secret(bot.bot_id)
        signature = meta_webhook.sign(signer.value("meta.app_secret"), body)
        headers = {"content-type": "application/json", "x-hub-signature-256": signature}
        await inbound.receive(bot.bot_id, body, signature, headers)

    return {
        "sandbox": SandboxUpstream(report),
        "meta": MetaUpstream(
            ReleasingClient(total_timeout=settings.upstream_timeout),
            pacing=pacing,
        ),
        "sinch": SinchUpstream(ReleasingClient(total_timeout=settings.upstream_timeout)),
    }


def _sinch_inbound(inbound: ReceiveInbound) -> ReceiveInbound:
    """As `inbound`, for Sinch's webhooks."""
    check = sinch_webhook.SignatureCheck()
    return replace(
        inbound,
        parse=measured_parse(sinch_webhook.parse),
        valid_signature=check,
        is_signature=check.is_signature,
        source="webhook:sinch",
        secret="sinch.webhook_secret",
        number="sinch.app_id",
    )


def _graphs(
    sandbox: Upstream, settings: Settings, breakers: Breakers, pacing: Pacing
) -> Mapping[str, Graph]:
    """Those that Cloud API clients can be relayed to (SPEC 7), by the same setting; with the
    limits of the bot's other messages (H8)."""
    seconds = settings.upstream_timeout
    client = ReleasingClient(total_timeout=seconds, limit=RELAYED_AT_ONCE)
    meta = GuardedGraph(CloudGraph(client, seconds), breakers, pacing, handed_over)
    return {
        "sandbox": GuardedGraph(SandboxGraph(sandbox), breakers, heard=handed_over),
        "meta": meta,
    }


def _services(
    settings: Settings, store: Store, inbound: ReceiveInbound, sending: SendMessage, relay: Relay
) -> Services:
    return Services(
        store=store,
        record_consent=RecordConsent(store, new_id),
        check=MeasuredCheck(store),
        read_contact=ReadContact(store),
        erase=Erase(store, new_id),
        imports=ReceiveImport(store, new_id, settings.import_size * 1024 * 1024),
        blacklist=Blacklist(store),
        manage_templates=ManageTemplates(store),
        send_message=sending,
        receive_inbound=inbound,
        receive_sinch=_sinch_inbound(inbound),
        relay=relay,
        reviews=Reviews(store),
        manage_bots=manage_bots(store),
        rotate_tokens=rotate_tokens(store),
        replay_callbacks=ReplayCallbacks(store, inbound.received),
        region=settings.region,
        trusted_proxies=networks(settings.trusted_proxies),
    )
