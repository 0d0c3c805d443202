"""ReplayCallbacks: what was owed can be looked at and owed again (SPEC 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import InvalidInput, NotFound
from optin.ports.store import Callback, CallbackStage
from optin.stores.sqlite import SQLiteStore
from optin.usecases.replay_callbacks import MOST, PAGE, ReplayCallbacks
from tests.conftest import first_token
from tests.usecases.outbox import BOT, START, Clock, add_bot, opened, owed, within

URL = "https://shop.example/hook"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        await add_bot(made)
        await made.add_bot(Bot("other"), first_token("other"))
        yield made


def callback(number: int, bot_id: str = BOT) -> Callback:
    return Callback(bot_id, f"C{number:05}", URL, b"{}", START, START)


async def put(store: SQLiteStore, stages: str) -> None:
    """Callbacks C00000… of these stages: w, d or x for dead."""
    made = [callback(n) for n in range(len(stages))]

    def owe(tx: object) -> None:
        for each in made:
            tx.put_callback(each)  # type: ignore[attr-defined]

    await within(store, owe)
    tried = [replace(each, attempts=16, outcome="HTTP 500") for each in made]
    await store.put_callbacks(
        [each for each, stage in zip(tried, stages, strict=True) if stage == "d"],
        [],
        [each for each, stage in zip(tried, stages, strict=True) if stage == "x"],
    )


async def stages(store: SQLiteStore) -> str:
    """The stages as `put` takes them."""
    letters = {"waiting": "w", "done": "d", "dead": "x"}
    return "".join(letters[c.stage] for c in await store.callbacks(BOT, "", 10_000))


async def test_the_named_ones_are_owed_again_with_all_their_tries(
    store: SQLiteStore, clock: Clock
) -> None:
    """Done or dead, they are due at once as if never tried; the others stay as they are."""
    await put(store, "dxdxw")
    woken: list[int] = []
    clock.now += 1000
    replay = ReplayCallbacks(store, lambda: woken.append(1))
    assert await replay.replay(BOT, ["C00000", "C00001", "C00001", "unknown"]) == 2
    assert (await stages(store), woken) == ("wwdxw", [1])
    again = [c for c in await owed(store) if c.callback_id < "C00002"]
    assert [(c.attempts, c.due, c.outcome) for c in again] == [(0, clock.now, "HTTP 500")] * 2


async def test_all_behind_a_cursor(store: SQLiteStore) -> None:
    """The cursor itself is not replayed, as it is not listed on the page behind it."""
    await put(store, "dxdxw")
    assert await ReplayCallbacks(store).replay_from(BOT, "C00001") == 3
    assert await stages(store) == "dxwww"
    assert await ReplayCallbacks(store).replay_from(BOT, "") == 5
    assert await stages(store) == "wwwww"
    assert await ReplayCallbacks(store).replay_from(BOT, "C00004") == 0


async def test_a_cursor_reaches_over_many_pages(store: SQLiteStore) -> None:
    """More than fit on one page are all replayed, each once."""
    await put(store, "x" * (2 * PAGE + 7))
    assert await ReplayCallbacks(store).replay_from(BOT, "C00004") == 2 * PAGE + 2


async def test_what_came_after_the_call_is_left_alone(store: SQLiteStore) -> None:
    """A replay ends, also on a bot that is owed new ones all the time."""
    await within(store, lambda tx: tx.put_callback(replace(callback(1), created=START + 1)))
    assert await ReplayCallbacks(store).replay_from(BOT, "") == 0


async def test_pages(store: SQLiteStore) -> None:
    """Pages follow each other without a gap; the last one has no cursor; a stage can be chosen."""
    await put(store, "dxdxd")
    replay, seen, after = ReplayCallbacks(store), [], ""
    for _ in range(3):
        page = await replay.page(BOT, after, 2)
        seen += [c.callback_id for c in page.callbacks]
        after = page.following
    assert (seen, after) == ([f"C{n:05}" for n in range(5)], "")
    dead = await replay.page(BOT, stage=CallbackStage.DEAD)
    assert ([c.callback_id for c in dead.callbacks], dead.following) == (["C00001", "C00003"], "")
    full = await replay.page(BOT, "", 5)
    assert full.following == ""


async def test_one(store: SQLiteStore) -> None:
    """One callback by its id; a neighbour's id or a part of one finds nothing."""
    await put(store, "d" * 12)
    for number in (0, 9, 10, 11):
        assert (await ReplayCallbacks(store).one(BOT, f"C{number:05}")).callback_id[-2:] == (
            f"{number:02}"
        )
    for unknown in ("C00012", "C0000", "A", "C000000"):
        with pytest.raises(NotFound):
            await ReplayCallbacks(store).one(BOT, unknown)


async def test_no_bot_reaches_anothers(store: SQLiteStore) -> None:
    """R1: ids of another bot are unknown, to look at and to replay."""
    await put(store, "d")
    replay = ReplayCallbacks(store)
    assert (await replay.page("other")).callbacks == []
    assert await replay.replay_from("other", "") == 0
    with pytest.raises(NotFound):
        await replay.one("other", "C00000")
    with pytest.raises(NotFound):
        await replay.replay("other", ["C00000"])
    assert await stages(store) == "d"


async def test_an_unknown_bot(store: SQLiteStore) -> None:
    """`NotFound`, whatever is asked."""
    replay = ReplayCallbacks(store)
    for asked in (
        replay.page("nobody"),
        replay.one("nobody", "C1"),
        replay.replay("nobody", ["C1"]),
        replay.replay_from("nobody", ""),
    ):
        with pytest.raises(NotFound):
            await asked


async def test_what_is_no_id(store: SQLiteStore) -> None:
    """Wrong input is refused before anything is changed."""
    await put(store, "d")
    replay = ReplayCallbacks(store)
    for ids in ([], [""], ["C00000", 7], ["x" * 65], ["é"], [str(n) for n in range(MOST + 1)]):
        with pytest.raises(InvalidInput):
            await replay.replay(BOT, ids)  # type: ignore[arg-type]
    for limit in (0, -1, MOST + 1):
        with pytest.raises(InvalidInput):
            await replay.page(BOT, "", limit)
    assert await stages(store) == "d"
