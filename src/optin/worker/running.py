"""All loops of one process, and how they start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from optin.domain.outbox import OutboxMessage
from optin.ports.stopping import Stopped
from optin.ports.store import Callback
from optin.usecases.call_back import CallBack
from optin.usecases.deliver import Deliver
from optin.worker.queue_loop import AT_ONCE, POLL, QueueLoop
from optin.worker.shares import Shares

#: Bots of which nothing need be taken up now: an upstream takes nothing of them.
Resting = Callable[[], Awaitable[Collection[str]]]

#: Something that is done now and then, in every process. It goes over all bots, and is told how to
#: ask whether it shall end.
Chore = Callable[[Stopped], Awaitable[object]]
NO_CHORES: Mapping[Chore, float] = MappingProxyType({})

_log = logging.getLogger(__name__)

#: Hand-overs under way in this process for one bot.
FOR_ONE = 64
#: Callbacks under way in this process to one receiver, of one bot, and of all slow bots together.
CALLBACKS_FOR_ONE, CALLBACKS_OF_A_BOT, CALLBACKS_OF_SLOW_BOTS = 8, 32, AT_ONCE // 2
#: As `PATIENCE`: of bots whose upstream answers late there are few, of receivers there are many.
PATIENCE_WITH_RECEIVERS = 0.25
#: How often what has outlived its time is looked for, in seconds.
SWEEP_EVERY = 30.0
#: How long `stop` waits for what is under way, in seconds.
GRACE = 35.0
_LONGEST_PAUSE = 5.0


async def _nobody_rests() -> Collection[str]:
    return ()


@dataclass(frozen=True, slots=True)
class _Awake:
    """The queue of messages, without those of bots that rest."""

    handing_over: Deliver
    resting: Resting

    async def lease(self, limit: int, without: Collection[str], /) -> list[OutboxMessage]:
        return await self.handing_over.lease(limit, [*without, *await self.resting()])

    async def deliver(self, item: OutboxMessage, /) -> None:
        await self.handing_over.deliver(item)

    async def put_back(self, items: Sequence[OutboxMessage], /) -> None:
        await self.handing_over.put_back(items)


@dataclass(frozen=True, slots=True)
class _SharedOut:
    """The queue of callbacks, without those of bots that have their share."""

    call_back: CallBack
    shares: Shares[Callback]

    async def lease(self, limit: int, without: Collection[str], /) -> list[Callback]:
        return await self.call_back.lease(limit, without, self.shares.full())

    async def deliver(self, item: Callback, /) -> None:
        await self.call_back.deliver(item)

    async def put_back(self, items: Sequence[Callback], /) -> None:
        await self.call_back.put_back(items)


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
        shares = Shares[Callback](
            lambda owed: owed.bot_id, CALLBACKS_OF_A_BOT, CALLBACKS_OF_SLOW_BOTS
        )
        self._callbacks = QueueLoop(
            _SharedOut(call_back, shares),
            lambda owed: owed.receiver,
            CALLBACKS_FOR_ONE,
            patience=PATIENCE_WITH_RECEIVERS,
            most=AT_ONCE // 2,  # so that one that refuses thousands leaves the others room
            shares=shares,
        )
        self._messages = QueueLoop(
            _Awake(deliver, resting),
            lambda message: message.bot_id,
            FOR_ONE,
            after_each=self._callbacks.wake,
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
        """Takes up nothing more and waits for what is under way, at most `grace` seconds. A chore
        ends behind the bot at hand; nothing of it is cancelled."""
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
        await chore(self._stopping.is_set)
        await self._sleep(every)

    async def _sleep(self, seconds: float) -> None:
        """Sleeps, but not beyond `stop`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
