"""What Meta answers when it takes a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Sent:
    """The message was accepted, which is not yet delivered.

    `upstream_id` names it in statuses; None if the answer names none, and then nobody can tell.
    `input` is the recipient as we gave it, `wa_id` or `user_id` (a BSUID) whom Meta took it for:
    they link identities (R11), and are as they came.
    """

    upstream_id: str | None
    wa_id: str | None = None
    input: str | None = None
    user_id: str | None = None


def sent(response_json: object) -> Sent:
    """Read the decoded body of a 200. Never raises: what is missing or odd is None.

    After a 200 the message may be on its way whatever the body looks like: an odd one is an
    unknown outcome and no reason to send again (H8).
    """
    contact = _first(response_json, "contacts")
    return Sent(
        upstream_id=_text(_first(response_json, "messages").get("id")),
        wa_id=_text(contact.get("wa_id")),
        input=_text(contact.get("input")),
        user_id=_text(contact.get("user_id")),
    )


def _first(response: object, name: str) -> Mapping[str, object]:
    """The only element of a list: one request has one recipient."""
    items = response.get(name) if isinstance(response, Mapping) else None
    item = items[0] if isinstance(items, list) and items else None
    return item if isinstance(item, Mapping) else {}


def _text(value: object) -> str | None:
    """A text that can be stored and looked up, or None."""
    if not isinstance(value, str) or not value or _UNSTORABLE.search(value):
        return None
    return value
