"""Group commit: everything that waits goes into one transaction (and one query, for reads).

There is no timer: a group is what came in while the last one ran. A call never joins a group that
has already started, so what it reads or writes lies after it began (R6). Lanes, one a bot, take
turns, and a group is bounded by weight: one bot's bulk load neither holds up the others' opt-outs
nor the other processes' for longer than one group takes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_Waiting = tuple[Item, asyncio.Future[Answer]]

#: Runs one group: an answer or an exception per item, in order. Raising fails them all.
Run = Callable[[Sequence[Item]], Awaitable[Sequence[Answer | BaseException]]]


def _one(_: object) -> int:
    return 1


def _the_same(_: object) -> str:
    return ""


async def _nothing() -> None:
    """Groups follow one another at once."""


class Committer(Generic[Item, Answer]):
    """Collects calls and runs them in groups, one group after another.

    A group takes up items until they weigh `most`; an item that weighs more goes alone or last.
    Items of one `lane` stay in their order, lanes take turns. `between`: what is waited for behind
    each group, whose callers have their answers already; the next one is taken up after it.
    """

    def __init__(
        self,
        run: Run[Item, Answer],
        *,
        most: int = 512,
        weigh: Callable[[Item], int] = _one,
        lane: Callable[[Item], str] = _the_same,
        between: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._run = run
        self._most = most
        self._weigh = weigh
        self._lane = lane
        self._between = between
        self._lanes: dict[str, deque[_Waiting[Item, Answer]]] = {}
        #: None while nothing waits and nothing runs.
        self.running: asyncio.Task[None] | None = None

    async def call(self, item: Item) -> Answer:
        """The item's own answer, or the exception that it or its whole group ended with.

        Cancelling the caller does not take the item out of its group.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(self._lane(item), deque()).append((item, future))
        if self.running is None:
            self.running = asyncio.create_task(self._drain())
        return await future

    async def idle(self) -> None:
        """Returns when nothing waits any more."""
        while self.running is not None:
            await asyncio.shield(self.running)

    async def _drain(self) -> None:
        try:
            while self._lanes:
                await self._one_group(self._next_group())
                await self._between()
        finally:
            self.running = None

    def _next_group(self) -> list[_Waiting[Item, Answer]]:
        group: list[_Waiting[Item, Answer]] = []
        weight = 0
        while self._lanes and weight < self._most:
            name = next(iter(self._lanes))
            lane = self._lanes.pop(name)
            group.append(lane.popleft())
            weight += self._weigh(group[-1][0])
            if lane:
                self._lanes[name] = lane  # to the end of the row
        return group

    async def _one_group(self, group: list[_Waiting[Item, Answer]]) -> None:
        answers: Sequence[Answer | BaseException]
        try:
            answers = await self._run([item for item, _ in group])
        except Exception as failed:  # noqa: BLE001 - whatever failed the group answers each caller
            answers = [failed] * len(group)
        for (_, future), answer in zip(group, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
