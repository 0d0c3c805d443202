"""Group commit: everything that waits goes into one transaction (and one query, for reads).

There is no timer: a group is what came in while the last one ran. A call never joins a group that
has already started, so what it reads or writes lies after it began (R6).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: Runs one group: an answer or an exception per item, in order. Raising fails them all.
Run = Callable[[Sequence[Item]], Awaitable[Sequence[Answer | BaseException]]]


class Committer(Generic[Item, Answer]):
    """Collects calls and runs them in groups of up to `most`, one group after another."""

    def __init__(self, run: Run[Item, Answer], *, most: int = 512) -> None:
        self._run = run
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def call(self, item: Item) -> Answer:
        """The item's own answer, or the exception that it or its whole group ended with.

        Cancelling the caller does not take the item out of its group.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await future

    async def idle(self) -> None:
        """Returns when nothing waits any more."""
        while self._running is not None:
            await asyncio.shield(self._running)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), self._most)
                await self._one_group([self._waiting.popleft() for _ in range(size)])
        finally:
            self._running = None

    async def _one_group(self, group: list[tuple[Item, asyncio.Future[Answer]]]) -> None:
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
