"""Bots, their settings and their tokens, as operators manage them (SPEC 8, H4)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from optin.domain.bots import SCOPES, Bot, Token, checked_bot_id, checked_settings
from optin.domain.errors import InvalidInput, NotFound
from optin.domain.ids import NewId, ulid
from optin.ports.store import Store

#: Random bytes of a token: 256 bits (H4).
SECRET_LENGTH = 32

_PREFIX = "optin_"  # says what it is where one turns up by mistake


@dataclass(frozen=True, slots=True)
class FreshToken:
    """A token at the only moment at which its text is known: give `text` to the caller once."""

    token: Token
    text: str


@dataclass(frozen=True, slots=True)
class ManageBots:
    """Adds, changes and ends bots. What it changes is in force everywhere within a second.

    `new_secret` gives `SECRET_LENGTH` fresh random bytes at each call.
    """

    store: Store
    new_id: NewId
    new_secret: Callable[[], bytes]

    async def add(
        self, bot_id: str, settings: Mapping[str, str], label: str = ""
    ) -> tuple[Bot, FreshToken]:
        """Adds a bot with its first token, which may do everything; its id begins with `label`.

        Raises `InvalidSetting`, or `Conflict` if the id is taken or was before.
        """
        checked = {k: v for k, v in checked_settings(settings).items() if v}
        bot = Bot(checked_bot_id(bot_id), checked)
        fresh = await self._token(bot_id, SCOPES, label)
        await self.store.add_bot(bot, fresh.token)
        return bot, fresh

    async def bots(self) -> list[Bot]:
        """All bots, by id."""
        return await self.store.bots()

    async def bot(self, bot_id: str) -> Bot:
        """The bot. Raises `NotFound`."""
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound(f"There is no bot {bot_id}.")
        return bot

    async def change(self, bot_id: str, settings: Mapping[str, str]) -> Bot:
        """Sets these settings, "" taking one back to its default; all of them or none.

        Raises `NotFound` or `InvalidSetting`.
        """
        await self.bot(bot_id)
        return await self.store.put_settings(bot_id, checked_settings(settings))

    async def with_app_secret(self, bot_id: str) -> Bot:
        """The bot; one that has no app secret gets one, as the sandbox signs with it (SPEC 5, 8).

        Raises `NotFound`.
        """
        bot = await self.bot(bot_id)
        if bot.value("meta.app_secret"):
            return bot
        return await self.change(bot_id, {"meta.app_secret": self.new_secret().hex()})

    async def remove(self, bot_id: str) -> None:
        """Ends the bot for good; its ledger stays as proof. Raises `NotFound`."""
        await self.bot(bot_id)
        await self.store.remove_bot(bot_id)

    async def tokens(self, bot_id: str) -> list[Token]:
        """The bot's tokens, oldest first, revoked ones included. Raises `NotFound`."""
        await self.bot(bot_id)
        return await self.store.tokens(bot_id)

    async def add_token(
        self, bot_id: str, scopes: Collection[str] = SCOPES, label: str = ""
    ) -> FreshToken:
        """Adds a token that may do what `scopes` name; its id begins with `label`.

        Raises `NotFound`, or `InvalidInput` for a scope that does not exist.
        """
        await self.bot(bot_id)
        if not scopes or not set(scopes) <= set(SCOPES):
            raise InvalidInput(f"Scopes are some of: {', '.join(SCOPES)}.", field="scopes")
        fresh = await self._token(bot_id, scopes, label)
        await self.store.add_token(fresh.token)
        return fresh

    async def revoke(self, bot_id: str, token_id: str) -> None:
        """Kills one token, in every process within a second (H4). Raises `NotFound`."""
        if token_id not in (token.token_id for token in await self.tokens(bot_id)):
            raise NotFound(f"Bot {bot_id} has no token {token_id}.")
        await self.store.revoke_token(bot_id, token_id)

    async def _token(self, bot_id: str, scopes: Collection[str], label: str) -> FreshToken:
        secret = base64.urlsafe_b64encode(self.new_secret()).rstrip(b"=").decode()
        text = _PREFIX + secret
        token = Token(
            digest=hashlib.sha256(text.encode()).digest(),
            bot_id=bot_id,
            token_id=label + ulid(self.new_id()),
            scopes=frozenset(scopes),
            created=await self.store.now(),
        )
        return FreshToken(token, text)
