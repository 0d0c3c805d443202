"""Bulk rotation on the real store: one bot's trouble is that bot's, and it can be repeated."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import pytest

from optin.domain.bots import Token
from optin.domain.errors import InvalidInput, NotFound, StoreUnavailable
from optin.domain.tokens import token_digest
from optin.ports.directory import Plan
from optin.stores.sqlite import SQLiteStore
from optin.usecases.manage_bots import ManageBots
from optin.usecases.rotate_tokens import LONGEST_OVERLAP, Rotated, RotateTokens
from tests.conftest import OpenStore
from tests.web.doors import new_id, new_secret

SEED = b"s" * 32


class Failing:
    """The store, which fails at the `at`th group of bots."""

    def __init__(self, store: SQLiteStore, at: int) -> None:
        self._store, self._left = store, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def replace_tokens(self, bot_ids: Sequence[str], plan: Plan) -> Any:
        """As the store's, as long as it does."""
        self._left -= 1
        if self._left < 0:
            raise StoreUnavailable("It is gone.")
        return await self._store.replace_tokens(bot_ids, plan)


@pytest.fixture
async def plain(open_store: OpenStore) -> SQLiteStore:
    return await open_store()


def rotating(store: Any) -> RotateTokens:
    return RotateTokens(store, new_id, new_secret)


async def add(store: SQLiteStore, *bot_ids: str, region: str = "") -> None:
    bots = ManageBots(store, new_id, new_secret)
    for bot_id in bot_ids:
        await bots.add(bot_id, {"region": region})


def texts(results: Sequence[Rotated]) -> list[str]:
    return [fresh.text for each in results for fresh, _ in each.replaced]


async def living(store: SQLiteStore, bot_id: str) -> list[Token]:
    return [t for t in await store.tokens(bot_id) if await store.token(t.digest) is not None]


async def test_a_new_token_works_and_the_old_one_for_a_while(plain: SQLiteStore) -> None:
    """H4: what is told is what is stored, in the order asked for, each bot once."""
    await add(plain, "a", "b")
    done = await rotating(plain).rotate(["b", "a", "b"], 60)
    assert [each.bot_id for each in done] == ["b", "a"]
    for each in done:
        [(fresh, old)] = each.replaced
        assert await plain.token(token_digest(fresh.text)) == fresh.token
        assert old.revoked == fresh.token.created + 60_000_000
        assert [t.token_id for t in await living(plain, each.bot_id)] == [
            old.token_id,
            fresh.token.token_id,
        ]
    await rotating(plain).rotate(["a"], 0)
    assert len(await living(plain, "a")) == 2  # the first still has its minute
    assert len(set(texts(done))) == 2


async def test_one_bots_error_is_its_own_result(plain: SQLiteStore) -> None:
    """Unknown and impossible ids fail alone, whatever is in them."""
    await add(plain, "a", "b")
    names = ["a", "nobody", "", "a\x00", "x" * 99, "b"]
    done = {each.bot_id: each for each in await rotating(plain).rotate(names, 60)}
    assert list(done) == names
    failed = [name for name, each in done.items() if isinstance(each.failed, NotFound)]
    assert failed == names[1:-1]
    assert len(texts(list(done.values()))) == 2


async def test_repeated_with_its_seed_it_tells_the_same(plain: SQLiteStore) -> None:
    """SPEC 6: the same tokens and ends, and none is made twice; another seed makes others."""
    await add(plain, "a", "b")
    first = await rotating(plain).rotate(["a", "b"], 60, SEED)
    again = await rotating(plain).rotate(["a", "b"], 60, SEED)
    assert again == first
    assert len(await plain.tokens("a")) == 2
    assert set(texts(await rotating(plain).rotate(["a"], 60, b"t" * 32))).isdisjoint(texts(first))


async def test_what_failed_half_way_can_be_finished(plain: SQLiteStore) -> None:
    """R12: what was done is told, the rest says that it was not; repeated, only the rest is
    done."""
    every = [f"bot-{number:03d}" for number in range(120)]
    await add(plain, *every)
    half = await rotating(Failing(plain, 1)).rotate(every, 60, SEED)
    assert [each.bot_id for each in half] == every
    assert [each.failed is None for each in half] == [True] * 50 + [False] * 70
    whole = await rotating(plain).rotate(every, 60, SEED)
    assert whole[:50] == half[:50]
    assert len(texts(whole)) == 120
    assert {len(await plain.tokens(bot_id)) for bot_id in every} == {2}
    with pytest.raises(StoreUnavailable):
        await rotating(Failing(plain, 0)).rotate(every, 60)


async def test_all_go_page_by_page(plain: SQLiteStore) -> None:
    """By id; with a region its own bots alone, the cursor going past the others."""
    await add(plain, "a", "c", region="eu1")
    await add(plain, "b", "d", region="us1")
    first, following = await rotating(plain).page("", 2, 60)
    assert ([each.bot_id for each in first], following) == (["a", "b"], "b")
    rest, following = await rotating(plain).page("b", 3, 60, "us1")
    assert ([each.bot_id for each in rest], following) == (["d"], "")
    assert len(await plain.tokens("c")) == 1


@pytest.mark.parametrize(
    ("after", "limit", "overlap"),
    [("", 0, 1), ("", 1001, 1), ("a\x00", 1, 1), ("", 1, -1), ("", 1, LONGEST_OVERLAP + 1)],
)
async def test_bounds_hold(plain: SQLiteStore, after: str, limit: int, overlap: int) -> None:
    """Nothing is rotated by a call that is out of bounds."""
    await add(plain, "a")
    with pytest.raises(InvalidInput):
        await rotating(plain).page(after, limit, overlap)
    assert len(await plain.tokens("a")) == 1


async def test_scopes_stay_as_they_were(plain: SQLiteStore) -> None:
    """SPEC 6: no token's successor may do more than it."""
    await add(plain, "a")
    bots = ManageBots(plain, new_id, lambda: secrets.token_bytes(32))
    await bots.add_token("a", ["read"])
    [done] = await rotating(plain).rotate(["a"], 60)
    assert [fresh.token.scopes for fresh, _ in done.replaced] == [
        old.scopes for _, old in done.replaced
    ]
    assert frozenset({"read"}) in [fresh.token.scopes for fresh, _ in done.replaced]
