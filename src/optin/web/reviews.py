"""What a person decides, in the native API: the queue, and a decision (R10, R11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optin.domain.errors import InvalidInput
from optin.domain.identities import shown
from optin.domain.rfc3339 import shown_time
from optin.ports.store import Review
from optin.usecases.review import PAGE
from optin.web.answers import Answer, json_answer
from optin.web.resource import Call, Method


async def _list(call: Call) -> Answer:
    """A page, oldest first, of open items or, with `state=all`, of all; `next` is the `after` of
    the page behind it, or null."""
    state = call.query("state") or "open"
    if state not in ("open", "all"):
        raise InvalidInput("Field [state] must be one of: open, all.", field="state")
    after, limit = call.query("after") or "", _number(call.query("limit"))
    page = await call.services.reviews.page(call.bot_id, after, limit, is_open=state == "open")
    rows = [review_row(each) for each in page.items]
    return json_answer({"reviews": rows, "next": page.following or None})


async def _decide(call: Call) -> Answer:
    """`{"decision", "note"?}`; the item as it is then."""
    body = await call.json_object()
    decided = await call.services.reviews.decide(
        call.bot_id,
        call.params["review_id"],
        _text(body, "decision"),
        actor=call.token.token_id,
        note=_text(body, "note"),
        source="native_api",
    )
    return json_answer(review_row(decided))


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {
    "/reviews": {"GET": Method("read", _list)},
    "/reviews/{review_id}": {"POST": Method("provision", _decide)},
}


def review_row(item: Review) -> dict[str, Any]:
    """An item as programs see it."""
    return {
        "id": item.review_id,
        "kind": item.kind,
        "identities": [shown(each) for each in item.identities],
        "text": item.text,
        "created": shown_time(item.created),
        "context": dict(item.context),
        "decision": item.decision or None,
        "decided": shown_time(item.decided) if item.decision else None,
        "decided_by": item.decided_by or None,
        "note": item.note,
    }


def _text(body: Mapping[str, Any], field: str) -> str:
    value = body.get(field)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"Field [{field}] must be a string.", field=field)
    return value or ""


def _number(text: str | None) -> int:
    """The limit; 0, which is none, for what is no number."""
    if text is None:
        return PAGE
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
