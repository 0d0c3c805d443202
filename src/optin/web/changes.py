"""The feed of the ledger in the native API: `changes` (SPEC 6)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from optin.domain.errors import InvalidInput
from optin.ports.ledger import Told
from optin.usecases.read_changes import Cursor, Reached, ReadChanges
from optin.web.answers import Answer, json_answer
from optin.web.history import event_json, page_size
from optin.web.resource import Call, Method


async def _changes(call: Call) -> Answer:
    """A page, and in `next` what to ask for `after` then; `more` says whether it has something."""
    limit = page_size(call.query("limit"))
    messages = call.query("messages") or "yes"
    if messages not in ("yes", "no"):
        raise InvalidInput("Field [messages] must be one of: yes, no.", field="messages")
    after = _cursor_in(call.query("after"))
    feed = ReadChanges(call.services.store)
    page = await feed.page(call.bot_id, after, limit, messages=messages == "yes")
    rows = [event_json(Told(entry, "")) for entry in page.entries]
    return json_answer({"events": rows, "next": _cursor_of(page.cursor), "more": page.more})


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {"/changes": {"GET": Method("read", _changes)}}


def _cursor_of(cursor: Cursor) -> str:
    told = {str(writer): list(reached) for writer, reached in sorted(cursor.items())}
    return base64.urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()


def _cursor_in(text: str | None) -> Cursor:
    if not text:
        return {}
    try:
        told = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
        return {int(writer): _reached(place) for writer, place in told.items()}
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise InvalidInput("Field [after] is no cursor of this feed.", field="after") from None


def _reached(place: object) -> Reached:
    if not isinstance(place, list) or [type(n) for n in place] != [int] * 3:
        raise ValueError("no position")
    if not all(0 <= n < 2**63 for n in place):
        raise ValueError("no position")
    return Reached(*place)
