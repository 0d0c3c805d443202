"""Template records follow the provider's list, and decisions follow the records (H9, R7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from optin.domain.bots import Bot
from optin.domain.errors import InvalidInput, NotFound, ProviderError
from optin.domain.messages import Category
from optin.domain.promises import unheard_in_template
from optin.domain.template_texts import TemplateText
from optin.ports.store import Template, Transaction
from optin.stores.sqlite import SQLiteStore
from optin.upstreams.meta_templates import MetaTemplates
from optin.usecases import sync_templates
from optin.usecases.keep_templates import EVERY, FIRST, KeepTemplates
from optin.usecases.review import Reviews
from optin.usecases.sync_templates import SyncTemplates
from tests.upstreams.cloud_api import TOKEN
from tests.upstreams.cloud_templates import ACCOUNT, TemplateApi, template, template_api
from tests.upstreams.test_meta_templates import answering
from tests.usecases.outbox import BOT, Clock, add_bot, opened, within

HOUR = 3_600_000_000


@pytest.fixture
async def api() -> AsyncIterator[TemplateApi]:
    async with template_api(
        template("order_ready", "en_US", "UTILITY"),
        template("sale", "en", "MARKETING"),
        template("code", "pt-br", "AUTHENTICATION", "PAUSED"),
    ) as api:
        yield api


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock, api: TemplateApi) -> AsyncIterator[SQLiteStore]:
    async with opened(tmp_path / "t.db", clock) as made:
        settings = {
            "upstream": "meta",
            "meta__base_url": api.base_url,
            "meta__waba_id": ACCOUNT,
            "meta__access_token": TOKEN,
        }
        await add_bot(made, **settings)
        yield made


@pytest.fixture
async def syncing(store: SQLiteStore) -> AsyncIterator[SyncTemplates]:
    made = SyncTemplates(store, {"meta": MetaTemplates()})
    yield made
    await made.close()


async def records(store: SQLiteStore) -> dict[tuple[str, str], tuple[Category | None, str]]:
    return {(t.name, t.language): (t.category, t.status) for t in await store.templates(BOT)}


def put(store: SQLiteStore, *given: Template) -> Any:
    def write(tx: Transaction) -> None:
        for each in given:
            tx.put_template(each)

    return within(store, write)


async def test_the_records_become_the_list(syncing: SyncTemplates, store: SQLiteStore) -> None:
    """Categories and statuses are the provider's, languages are spelt as messages spell them."""
    found = await syncing.sync(BOT)
    assert (found.listed, len(found.changed)) == (3, 3)
    assert await records(store) == {
        ("order_ready", "en_US"): (Category.UTILITY, "APPROVED"),
        ("sale", "en"): (Category.MARKETING, "APPROVED"),
        ("code", "pt_BR"): (Category.AUTHENTICATION, "PAUSED"),
    }


async def test_a_second_sync_writes_nothing(
    syncing: SyncTemplates, store: SQLiteStore, clock: Clock
) -> None:
    """`updated` tells when a record changed, not when it was looked at; two workers do no harm."""
    await syncing.sync(BOT)
    before = await store.templates(BOT)
    clock.now += HOUR
    first, second = await asyncio.gather(syncing.sync(BOT), syncing.sync(BOT))
    assert (first.changed, second.changed) == ((), ())
    assert await store.templates(BOT) == before


async def test_a_template_that_is_gone_has_no_category(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi, clock: Clock
) -> None:
    """What is not listed any more, or listed as deleted, is judged as marketing from then on."""
    await syncing.sync(BOT)
    clock.now += HOUR
    api.templates = [template("code", "pt_BR", "AUTHENTICATION", "PENDING_DELETION")]
    assert len((await syncing.sync(BOT)).changed) == 3
    assert await records(store) == {
        ("order_ready", "en_US"): (None, "NOT_LISTED"),
        ("sale", "en"): (None, "NOT_LISTED"),
        ("code", "pt_BR"): (None, "PENDING_DELETION"),
    }


