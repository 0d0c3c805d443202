"""Bulk rotation: the tokens of many bots get successors and die by themselves (SPEC 6, H4).

The old ones work on for an overlap, so that each bot's business can change over in its own time.
A bot's rotation is one commit. Successors are derived from a seed: repeated with the same seed, a
rotation that was done, or half done, is finished and tells the same tokens, and none is made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from optin.domain.bots import Token, can_name_a_bot
from optin.domain.errors import InvalidInput, NotFound, OptinError, StoreUnavailable
from optin.domain.events import DAY
from optin.domain.ids import NewId
from optin.domain.tokens import (
    FreshToken,
    Replacement,
    derived_secret,
    replacements,
    token_text,
)
from optin.ports.store import Store

#: Bots of one call.
MOST = 1_000
#: Seconds for which old tokens work on if nothing is said, and at most.
OVERLAP, LONGEST_OVERLAP = 3_600, 30 * DAY // 1_000_000

_NO_BOT = NotFound("There is no such bot.")

#: Bots of one transaction: others wait for it.
_TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of one bot's tokens: (the new one, the old one with its end) each, or why
    nothing did."""

    bot_id: str
    replaced: Sequence[tuple[FreshToken, Token]] = ()
    failed: OptinError | None = None


@dataclass(frozen=True, slots=True)
class RotateTokens:
    """Rotates the tokens of any number of bots. `new_secret` gives 32 random bytes."""

    store: Store
    new_id: NewId
    new_secret: Callable[[], bytes]

    async def rotate(
        self, bot_ids: Sequence[str], overlap: int, seed: bytes | None = None
    ) -> list[Rotated]:
        """A result for each bot, in order, those named twice once. `overlap` in seconds.

        An error of one bot is that bot's result. If the store fails on the way, the bots that it
        did not come to say so. Raises `InvalidInput`, or `StoreUnavailable` if nothing was done.
        """
        rotation = _Rotation(self.new_id, seed or self.new_secret(), checked_overlap(overlap))
        every, results = list(dict.fromkeys(bot_ids)), list[Rotated]()
        for begin in range(0, len(every), _TOGETHER):
            group = every[begin : begin + _TOGETHER]
            try:
                done = await self.store.replace_tokens(
                    list(filter(can_name_a_bot, group)), rotation.plan
                )
            except StoreUnavailable as failed:
                if not results:
                    raise
                return results + [Rotated(bot_id, failed=failed) for bot_id in every[begin:]]
            results += [rotation.result(bot_id, done) for bot_id in group]
        return results

    async def page(
        self, after: str, limit: int, overlap: int, region: str = "", seed: bytes | None = None
    ) -> tuple[list[Rotated], str]:
        """Rotates up to `limit` bots from behind the cursor, by id, those of `region` only if one
        is named; and the cursor of what is behind them, "" if nothing is."""
        checked_page(after, limit)
        found = await self.store.bots_after(after, limit)
        chosen = [bot.bot_id for bot in found if not region or bot.region == region]
        following = found[-1].bot_id if len(found) == limit else ""
        return await self.rotate(chosen, overlap, seed), following


def checked_page(after: str, limit: int) -> None:
    """Raises `InvalidInput` if there can be no such page."""
    if after and not can_name_a_bot(after):
        raise InvalidInput("Field [after] is the id of a bot.", field="after")
    if not 1 <= limit <= MOST:
        raise InvalidInput(f"Field [limit] must be 1 to {MOST}.", field="limit")


def checked_overlap(seconds: int) -> int:
    """The overlap in µs. Raises `InvalidInput`."""
    if not 0 <= seconds <= LONGEST_OVERLAP:
        raise InvalidInput(
            f"Field [overlap] must be 0 to {LONGEST_OVERLAP} seconds.", field="overlap"
        )
    return seconds * 1_000_000


@dataclass(frozen=True, slots=True)
class _Rotation:
    """One rotation. `overlap` in µs."""

    new_id: NewId
    seed: bytes
    overlap: int

    def plan(self, tokens: Sequence[Token], now: int) -> list[Replacement]:
        """What it does with one bot's tokens."""
        return replacements(tokens, now, self.overlap, self._text, self.new_id)

    def result(
        self, bot_id: str, done: Mapping[str, Sequence[Replacement] | OptinError]
    ) -> Rotated:
        """What it did with the bot."""
        outcome = done.get(bot_id, _NO_BOT)
        if isinstance(outcome, OptinError):
            return Rotated(bot_id, failed=outcome)
        return Rotated(bot_id, [(FreshToken(new, self._text(old)), old) for old, new in outcome])

    def _text(self, old: Token) -> str:
        secret = derived_secret(self.seed, old.bot_id, old.token_id)
        return token_text(secret, old.bot_id)
