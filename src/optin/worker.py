"""The loops that run beside the doors: hand over, call back, sweep. They stop when told.

Each loop leases what is due and works on many at once, bounded altogether and for each bot or
receiver, so that one that hangs holds up no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from optin.domain.errors import StoreUnavailable
from optin.usecases.call_back import CallBack
from optin.usecases.deliver import Deliver

T = TypeVar("T")

#: Keys of which nothing need be taken up now.
Resting = Callable[[], Awaitable[Collection[str]]]

#: Something that is done now and then, in every process.
Chore = Callable[[], Awaitable[object]]
NO_CHORES: Mapping[Chore, float] = MappingProxyType({})

_log = logging.getLogger(__name__)

#: How long a loop sleeps when there is nothing to do and nobody wakes it, in seconds.
POLL = 0.2
#: Hand-overs and posts under way in this process, altogether and for one bot or receiver.
AT_ONCE, FOR_ONE = 256, 64
CALLBACKS_FOR_ONE = 8
#: How long a key may fill the room before it is known to be slow, in seconds: of bots whose
#: upstream answers late there are few, of receivers of callbacks there are many.
PATIENCE, PATIENCE_WITH_RECEIVERS = 1.0, 0.25
#: A lease is a commit of its own, so it is not made for a few.
WORTH_A_LEASE = AT_ONCE // 4
#: How often what has outlived its time is looked for, in seconds.
SWEEP_EVERY = 30.0
#: How long `stop` waits for what is under way, in seconds.
GRACE = 35.0
#: How long a key that got nothing done is remembered for that, in seconds.
REMEMBERED = 60.0
_LONGEST_PAUSE = 5.0


class Queue(Protocol[T]):
    """A use case that leases what is due and works on each."""

    async def lease(self, limit: int, without: Collection[str], /) -> list[T]:
        """Takes up to `limit` due ones, none of whom `without` names."""

    async def deliver(self, item: T, /) -> None:
        """Works on one."""

    async def put_back(self, items: Sequence[T], /) -> None:
        """Gives back what has no turn now."""


async def _nobody_rests() -> Collection[str]:
    return ()


class QueueLoop(Generic[T]):
    """Works on one queue. `key` says who is waited for: the bot, or the receiver. `after_each` is
    called when an item is done, since that may have made work for another queue.

    Nothing is leased for a key that has enough, or that `resting` names: an upstream takes nothing
    of that bot now. What was leased and cannot start yet is held, but
    only as many as its key gets done in a second; the rest goes back. So a busy key fills the room
    and a slow one leaves it to others.
    """

    def __init__(
        self,
        queue: Queue[T],
        key: Callable[[T], str],
        for_one: int,
        after_each: Callable[[], None] = lambda: None,
        resting: Resting = _nobody_rests,
        patience: float = PATIENCE,
        most: int = AT_ONCE,
    ) -> None:
        self._queue = queue
        self._patience = patience
        self._most = most
        self._resting = resting
        self._key = key
        self._for_one = for_one
        self._after_each = after_each
        self._lanes: dict[str, _Lane[T]] = {}
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
            leased = await self._queue.lease(min(room, self._most), [*full, *await self._resting()])
        for item in leased:
            key = self._key(item)
            self._lanes.setdefault(key, _Lane()).take(item)
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
        """Starts as much of what is held for the key as it may have under way."""
        lane = self._lanes[key]
        while lane.held and lane.busy < self._for_one:
            lane.busy += 1
            task = asyncio.create_task(self._work(lane.held.popleft(), key))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _work(self, item: T, key: str) -> None:
        try:
            await self._queue.deliver(item)
        except Exception:  # noqa: BLE001 - a loop outlives whatever happens to one item
            _log.exception("Work on %s failed; its lease will run out", key)
        finally:
            lane = self._lanes[key]
            lane.done()
            self._start(key)
            if not lane.busy and not lane.was_slow():
                del self._lanes[key]
            self._woken.set()
            self._after_each()


class _Lane(Generic[T]):
    """What is leased for one key: how much is under way, and what is held behind it."""

    def __init__(self) -> None:
        self.held: deque[T] = deque()
        self.busy = 0
        self._busy_since = 0.0
        self._slow = float("-inf")
        self._finished: deque[float] = deque()

    def take(self, item: T) -> None:
        """Holds one more."""
        if not self.busy and not self.held:
            self._busy_since = time.monotonic()
        self.held.append(item)

    def done(self) -> None:
        """One of those under way is done."""
        self.busy -= 1
        self._finished.append(time.monotonic())

    def excess(self, patience: float) -> list[T]:
        """Takes out what will not have its turn within a second, going by the last one.

        In its first `patience` seconds nobody is called slow; but who was slow lately is so at
        once, or each time that all of its posts have timed out it would have the room again.
        """
        now = time.monotonic()
        before = now - 1.0
        while self._finished and self._finished[0] < before:
            self._finished.popleft()
        busy_for = min(now - self._busy_since, 1.0)
        if self.was_slow():
            busy_for = 1.0
        elif busy_for < patience:
            return []
        if self.held and not self._finished and self._busy_since < before:
            self._slow = now
        in_a_second = int(len(self._finished) / busy_for)
        return [self.held.pop() for _ in range(len(self.held) - in_a_second)]

    def was_slow(self) -> bool:
        """Whether it lately got nothing done in a whole second while more was waiting."""
        return time.monotonic() - self._slow < REMEMBERED

    def give_up(self) -> list[T]:
        """Takes out everything that is held."""
        held = list(self.held)
        self.held.clear()
        return held


class Worker:
    """All loops of one process. Make, start and stop it in one event loop.

    `chores`: what else is done at the start and then every so many seconds.
    """

    def __init__(
        self,
        deliver: Deliver,
        call_back: CallBack,
        *,
        resting: Resting = _nobody_rests,
        chores: Mapping[Chore, float] = NO_CHORES,
        sweep_every: float = SWEEP_EVERY,
        grace: float = GRACE,
    ) -> None:
        self._deliver = deliver
        self._callbacks = QueueLoop(
            call_back,
            lambda owed: owed.receiver,
            CALLBACKS_FOR_ONE,
            patience=PATIENCE_WITH_RECEIVERS,
            most=AT_ONCE // 2,  # so that one that refuses thousands leaves the others room
        )
        self._messages = QueueLoop(
            deliver, lambda message: message.bot_id, FOR_ONE, self._callbacks.wake, resting
        )
        self._chores = chores
        self._sweep_every = sweep_every
        self._grace = grace
        self._loops: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Starts the loops; needs a running event loop."""
        chores = [partial(self._do, chore, every) for chore, every in self._chores.items()]
        loops = [self._messages.turn, self._callbacks.turn, self._sweep]
        turns: Sequence[Callable[[], Awaitable[None]]] = [*loops, *chores]
        self._loops = [asyncio.create_task(self._forever(turn)) for turn in turns]

    def wake(self) -> None:
        """Tells the loops that something was committed for them. Safe before `start`."""
        self._messages.wake()
        self._callbacks.wake()

    async def stop(self) -> None:
        """Takes up nothing more and waits for what is under way, at most `grace` seconds."""
        self._stopping.set()
        self.wake()
        await asyncio.gather(*self._loops)
        self._loops = []
        await asyncio.gather(
            self._messages.finish(self._grace), self._callbacks.finish(self._grace)
        )

    async def _forever(self, turn: Callable[[], Awaitable[None]]) -> None:
        """No exception ends a loop: the store may be down for a while (R12)."""
        pause = POLL
        while not self._stopping.is_set():
            try:
                await turn()
                pause = POLL
            except Exception:  # noqa: BLE001 - and whatever happens to itself
                _log.exception("A loop of the worker failed; it goes on in %.1f s", pause)
                await self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _sweep(self) -> None:
        swept = await self._deliver.sweep()
        self._callbacks.wake()
        await self._sleep(POLL if swept else self._sweep_every)

    async def _do(self, chore: Chore, every: float) -> None:
        await chore()
        await self._sleep(every)

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, but not beyond `stop`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
