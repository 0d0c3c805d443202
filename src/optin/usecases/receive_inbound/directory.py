"""Which bots there are, by their secrets and numbers: whose a webhook is when it names no bot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from optin.domain.bots import Bot
from optin.domain.inbound import Item, TemplateUpdate
from optin.ports.store import Directory

#: How old the list may be, seconds: as old as every other setting (SPEC 8).
OLDEST = 1.0


@dataclass(frozen=True, slots=True)
class App:
    """The bots for which one secret speaks, by the numbers and accounts that a webhook may name:
    several may have the same. `receivers`: the first bot of each `forward_url`, "" included."""

    bots: Sequence[Bot]
    numbers: Mapping[str, Sequence[Bot]]
    accounts: Mapping[str, Sequence[Bot]]
    receivers: Mapping[str, Bot]

    @classmethod
    def of(cls, bots: Sequence[Bot]) -> App:
        """Of these, in their order."""
        numbers: dict[str, list[Bot]] = {}
        accounts: dict[str, list[Bot]] = {}
        receivers: dict[str, Bot] = {}
        for bot in bots:
            numbers.setdefault(number_of(bot, "meta.phone_number_id"), []).append(bot)
            accounts.setdefault(bot.value("meta.waba_id"), []).append(bot)
            receivers.setdefault(bot.value("forward_url"), bot)
        accounts.pop("", None)
        return cls(bots, numbers, accounts, receivers)

    def meant(self, account: str | None, number: str | None) -> Sequence[Bot]:
        """The bots with this number; if none is named, those of the account."""
        if number is not None:
            return self.numbers.get(number, ())
        return self.accounts.get(account or "", ())

    def with_now(self, bot: Bot) -> App:
        """The same, but with this bot as it is by now."""
        if bot in self.numbers.get(number_of(bot, "meta.phone_number_id"), ()):
            return self
        return App.of([bot, *(b for b in self.bots if b.bot_id != bot.bot_id)])


@dataclass(frozen=True, slots=True)
class Secrets:
    """Whose secret is whose: the bots of each, and the secrets of the bots with a number."""

    bots: Mapping[str, Sequence[Bot]]
    of_number: Mapping[str, Sequence[str]]
    _apps: dict[str, App] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, bots: Iterable[Bot], setting: str) -> Secrets:
        """Of these bots; those without a secret count for nothing."""
        found: dict[str, list[Bot]] = {}
        of_number: dict[str, list[str]] = {}
        for bot in bots:
            if secret := bot.value(setting):
                found.setdefault(secret, []).append(bot)
                of_number.setdefault(bot.value("meta.phone_number_id"), []).append(secret)
        return cls(found, of_number)

    def app(self, secret: str) -> App:
        """The bots with this secret, indexed when they are first asked for."""
        if secret not in self._apps:
            self._apps[secret] = App.of(self.bots.get(secret, ()))
        return self._apps[secret]


@dataclass
class BotList:
    """All bots, read again when the list is older than `OLDEST`."""

    monotonic: Callable[[], float] = time.monotonic
    _bots: Sequence[Bot] = ()
    _read: float = field(default=float("-inf"))
    _indexed: tuple[Sequence[Bot], str, Secrets] | None = None

    async def all(self, directory: Directory) -> Sequence[Bot]:
        """Every bot, by id. Raises `StoreUnavailable`."""
        asked = self.monotonic()
        if asked - self._read >= OLDEST:
            self._bots, self._read = await directory.bots(), asked
        return self._bots

    async def by_secret(self, directory: Directory, setting: str) -> Secrets:
        """Every bot by the secret in this setting, indexed once a list. Raises
        `StoreUnavailable`."""
        bots, known = await self.all(directory), self._indexed
        if known is None or known[0] is not bots or known[1] != setting:
            known = self._indexed = (bots, setting, Secrets.of(bots, setting))
        return known[2]


def number_of(bot: Bot, setting: str) -> str:
    """The number that items must be about, "" for any: the sandbox's is the bot's id, and Sinch
    posts to an address of one bot, whose stops count before its app is named, too."""
    return bot.value(setting) or (bot.bot_id if setting == "meta.phone_number_id" else "")


def number_named(item: Item) -> str | None:
    """The business number that the item is about, if it names one."""
    return None if isinstance(item, TemplateUpdate) else item.phone_number_id


def shares(items: Mapping[int, Item], first: Bot, app: App) -> dict[str, dict[int, Item]]:
    """Bot id -> the items of the bot whose number (or account) they name, by place: of each such
    bot, if several have that number.

    `app` has `first`, whose share is what is nobody's. It comes first, if it is not empty; never
    is there no share at all.
    """
    found: dict[str, dict[int, Item]] = {first.bot_id: {}}
    for place, item in items.items():
        if isinstance(item, TemplateUpdate):
            whose = app.meant(item.account, None)
        else:
            whose = app.meant(None, number_named(item))
        for bot in whose or [first]:
            found.setdefault(bot.bot_id, {})[place] = item
    return {b: i for b, i in found.items() if i} or found
