"""Keep a bot's template records as its provider has them (H9)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optin.domain.bots import Bot
from optin.domain.errors import InvalidInput, NotFound, ProviderError
from optin.domain.message_shapes import canonical_language
from optin.domain.messages import Category
from optin.domain.templates import LONGEST_STATUS, category_named, is_gone
from optin.ports.store import Reads, Store, Template, Transaction
from optin.ports.templates import ListedTemplate, TemplatesNotListed, TemplateSource

_log = logging.getLogger(__name__)

#: The status of a record whose template the provider lists no more.
NOT_LISTED = "NOT_LISTED"
#: Records in one commit: a long list must not hold up everybody else's writes.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync found: how many templates are listed, and the records that it changed."""

    listed: int
    changed: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class SyncTemplates:
    """Reads the provider's list and writes what differs. `sources`: by the setting `upstream`."""

    store: Store
    sources: Mapping[str, TemplateSource]

    async def sync(self, bot_id: str) -> Synced:
        """Makes the records those of the provider's list; in force for decisions from then on.

        An unknown category becomes marketing; a record that is not listed has none any more, and
        so is judged as marketing, too. What was written meanwhile (a webhook's news) is left as
        it is. Raises `NotFound`, `InvalidInput` if the bot's upstream has no list, and
        `ProviderError` if it did not list all: then nothing was changed.
        """
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound(f"There is no bot {bot_id}.")
        source = self.sources.get(bot.value("upstream"))
        if source is None:
            raise InvalidInput(f"Bot {bot_id}'s upstream {bot.value('upstream')} has no templates.")
        begun = await self.store.now()
        try:
            listed = await source.listed(bot)
        except TemplatesNotListed as why:
            raise ProviderError(f"The templates of bot {bot_id} were not listed: {why}.") from why
        records = _records(listed)
        known = {(each.name, each.language) for each in await self.store.templates(bot_id)}
        for name, language in known - set(records):
            records[name, language] = Template(name, language, None, NOT_LISTED)
        return Synced(len(listed), await self._put(bot, list(records.values()), begun))

    async def close(self) -> None:
        """Closes the sources."""
        for source in self.sources.values():
            await source.close()

    def can_sync(self, bot: Bot) -> bool:
        """Whether the bot's provider can be asked at all."""
        return bot.value("upstream") in self.sources and bool(bot.value("meta.waba_id"))

    async def _put(self, bot: Bot, records: Sequence[Template], begun: int) -> tuple[Template, ...]:
        changed: list[Template] = []
        for first in range(0, len(records), _AT_ONCE):
            some = tuple(records[first : first + _AT_ONCE])
            changed += await self.store.commit(_Put(bot.bot_id, some, begun))
        return tuple(changed)


def _records(listed: Sequence[ListedTemplate]) -> dict[tuple[str, str], Template]:
    """By name and language as messages spell it; of two that are one to us, the stricter."""
    found: dict[tuple[str, str], Template] = {}
    for each in listed:
        language = canonical_language(each.language)
        if language is None:
            _log.warning("template %r has an odd language: %r", each.name, each.language)
            continue
        category = None if is_gone(each.status) else category_named(each.category)
        record = Template(each.name, language, category, each.status[:LONGEST_STATUS])
        before = found.get((each.name, language))
        if before is None or category in (None, Category.MARKETING):
            found[each.name, language] = record
    return found


@dataclass(frozen=True, slots=True)
class _Put:
    """Writes those that differ and were not written since `begun`; returns what it wrote."""

    bot_id: str
    records: tuple[Template, ...]
    begun: int

    @property
    def reads(self) -> Reads:
        return Reads(templates=frozenset((each.name, each.language) for each in self.records))

    def run(self, tx: Transaction) -> list[Template]:
        return [_written(tx, each) for each in self.records if self._differs(tx, each)]

    def _differs(self, tx: Transaction, given: Template) -> bool:
        stored = tx.template(given.name, given.language)
        if stored is None:
            return True
        same = (stored.category, stored.status) == (given.category, given.status)
        return not same and stored.updated < self.begun


def _written(tx: Transaction, given: Template) -> Template:
    record = Template(given.name, given.language, given.category, given.status, tx.now)
    tx.put_template(record)
    return record
