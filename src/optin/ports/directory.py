"""Bots, their settings and tokens, as every store keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from optin.domain.bots import Bot, Token
from optin.domain.errors import OptinError
from optin.domain.tokens import Replacement
from optin.ports.records import AnswerKey, StoredAnswer

#: What becomes of a bot's tokens, all that it has or had, at a time of the database (UTC µs).
#: Called again, with the tokens as it left them, it must tell the same.
Plan: TypeAlias = Callable[[Sequence[Token], int], Sequence[Replacement]]


class Directory(Protocol):
    """Bots, their settings and tokens: changed by operators, read by everybody.

    Reads here may be as old as one second, never older (SPEC 8): they raise `StoreUnavailable`
    rather than answer from an older copy. Writes are one transaction each.
    """

    async def bot(self, bot_id: str) -> Bot | None:
        """The bot, or None."""

    async def token(self, digest: bytes) -> Token | None:
        """The token with that SHA-256, or None if there is none or its end has come by the
        database's clock (H4, R3). One of a bot that was removed is dead."""

    async def bots(self) -> list[Bot]:
        """All bots, by id."""

    async def bots_after(self, after: str, limit: int) -> list[Bot]:
        """Up to `limit` bots from behind the id `after`, in the order of their bytes."""

    async def removed_bots(self) -> list[Bot]:
        """The bots that were removed, by id, with the settings that say how long data is kept."""

    async def tokens(self, bot_id: str) -> list[Token]:
        """A bot's tokens, oldest first, revoked ones included; those of the `DEPLOYMENT`, too."""

    async def add_bot(self, bot: Bot, token: Token) -> None:
        """Adds a bot and its first token. Raises `Conflict` if the id is taken."""

    async def put_settings(self, bot_id: str, changes: Mapping[str, str]) -> Bot:
        """Sets the given settings, "" taking one back to its default. Raises `NotFound`."""

    async def remove_bot(self, bot_id: str) -> None:
        """Ends a bot: its tokens are dead, nothing of it is sent or recorded from then on.

        Its ledger stays as proof. The id cannot be used again. Raises `NotFound`.
        """

    async def add_token(self, token: Token) -> None:
        """Adds a token to a bot, or to the `DEPLOYMENT`; one with that SHA-256 stays as it is.

        Raises `NotFound` for an unknown bot.
        """

    async def revoke_token(self, bot_id: str, token_id: str) -> None:
        """Kills one token, in every process within a second; one that is dead stays so since
        then, one that was to die later dies now. Raises `NotFound`."""

    async def replace_tokens(
        self, bot_ids: Sequence[str], plan: Plan
    ) -> Mapping[str, Sequence[Replacement] | OptinError]:
        """Adds the new tokens that the plan tells for each bot, and ends the old ones when it says
        so; one commit for all. What cannot be done for a bot is its result, `NotFound` for one
        that is not there, `InconsistentRecord` for one whose tokens cannot be read (R12)."""

    async def deployment_answer(self, key: AnswerKey) -> StoredAnswer | None:
        """What was answered to those who run the deployment, or was to be, under that key."""

    async def keep_deployment_answer(self, answer: StoredAnswer) -> StoredAnswer:
        """Keeps it, made now, if the key has none yet; returns the one that holds from then on."""

    async def meta(self, key: str) -> str | None:
        """A value that belongs to the database as a whole, such as the key's fingerprint."""

    async def put_meta(self, key: str, value: str) -> str:
        """Sets it if it was not set yet; returns the value that holds from then on."""
