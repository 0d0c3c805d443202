"""Which column of a list holds what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optin.domain.errors import InvalidList
from optin.domain.lists.headings import EVIDENCE, HEADINGS, SAYING, Field, folded
from optin.domain.lists.rows import Cells

#: A column's key in a row: its place, or the member's name.
Key = int | str

#: What `--map COLUMN=-` says: the column is none of ours.
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Columns:
    """`fields`: where each field is. `others`: the rest by heading, kept as they are."""

    fields: Mapping[Field, Key]
    others: Mapping[str, Key]

    def cell(self, cells: Cells, field: Field) -> Any:
        """What the row has there: text without blanks around it (CSV) or any JSON; None if it
        has nothing."""
        key = self.fields.get(field)
        return None if key is None else cell_at(cells, key)

    def rest(self, cells: Cells) -> dict[str, Any]:
        """The columns that are none of ours, those that are empty left out."""
        found = {name: cell_at(cells, key) for name, key in self.others.items()}
        return {name: value for name, value in found.items() if value is not None}


def cell_at(cells: Cells, key: Key) -> Any:
    """One cell, None if it is empty or not there."""
    if isinstance(key, str):
        value = cells.get(key) if isinstance(cells, Mapping) else None
    else:
        value = cells[key] if key < len(cells) and not isinstance(cells, Mapping) else None
    if isinstance(value, str):
        value = value.strip() or None
    return value


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller, or a preset, says of the columns.

    `mapping`: heading, or #1 for the first column, to a field's name or `NOTHING`; `preset`:
    folded headings that mean something of their own in one provider's lists. `needs_action`:
    whether a row must say what it is; `action`: what all rows are.
    """

    mapping: Mapping[str, str]
    preset: Mapping[str, Field]
    action: str = ""
    needs_action: bool = True


def checked_mapping(given: Mapping[str, str]) -> None:
    """Raises `InvalidList` for a field that there is not."""
    for field in given.values():
        if field != NOTHING and field not in tuple(Field):
            known = ", ".join(each for each in Field if each is not Field.OPERATION)
            raise InvalidList(f"A column can be mapped to: {known}, or -.", field="map")


def named(headings: Sequence[str], wanted: Wanted) -> Columns:
    """The columns under these headings. Raises `InvalidList`, naming the headings at fault."""
    _refuse_twins(headings)
    chosen = _chosen(wanted.mapping, headings)
    found: dict[Field, list[int]] = {}
    others: dict[str, Key] = {}
    for place, heading in enumerate(headings):
        field = chosen[place] if place in chosen else _meaning(heading, wanted)
        if field is None or (field in EVIDENCE and field in found):
            others[heading.strip() or f"#{place + 1}"] = place
        else:
            found.setdefault(field, []).append(place)
    for field in [each for each in found if each not in EVIDENCE]:
        by_hand = [place for place in found[field] if chosen.get(place) is field]
        if len(by_hand) == 1:  # who maps one column leaves no doubt about another of that name
            for place in found[field]:
                if place not in by_hand:
                    others[headings[place].strip()] = place
            found[field] = by_hand
    _refuse_doubt(found, headings, wanted)
    return Columns({field: places[0] for field, places in found.items()}, others)


def members(names: Iterable[str], wanted: Wanted) -> Columns:
    """The columns of one JSON object."""
    keys = list(names)
    columns = named(keys, wanted)
    return Columns(
        {field: keys[int(place)] for field, place in columns.fields.items()},
        {name: keys[int(place)] for name, place in columns.others.items()},
    )


def _meaning(heading: str, wanted: Wanted) -> Field | None:
    name = folded(heading)
    return wanted.preset.get(name) or HEADINGS.get(name)


def _chosen(mapping: Mapping[str, str], headings: Sequence[str]) -> dict[int, Field | None]:
    """What was mapped by hand, by place. Raises `InvalidList` for a column that is not there."""
    places = {folded(heading): place for place, heading in enumerate(headings)}
    chosen: dict[int, Field | None] = {}
    for name, field in mapping.items():
        place = _place(name) if name.startswith("#") else places.get(folded(name))
        if place is None or place >= len(headings):
            raise InvalidList(f"There is no column {name!r}. {_listed(headings)}", field="map")
        chosen[place] = None if field == NOTHING else Field(field)
    return chosen


def _place(name: str) -> int | None:
    """Of `#1`, the first column."""
    digits = name[1:]
    good = digits.isascii() and digits.isdigit() and len(digits) < 6 and int(digits) > 0
    return int(digits) - 1 if good else None


def _refuse_twins(headings: Sequence[str]) -> None:
    counted = Counter(heading.strip().casefold() for heading in headings if heading.strip())
    if twins := [name for name, count in counted.items() if count > 1]:
        raise InvalidList(f"The list has two columns named {twins[0][:60]!r}: rename one.")


def _refuse_doubt(
    found: Mapping[Field, Sequence[int]], headings: Sequence[str], wanted: Wanted
) -> None:
    if Field.IDENTITY not in found:
        raise InvalidList(
            "No column was found that holds phone numbers. "
            f"{_listed(headings)} Map one: COLUMN=identity.",
            field="map",
        )
    needed = {Field.IDENTITY} if not wanted.needs_action else set(found) - EVIDENCE
    for field in sorted(needed):
        if len(found[field]) > 1:
            _refuse_two([headings[place] for place in found[field]], field)
    if not wanted.needs_action:
        return
    saying = [headings[places[0]] for field, places in found.items() if field in SAYING]
    if len(saying) > 1:
        _refuse_two(saying, Field.ACTION)
    if saying and wanted.action:
        raise InvalidList(
            f"Column {saying[0]!r} says what each row is: leave the action out, "
            "or map the column to -.",
            field="action",
        )
    if not saying and not wanted.action:
        raise InvalidList(
            "No column says what the rows are. Name an action for all of them (opt_in, opt_out, "
            f"marketing_stop), or map a column: COLUMN=action. {_listed(headings)}",
            field="action",
        )


def _refuse_two(headings: Sequence[str], field: Field) -> None:
    both = " and ".join(repr(heading[:60]) for heading in headings[:2])
    raise InvalidList(
        f"Columns {both} could both be the {field}: map the right one, or the other to -.",
        field="map",
    )


def _listed(headings: Sequence[str]) -> str:
    shown = ", ".join(repr(heading[:60]) for heading in headings[:20])
    return f"Its columns are: {shown}."
