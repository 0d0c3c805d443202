"""Deployment tokens: for those who run all the bots of a database (SPEC 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from optin.domain.bots import DEPLOYMENT, Token
from optin.domain.errors import NotFound
from optin.domain.ids import NewId, ulid
from optin.domain.tokens import FreshToken, checked_name, token_digest, token_text
from optin.ports.store import Store


@dataclass(frozen=True, slots=True)
class ManageDeploymentTokens:
    """Makes and ends them. They are no bot's, have no scopes, and open `/v1/admin` alone.

    `new_secret` gives `tokens.SECRET_LENGTH` fresh random bytes at each call.
    """

    store: Store
    new_id: NewId
    new_secret: Callable[[], bytes]

    async def add(self, name: str = "") -> FreshToken:
        """Adds one; its id begins with `name`. Raises `InvalidInput` for a name that is none."""
        label = checked_name(name)
        text = token_text(self.new_secret(), DEPLOYMENT)
        token = Token(
            digest=token_digest(text),
            bot_id=DEPLOYMENT,
            token_id=label + ulid(self.new_id()),
            scopes=frozenset(),
            created=await self.store.now(),
        )
        await self.store.add_token(token)
        return FreshToken(token, text)

    async def tokens(self) -> list[Token]:
        """All of them, oldest first, revoked ones included."""
        return await self.store.tokens(DEPLOYMENT)

    async def revoke(self, token_id: str) -> None:
        """Kills one, in every process within a second. Raises `NotFound`."""
        if token_id not in (token.token_id for token in await self.tokens()):
            raise NotFound(f"There is no deployment token {token_id}.")
        await self.store.revoke_token(DEPLOYMENT, token_id)
