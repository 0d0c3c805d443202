"""One item of a list of consents, as a caller of the native API writes it (SPEC 6)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optin.domain.errors import InvalidInput
from optin.domain.events import Claim, Kind, Origin
from optin.domain.identities import parse_identity
from optin.domain.json_shapes import storable
from optin.domain.messages import Category
from optin.domain.rfc3339 import parse_time

#: What a business may tell us of; keywords and provider events come from the provider alone.
ACTIONS: Mapping[str, Kind] = {
    kind.value: kind
    for kind in (
        Kind.OPT_IN,
        Kind.OPT_OUT,
        Kind.MARKETING_STOP,
        Kind.MARKETING_RESUME,
        Kind.MESSAGE,
    )
}

#: Of one item's evidence as compact JSON, bytes.
MOST_EVIDENCE = 8 * 1024
_DEEPEST = 16
_CATEGORIES = frozenset(category.value for category in Category)
_BY_THE_CONTACT = frozenset({Kind.OPT_OUT, Kind.MARKETING_STOP})


@dataclass(frozen=True, slots=True)
class ConsentItem:
    """One checked item. `at`: its `occurred_at`, UTC µs; None for "now", a live call (R3)."""

    identity: str
    kind: Kind
    at: int | None = None
    categories: frozenset[str] | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def claim(
        self, event_id: bytes, *, source: str, actor: str, context: Mapping[str, str]
    ) -> Claim:
        """What it claims, by whom. Evidence that names the contact as the actor of an opt-out makes
        it the contact's own (R4); evidence with a `wording` binds an opt-in to that wording."""
        by_contact = self.kind in _BY_THE_CONTACT and self.evidence.get("actor") == "contact"
        return Claim(
            event_id=event_id,
            identity=self.identity,
            kind=self.kind,
            origin=Origin.LIVE if self.at is None else Origin.DATED,
            source=source,
            at=self.at,
            categories=self.categories,
            evidence=self.evidence,
            wording=wording_hash(self.evidence),
            from_contact=by_contact,
            actor=actor,
            context=context,
        )


def parse_item(value: object) -> ConsentItem:
    """The item in decoded JSON. Raises `InvalidInput` (or a kind of it) naming the member."""
    if not isinstance(value, dict):
        raise InvalidInput("An item must be an object.")
    identity = parse_identity(value.get("identity"))
    kind = _kind(value.get("action"))
    at = value.get("occurred_at")
    return ConsentItem(
        identity=identity,
        kind=kind,
        at=None if at is None else parse_time(at, "occurred_at"),
        categories=_categories(value.get("categories"), kind),
        evidence=_evidence(value.get("evidence")),
    )


def _kind(action: object) -> Kind:
    kind = ACTIONS.get(action) if isinstance(action, str) else None
    if kind is None:
        raise InvalidInput(f"Field [action] must be one of: {', '.join(ACTIONS)}.", field="action")
    return kind


def _categories(value: object, kind: Kind) -> frozenset[str] | None:
    if value is None:
        return None
    if kind is not Kind.OPT_IN:
        raise InvalidInput("Field [categories] goes only with opt_in.", field="categories")
    if not isinstance(value, list) or not value or not all(map(_is_category, value)):
        raise InvalidInput(
            f"Field [categories] must be a list of: {', '.join(sorted(_CATEGORIES))}.",
            field="categories",
        )
    return frozenset(value)


def _is_category(value: object) -> bool:
    return isinstance(value, str) and value in _CATEGORIES


def _evidence(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("Field [evidence] must be an object.", field="evidence")
    storable(value, "evidence")
    if _is_deeper(value, _DEEPEST):
        raise InvalidInput(f"Field [evidence] is nested deeper than {_DEEPEST}.", field="evidence")
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > MOST_EVIDENCE:
        raise InvalidInput("Field [evidence] is larger than 8 KiB.", field="evidence")
    return value


def _is_deeper(value: object, depth: int) -> bool:
    floor = [value]
    for _ in range(depth):
        floor = [
            child
            for item in floor
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not floor:
            return False
    return any(isinstance(item, dict | list) for item in floor)


def wording_hash(evidence: Mapping[str, Any]) -> str | None:
    """SHA-256 (hex) of the wording that was shown, by which a bot declares it outdated (R4)."""
    shown = evidence.get("wording")
    return hashlib.sha256(shown.encode()).hexdigest() if isinstance(shown, str) and shown else None
