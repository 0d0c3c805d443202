"""Bots, their settings and tokens, as every store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from optin.domain.bots import Bot, Token


class Directory(Protocol):
    """Bots, their settings and tokens: changed by operators, read by everybody.

    Reads here may be as old as one second, never older (SPEC 8): they raise `StoreUnavailable`
    rather than answer from an older copy. Writes are one transaction each.
    """

    async def bot(self, bot_id: str) -> Bot | None:
        """The bot, or None."""

    async def token(self, digest: bytes) -> Token | None:
        """The token with that SHA-256, revoked or not, or None (H4)."""

    async def bots(self) -> list[Bot]:
        """All bots, by id."""

    async def removed_bots(self) -> list[Bot]:
        """The bots that were removed, by id, with the settings that say how long data is kept."""

    async def tokens(self, bot_id: str) -> list[Token]:
        """A bot's tokens, oldest first, revoked ones included."""

    async def add_bot(self, bot: Bot, token: Token) -> None:
        """Adds a bot and its first token. Raises `Conflict` if the id is taken."""

    async def put_settings(self, bot_id: str, changes: Mapping[str, str]) -> Bot:
        """Sets the given settings, "" taking one back to its default. Raises `NotFound`."""

    async def remove_bot(self, bot_id: str) -> None:
        """Ends a bot: its tokens are dead, nothing of it is sent or recorded from then on.

        Its ledger stays as proof. The id cannot be used again. Raises `NotFound`.
        """

    async def add_token(self, token: Token) -> None:
        """Adds a token to a bot. Raises `NotFound` for an unknown bot."""

    async def revoke_token(self, bot_id: str, token_id: str) -> None:
        """Kills one token, in every process within a second. Raises `NotFound`."""

    async def meta(self, key: str) -> str | None:
        """A value that belongs to the database as a whole, such as the key's fingerprint."""

    async def put_meta(self, key: str, value: str) -> str:
        """Sets it if it was not set yet; returns the value that holds from then on."""
