"""Group commit: what waits goes together, and a call never joins a group under way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain

import pytest

from optin.stores.committer import Committer


class Recorder:
    """Runs groups, remembers them, and can be held."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.go = asyncio.Event()

    async def run(self, items: Sequence[int]) -> Sequence[int | BaseException]:
        self.groups.append(list(items))
        await self.go.wait()
        return [ValueError(str(n)) if n < 0 else n * 10 for n in items]


async def test_what_waits_goes_into_the_next_group() -> None:
    """The first call starts at once; those that come meanwhile share the second group, in order."""
    recorder = Recorder()
    committer: Committer[int, int] = Committer(recorder.run)
    first = asyncio.create_task(committer.call(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(committer.call(n)) for n in (2, 3, 4)]
    await asyncio.sleep(0)
    assert recorder.groups == [[1]]
    recorder.go.set()
    assert await asyncio.gather(first, *rest) == [10, 20, 30, 40]
    assert recorder.groups == [[1], [2, 3, 4]]


async def test_groups_are_bounded() -> None:
    """No group takes more than it may."""
    recorder = Recorder()
    recorder.go.set()
    committer: Committer[int, int] = Committer(recorder.run, most=3)
    await asyncio.gather(*(committer.call(n) for n in range(10)))
    assert max(map(len, recorder.groups)) == 3
    assert list(chain.from_iterable(recorder.groups)) == list(range(10))


async def test_an_error_is_its_own_items_answer() -> None:
    """One item's exception answers its caller alone."""
    recorder = Recorder()
    recorder.go.set()
    committer: Committer[int, int] = Committer(recorder.run)
    answers = await asyncio.gather(*map(committer.call, [1, -1, 2]), return_exceptions=True)
    assert [type(a) for a in answers] == [int, ValueError, int]


async def test_a_failed_group_fails_each_of_its_items_and_no_later_one() -> None:
    """A commit that failed reports nothing as done; the next group is another matter."""
    calls = 0

    async def run(items: Sequence[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("disk")
        return list(items)

    committer: Committer[int, int] = Committer(run)
    answers = await asyncio.gather(*map(committer.call, [1, 2]), return_exceptions=True)
    assert all(isinstance(a, OSError) for a in answers)
    assert await committer.call(3) == 3


async def test_a_cancelled_caller_leaves_its_item_in_the_group() -> None:
    """Cancelling is not undoing, and harms nobody else."""
    recorder = Recorder()
    committer: Committer[int, int] = Committer(recorder.run)
    gone = asyncio.create_task(committer.call(1))
    stays = asyncio.create_task(committer.call(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    recorder.go.set()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await stays == 20
    await committer.idle()
    assert list(chain.from_iterable(recorder.groups)) == [1, 2]


async def calls(committer: Committer[int, int], *items: int) -> list[asyncio.Task[int]]:
    """Calls that wait, in this order."""
    made = [asyncio.create_task(committer.call(item)) for item in items]
    await asyncio.sleep(0)
    return made


async def test_lanes_take_turns() -> None:
    """Items of one lane keep their order; a lane that has much to do leaves every other place to
    another, which so is in the very next group."""
    recorder = Recorder()
    committer: Committer[int, int] = Committer(
        recorder.run, most=4, lane=lambda item: str(item // 100)
    )
    first = await calls(committer, 0)
    await asyncio.sleep(0)
    rest = await calls(committer, *range(1, 11), 100, 101, 200)
    recorder.go.set()
    await asyncio.gather(*first, *rest)
    assert recorder.groups == [[0], [1, 100, 200, 2], [101, 3, 4, 5], [6, 7, 8, 9], [10]]


async def test_a_group_is_bounded_by_weight() -> None:
    """It takes up items until they weigh enough, and one more never."""
    recorder = Recorder()
    recorder.go.set()
    committer: Committer[int, int] = Committer(recorder.run, most=10, weigh=lambda item: item)
    await asyncio.gather(*await calls(committer, 1, 4, 4, 4, 9, 1, 1, 10, 1))
    assert recorder.groups == [[1, 4, 4, 4], [9, 1], [1, 10], [1]]
    assert max(sum(group[:-1]) for group in recorder.groups) < 10


async def test_what_is_heavier_than_a_group_is_done() -> None:
    """It goes alone, or as the last of a group, and holds up no later one for ever."""
    recorder = Recorder()
    recorder.go.set()
    committer: Committer[int, int] = Committer(recorder.run, most=10, weigh=lambda item: item)
    await asyncio.gather(*await calls(committer, 50, 60, 3, 70, 2))
    assert recorder.groups == [[50], [60], [3, 70], [2]]


async def test_a_heavy_lane_delays_another_by_one_group() -> None:
    """However much one lane has waiting: when another's item comes, one group at most goes before
    it, beside the one that runs."""
    recorder = Recorder()
    committer: Committer[int, int] = Committer(
        recorder.run, most=10, weigh=lambda item: 1 if item == 7 else 10, lane=str
    )
    bulk = await calls(committer, *[5] * 50)
    await asyncio.sleep(0)
    small = await calls(committer, 7)
    recorder.go.set()
    await asyncio.gather(*bulk, *small)
    assert 7 in [*recorder.groups[1], *recorder.groups[2]]
    assert sorted(chain.from_iterable(recorder.groups)) == sorted([*[5] * 50, 7])