async def test_an_unknown_category_is_marketing(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi
) -> None:
    """A word that nobody knows yet is taken as the strictest (R7)."""
    api.templates = [template("new", "en", "SOMETHING_NEW"), template("odd", "no language", "X")]
    await syncing.sync(BOT)
    assert await records(store) == {("new", "en"): (Category.MARKETING, "APPROVED")}


async def test_of_two_spellings_the_stricter_counts(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi
) -> None:
    """Two languages that are one to us make one record, judged by the stricter of both."""
    for order in (("MARKETING", "UTILITY"), ("UTILITY", "MARKETING")):
        api.templates = [
            template("t", code, c) for code, c in zip(("en_US", "en-us"), order, strict=True)
        ]
        await syncing.sync(BOT)
        assert (await records(store))["t", "en_US"][0] is Category.MARKETING


async def test_news_that_came_meanwhile_stay(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi, clock: Clock
) -> None:
    """A webhook that was taken in while the list was read is newer than the list."""

    async def meanwhile(*_: Any) -> None:
        clock.now += 1000
        await put(store, Template("sale", "en", None, "DELETED", clock.now))

    await syncing.sync(BOT)
    clock.now += HOUR
    api.templates[1] = template("sale", "en", "UTILITY")
    api.instead = meanwhile
    assert (await syncing.sync(BOT)).changed == ()
    assert (await records(store))["sale", "en"] == (None, "DELETED")


@pytest.mark.parametrize("page", [0, 1])
async def test_what_is_not_listed_whole_changes_nothing(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi, page: int
) -> None:
    """A provider that fails on any page leaves every record as it is."""
    await put(store, Template("mine", "en", Category.UTILITY, "APPROVED", 1))
    api.instead = answering("<h1>no</h1>", 500, page)
    with pytest.raises(ProviderError):
        await syncing.sync(BOT)
    assert await records(store) == {("mine", "en"): (Category.UTILITY, "APPROVED")}


async def test_who_can_not_be_synced(syncing: SyncTemplates, store: SQLiteStore) -> None:
    """An unknown bot, and one whose upstream has no list."""
    with pytest.raises(NotFound):
        await syncing.sync("nobody")
    await store.put_settings(BOT, {"upstream": "sandbox"})
    with pytest.raises(InvalidInput):
        await syncing.sync(BOT)


async def asked_at(store: SQLiteStore, workers: int) -> list[float]:
    """When one of so many processes asks for the bot's list, with a jitter that is even."""
    now = 0.0
    asked: list[float] = []

    async def sync(bot_id: str) -> None:
        asked.append(now)

    def can_sync(bot: Bot) -> bool:
        return bot.value("upstream") == "meta"

    keeping = KeepTemplates(store, can_sync, sync, workers, lambda: 0.5, lambda: now)
    while now < 4 * EVERY * workers:
        await keeping.round()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        now += 5
    return asked


async def test_rounds(store: SQLiteStore) -> None:
    """Each bot is asked for soon after the start and then once in its share of ten minutes."""
    for workers in (1, 3):
        asked = await asked_at(store, workers)
        assert asked == [FIRST / 2 + n * EVERY * workers for n in range(4)]


async def test_a_bot_whose_provider_hangs_is_asked_once(store: SQLiteStore) -> None:
    """No second request while the first is under way; closing ends it; errors end no round."""
    asked = []

    async def sync(bot_id: str) -> None:
        asked.append(bot_id)
        await asyncio.sleep(3600)

    keeping = KeepTemplates(store, lambda _: True, sync, jitter=lambda: 0.0, monotonic=lambda: 1e9)
    keeping._due[BOT] = 0.0
    for _ in range(3):
        await keeping.round()
        await asyncio.sleep(0.01)
        keeping._due[BOT] = 0.0
    assert asked == [BOT]
    async with asyncio.timeout(2):
        await keeping.close()


async def unheard(store: SQLiteStore) -> list[tuple[str, str, dict[str, str]]]:
    """The open questions about templates."""
    found = await store.reviews(BOT, "", 100)
    return [(each.kind, each.text, dict(each.context)) for each in found]


