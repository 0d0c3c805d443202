"""One loop over one queue: lease what is due, work on many at once, let nobody fill the room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Sequence
from typing import Generic, Protocol, TypeVar

from optin.domain.errors import StoreUnavailable
from optin.worker.lanes import Lane
from optin.worker.shares import Shares

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: How long a loop sleeps when there is nothing to do and nobody wakes it, in seconds.
POLL = 0.2
#: What one loop has under way in this process.
AT_ONCE = 256
#: How long a key may fill the room before it is known to be slow, in seconds.
PATIENCE = 1.0
#: A lease is a commit of its own, so it is not made for a few.
WORTH_A_LEASE = AT_ONCE // 4


class Queue(Protocol[T]):
    """A use case that leases what is due and works on each."""

    async def lease(self, limit: int, without: Collection[str], /) -> list[T]:
        """Takes up to `limit` due ones, none of whom `without` names."""

    async def deliver(self, item: T, /) -> None:
        """Works on one."""

    async def put_back(self, items: Sequence[T], /) -> None:
        """Gives back what has no turn now."""


class QueueLoop(Generic[T]):
    """Works on one queue. `key` says who is waited for: the bot, or the receiver. `after_each` is
    called when an item is done, since that may have made work for another queue.

    Nothing is leased for a key that has enough. What was leased and cannot start yet is held, but
    only as many as its key gets done in a second; the rest goes back. So a busy key fills the room
    and a slow one leaves it to others. `shares` bounds what one bot has, over all its keys.
    """

    def __init__(
        self,
        queue: Queue[T],
        key: Callable[[T], str],
        for_one: int,
        after_each: Callable[[], None] = lambda: None,
        patience: float = PATIENCE,
        most: int = AT_ONCE,
        shares: Shares[T] | None = None,
    ) -> None:
        self._queue = queue
        self._patience = patience
        self._most = most
        self._key = key
        self._for_one = for_one
        self._after_each = after_each
        self._shares = shares or Shares(lambda _: "", AT_ONCE, AT_ONCE)
        self._short = False  # something waits for its bot's share
        self._lanes: dict[str, Lane[T]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    async def turn(self) -> None:
        """Leases and starts what there is room for, then waits until there may be more."""
        self._woken.clear()
        self._forget()
        held = sum(len(lane.held) for lane in self._lanes.values())
        room = AT_ONCE - len(self._under_way) - held
        full = [key for key, lane in self._lanes.items() if lane.held or lane.busy >= self._for_one]
        leased: list[T] = []
        if room >= WORTH_A_LEASE:
            leased = await self._queue.lease(min(room, self._most), full)
        for item in leased:
            key = self._key(item)
            self._lanes.setdefault(key, Lane()).take(item)
            self._start(key)
        if over := [item for lane in self._lanes.values() for item in lane.excess(self._patience)]:
            await self._queue.put_back(over)
        if not leased:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._woken.wait()

    async def finish(self, grace: float) -> None:
        """Gives back what has not begun and waits for what has; what then takes longer than
        `grace` seconds is cancelled."""
        held = [item for lane in self._lanes.values() for item in lane.give_up()]
        if held:
            with contextlib.suppress(StoreUnavailable):  # the leases run out by themselves
                await self._queue.put_back(held)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=grace)
        left = list(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _forget(self) -> None:
        """Drops the lanes that were only kept since they were slow."""
        self._lanes = {k: a for k, a in self._lanes.items() if a.busy or a.held or a.was_slow()}

    def _start(self, key: str) -> None:
        """Starts as much of what is held for the key as it and its bots may have under way."""
        lane = self._lanes[key]
        while lane.busy < self._for_one:
            item = lane.next(self._shares.has_room)
            if item is None:
                self._short = self._short or bool(lane.held)
                return
            self._shares.begin(item)
            task = asyncio.create_task(self._work(item, key))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _work(self, item: T, key: str) -> None:
        begun = time.monotonic()
        try:
            await self._queue.deliver(item)
        except Exception:  # noqa: BLE001 - a loop outlives whatever happens to one item
            _log.exception("Work on %s failed; its lease will run out", key)
        finally:
            self._shares.end(item, time.monotonic() - begun)
            lane = self._lanes[key]
            lane.done()
            self._start(key)
            if not lane.busy and not lane.held and not lane.was_slow():
                del self._lanes[key]
            self._start_others()
            self._woken.set()
            self._after_each()

    def _start_others(self) -> None:
        """What waited for its bot's share may have it now, whichever its receiver."""
        if self._short:
            self._short = False
            for key in list(self._lanes):
                self._start(key)
