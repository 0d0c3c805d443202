"""Template records in the native API (SPEC 6, H9)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from optin.domain.errors import InvalidInput
from optin.domain.rfc3339 import shown_time
from optin.ports.store import Template
from optin.web.answers import Answer, json_answer
from optin.web.resource import Call, Method

_PAGE, _LONGEST_PAGE = 100, 1_000


async def _list(call: Call) -> Answer:
    """A page of records by name and language; `next` is the cursor of the page after it, or null.

    Pages stay right when records come and go: a cursor is the last record's own key.
    """
    after, limit = _after(call.query("cursor")), _limit(call.query("limit"))
    records = await call.services.manage_templates.templates(call.bot_id)
    rest = sorted((r for r in records if _key(r) > after), key=_key)
    page = rest[:limit]
    following = _cursor(page[-1]) if len(rest) > limit else None
    return json_answer({"templates": [_json(each) for each in page], "next": following})


async def _get(call: Call) -> Answer:
    name, language = call.params["name"], call.params["language"]
    found = await call.services.manage_templates.template(call.bot_id, name, language)
    return json_answer(_json(found))


async def _put(call: Call) -> Answer:
    body = await call.json_object()
    stored = await call.services.manage_templates.put(
        call.bot_id,
        call.params["name"],
        call.params["language"],
        _text(body, "category"),
        _text(body, "status"),
        body.get("components"),
    )
    return json_answer(_json(stored))


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {
    "/templates": {"GET": Method("read", _list)},
    "/templates/{name}/{language}": {"GET": Method("read", _get), "PUT": Method("admin", _put)},
}


def _json(template: Template) -> dict[str, Any]:
    return {
        "name": template.name,
        "language": template.language,
        "category": template.category,
        "status": template.status,
        "updated": shown_time(template.updated),
        "components": [{"type": part, "text": text} for part, text in template.components],
    }


def _text(body: Mapping[str, Any], field: str) -> str:
    value = body.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"Field [{field}] must be a string.", field=field)
    return value


def _key(template: Template) -> tuple[str, str]:
    return template.name, template.language


def _cursor(template: Template) -> str:
    return base64.urlsafe_b64encode("\n".join(_key(template)).encode()).decode()


def _after(cursor: str | None) -> tuple[str, str]:
    if not cursor:
        return "", ""
    try:
        name, language = base64.urlsafe_b64decode(cursor).decode().split("\n")
    except (ValueError, binascii.Error):
        raise InvalidInput("Field [cursor] is no cursor of this list.", field="cursor") from None
    return name, language


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if not 1 <= number <= _LONGEST_PAGE:
        raise InvalidInput(
            f"Field [limit] must be a number from 1 to {_LONGEST_PAGE}.", field="limit"
        )
    return number
