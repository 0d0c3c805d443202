"""What every store promises those who run the deployment: ends ahead, rotations, answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from optin.domain.bots import DEPLOYMENT, Bot, Token
from optin.domain.errors import InconsistentRecord, NotFound
from optin.domain.events import DAY
from optin.domain.tokens import Replacement
from optin.ports.records import AnswerKey, StoredAnswer
from optin.ports.store import Store
from optin.usecases.housekeep import Housekeep
from tests.conftest import first_token
from tests.stores.contract.conftest import Clock, Open
from tests.stores.works import BOT, OTHER_BOT

SECOND = 1_000_000
TOKEN = first_token(BOT)
RUNNER = Token(b"r" * 32, DEPLOYMENT, "ops-1", frozenset(), 7)
KEY = AnswerKey("ops-1", "POST", "k")


def successor(of: Token) -> Token:
    return replace(of, digest=of.digest[::-1], token_id=of.token_id + "-2", revoked=None)


def in_a_minute(tokens: Sequence[Token], now: int) -> list[Replacement]:
    """A plan: one that was done already is told as it is."""
    known = {token.token_id: token for token in tokens}
    if done := known.get("first-2"):
        return [Replacement(known["first"], done)]
    return [
        Replacement(replace(old, revoked=now + 60 * SECOND), replace(successor(old), created=now))
        for old in tokens
    ]


async def test_a_token_dies_at_its_end_by_the_databases_clock(
    opened: Open, store: Store, clock: Clock
) -> None:
    """H4, R3: in a process that remembers it, too, and without anything that is done then."""
    other = await opened()
    made = clock.now
    done = await store.replace_tokens([BOT], in_a_minute)
    old = replace(TOKEN, created=made)
    assert done[BOT] == [Replacement(replace(old, revoked=made + 60 * SECOND), successor(old))]
    for moment, alive in [(59_999_999, True), (60_000_000, False), (61_000_000, False)]:
        clock.now = made + moment
        for each in (store, other):
            assert ((await each.token(TOKEN.digest)) is not None) is alive
            assert await each.token(successor(TOKEN).digest) is not None


async def test_an_end_survives_the_process(opened: Open, store: Store, clock: Clock) -> None:
    """What is to die later dies though whoever said so is gone."""
    await store.replace_tokens([BOT], in_a_minute)
    await store.close()
    clock.now += 60 * SECOND
    later = await opened()
    assert await later.token(TOKEN.digest) is None


async def test_what_was_to_die_later_can_die_now(store: Store, clock: Clock) -> None:
    """H4: revoked by hand, or with its bot, at once; a dead one stays dead since then."""
    await store.replace_tokens([BOT, OTHER_BOT], in_a_minute)
    clock.now += SECOND
    dead_since = clock.now
    await store.revoke_token(BOT, "first")
    await store.remove_bot(OTHER_BOT)
    clock.now += SECOND
    await store.revoke_token(BOT, "first")
    for bot_id in (BOT, OTHER_BOT):
        assert await store.token(first_token(bot_id).digest) is None
        assert (await store.tokens(bot_id))[0].revoked == dead_since


async def test_a_rotation_repeated_changes_nothing(store: Store, clock: Clock) -> None:
    """SPEC 6: the second time tells what the first one did, ends and all."""
    first = await store.replace_tokens([BOT], in_a_minute)
    clock.now += SECOND
    assert await store.replace_tokens([BOT], in_a_minute) == first
    assert len(await store.tokens(BOT)) == 2


async def test_one_bots_error_is_that_bots(store: Store) -> None:
    """R12: a bot that is not there, or whose tokens can not be read, fails alone."""
    await store.add_bot(Bot("third"), first_token("third"))
    await store.add_bot(Bot("gone"), first_token("gone"))
    await store.remove_bot("gone")

    def plan(tokens: Sequence[Token], now: int) -> list[Replacement]:
        if tokens[0].bot_id == OTHER_BOT:
            raise InconsistentRecord("A stored record is not readable.")
        return in_a_minute(tokens, now)

    done = await store.replace_tokens([BOT, "nobody", OTHER_BOT, "gone", "third"], plan)
    assert isinstance(done["nobody"], NotFound)
    assert isinstance(done["gone"], NotFound)
    assert isinstance(done[OTHER_BOT], InconsistentRecord)
    assert [len(await store.tokens(each)) for each in (BOT, "third", OTHER_BOT)] == [2, 2, 1]


async def test_a_rotation_is_seen_everywhere_within_a_second(opened: Open, store: Store) -> None:
    """H4: an end that is set elsewhere reaches a process that remembers the token without it."""
    other = await opened()
    assert await other.token(TOKEN.digest) is not None
    await store.replace_tokens(
        [BOT],
        lambda tokens, now: [Replacement(replace(tokens[0], revoked=now), successor(tokens[0]))],
    )
    deadline = time.monotonic() + 1
    while await other.token(TOKEN.digest) is not None:
        assert time.monotonic() < deadline


async def test_a_deployment_token_is_kept_apart(store: Store) -> None:
    """It is found by its digest, belongs to no bot, and is no bot."""
    await store.add_token(RUNNER)
    await store.add_token(replace(RUNNER, token_id="again"))
    assert await store.token(RUNNER.digest) == RUNNER
    assert await store.tokens(DEPLOYMENT) == [RUNNER]
    assert await store.bot(DEPLOYMENT) is None
    assert DEPLOYMENT not in [bot.bot_id for bot in await store.bots_after("", 10)]
    with pytest.raises(NotFound):
        await store.remove_bot(DEPLOYMENT)
    await store.revoke_token(DEPLOYMENT, "ops-1")
    assert await store.token(RUNNER.digest) is None


async def test_bots_come_in_pages(store: Store) -> None:
    """By their bytes, from behind the cursor; removed ones are left out."""
    for bot_id in ("B", "a", "z"):
        await store.add_bot(Bot(bot_id, {"region": "eu1"}), first_token(bot_id))
    await store.remove_bot("a")
    everybody = sorted(["B", "z", BOT, OTHER_BOT])
    assert [bot.bot_id for bot in await store.bots_after("", 10)] == everybody
    assert [bot.bot_id for bot in await store.bots_after(everybody[0], 2)] == everybody[1:3]
    assert (await store.bots_after("y", 1))[0].settings == {"region": "eu1"}
    assert await store.bots_after("z", 1) == []


async def test_the_first_answer_holds(opened: Open, store: Store, clock: Clock) -> None:
    """SPEC 6: whoever else keeps one under the key gets the first, for seven days."""
    other = await opened()
    first = StoredAnswer(KEY, b"d" * 32, 200, b"{}")
    assert await store.deployment_answer(KEY) is None
    kept = await store.keep_deployment_answer(first)
    assert kept == replace(first, created=clock.now)
    assert await other.keep_deployment_answer(replace(first, body=b"2")) == kept
    assert await other.deployment_answer(KEY) == kept
    assert await store.deployment_answer(KEY._replace(actor="ops-2")) is None
    clock.now += 7 * DAY
    await Housekeep(store)()
    assert await store.deployment_answer(KEY) == kept
    clock.now += 1
    await Housekeep(store)()
    assert await store.deployment_answer(KEY) is None
