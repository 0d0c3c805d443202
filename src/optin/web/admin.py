"""`/v1/admin/bots`: bots and their settings, for those who run many (SPEC 6, 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.routing import Route

from optin.domain.bots import (
    SECRETS,
    SETTINGS,
    Bot,
    checked_bot_id,
    checked_settings,
)
from optin.domain.completeness import missing
from optin.domain.errors import InvalidInput
from optin.domain.tokens import derived_secret
from optin.usecases.manage_bots import PAGE
from optin.web import admin_tokens
from optin.web.admin_call import AdminCall, AdminResource, Handler, text_in
from optin.web.answers import Answer, json_answer
from optin.web.services import Services

ROOT = "/v1/admin"


def routes(services: Services) -> list[Route]:
    """The routes of this chapter of the API."""
    table = {**METHODS, **admin_tokens.METHODS}
    return [Route(ROOT + path, AdminResource(services, each)) for path, each in table.items()]


async def _list(call: AdminCall) -> Answer:
    """A page, by id; `next` is the `after` of the page behind it, or null."""
    page = await call.services.manage_bots.page(
        call.query("after"), call.limit(PAGE), call.query("region")
    )
    return json_answer({"bots": list(map(_brief, page.bots)), "next": page.following or None})


async def _add(call: AdminCall) -> Answer:
    """`{"id", "settings"?}`; the bot with its first token, which is told this once."""
    body = await call.json_object()
    bot_id, settings = checked_bot_id(text_in(body, "id")), _settings(body)
    secret = derived_secret(await call.seed(), "bot", bot_id)
    managing = replace(call.services.manage_bots, new_secret=lambda: secret)
    bot, fresh = await managing.add(bot_id, settings)
    token = {"token": fresh.text, **admin_tokens.token_row(fresh.token)}
    return json_answer({**_whole(bot), "token": token}, 201)


async def _get(call: AdminCall) -> Answer:
    return json_answer(_whole(await call.services.manage_bots.bot(call.params["bot_id"])))


async def _change(call: AdminCall) -> Answer:
    """`{"settings"}`, all of them or none; null or "" takes one back to its default."""
    settings = _settings(await call.json_object())
    if not settings:
        raise InvalidInput("Field [settings] can not be empty.", field="settings")
    return json_answer(_whole(await call.services.manage_bots.change(_bot_id(call), settings)))


async def _remove(call: AdminCall) -> Answer:
    await call.services.manage_bots.remove(_bot_id(call))
    return json_answer({"id": _bot_id(call), "removed": True})


#: Path below the root -> what its methods do.
METHODS: Mapping[str, Mapping[str, Handler]] = {
    "/bots": {"GET": _list, "POST": _add},
    "/bots/{bot_id}": {"GET": _get, "PATCH": _change, "DELETE": _remove},
}


def _bot_id(call: AdminCall) -> str:
    return call.params["bot_id"]


def _settings(body: Mapping[str, Any]) -> dict[str, str]:
    """The settings, checked. Raises `InvalidInput`, which names the first that is wrong."""
    given = body.get("settings")
    if given is not None and not isinstance(given, dict):
        raise InvalidInput("Field [settings] must be an object.", field="settings")
    return checked_settings({k: "" if v is None else v for k, v in (given or {}).items()})


def _brief(bot: Bot) -> dict[str, str]:
    return {"id": bot.bot_id, **{name: bot.value(name) for name in ("region", "name", "upstream")}}


def _whole(bot: Bot) -> dict[str, Any]:
    """As it may be seen: of the secrets only whether they are set, and apart from the settings, so
    that what was read here can be written back as it is."""
    return {
        "id": bot.bot_id,
        "settings": {key: bot.value(key) for key in SETTINGS if key not in SECRETS},
        "secrets": {
            key: "set" if bot.value(key) else "unset" for key in SETTINGS if key in SECRETS
        },
        "missing": list(missing(bot)),
    }
