"""A contact's history in the native API: each entry with its evidence, times and place (SPEC 6)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from optin.domain.entries import Entry
from optin.domain.errors import InconsistentRecord, InvalidInput
from optin.domain.events import Kind
from optin.domain.identities import is_digest, parse_identity, shown
from optin.domain.rfc3339 import shown_time
from optin.ports.ledger import Before, History, Told
from optin.usecases.read_history import ReadHistory
from optin.web.answers import Answer, json_answer
from optin.web.resource import Call, Method

PAGE, LONGEST_PAGE = 100, 1_000
#: Farther from 1970 than this, in µs, is no date that can be written: a provider's can be anything.
_WRITABLE = 2**55
_LAST = Before().recorded


async def _history(call: Call) -> Answer:
    """A page; `next` is the cursor of the page after it, or null."""
    limit = page_size(call.query("limit"))
    who = whose(call.params["identity"])
    history = ReadHistory(call.services.store)
    found = await history.page(call.bot_id, who, cursor_in(call.query("cursor")), limit + 1)
    return json_answer(history_json(found, limit))


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {
    "/contacts/{identity}/history": {"GET": Method("read", _history)}
}


def whose(text: str) -> str:
    """The identity in a path; an erased one can be asked for by its digest."""
    return text if is_digest(text) else parse_identity(text)


def history_json(found: History, limit: int) -> dict[str, Any]:
    """A page of at most `limit` entries; there may be one more in `found`."""
    page = found.entries[:limit]
    more = len(found.entries) > limit
    return {
        "events": list(map(event_json, page)),
        "next": cursor_of(page[-1].entry) if more else None,
    }


def event_json(told: Told) -> dict[str, Any]:
    """One entry, as histories and proofs show it."""
    entry = told.entry
    return {
        "id": entry.event_id.hex(),
        "identity": shown(entry.identity),
        "kind": entry.kind,
        "source": entry.source,
        "actor": entry.actor or None,
        "from_contact": bool(entry.from_contact),
        "occurred_at": time_json(entry.at),
        "recorded_at": time_json(entry.recorded),
        "effective_at": time_json(entry.effective),
        "categories": None if entry.categories is None else _words(entry.categories),
        "evidence": evidence_of(told),
        "context": _object(entry.context),
        "others": [shown(who.removeprefix("-")) for who in _array(entry.others)],
        "wording_hash": entry.wording,
        "erased": is_digest(entry.identity) and entry.kind != Kind.ERASED.value,
        "position": {"writer": entry.writer, "commit": entry.seq, "place": entry.place},
    }


def evidence_of(told: Told) -> dict[str, Any]:
    """The evidence as it was given: the text of its wording is kept apart."""
    evidence = _object(told.entry.evidence)
    if told.wording and not told.entry.emptied and "wording" not in evidence:
        return {"wording": told.wording, **evidence}
    return evidence


def time_json(at: int | None) -> str | None:
    """The time, if it is one that can be written."""
    return None if at is None or abs(at) > _WRITABLE else shown_time(at)


def cursor_of(entry: Entry) -> str:
    """Where the page that ends with this entry ends."""
    return base64.urlsafe_b64encode(f"{entry.recorded}.{entry.event_id.hex()}".encode()).decode()


def cursor_in(text: str | None) -> Before:
    """The place that a cursor names. Raises `InvalidInput`."""
    if not text:
        return Before()
    try:
        recorded, event_id = base64.urlsafe_b64decode(text).decode().split(".")
        return Before(min(int(recorded), _LAST), bytes.fromhex(event_id))
    except (ValueError, binascii.Error):
        raise InvalidInput("Field [cursor] is no cursor of this list.", field="cursor") from None


def page_size(text: str | None) -> int:
    """The `limit` of a call. Raises `InvalidInput`."""
    if text is None:
        return PAGE
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if not 1 <= number <= LONGEST_PAGE:
        raise InvalidInput(
            f"Field [limit] must be a number from 1 to {LONGEST_PAGE}.", field="limit"
        )
    return number


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _object(text: str) -> dict[str, Any]:
    value = _loaded(text) if text else {}
    return value if isinstance(value, dict) else {"value": value}


def _array(text: str) -> Sequence[str]:
    value = _loaded(text) if text else []
    return value if isinstance(value, list) else []


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise InconsistentRecord("A stored record is not readable.") from None
