"""Tokens of bots, for those who run many: list, add, revoke, rotate in bulk (SPEC 6, H4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optin.domain.bots import SCOPES, Token
from optin.domain.errors import InvalidInput
from optin.domain.rfc3339 import shown_time
from optin.domain.tokens import checked_name, checked_scopes, derived_secret, name_of
from optin.usecases.manage_bots import PAGE
from optin.usecases.rotate_tokens import MOST, OVERLAP, Rotated, checked_overlap, checked_page
from optin.web.admin_call import AdminCall, Handler, text_in
from optin.web.answers import Answer, json_answer
from optin.web.body import elements
from optin.web.problems import told


async def _list(call: AdminCall) -> Answer:
    """A page, oldest first, revoked ones included; `next` is the `after` of the one behind it."""
    page = await call.services.manage_bots.token_page(
        call.params["bot_id"], call.query("after"), call.limit(PAGE)
    )
    return json_answer(
        {"tokens": list(map(token_row, page.tokens)), "next": page.following or None}
    )


async def _add(call: AdminCall) -> Answer:
    """`{"scopes"?, "name"?}`; the token, which is told this once."""
    body = await call.json_object()
    scopes, label = checked_scopes(_scopes(body)), checked_name(text_in(body, "name"))
    bot = await call.services.manage_bots.bot(call.params["bot_id"])
    secret = derived_secret(await call.seed(), "token", bot.bot_id)
    managing = replace(call.services.manage_bots, new_secret=lambda: secret)
    fresh = await managing.add_token(bot.bot_id, scopes, label)
    return json_answer({"token": fresh.text, **token_row(fresh.token)}, 201)


async def _revoke(call: AdminCall) -> Answer:
    bot_id, token_id = call.params["bot_id"], call.params["token_id"]
    await call.services.manage_bots.revoke(bot_id, token_id)
    tokens = await call.services.manage_bots.tokens(bot_id)
    return json_answer(next(token_row(each) for each in tokens if each.token_id == token_id))


async def _rotate(call: AdminCall) -> Answer:
    """`{"bots": [...]}` or `{"all": true, "after"?, "limit"?, "region"?}`, with `overlap` in
    seconds; a result for each bot."""
    body = await call.json_object()
    overlap = _whole_number(body, "overlap", OVERLAP)
    checked_overlap(overlap)
    rotating = call.services.rotate_tokens
    if _is_for_all(body):
        after, region = text_in(body, "after"), text_in(body, "region")
        limit = _whole_number(body, "limit", MOST)
        checked_page(after, limit)
        seed = await call.seed()
        results, following = await rotating.page(after, limit, overlap, region, seed)
    else:
        bot_ids = _bot_ids(body)
        results, following = await rotating.rotate(bot_ids, overlap, await call.seed()), ""
    return json_answer({"results": list(map(_result, results)), "next": following or None})


#: Path below the root -> what its methods do.
METHODS: Mapping[str, Mapping[str, Handler]] = {
    "/bots/{bot_id}/tokens": {"GET": _list, "POST": _add},
    "/bots/{bot_id}/tokens/{token_id}": {"DELETE": _revoke},
    "/tokens/rotate": {"POST": _rotate},
}


def token_row(token: Token) -> dict[str, Any]:
    """A token as it may be seen. `revoked` may lie ahead."""
    return {
        "token_id": token.token_id,
        "name": name_of(token),
        "scopes": [scope for scope in SCOPES if scope in token.scopes],
        "created": shown_time(token.created),
        "revoked": None if token.revoked is None else shown_time(token.revoked),
    }


def _result(result: Rotated) -> dict[str, Any]:
    if result.failed is not None:
        code, detail = told(result.failed)
        return {"bot_id": result.bot_id, "status": "failed", "code": code, "details": detail}
    tokens = [
        {
            "token": fresh.text,
            **token_row(fresh.token),
            "replaces": {
                "token_id": old.token_id,
                "revoked": None if old.revoked is None else shown_time(old.revoked),
            },
        }
        for fresh, old in result.replaced
    ]
    return {"bot_id": result.bot_id, "status": "rotated", "tokens": tokens}


def _scopes(body: Mapping[str, Any]) -> list[str]:
    given = body.get("scopes")
    if given is None:
        return list(SCOPES)
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidInput("Field [scopes] must be an array of strings.", field="scopes")
    return given


def _is_for_all(body: Mapping[str, Any]) -> bool:
    everybody = body.get("all")
    if everybody not in (None, True, False):
        raise InvalidInput("Field [all] must be true or false.", field="all")
    if everybody and body.get("bots") is not None:
        raise InvalidInput("Field [all] can not be combined with [bots].", field="all")
    return bool(everybody)


def _bot_ids(body: Mapping[str, Any]) -> list[str]:
    given = elements(body.get("bots"), "bots", MOST)
    for position, each in enumerate(given):
        if not isinstance(each, str):
            raise InvalidInput(
                "Field [bots] must be an array of strings.", field="bots", position=position
            )
    return given


def _whole_number(body: Mapping[str, Any], field: str, default: int) -> int:
    value = body.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"Field [{field}] must be a whole number.", field=field)
    return value
