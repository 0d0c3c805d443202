"""Deployment tokens on the real store (SPEC 6, H4)."""

from __future__ import annotations

import pytest

from optin.domain.bots import DEPLOYMENT
from optin.domain.errors import InvalidInput, NotFound
from optin.domain.tokens import token_digest
from optin.stores.sqlite import SQLiteStore
from optin.usecases.manage_deployment_tokens import ManageDeploymentTokens
from tests.web.doors import new_id, new_secret


async def test_made_listed_and_revoked(store: SQLiteStore) -> None:
    """The store knows the digest alone; a revoked one stays in the list."""
    managing = ManageDeploymentTokens(store, new_id, new_secret)
    fresh = await managing.add("ops")
    other = await managing.add()
    found = await store.token(token_digest(fresh.text))
    assert found == fresh.token
    assert (found.bot_id, found.scopes) == (DEPLOYMENT, frozenset())
    assert found.token_id.startswith("ops-")
    assert await managing.tokens() == [fresh.token, other.token]
    await managing.revoke(fresh.token.token_id)
    assert await store.token(fresh.token.digest) is None
    assert [t.revoked is None for t in await managing.tokens()] == [False, True]
    assert "first" in [t.token_id for t in await store.tokens("bot-1")]
    for unknown in ("first", "ops"):
        with pytest.raises(NotFound):
            await managing.revoke(unknown)
    with pytest.raises(InvalidInput):
        await managing.add("a b")
