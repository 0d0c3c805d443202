"""Native send: one message to one recipient, and what became of it (SPEC 6, H8, H9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optin.domain.errors import InvalidInput
from optin.domain.events import DAY, SECOND
from optin.domain.identities import parse_identity, shown
from optin.domain.json_shapes import is_absent, url
from optin.domain.messages import parse_message
from optin.domain.outbox import OutboxMessage
from optin.domain.rfc3339 import shown_time
from optin.web.answers import Answer, json_answer
from optin.web.resource import Call, Method

#: The longest life that a message may be given, in seconds.
LONGEST_LIFE = 30 * DAY // SECOND


async def _send(call: Call) -> Answer:
    """`201` for a refused one, too: a refusal is a result, and kept (R7)."""
    body = await call.json_object()
    if is_absent(body.get("to")):
        raise InvalidInput("Field [to] can not be empty.", field="to")
    callback = body.get("callback_url")
    kept = await call.services.send_message.accept(
        call.bot_id,
        [parse_identity(body["to"])],
        parse_message(body.get("message")),
        call.token.token_id,
        callback_url="" if is_absent(callback) else url(callback, "callback_url"),
        life=_life(body.get("expires_in")),
        once=call.once(_sent),
    )
    return _sent(kept)


def _sent(kept: list[OutboxMessage]) -> Answer:
    return json_answer(_json(kept[0]), 201)


async def _get(call: Call) -> Answer:
    message_id = call.params["message_id"]
    return json_answer(_json(await call.services.send_message.get(call.bot_id, message_id)))


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {
    "/messages": {"POST": Method("send", _send)},
    "/messages/{message_id}": {"GET": Method("read", _get)},
}


def _life(seconds: Any) -> int | None:
    if seconds is None:
        return None
    if type(seconds) is not int or not 1 <= seconds <= LONGEST_LIFE:
        raise InvalidInput(
            f"Field [expires_in] must be a whole number of seconds from 1 to {LONGEST_LIFE}.",
            field="expires_in",
        )
    return seconds * SECOND


def _json(message: OutboxMessage) -> dict[str, Any]:
    """`allowed`: whether the gate let it through when it was last judged; `reason`: what the rule
    said against it, which `enforce` may have softened (R7)."""
    return {
        "message_id": message.message_id,
        "to": shown(message.identity),
        "allowed": message.passed,
        "reason": message.reason,
        "basis": message.basis,
        "category": message.category,
        "state": message.state,
        "stage": message.stage,
        "details": message.details,
        "attempts": message.attempts,
        "created_at": shown_time(message.created),
        "expires_at": shown_time(message.expires),
        "due_at": shown_time(message.due),
        "handed_over_at": shown_time(message.claimed) if message.claimed else None,
        "upstream_id": message.upstream_id or None,
    }
