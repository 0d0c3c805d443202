"""Keep a bot's template records as its provider has them (H9)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from optin.domain.bots import Bot
from optin.domain.errors import InvalidInput, NotFound, ProviderError
from optin.domain.ids import derived_id, ulid
from optin.domain.message_shapes import canonical_language
from optin.domain.messages import Category
from optin.domain.promises import unheard_in_template
from optin.domain.template_texts import TemplateText
from optin.domain.templates import LONGEST_STATUS, category_named, is_gone, is_in_use
from optin.ports.store import Reads, Review, Store, Template, Transaction
from optin.ports.templates import ListedTemplate, TemplatesNotListed, TemplateSource

_log = logging.getLogger(__name__)

#: The status of a record whose template the provider lists no more.
NOT_LISTED = "NOT_LISTED"
#: Records in one commit: a long list must not hold up everybody else's writes.
_AT_ONCE = 500


_Text = tuple[tuple[TemplateText, ...], tuple[str, ...], tuple[str, ...], frozenset[str]]
_Words = Mapping[_Text, tuple[str, ...]]


class Unheard(NamedTuple):
    """A template, and the words in it that the bot would not understand as a stop."""

    template: Template
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync found: how many templates are listed, the records that it changed, and the
    promises of a stop that the bot would not understand."""

    listed: int
    changed: tuple[Template, ...]
    unheard: tuple[Unheard, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncTemplates:
    """Reads the provider's list and writes what differs. `sources`: by the setting `upstream`."""

    store: Store
    sources: Mapping[str, TemplateSource]
    _read: dict[str, _Words] = field(default_factory=dict, init=False, repr=False)

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
        known = {(each.name, each.language): each for each in await self.store.templates(bot_id)}
        for key in known.keys() - records.keys():
            records[key] = Template(*key, None, NOT_LISTED, components=known[key].components)
        changed = await self._put(bot, list(records.values()), begun)
        return Synced(len(listed), changed, await self._ask_about_promises(bot))

    async def close(self) -> None:
        """Closes the sources."""
        for source in self.sources.values():
            await source.close()

    def can_sync(self, bot: Bot) -> bool:
        """Whether the bot's provider can be asked at all."""
        return bot.value("upstream") in self.sources and bool(bot.value("meta.waba_id"))

    async def _ask_about_promises(self, bot: Bot) -> tuple[Unheard, ...]:
        """A person looks at each template that promises a word which the bot would not understand
        (R10): asked once for a text, by what the bot understands now."""
        records = [r for r in await self.store.templates(bot.bot_id) if is_in_use(r.status)]
        before = self._read.get(bot.bot_id, {})
        words = await asyncio.to_thread(_unheard_words, bot, records, before)
        self._read[bot.bot_id] = words
        found = [
            Unheard(each, words[_key(bot, each)]) for each in records if words[_key(bot, each)]
        ]
        for first in range(0, len(found), _AT_ONCE):
            some = tuple(found[first : first + _AT_ONCE])
            for each in await self.store.commit(_Ask(bot.bot_id, some)):
                _log.warning("bot %s: %s", bot.bot_id, _question(each))
        return tuple(found)

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
        status = each.status[:LONGEST_STATUS]
        record = Template(each.name, language, category, status, components=each.components)
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
        same = replace(stored, updated=given.updated) == given
        return not same and stored.updated < self.begun


def _written(tx: Transaction, given: Template) -> Template:
    record = replace(given, updated=tx.now)
    tx.put_template(record)
    return record


def _key(bot: Bot, record: Template) -> _Text:
    """All that the words depend on."""
    own, risky = bot.words("stop_words"), frozenset(bot.words("risky_words"))
    return record.components, bot.languages, own, risky


def _unheard_words(bot: Bot, records: Iterable[Template], known: _Words) -> _Words:
    """What of each text the bot would not understand. Reading a text costs milliseconds, and most
    are as they were ten minutes ago: those that are `known` are not read again."""
    found: dict[_Text, tuple[str, ...]] = {}
    for text in {_key(bot, record) for record in records}:
        texts, languages, own, risky = text
        words = known.get(text)
        if words is None:
            words = tuple(unheard_in_template(texts, languages, own, risky=risky))
        found[text] = words
    return found


@dataclass(frozen=True, slots=True)
class _Ask:
    """Asks about those that were not asked about before, and returns them."""

    bot_id: str
    found: tuple[Unheard, ...]

    @property
    def reads(self) -> Reads:
        return Reads(reviews=frozenset(self._review_id(each) for each in self.found))

    def run(self, tx: Transaction) -> list[Unheard]:
        return [each for each in self.found if self._ask(tx, each)]

    def _ask(self, tx: Transaction, found: Unheard) -> bool:
        review_id = self._review_id(found)
        if tx.review(review_id) is not None:
            return False
        record, words = found
        context = {"template": record.name, "language": record.language}
        told = context | {"words": ", ".join(words)}
        tx.put_review(Review(review_id, "template", (), _question(found), tx.now, told))
        return True

    def _review_id(self, found: Unheard) -> str:
        record, words = found
        parts = (record.name, record.language, *map(str, record.components), "promises", *words)
        return ulid(derived_id(record.updated, self.bot_id, *parts))


def _question(found: Unheard) -> str:
    record, words = found
    told = ", ".join(words)
    return (
        f"Template {record.name} ({record.language}) promises a stop for what the bot"
        f" does not understand: {told}."
    )
