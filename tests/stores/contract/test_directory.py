"""What every store promises of bots, settings and tokens."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import Conflict, NotFound
from optin.ports.store import Store
from tests.conftest import first_token
from tests.stores.contract.conftest import Open
from tests.stores.works import BOT, OTHER_BOT, Do

TOKEN = first_token(BOT)


async def test_settings_come_back_with_their_secrets_open(store: Store) -> None:
    """SPEC 8: "" takes one back to its default; a secret is readable through the store only."""
    await store.put_settings(BOT, {"region": "eu1", "meta.app_secret": "s3cret"})
    bot = await store.put_settings(BOT, {"region": "", "name": "Ada's"})
    assert bot == await store.bot(BOT)
    assert dict(bot.settings) == {"meta.app_secret": "s3cret", "name": "Ada's"}
    assert bot.value("languages") == "en"
    assert "s3cret" not in repr(bot)
    with pytest.raises(NotFound):
        await store.put_settings("nobody", {})


async def test_a_bot_id_is_never_used_again(store: Store) -> None:
    """An id that ended keeps its ledger; nobody else may stand on it."""
    with pytest.raises(Conflict):
        await store.add_bot(Bot(BOT), replace(TOKEN, digest=bytes(31) + b"x"))
    await store.remove_bot(BOT)
    with pytest.raises(Conflict):
        await store.add_bot(Bot(BOT), replace(TOKEN, digest=bytes(31) + b"x"))
    with pytest.raises(NotFound):
        await store.remove_bot(BOT)
    assert [bot.bot_id for bot in await store.bots()] == [OTHER_BOT]


async def test_tokens_end_with_their_bot(store: Store) -> None:
    """H4: removing a bot revokes its tokens."""
    await store.remove_bot(BOT)
    assert await store.token(TOKEN.digest) is None
    [kept] = await store.tokens(BOT)
    assert kept.revoked is not None
    with pytest.raises(NotFound):
        await store.add_token(replace(TOKEN, digest=bytes(32), token_id="t2"))


async def test_changes_are_seen_everywhere_within_a_second(opened: Open, store: Store) -> None:
    """H4, SPEC 8: a revoked token and a new setting, in a process that knew the old ones."""
    other = await opened()
    before = await other.token(TOKEN.digest)
    assert before is not None
    assert before.revoked is None
    assert (await other.bot(BOT)) == Bot(BOT)
    await store.revoke_token(BOT, TOKEN.token_id)
    await store.put_settings(BOT, {"enforce": "none"})
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        token, bot = await other.token(TOKEN.digest), await other.bot(BOT)
        if token is None and bot and bot.value("enforce") == "none":
            break
    else:
        pytest.fail("the change was not seen within a second")


async def test_a_commit_sees_settings_as_of_now(opened: Open, store: Store) -> None:
    """H8: a judgement never rests on settings that were changed before it, not for a moment."""
    other = await opened()
    read = Do(lambda tx: tx.bot().value("enforce"))
    assert await other.commit(read) == "all"
    for value in ("none", "opt_outs", "all"):
        await store.put_settings(BOT, {"enforce": value})
        assert await other.commit(read) == value


async def test_tokens_are_listed_oldest_first(store: Store) -> None:
    """SPEC 8: revoked ones included; an unknown one cannot be revoked."""
    await store.add_token(replace(TOKEN, digest=bytes(32), token_id="t2", created=2**53))
    await store.revoke_token(BOT, "first")
    listed = await store.tokens(BOT)
    assert [t.token_id for t in listed] == ["first", "t2"]
    assert [t.revoked is None for t in listed] == [False, True]
    with pytest.raises(NotFound):
        await store.revoke_token(OTHER_BOT, "t2")
    assert await store.token(b"?" * 32) is None


async def test_meta_is_set_once(store: Store) -> None:
    """The first value holds: two programs that start at once agree on one fingerprint."""
    assert await store.meta("fingerprint") is None
    assert await store.put_meta("fingerprint", "a") == "a"
    assert await store.put_meta("fingerprint", "b") == "a"
    assert await store.meta("fingerprint") == "a"
