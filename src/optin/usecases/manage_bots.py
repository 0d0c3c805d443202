"""Bots, their settings and their tokens, as operators manage them (SPEC 8, H4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from optin.domain.bots import (
    SCOPES,
    Bot,
    Token,
    can_name_a_bot,
    checked_bot_id,
    checked_settings,
)
from optin.domain.errors import Conflict, InvalidInput, NotFound
from optin.domain.ids import NewId, ulid
from optin.domain.tokens import (
    SECRET_LENGTH,
    FreshToken,
    checked_scopes,
    token_digest,
    token_text,
)
from optin.ports.store import Store

__all__ = ["MOST", "PAGE", "SECRET_LENGTH", "BotPage", "FreshToken", "ManageBots", "TokenPage"]

#: Bots or tokens of a page, if not said, and at most.
PAGE, MOST = 100, 1_000


@dataclass(frozen=True, slots=True)
class BotPage:
    """Some bots, by id. `following`: the `after` of the page behind it; "" if there is none."""

    bots: list[Bot]
    following: str


@dataclass(frozen=True, slots=True)
class TokenPage:
    """Some tokens of a bot, oldest first; `following` as of `BotPage`."""

    tokens: list[Token]
    following: str


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

        Raises `InvalidSetting`, or `Conflict` if the id is taken or was before; not if it was taken
        with this very token: then it was this call that came before.
        """
        checked = {k: v for k, v in checked_settings(settings).items() if v}
        bot = Bot(checked_bot_id(bot_id), checked)
        fresh = await self._token(bot_id, SCOPES, label)
        try:
            await self.store.add_bot(bot, fresh.token)
        except Conflict:
            known = await self._known(fresh)
            if known is None:
                raise
            return bot, known
        return bot, fresh

    async def bots(self) -> list[Bot]:
        """All bots, by id."""
        return await self.store.bots()

    async def page(self, after: str, limit: int, region: str = "") -> BotPage:
        """Up to `limit` bots from behind the cursor; with `region` those of them that live there,
        which may be few or none while there are more behind. Raises `InvalidInput`."""
        if after and not can_name_a_bot(after):
            raise InvalidInput("Field [after] is the id of a bot.", field="after")
        found = await self.store.bots_after(after, _checked_limit(limit))
        following = found[-1].bot_id if len(found) == limit else ""
        return BotPage([b for b in found if not region or b.region == region], following)

    async def bot(self, bot_id: str) -> Bot:
        """The bot. Raises `NotFound`."""
        if not can_name_a_bot(bot_id):
            raise NotFound("There is no such bot.")
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

    async def token_page(self, bot_id: str, after: str, limit: int) -> TokenPage:
        """Up to `limit` of the bot's tokens from behind the one whose id is `after`, "" for the
        first; an unknown one has none behind it. Raises `NotFound` or `InvalidInput`."""
        found = await self.tokens(bot_id)
        ids = ["", *(token.token_id for token in found)]
        begin = ids.index(after) if after in ids else len(found)
        some = found[begin : begin + _checked_limit(limit)]
        more = some and some[-1] is not found[-1]
        return TokenPage(some, some[-1].token_id if more else "")

    async def add_token(
        self, bot_id: str, scopes: Collection[str] = SCOPES, label: str = ""
    ) -> FreshToken:
        """Adds a token that may do what `scopes` name; its id begins with `label`. One with the
        same text that is there already is left as it is.

        Raises `NotFound`, or `InvalidInput` for a scope that does not exist.
        """
        await self.bot(bot_id)
        fresh = await self._token(bot_id, checked_scopes(scopes), label)
        await self.store.add_token(fresh.token)
        return await self._known(fresh) or fresh

    async def revoke(self, bot_id: str, token_id: str) -> None:
        """Kills one token, in every process within a second (H4). Raises `NotFound`."""
        if token_id not in (token.token_id for token in await self.tokens(bot_id)):
            raise NotFound(f"Bot {bot_id} has no token {token_id}.")
        await self.store.revoke_token(bot_id, token_id)

    async def _known(self, fresh: FreshToken) -> FreshToken | None:
        """The token with that text as it is in the store."""
        for token in await self.store.tokens(fresh.token.bot_id):
            if token.digest == fresh.token.digest:
                return FreshToken(token, fresh.text)
        return None

    async def _token(self, bot_id: str, scopes: Collection[str], label: str) -> FreshToken:
        text = token_text(self.new_secret(), bot_id)
        token = Token(
            digest=token_digest(text),
            bot_id=bot_id,
            token_id=label + ulid(self.new_id()),
            scopes=frozenset(scopes),
            created=await self.store.now(),
        )
        return FreshToken(token, text)


def _checked_limit(limit: int) -> int:
    if not 1 <= limit <= MOST:
        raise InvalidInput(f"Field [limit] must be 1 to {MOST}.", field="limit")
    return limit
