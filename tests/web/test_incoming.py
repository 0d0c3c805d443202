"""Bodies of webhooks before anybody has vouched for them: bounded in bytes and in time (SPEC 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from optin.domain.errors import Overloaded, TooLarge, TooSlow
from optin.web.incoming import IncomingBodies

KIB = 1024


class Caller:
    """A request whose body comes when the test says so; `ended` says how it ended."""

    def __init__(self, bodies: IncomingBodies, largest: int = 100 * KIB) -> None:
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.answer = asyncio.Event()
        self.body = b""
        self._task = asyncio.create_task(self._run(bodies, largest))

    async def _run(self, bodies: IncomingBodies, largest: int) -> None:
        async with bodies.body([], self._messages.get, largest) as self.body:
            await self.answer.wait()

    async def send(self, size: int, more: bool = True) -> None:
        self._messages.put_nowait({"type": "http.request", "body": b"x" * size, "more_body": more})
        await settle()

    async def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})
        await settle()

    @property
    def waits(self) -> bool:
        return not self._task.done()

    async def ended(self) -> None:
        """Raises what it ended with."""
        self.answer.set()
        async with asyncio.timeout(5):
            await self._task


async def settle() -> None:
    """Lets every task take its steps."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_body_is_held_until_it_is_dealt_with() -> None:
    """Counted as its bytes come, and no longer than until the answer."""
    bodies = IncomingBodies()
    caller = Caller(bodies)
    await caller.send(3)
    assert bodies.held == 3
    await caller.send(4, more=False)
    assert (caller.body, bodies.held) == (b"x" * 7, 7)
    await caller.ended()
    assert bodies.held == 0


async def test_who_began_first_gives_way() -> None:
    """Beyond the bound the oldest that hold something are refused, no more of them than it takes;
    one that has sent nothing holds nothing, and one that is complete is not interrupted."""
    bodies = IncomingBodies(100)
    silent, complete = Caller(bodies), Caller(bodies)
    await complete.send(10, more=False)
    slow = [Caller(bodies) for _ in range(3)]
    for caller in slow:
        await caller.send(30)
    assert bodies.held == 100
    newest = Caller(bodies)
    await newest.send(31, more=False)
    assert bodies.held == 71
    assert [caller.waits for caller in (silent, complete, *slow)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert newest.body == b"x" * 31
    for caller in slow[:2]:
        with pytest.raises(Overloaded):
            await caller.ended()
    for caller in (complete, newest):
        await caller.ended()
    await slow[2].send(1, more=False)
    await slow[2].ended()
    await silent.send(0, more=False)
    await silent.ended()
    assert bodies.held == 0


async def test_what_alone_is_too_much_is_refused() -> None:
    """Where everything else is dealt with already, the newcomer is asked to come again."""
    bodies = IncomingBodies(100)
    complete, late = Caller(bodies), Caller(bodies)
    await complete.send(90, more=False)
    await late.send(11)
    with pytest.raises(Overloaded):
        await late.ended()
    assert (bodies.held, complete.waits) == (90, True)
    await complete.ended()


async def test_bytes_that_come_after_giving_way_count_no_more() -> None:
    """Also when they came in the very moment."""
    bodies = IncomingBodies(100)
    old, new = Caller(bodies), Caller(bodies)
    await old.send(60)
    old._messages.put_nowait({"type": "http.request", "body": b"x" * 30, "more_body": False})
    new._messages.put_nowait({"type": "http.request", "body": b"x" * 60, "more_body": True})
    await settle()
    assert bodies.held <= 100
    ended = [await _outcome(caller) for caller in (old, new) if not caller.waits]
    assert ended == [Overloaded] * len(ended)
    await new.leave()
    for caller in (old, new):
        await _outcome(caller)
    assert bodies.held == 0


async def _outcome(caller: Caller) -> type[BaseException] | None:
    try:
        await caller.ended()
    except Exception as error:  # noqa: BLE001 - whatever it was
        return type(error)
    return None


async def test_a_body_has_so_long_to_arrive() -> None:
    """However steadily it trickles; the time that it takes to deal with it does not count."""
    bodies = IncomingBodies(seconds=0.2)
    trickling, quick = Caller(bodies), Caller(bodies)
    await quick.send(1, more=False)
    for _ in range(30):
        await trickling.send(1)
        await asyncio.sleep(0.01)
    with pytest.raises(TooSlow):
        await trickling.ended()
    assert (quick.waits, bodies.held) == (True, 1)
    await quick.ended()


Step = Callable[[Caller], Coroutine[Any, Any, None]]


@pytest.mark.parametrize(
    ("last", "error"),
    [(Caller.leave, ClientDisconnect), (lambda caller: caller.send(100 * KIB), TooLarge)],
)
async def test_nothing_is_held_of_who_fails(last: Step, error: type[Exception]) -> None:
    """A caller that goes away or sends too much leaves nothing behind."""
    bodies = IncomingBodies()
    caller = Caller(bodies)
    await caller.send(5)
    await last(caller)
    with pytest.raises(error):
        await caller.ended()
    assert bodies.held == 0
    assert bodies._arriving == {}
