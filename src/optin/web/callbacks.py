"""What the bot's receivers were told, in the native API: look at it, replay it (SPEC 4, 6)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from optin.domain.errors import InvalidInput
from optin.domain.rfc3339 import shown_time
from optin.ports.store import Callback, CallbackStage
from optin.usecases.replay_callbacks import MOST, PAGE
from optin.web.answers import Answer, json_answer
from optin.web.body import elements
from optin.web.resource import Call, Method


async def _list(call: Call) -> Answer:
    """A page, oldest first; `next` is the `after` of the page behind it, or null."""
    stage, after, limit = call.query("stage"), call.query("after"), call.query("limit")
    page = await call.services.replay_callbacks.page(
        call.bot_id, after or "", _number(limit), _stage(stage)
    )
    return json_answer(
        {"callbacks": [_row(each) for each in page.callbacks], "next": page.following or None}
    )


async def _get(call: Call) -> Answer:
    found = await call.services.replay_callbacks.one(call.bot_id, call.params["callback_id"])
    return json_answer(_row(found) | {"headers": found.headers, **_body(found.body)})


async def _replay(call: Call) -> Answer:
    """`{"ids": […]}` or `{"from": cursor}`, one of the two."""
    body = await call.json_object()
    if ("ids" in body) == ("from" in body):
        raise InvalidInput("Give either [ids] or [from].", field="ids")
    replay = call.services.replay_callbacks
    if "from" in body:
        count = await replay.replay_from(call.bot_id, body["from"])
    else:
        count = await replay.replay(call.bot_id, elements(body["ids"], "ids", MOST))
    return json_answer({"replayed": count})


#: Path below the bot -> what its methods do. The fixed path stands before that of an id.
METHODS: Mapping[str, Mapping[str, Method]] = {
    "/callbacks": {"GET": Method("admin", _list)},
    "/callbacks/replay": {"POST": Method("admin", _replay)},
    "/callbacks/{callback_id}": {"GET": Method("admin", _get)},
}


def _row(callback: Callback) -> dict[str, Any]:
    """All but headers and body, which may speak of a person."""
    return {
        "id": callback.callback_id,
        "kind": callback.kind,
        "stage": callback.stage,
        "url": callback.url,
        "created": shown_time(callback.created),
        "due": shown_time(callback.due) if callback.stage is CallbackStage.WAITING else None,
        "attempts": callback.attempts,
        "outcome": callback.outcome,
        "size": callback.size,
    }


def _body(raw: bytes) -> dict[str, str]:
    """The body as text; one that is no UTF-8, as a relayed one may be, in base64."""
    try:
        return {"body": raw.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(raw).decode()}


def _stage(text: str | None) -> CallbackStage | None:
    if text is None:
        return None
    if text not in tuple(CallbackStage):
        raise InvalidInput(
            f"Field [stage] must be one of: {', '.join(CallbackStage)}.", field="stage"
        )
    return CallbackStage(text)


def _number(text: str | None) -> int:
    """The limit; 0, which is none, for what is no number."""
    if text is None:
        return PAGE
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