BAJA = [{"type": "BODY", "text": "Rebajas. Responde BAJA para darte de baja."}]


async def test_texts_are_kept(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi, clock: Clock
) -> None:
    """What people read comes with the list, changes with it, and stays when the template goes."""
    api.templates = [template("sale", "es", "MARKETING", components=BAJA)]
    await syncing.sync(BOT)
    kept = (TemplateText("body", BAJA[0]["text"]),)
    assert [t.components for t in await store.templates(BOT)] == [kept]
    api.templates = []
    clock.now += HOUR
    await syncing.sync(BOT)
    [gone] = await store.templates(BOT)
    assert (gone.status, gone.components) == ("NOT_LISTED", kept)


async def test_a_changed_text_alone_is_a_change(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi, clock: Clock
) -> None:
    """Category and status as before, the words are others."""
    api.templates = [template("sale", "es", "MARKETING", components=BAJA)]
    await syncing.sync(BOT)
    clock.now += HOUR
    body = {"type": "BODY", "text": "Hola"}
    api.templates = [template("sale", "es", "MARKETING", components=[body])]
    assert len((await syncing.sync(BOT)).changed) == 1
    assert (await store.templates(BOT))[0].components == (TemplateText("body", "Hola"),)


async def test_a_broken_promise_is_a_question_for_a_person(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi, clock: Clock
) -> None:
    """R10: asked once, by two workers too, and again when the bot understands something else; not
    for what is understood, nor for templates that nobody can send."""
    api.templates = [
        template("sale", "es", "MARKETING", components=BAJA),
        template("old", "es", "MARKETING", "REJECTED", components=BAJA),
        template("fine", "en", "MARKETING", components=[{"type": "BODY", "text": "Reply STOP"}]),
    ]
    found = await syncing.sync(BOT)
    assert [(each.template.name, each.words) for each in found.unheard] == [("sale", ("BAJA",))]
    told = {"template": "sale", "language": "es", "words": "BAJA"}
    text = "Template sale (es) promises a stop for what the bot does not understand: BAJA."
    assert await unheard(store) == [("template", text, told)]
    clock.now += HOUR
    await asyncio.gather(syncing.sync(BOT), syncing.sync(BOT))
    assert len(await unheard(store)) == 1
    await store.put_settings(BOT, {"languages": "en,es"})
    assert (await syncing.sync(BOT)).unheard == ()
    assert len(await unheard(store)) == 1, "a person closes it"


async def test_texts_are_read_once(
    syncing: SyncTemplates, api: TemplateApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sync answers for all texts, and reads only those that it has not read before."""
    read: list[Any] = []

    def reading(texts: Any, *more: Any, **named: Any) -> list[str]:
        read.append(texts)
        return unheard_in_template(texts, *more, **named)

    monkeypatch.setattr(sync_templates, "unheard_in_template", reading)
    api.templates = [template("sale", "es", "MARKETING", components=BAJA)]
    for _ in range(3):
        assert [each.words for each in (await syncing.sync(BOT)).unheard] == [("BAJA",)]
    assert len(read) == 1
    await syncing.store.put_settings(BOT, {"stop_words": "salir"})
    assert [each.words for each in (await syncing.sync(BOT)).unheard] == [("BAJA",)]
    assert len(read) == 2


async def test_a_question_that_was_answered_is_not_asked_again(
    syncing: SyncTemplates, store: SQLiteStore, api: TemplateApi, clock: Clock
) -> None:
    """Until the template's record changes."""
    api.templates = [template("sale", "es", "MARKETING", components=BAJA)]
    await syncing.sync(BOT)
    [asked] = await store.reviews(BOT, "", 9)
    await Reviews(store).decide(BOT, asked.review_id, "nothing", actor="eva")
    await syncing.sync(BOT)
    assert await unheard(store) == []
    clock.now += HOUR
    other = [{"type": "BODY", "text": "Responde BAJA para no recibir."}]
    api.templates = [template("sale", "es", "MARKETING", components=other)]
    await syncing.sync(BOT)
    assert len(await unheard(store)) == 1
