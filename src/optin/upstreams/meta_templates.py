"""What Meta says of a business account's templates: on request, page by page, and in webhooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from optin.domain.bots import Bot
from optin.domain.inbound import TemplateUpdate
from optin.domain.template_texts import BUTTON, TemplateText, texts_of
from optin.ports.templates import ListedTemplate, TemplatesNotListed
from optin.upstreams.meta_errors import classify
from optin.upstreams.meta_items import Unreadable, moment

#: Webhook fields about one template, which name an account and no number.
_COMPONENTS = "message_template_components_update"
_FIELDS = frozenset({"message_template_status_update", "template_category_update", _COMPONENTS})
#: For now and, in an announcement, for later.
_CATEGORIES = ("new_category", "correct_category", "message_template_category")

#: Texts come along: a page with many of them is more than Meta likes to give at once.
_PAGE = 100
#: No account may have more than some thousands; beyond this something is wrong.
_MOST_PAGES = 500
_LONGEST_PAGE = 16 * 1024 * 1024
_TIMEOUT = ClientTimeout(total=60.0, sock_connect=10.0)


def is_about_a_template(change: Any) -> bool:
    """Whether a webhook's change is news of a template."""
    return isinstance(change, dict) and _text(change, "field") in _FIELDS


def update(entry: Mapping[str, Any], change: Mapping[str, Any]) -> TemplateUpdate:
    """The news. Raises `Unreadable` if it names no template, or says nothing of it."""
    value = change.get("value")
    value = value if isinstance(value, dict) else {}
    at, unit = moment(entry.get("time"))
    categories = [_text(value, name) for name in _CATEGORIES]
    found = TemplateUpdate(
        account=str(entry.get("id") or ""),
        name=_text(value, "message_template_name"),
        language=_text(value, "message_template_language"),
        at=at,
        unit=unit,
        categories=tuple(filter(None, categories)),
        status=_text(value, "event"),
        components=_texts(value) if _text(change, "field") == _COMPONENTS else None,
    )
    if not (found.account and found.name and found.language):
        raise Unreadable("news of a template that is not named")
    if not (found.categories or found.status or found.components):
        raise Unreadable("news of a template that say nothing")
    return found


def _texts(value: Mapping[str, Any]) -> tuple[TemplateText, ...]:
    """The texts that a webhook names one by one."""
    parts = (("header", "title"), ("body", "element"), ("footer", "footer"))
    given: list[dict[str, Any]] = [
        {"type": part, "text": value.get(f"message_template_{name}")} for part, name in parts
    ]
    buttons = value.get("message_template_buttons")
    for button in buttons if isinstance(buttons, list) else ():
        text = button.get("message_template_button_text") if isinstance(button, dict) else None
        given.append({"type": BUTTON, "text": text})
    return texts_of(given)


@dataclass(slots=True)
class MetaTemplates:
    """The template list of the account `meta.waba_id`, at the bot's `meta.base_url`."""

    _session: ClientSession | None = field(default=None, init=False, repr=False)

    async def listed(self, bot: Bot) -> list[ListedTemplate]:
        """See `TemplateSource`."""
        for key in ("meta.waba_id", "meta.access_token"):
            if not bot.value(key):
                raise TemplatesNotListed(f"setting {key} is missing")
        found: list[ListedTemplate] = []
        after = ""
        for _ in range(_MOST_PAGES):
            page = await self._page(bot, after)
            found.extend(map(_listed, page["data"]))
            after = _next(page)
            if not after:
                return found
        raise TemplatesNotListed("there are too many templates, or the pages do not end")

    async def close(self) -> None:
        """Closes idle connections."""
        if self._session is not None:
            await self._session.close()

    async def _page(self, bot: Bot, after: str) -> Mapping[str, Any]:
        """One page. Only the cursor of the page before is followed, never an address in it."""
        asked = {"fields": "name,language,category,status,components", "limit": str(_PAGE)}
        headers = {"Authorization": f"Bearer {bot.value('meta.access_token')}"}
        try:
            async with self._opened().get(
                _url(bot),
                params={**asked, **({"after": after} if after else {})},
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await response.content.read(_LONGEST_PAGE)
                while part := await response.content.read(_LONGEST_PAGE - len(body)):
                    body += part
                status = response.status
        except (ClientError, TimeoutError, OSError, ValueError) as fault:
            raise TemplatesNotListed(f"no answer: {type(fault).__name__}: {fault}") from fault
        return _readable(status, body)

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                timeout=_TIMEOUT, cookie_jar=DummyCookieJar(), trust_env=False
            )
        return self._session


def _url(bot: Bot) -> str:
    base = bot.value("meta.base_url").rstrip("/")
    account = bot.value("meta.waba_id")
    return f"{base}/{bot.value('meta.api_version')}/{account}/message_templates"


def _readable(status: int, body: bytes) -> Mapping[str, Any]:
    """The page, if it is one: with half a list, templates would be taken for deleted."""
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        page = None
    if status == 200 and isinstance(page, dict) and isinstance(page.get("data"), list):
        return page
    judged = classify(page)
    said = f"{judged.code}: {judged.details}" if judged.code is not None else f"status {status}"
    raise TemplatesNotListed(said)


def _listed(given: Any) -> ListedTemplate:
    item = given if isinstance(given, dict) else {}
    name, language, category, status = (
        _text(item, key) for key in ("name", "language", "category", "status")
    )
    texts = texts_of(item.get("components"))
    found = ListedTemplate(name, language, category, status, texts)
    if not found.name or not found.language:
        raise TemplatesNotListed("a template in the list has no name or no language")
    return found


def _next(page: Mapping[str, Any]) -> str:
    """The cursor of the next page, "" after the last."""
    paging = page.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return ""
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    if not isinstance(after, str) or not after:
        raise TemplatesNotListed("a page says that there is another one, and not which")
    return after


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""
