"""Managing bots and tokens on the real store (SPEC 8, H4)."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optin.domain.bots import SCOPES
from optin.domain.errors import Conflict, InvalidInput, InvalidSetting, NotFound
from optin.domain.ids import time_ordered_id
from optin.stores.seal import Seal
from optin.stores.sqlite import SQLiteStore
from optin.stores.sqlite.migrate import migrate
from optin.usecases.manage_bots import SECRET_LENGTH, ManageBots


def new_id() -> bytes:
    return time_ordered_id(time.time_ns() // 1000, secrets.token_bytes(10))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    migrate(tmp_path / "t.db")
    opened = await SQLiteStore.open(tmp_path / "t.db", Seal(bytes(32)))
    yield opened
    await opened.close()


@pytest.fixture
def bots(store: SQLiteStore) -> ManageBots:
    return ManageBots(store, new_id, lambda: secrets.token_bytes(SECRET_LENGTH))


async def test_a_new_bot_has_a_token_that_the_store_only_knows_by_digest(
    bots: ManageBots, store: SQLiteStore
) -> None:
    """The token's text carries 256 bits and is found by its SHA-256, with every scope (H4)."""
    bot, fresh = await bots.add("shop", {"name": "Shop", "enforce": "opt_outs"})
    assert (bot.value("name"), bot.value("enforce")) == ("Shop", "opt_outs")
    prefix, _, secret = fresh.text.partition("_")
    assert prefix == "optin"
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    found = await store.token(hashlib.sha256(fresh.text.encode()).digest())
    assert found is not None
    assert (found.bot_id, found.token_id) == ("shop", fresh.token.token_id)
    assert found.scopes == frozenset(SCOPES)
    assert fresh.text not in repr(found)


async def test_tokens_differ(bots: ManageBots) -> None:
    """No two tokens share text, digest or id."""
    made = [(await bots.add("shop", {}))[1]]
    made += [await bots.add_token("shop") for _ in range(20)]
    assert len({each.text for each in made}) == len(made)
    assert len({each.token.token_id for each in made}) == len(made)


async def test_an_id_can_be_taken_once(bots: ManageBots) -> None:
    """A second bot of that id is a conflict, even after the first one's end."""
    await bots.add("shop", {})
    with pytest.raises(Conflict):
        await bots.add("shop", {})
    await bots.remove("shop")
    with pytest.raises(Conflict):
        await bots.add("shop", {})


@pytest.mark.parametrize("bot_id", ["", "a b", "a/b", "x" * 65, "ä", "shop\n"])
async def test_an_id_of_another_form_is_refused(bots: ManageBots, bot_id: str) -> None:
    """Bot ids are part of paths: 1 to 64 of A-Z a-z 0-9 - _ and the dot (SPEC 1)."""
    with pytest.raises(InvalidSetting):
        await bots.add(bot_id, {})
    assert await bots.bots() == []


async def test_settings_change_together_or_not_at_all(bots: ManageBots) -> None:
    """One wrong setting keeps the others of the call from changing."""
    await bots.add("shop", {"name": "Old"})
    with pytest.raises(InvalidSetting, match="enforce"):
        await bots.change("shop", {"name": "New", "enforce": "sometimes"})
    with pytest.raises(InvalidSetting, match="no bot setting named 'nmae'"):
        await bots.change("shop", {"name": "New", "nmae": "New"})
    assert (await bots.bot("shop")).value("name") == "Old"
    changed = await bots.change("shop", {"name": "", "region": "eu1"})
    assert (changed.value("name"), changed.region) == ("", "eu1")
    assert (await bots.bot("shop")) == changed


async def test_a_token_may_do_what_its_scopes_say(bots: ManageBots) -> None:
    """Scopes are kept as given; none, or one that does not exist, is refused."""
    await bots.add("shop", {})
    fresh = await bots.add_token("shop", ["read", "send"], "till-")
    assert fresh.token.scopes == {"read", "send"}
    assert fresh.token.token_id.startswith("till-")
    for wrong in ([], ["read", "write"], [""]):
        with pytest.raises(InvalidInput, match="Scopes are"):
            await bots.add_token("shop", wrong)
    assert len(await bots.tokens("shop")) == 2


async def test_revoking_kills_one_token(bots: ManageBots) -> None:
    """The revoked token has its time of death; its sister lives. Others' ids are not found."""
    _, first = await bots.add("shop", {})
    second = await bots.add_token("shop")
    _, other = await bots.add("other", {})
    await bots.revoke("shop", first.token.token_id)
    left = {token.token_id: token.revoked for token in await bots.tokens("shop")}
    assert left[first.token.token_id] is not None
    assert left[second.token.token_id] is None
    with pytest.raises(NotFound):
        await bots.revoke("shop", other.token.token_id)
    assert (await bots.tokens("other"))[0].revoked is None


async def test_a_bot_that_does_not_exist_is_not_found(bots: ManageBots) -> None:
    """Every call that names a bot says so plainly if there is none."""
    calls = (
        bots.bot("none"),
        bots.change("none", {"name": "x"}),
        bots.remove("none"),
        bots.tokens("none"),
        bots.add_token("none"),
        bots.revoke("none", "t"),
    )
    for call in calls:
        with pytest.raises(NotFound):
            await call


async def test_a_removed_bot_is_gone(bots: ManageBots, store: SQLiteStore) -> None:
    """After its end a bot is in no list, and its token opens nothing."""
    _, fresh = await bots.add("shop", {})
    await bots.remove("shop")
    assert await bots.bots() == []
    assert await store.token(fresh.token.digest) is None
