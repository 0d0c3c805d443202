"""Which bots there are, by their secrets and numbers: whose a webhook is when it names no bot."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from optin.domain.bots import Bot
from optin.domain.inbound import Item, TemplateUpdate
from optin.ports.store import Directory

#: How old the list may be, seconds: as old as every other setting (SPEC 8).
OLDEST = 1.0
#: Bytes that are hashed to find whose secret signed one body. Ordinary bodies have a few thousand.
_HASHED_AT_MOST = 256 * 1024 * 1024
_NUMBERS = re.compile(rb'"phone_number_id"\s*:\s*"?([0-9A-Za-z\-_.]{1,128})')


@dataclass
class BotList:
    """All bots, read again when the list is older than `OLDEST`."""

    monotonic: Callable[[], float] = time.monotonic
    _bots: Sequence[Bot] = ()
    _read: float = field(default=float("-inf"))

    async def all(self, directory: Directory) -> Sequence[Bot]:
        """Every bot, by id. Raises `StoreUnavailable`."""
        asked = self.monotonic()
        if asked - self._read >= OLDEST:
            self._bots, self._read = await directory.bots(), asked
        return self._bots


def secrets_to_try(bots: Sequence[Bot], setting: str, body: bytes) -> Iterator[str]:
    """The secrets that may have signed the body, each once: first those of the bots whose numbers
    it names, then the others, as many as the body's size allows."""
    named = {found.decode() for found in _NUMBERS.findall(body)}
    likely = [bot for bot in bots if bot.value("meta.phone_number_id") in named]
    left = _HASHED_AT_MOST // max(len(body), 4096)
    secrets = dict.fromkeys(bot.value(setting) for bot in [*likely, *bots])
    return (secret for _, secret in zip(range(left), filter(None, secrets), strict=False))


def number_of(bot: Bot, setting: str) -> str:
    """The number that items must be about, "" for any: the sandbox's is the bot's id, and Sinch
    posts to an address of one bot, whose stops count before its app is named, too."""
    return bot.value(setting) or (bot.bot_id if setting == "meta.phone_number_id" else "")


def number_named(item: Item) -> str | None:
    """The business number that the item is about, if it names one."""
    return None if isinstance(item, TemplateUpdate) else item.phone_number_id


def is_about(number: str, items: Iterable[Item]) -> bool:
    """Whether all of these are about this number, so that nobody else can be meant."""
    return not any(
        isinstance(item, TemplateUpdate) or number_named(item) not in (None, number)
        for item in items
    )


def shares(
    items: Mapping[int, Item], first: Bot, others: Sequence[Bot]
) -> dict[str, dict[int, Item]]:
    """Bot id -> the items of the bot whose number (or account) they name, by place.

    `others` are the bots with the same secret as `first`, whose share is what is nobody's. It
    comes first, if it is not empty; never is there no share at all.
    """
    numbers = {bot.value("meta.phone_number_id"): bot.bot_id for bot in others}
    numbers[number_of(first, "meta.phone_number_id")] = first.bot_id
    numbers.pop("", None)
    found: dict[str, dict[int, Item]] = {first.bot_id: {}}
    for place, item in items.items():
        if isinstance(item, TemplateUpdate):
            whose = [b.bot_id for b in others if b.value("meta.waba_id") == item.account]
        else:
            whose = [numbers[about] for about in [number_named(item)] if about in numbers]
        for bot_id in whose or [first.bot_id]:
            found.setdefault(bot_id, {})[place] = item
    return {b: i for b, i in found.items() if i} or found
