"""Meta's template list, page by page, and its webhooks about templates (H9)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.domain.inbound import NotUnderstood, TemplateUpdate
from optin.ports.templates import ListedTemplate, TemplatesNotListed
from optin.upstreams import meta_templates
from optin.upstreams.meta_templates import MetaTemplates
from optin.upstreams.meta_webhook import parse
from tests.upstreams.cloud_api import TOKEN, graph_error
from tests.upstreams.cloud_templates import ACCOUNT, TemplateApi, template, template_api


@pytest.fixture
async def api() -> AsyncIterator[TemplateApi]:
    rows = [template(f"t{n}", "en_US", "UTILITY") for n in range(5)]
    async with template_api(*rows) as api:
        yield api


@pytest.fixture
async def source() -> AsyncIterator[MetaTemplates]:
    source = MetaTemplates()
    yield source
    await source.close()


def bot(api: TemplateApi, **changes: str) -> Bot:
    settings = {
        "meta.base_url": api.base_url,
        "meta.waba_id": ACCOUNT,
        "meta.access_token": TOKEN,
    }
    return Bot("shop", settings | {f"meta.{k}": v for k, v in changes.items()})


async def test_all_pages(source: MetaTemplates, api: TemplateApi) -> None:
    """Every template of every page, and only cursors are followed, not the addresses beside."""
    found = await source.listed(bot(api))
    assert found == [ListedTemplate(f"t{n}", "en_US", "UTILITY", "APPROVED") for n in range(5)]
    assert (api.pages, api.objections) == (3, [])


async def test_an_empty_account(source: MetaTemplates, api: TemplateApi) -> None:
    """No template is a list, too: it has no paging at all."""
    api.templates = []
    assert await source.listed(bot(api)) == []


@pytest.mark.parametrize("key", ["waba_id", "access_token"])
async def test_without_its_settings(source: MetaTemplates, api: TemplateApi, key: str) -> None:
    """A bot that does not say whose templates asks nobody."""
    with pytest.raises(TemplatesNotListed, match=key):
        await source.listed(bot(api, **{key: ""}))
    assert api.pages == 0


def answering(answer: Any, status: int = 200, page: int = 1) -> Any:
    async def instead(request: web.Request, number: int) -> web.StreamResponse | None:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return web.Response(text=text, status=status) if number == page else None

    return instead


ROW = template("x", "en", "UTILITY")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (graph_error(190, "expired"), 401),
        (graph_error(2, "down"), 500),
        (graph_error(4, "slow"), 200),
        ("<h1>Bad gateway</h1>", 502),
        ('{"data":[{"name":', 200),
        ({"data": None}, 200),
        ([], 200),
        ({"data": [ROW, {"name": "no language"}]}, 200),
        ({"data": [ROW, "odd"]}, 200),
        ({"data": [ROW], "paging": {"next": "https://x"}}, 200),
        ({"data": [ROW], "paging": {"next": "https://x", "cursors": {"after": 7}}}, 200),
        ("", 302),
        ({"data": [ROW]}, 500),
        ({"data": [ROW]}, 206),
    ],
)
async def test_half_a_list_is_none(
    source: MetaTemplates, api: TemplateApi, answer: Any, status: int
) -> None:
    """A later page that is no page spoils the list: what was not on it is not gone."""
    api.instead = answering(answer, status)
    with pytest.raises(TemplatesNotListed) as raised:
        await source.listed(bot(api))
    assert TOKEN not in str(raised.value)


async def test_pages_without_end(
    source: MetaTemplates, api: TemplateApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cursor that goes round is given up."""
    monkeypatch.setattr(meta_templates, "_MOST_PAGES", 3)

    async def round_and_round(request: web.Request, number: int) -> web.StreamResponse:
        page = {"data": [ROW], "paging": {"next": "x", "cursors": {"after": "MA=="}}}
        return web.json_response(page)

    api.instead = round_and_round
    with pytest.raises(TemplatesNotListed):
        await source.listed(bot(api))
    assert api.pages == 3


async def test_nobody_there(source: MetaTemplates, api: TemplateApi) -> None:
    """No connection is no list."""
    with pytest.raises(TemplatesNotListed, match="no answer"):
        await source.listed(bot(api, base_url="http://127.0.0.1:1"))


def body(field: str, **value: Any) -> bytes:
    change = {"field": field, "value": value}
    entry = {"id": ACCOUNT, "time": 1_795_430_000, "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


NAMED = {
    "message_template_id": 7,
    "message_template_name": "order_ready",
    "message_template_language": "en-US",
}


@pytest.mark.parametrize(
    ("field", "value", "categories", "status"),
    [
        ("message_template_status_update", {"event": "APPROVED", "reason": "NONE"}, (), "APPROVED"),
        ("message_template_status_update", {"event": "PENDING_DELETION"}, (), "PENDING_DELETION"),
        (
            "template_category_update",
            {"previous_category": "UTILITY", "new_category": "MARKETING"},
            ("MARKETING",),
            "",
        ),
        (
            "template_category_update",
            {"new_category": "UTILITY", "correct_category": "MARKETING"},
            ("UTILITY", "MARKETING"),
            "",
        ),
    ],
)
def test_webhooks(
    field: str, value: dict[str, str], categories: tuple[str, ...], status: str
) -> None:
    """Each kind of news becomes one item with all that it says."""
    assert parse(body(field, **NAMED, **value)) == (
        TemplateUpdate(
            ACCOUNT,
            "order_ready",
            "en-US",
            1_795_430_000 * SECOND,
            SECOND,
            categories,
            status,
        ),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("message_template_status_update", {}),
        ("message_template_status_update", NAMED),
        ("message_template_status_update", NAMED | {"event": 7}),
        ("template_category_update", {"new_category": "UTILITY"}),
        ("message_template_quality_update", NAMED | {"new_quality_score": "RED"}),
    ],
)
def test_odd_webhooks_are_kept(field: str, value: dict[str, Any]) -> None:
    """News that name no template or say nothing are kept, with the change alone in them."""
    (item,) = parse(body(field, **value))
    assert isinstance(item, NotUnderstood)
    assert json.loads(item.raw)["entry"][0]["changes"] == [{"field": field, "value": value}]
