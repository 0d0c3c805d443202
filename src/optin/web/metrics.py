"""What is counted, and `/metrics` for Prometheus (SPEC 6).

With several processes each writes its values into files of `PROMETHEUS_MULTIPROC_DIR`, which the
parent made before they started, and whichever is asked adds them up; so an answer always speaks of
all. That variable must be set before this module is imported.
"""

from __future__ import annotations

import asyncio
import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from optin.domain.errors import StoreUnavailable
from optin.ports.backlog import Backlog

SHARED = "PROMETHEUS_MULTIPROC_DIR"

DECISIONS = Counter(
    "optin_decisions",
    "Decisions: asked for (check), at the door (send), right before sending (hand_over); the "
    "rule's reason against, or basis for it; whether the gate let it through.",
    ("at", "passed", "reason"),
)
HAND_OVERS = Counter(
    "optin_hand_overs",
    "Hand-overs to the upstream by outcome; withheld: refused, expired or not released.",
    ("outcome",),
)
UNPROVEN = Counter(
    "optin_opt_ins_without_evidence_that_lifted_an_opt_out",
    "Opt-ins without evidence that lifted an opt-out (R4).",
)
CALLBACKS = Counter("optin_callbacks", "Posts to the businesses' receivers.", ("outcome",))
NOT_UNDERSTOOD = Counter(
    "optin_webhook_parts_not_understood", "Parts of signed webhooks that were not understood."
)
UNCLAIMED = Counter(
    "optin_webhooks_of_no_bot", "Signed webhooks about a business number that no bot has."
)
RISES = Counter("optin_opt_out_rises", "Sudden rises in opt-outs that wait for a review.")
STORE_ERRORS = Counter(
    "optin_store_errors", "Calls of the store that failed since it did.", ("call",)
)
COMMIT_SECONDS = Histogram(
    "optin_commit_seconds",
    "From handing a request to the store until it is on disk.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
BREAKERS_OPEN = Gauge(
    "optin_breakers_open",
    "Processes in which the bot's circuit breaker holds messages up.",
    ("bot",),
    multiprocess_mode="livesum",
)


def routes(backlog: Backlog | None) -> list[Route]:
    """`/metrics`. Without a backlog, or if it does not answer, there are no queue lengths."""

    async def metrics(_: Request) -> Response:
        registry = CollectorRegistry()
        if backlog is not None:
            registry.register(await _queue_lengths(backlog))
        shared = os.environ.get(SHARED)
        body = await asyncio.to_thread(_text, registry, shared)
        return Response(body, media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics)]


def _text(registry: CollectorRegistry, shared: str | None) -> bytes:
    if shared:
        MultiProcessCollector(registry, shared)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(REGISTRY) + generate_latest(registry)


async def _queue_lengths(backlog: Backlog) -> Collector:
    try:
        lengths = await backlog.lengths()
    except StoreUnavailable:
        lengths = {}
    family = GaugeMetricFamily("optin_queue_length", "What waits, by queue.", labels=("queue",))
    for queue, length in lengths.items():
        family.add_metric([queue], length)
    return _Fixed(family)


class _Fixed(Collector):
    """One family that is known already."""

    def __init__(self, family: GaugeMetricFamily) -> None:
        self._family = family

    def collect(self) -> list[GaugeMetricFamily]:
        """The family."""
        return [self._family] if self._family.samples else []
