"""What a row claims (R3): who, what, when, and with which evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from optin.domain.consent_items import MOST_EVIDENCE
from optin.domain.errors import InvalidInput
from optin.domain.events import MICROSECOND, STOPS, Kind
from optin.domain.json_shapes import storable
from optin.domain.lists.actions import kind_of, named_kind, said_by_contact
from optin.domain.lists.columns import Columns
from optin.domain.lists.dates import Moment, parse_moment
from optin.domain.lists.faults import RowFault
from optin.domain.lists.headings import EVIDENCE, SAYING, Field
from optin.domain.lists.numbers import listed_identity
from optin.domain.lists.presets import Preset
from optin.domain.lists.rows import Cells
from optin.domain.messages import Category

_CATEGORIES = frozenset(category.value for category in Category)
_MARKETING = frozenset({Category.MARKETING.value})
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
#: Under which member the columns that we do not know are kept.
OTHERS = "columns"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the caller says of a whole list. `zone`: of times without an offset. `action`: of all
    rows, "" if each says it. `evidence`: of every row."""

    zone: tzinfo | None = None
    order: str = ""
    country: str = ""
    action: str = ""
    preset: Preset = field(default_factory=lambda: Preset({}))
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListItem:
    """What one row claims. `at`: UTC µs, None if it is undated; `unit`: how coarse that is.

    `others`: columns that we do not know, of a row that brings no evidence: a name in the next
    column proves nothing (R4). With evidence they stand beside it.
    """

    identity: str
    kind: Kind
    at: int | None
    unit: int = MICROSECOND
    categories: frozenset[str] | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    from_contact: bool = False


def listed_item(cells: Cells, columns: Columns, meaning: Meaning) -> ListItem:
    """The item. Raises `RowFault`."""
    identity = identity_in(cells, columns, meaning.country)
    kind, by_contact = _kind(cells, columns, meaning)
    kind, categories = _with_categories(kind, columns.cell(cells, Field.CATEGORIES))
    moment = _moment(cells, columns, meaning, kind)
    evidence, others = _evidence(cells, columns, meaning)
    told = str(evidence.get(Field.COLLECTION_POINT.value, "")).lower()
    by_contact = by_contact or told in meaning.preset.by_contact
    by_contact = by_contact or evidence.get(Field.ACTOR.value) == "contact"
    return ListItem(
        identity,
        kind,
        None if moment is None else moment.at,
        MICROSECOND if moment is None else moment.unit,
        categories,
        evidence,
        others,
        from_contact=by_contact and kind in (Kind.OPT_OUT, Kind.MARKETING_STOP),
    )


def identity_in(cells: Cells, columns: Columns, country: str) -> str:
    """Who the row is about. Raises `RowFault`."""
    value = columns.cell(cells, Field.IDENTITY)
    if value is None:
        raise RowFault("no_identity", "The row has no phone number.")
    return listed_identity(value, country, columns.cell(cells, Field.CALLING_CODE))


def _kind(cells: Cells, columns: Columns, meaning: Meaning) -> tuple[Kind, bool]:
    """What the row says, and whether its word is one that only the contact says."""
    additions = meaning.preset.additions
    operation = columns.cell(cells, Field.OPERATION)
    if operation is not None and additions and str(operation).lower() not in additions:
        raise RowFault("says_nothing", "The row takes somebody off the list: that is no opt-in.")
    for saying in SAYING:
        if (value := columns.cell(cells, saying)) is not None:
            return kind_of(value, saying), said_by_contact(value)
    kind = named_kind(meaning.action) if not SAYING & columns.fields.keys() else None
    if kind is None:
        raise RowFault("unknown_action", "The row does not say whether it is an opt-in or opt-out.")
    return kind, False


def _with_categories(kind: Kind, value: Any) -> tuple[Kind, frozenset[str] | None]:
    """An opt-in may be for some categories (R8). An opt-out of marketing alone is a stop of that;
    of anything else it is an opt-out: in doubt, block."""
    names = _names(value)
    if not names or kind not in (Kind.OPT_IN, Kind.OPT_OUT):
        return kind, None
    if kind is Kind.OPT_OUT:
        return (Kind.MARKETING_STOP if names == _MARKETING else kind), None
    if not names <= _CATEGORIES:
        listed = ", ".join(sorted(_CATEGORIES))
        raise RowFault("invalid_categories", f"Categories are some of: {listed}.")
    return kind, names


def _names(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(
            value.lower().replace(";", " ").replace("|", " ").replace(",", " ").split()
        )
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return frozenset(name.lower() for name in value)
    if value is None:
        return frozenset()
    raise RowFault("invalid_categories", "The categories can not be read.")


def _moment(cells: Cells, columns: Columns, meaning: Meaning, kind: Kind) -> Moment | None:
    """The date that belongs to what the row says: an opt-out is not as old as its opt-in."""

    def at(field: Field) -> Moment | None:
        value = columns.cell(cells, field)
        return None if value is None else parse_moment(value, meaning.zone, meaning.order)

    if kind in STOPS:
        return at(Field.OPTED_OUT_AT) or at(Field.OCCURRED_AT)
    given = at(Field.OPTED_IN_AT) or at(Field.OCCURRED_AT)
    out = at(Field.OPTED_OUT_AT)
    if out is not None and (given is None or out.at + out.unit > given.at):
        raise RowFault(
            "contradiction", "The row has a date of opt-out that is not before its opt-in."
        )
    if given is None and kind is Kind.MESSAGE:
        raise RowFault("no_time", "A message without its time says nothing.")
    return given


def _evidence(
    cells: Cells, columns: Columns, meaning: Meaning
) -> tuple[dict[str, Any], dict[str, Any]]:
    given: dict[str, Any] = dict(meaning.evidence)
    given |= _whole(columns.cell(cells, Field.EVIDENCE))
    for each in EVIDENCE & columns.fields.keys():
        if (value := columns.cell(cells, each)) is not None:
            given[each.value] = value
    others = columns.rest(cells)
    if not given and not others:
        return given, others
    try:
        storable([given, others], "evidence")
        others = _fitting(others, MOST_EVIDENCE - _room(given))
    except InvalidInput:
        raise RowFault(
            "control_character", "The row has a U+0000 or half of a surrogate pair."
        ) from None
    except RecursionError:
        raise RowFault("evidence_too_large", "The row's evidence is nested too deeply.") from None
    if given and others:
        return {**given, OTHERS: others}, {}
    return given, others


def _room(given: Mapping[str, Any]) -> int:
    size = _size(given)
    if size > MOST_EVIDENCE:
        raise RowFault("evidence_too_large", "The row's evidence is larger than 8 KiB.")
    return size + 64


def _whole(value: Any) -> dict[str, Any]:
    """Evidence in one column: an object, also as JSON text; any other text is a note."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {"note": value}
    return value if isinstance(value, dict) else {} if value is None else {"note": value}


def _fitting(others: Mapping[str, Any], room: int) -> dict[str, Any]:
    """As many of the columns as there is room for, in order; how many are left out is told."""
    kept: dict[str, Any] = {}
    for name, value in others.items():
        room -= _size({name: value})
        if room < 0:
            return {**kept, "left_out": len(others) - len(kept)}
        kept[name] = value
    return kept


def _size(value: Mapping[str, Any] | Iterable[Any]) -> int:
    return len(_compact(value).encode())
