"""The parts of the service with something between them that counts.

Counting changes nothing and knows no rule: it looks at what goes into the store's commits and
comes out of the other parts. Use cases know nothing of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any, TypeVar, cast

from optin.domain.breaker import Breaker, State
from optin.domain.consent import NEVER, Clocks, newest_opt_out, opted_in
from optin.domain.errors import StoreUnavailable
from optin.domain.events import Claim, Event, Kind
from optin.domain.identities import reach
from optin.domain.inbound import NotUnderstood, Parsed
from optin.domain.links import UNLINKED
from optin.domain.outbox import OutboxMessage
from optin.ports.poster import Poster
from optin.ports.store import Committed, Store, Transaction, Work
from optin.usecases.check import Check, CheckRow
from optin.web import metrics

R = TypeVar("R")

#: Calls of the store, beside commits, whose failures are counted.
_CALLS = ("read", "states", "lease_messages", "lease_callbacks", "put_callbacks", "bot", "token")


def measured_store(store: Store) -> Store:
    """The store, its commits timed and looked into, its failures counted."""
    return cast(Store, _MeasuredStore(store))


class _MeasuredStore:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._commit = _counted("commit", store.commit)
        self._commit_ahead = _counted("commit", store.commit_ahead)
        for name in _CALLS:
            setattr(self, name, _counted(name, getattr(store, name)))

    def __getattr__(self, name: str) -> Any:
        """What is not counted is the store's own."""
        return getattr(self._store, name)

    async def commit(self, work: Work[R]) -> R:
        """See `Store`."""
        watched = _Watched(work)
        answer: R = await self._commit(watched)
        watched.count()
        return answer

    async def commit_ahead(self, work: Work[R]) -> Committed[R]:
        """See `Store`. Counted when it is on disk, and so not before it is acted on."""
        watched = _Watched(work)
        committed: Committed[R] = await self._commit_ahead(watched)
        if committed.on_disk is None:
            watched.count()
        else:
            committed.on_disk.add_done_callback(watched.flushed)
        return committed


def _counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    async def counted(*args: Any, **more: Any) -> Any:
        try:
            return await call(*args, **more)
        except StoreUnavailable:
            metrics.STORE_ERRORS.labels(name).inc()
            raise

    return counted


class _Watched:
    """A work that remembers what it did; it may be run more than once, and the last run counts."""

    __slots__ = ("begun", "bot_id", "decisions", "reads", "unproven", "work")

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.bot_id, self.reads = work.bot_id, work.reads
        self.begun = time.perf_counter()
        self.decisions: list[tuple[str, OutboxMessage]] = []
        self.unproven = 0

    def flushed(self, on_disk: asyncio.Future[None]) -> None:
        """Counts what is on disk now, or that it is not."""
        if on_disk.cancelled() or on_disk.exception() is None:
            self.count()
        else:
            metrics.STORE_ERRORS.labels("commit").inc()

    def count(self) -> None:
        """Tells what became of it, which is committed now."""
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - self.begun)
        if self.decisions:
            for decided, times in Tally(starmap(_decided, self.decisions)).items():
                metrics.DECISIONS.labels(*decided).inc(times)
        if self.unproven:
            metrics.UNPROVEN.inc(self.unproven)

    def run(self, tx: Any) -> Any:
        self.decisions = []
        self.unproven = 0
        tx = _Watching(tx, self)
        return self.work.run(tx)


class _Watching:
    """A transaction that tells what is recorded and judged in it."""

    __slots__ = ("_told", "_tx")

    def __init__(self, tx: Transaction, told: _Watched) -> None:
        self._tx = tx
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def record(self, claim: Claim) -> Event:
        tx = self._tx
        if claim.kind is not Kind.OPT_IN or claim.evidence:
            return tx.record(claim)
        before = _clocks(tx, claim.identity)
        if newest_opt_out(before) == NEVER or opted_in(before, tx.now, tx.bot().policy):
            return tx.record(claim)
        event = tx.record(claim)
        if opted_in(_clocks(tx, claim.identity), tx.now, tx.bot().policy):
            self._told.unproven += 1
        return event

    def put_message(self, message: OutboxMessage) -> None:
        tx = self._tx
        if message.created == tx.now:
            self._told.decisions.append(("send", message))
        elif message.claimed == tx.now or (not message.passed and message.claimed == 0):
            self._told.decisions.append(("hand_over", message))
        tx.put_message(message)


def _decided(at: str, message: OutboxMessage) -> tuple[str, str, str]:
    return at, "yes" if message.passed else "no", str(message.reason or message.basis or "")


def _clocks(tx: Transaction, identity: str) -> Clocks:
    """What a decision would read (R11). Most people go by one identity, and joining what there is
    nothing to join with costs more than all the rest of counting."""
    alone = tx.links(identity) == UNLINKED and len(reach(identity).blocking) == 1
    return tx.clocks(identity) if alone else tx.reading(identity)


@dataclass(frozen=True, slots=True)
class MeasuredCheck(Check):
    """Checks, counted."""

    async def now(self, *args: Any, **more: Any) -> list[CheckRow]:
        """See `Check`."""
        return _checked(await Check.now(self, *args, **more))

    async def at(self, *args: Any, **more: Any) -> list[CheckRow]:
        """See `Check`."""
        return _checked(await Check.at(self, *args, **more))


def _checked(rows: list[CheckRow]) -> list[CheckRow]:
    tally = Tally((row.enforced, row.reason or row.basis or "") for row in rows)
    for (enforced, reason), times in tally.items():
        metrics.DECISIONS.labels("check", "no" if enforced else "yes", str(reason)).inc(times)
    return rows


@dataclass(frozen=True, slots=True)
class MeasuredPoster:
    """Posts, counted by what they ended with."""

    poster: Poster

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """See `Poster`."""
        try:
            status = await self.poster.post(url, headers, body)
        except Exception:
            metrics.CALLBACKS.labels("no_answer").inc()
            raise
        metrics.CALLBACKS.labels(f"{status // 100}xx").inc()
        return status


def measured_parse(parse: Callable[[bytes], Parsed]) -> Callable[[bytes], Parsed]:
    """The parser, with what it does not understand counted."""

    def counted(body: bytes) -> Parsed:
        items = parse(body)
        if lost := sum(isinstance(item, NotUnderstood) for item in items):
            metrics.NOT_UNDERSTOOD.inc(lost)
        return items

    return counted


def unclaimed(_: str) -> None:
    """A signed webhook is about a number that no bot has."""
    metrics.UNCLAIMED.inc()


def risen(_: str, __: str) -> None:
    """Opt-outs of a bot rise suddenly."""
    metrics.RISES.inc()


def handed_over(outcome: str) -> None:
    """A hand-over has ended."""
    metrics.HAND_OVERS.labels(outcome).inc()


def breaker_changed(bot_id: str, breaker: Breaker) -> None:
    """A bot's breaker has gone from one state to another."""
    metrics.BREAKERS_OPEN.labels(bot_id).set(breaker.state is not State.CLOSED)


__all__: Sequence[str] = (
    "MeasuredCheck",
    "MeasuredPoster",
    "breaker_changed",
    "handed_over",
    "measured_parse",
    "measured_store",
    "risen",
    "unclaimed",
)
