"""Every inbound shape gives the events it must, alone and among others, once (SPEC 5, P17, P19)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optin.domain.links import reach, reading
from optin.stores.sqlite import SQLiteStore
from tests.corpus import shapes as usual
from tests.corpus.further_shapes import FURTHER
from tests.corpus.shapes import EVERYBODY, Shape
from tests.usecases.hearing import SETTINGS, bodied, hear, kinds, reviews
from tests.usecases.outbox import BOT, Clock, add_bot, opened

SHAPES = [*usual.SHAPES, *FURTHER]
NAMES = [shape.name for shape in SHAPES]


class Ticking(Clock):
    """No two commits at one instant."""

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", Ticking()) as made:
        await add_bot(made, **SETTINGS)
        yield made


async def expect(store: SQLiteStore, shape: Shape) -> None:
    """What the shape gives, and no more."""
    await expect_events(store, shape)
    assert len(await store.webhooks(BOT, b"", 100, noted=True)) == shape.noted


async def expect_events(store: SQLiteStore, shape: Shape) -> None:
    found = {who: await kinds(store, who) for who in EVERYBODY}
    assert {who: some for who, some in found.items() if some} == {
        who: sorted(some) for who, some in shape.gives.items() if some
    }
    assert len(await reviews(store)) == shape.reviews


def test_the_corpus_is_no_toy() -> None:
    """Each shape has a name of its own, and there are more than a hundred."""
    assert len(NAMES) == len(set(NAMES)) > 100


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
async def test_a_shape(store: SQLiteStore, shape: Shape) -> None:
    """Alone, then again, then again in a body with other things: the same events, each once."""
    content = bodied(dict(shape.change))
    await hear(store, content)
    await expect(store, shape)
    await hear(store, content)
    await expect(store, shape)
    await hear(store, bodied(dict(shape.change), dict(shape.change)))
    await expect_events(store, shape)


async def test_all_in_one_body(store: SQLiteStore) -> None:
    """No shape drops another: each identity has every kind that any shape gives it."""
    await hear(store, bodied(*(dict(shape.change) for shape in SHAPES)))
    for who in EVERYBODY:
        wanted = {kind for shape in SHAPES for kind in shape.gives.get(who, ())}
        assert wanted <= set(await kinds(store, who))


# What has no time counts when recorded, so its place among others is no matter of its own; and a
# pair that is told anew after a change is another pair. Both are left out here.
TIMED = [
    shape
    for shape in SHAPES
    if shape.name != "no time" and not shape.name.startswith(("changed", "user_id_update"))
]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(TIMED), min_size=2, max_size=8), st.data())
def test_any_order_gives_the_same(shapes: list[Shape], data: st.DataObject) -> None:
    """R2, R11: shuffled, doubled and batched otherwise, everybody's state and reach is the same."""
    shuffled = data.draw(st.permutations(shapes + shapes[: len(shapes) // 2]))
    cuts = data.draw(st.integers(1, len(shuffled)))
    batches = [shuffled[n : n + cuts] for n in range(0, len(shuffled), cuts)]
    assert asyncio.run(_after([[each] for each in shapes])) == asyncio.run(_after(batches))


CHANGES = [shape for shape in SHAPES if shape.name.startswith(("changed", "user_id_update"))]
BEFORE = [shape for shape in TIMED if shape.name.endswith(", both") or "phone" in shape.name]


@settings(max_examples=25)
@given(
    st.sampled_from(CHANGES),
    st.lists(st.sampled_from(BEFORE), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_a_change_may_come_first(change: Shape, before: list[Shape], chance: Any) -> None:
    """R11: what the old ones gave until the change is judged alike, whichever is heard first."""
    items = [change, *before]
    chance.shuffle(items)
    assert asyncio.run(_after([[each] for each in [*before, change]])) == asyncio.run(
        _after([[each] for each in items])
    )


async def _after(batches: Sequence[Sequence[Shape]]) -> Any:
    """What decisions read of everybody, whom they reach, and what is asked."""
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory) / "t.db", Ticking()) as store:
            await add_bot(store, **SETTINGS)
            for batch in batches:
                await hear(store, bodied(*(dict(shape.change) for shape in batch)))
            states = (await store.states(BOT, EVERYBODY)).states
            seen = [
                (who, reading(who, states.__getitem__), reach(who, states.__getitem__))
                for who in EVERYBODY
            ]
            return seen, {review.text for review in await reviews(store)}
