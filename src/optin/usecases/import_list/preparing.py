"""A job's body as claims: reading and judging the rows, which needs no store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from optin.domain.errors import InvalidList
from optin.domain.events import Claim
from optin.domain.lists.actions import named_kind
from optin.domain.lists.claims import claim_of
from optin.domain.lists.faults import RowFault
from optin.domain.lists.ids import row_id
from optin.domain.lists.items import Meaning, identity_in, listed_item
from optin.domain.lists.presets import preset_named
from optin.domain.lists.reader import ListOptions, ListReader
from optin.domain.lists.rows import Row
from optin.ports.imports import ImportJob

#: Of a row that is kept for people, in bytes.
_KEPT = 8 * 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """One row: what it claims, or why it claims nothing. `identity`: "" if it is not known."""

    number: int
    line: int
    raw: bytes
    claim: Claim | None = None
    fault: RowFault | None = None
    identity: str = ""

    @property
    def kept(self) -> bytes:
        """As much of the row as is kept for people."""
        return self.raw[:_KEPT]


def zone_named(name: str) -> tzinfo | None:
    """The time zone, None for "". Raises `InvalidList`."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidList(
            "The time zone is not known: name one such as Europe/Berlin or UTC.",
            field="time_zone",
        ) from None


def options_of(job: ImportJob) -> tuple[ListOptions, str]:
    """How to read the job's list, and the country of its numbers."""
    told: dict[str, Any] = dict(job.options)
    country = str(told.pop("country", ""))
    return ListOptions(**told), country


class Preparing:
    """One list on its way. Raises `InvalidList` for options that are none."""

    def __init__(self, job: ImportJob) -> None:
        options, country = options_of(job)
        preset = preset_named(options.preset)
        action = options.action or preset.action
        if action and named_kind(action) is None:
            raise InvalidList("The action is not known: try opt_in or opt_out.", field="action")
        self._job = job
        self._meaning = Meaning(
            zone_named(options.time_zone),
            options.date_order,
            country,
            action,
            preset,
            options.evidence,
        )
        self.reader = ListReader(options, country=country)

    def prepare(self, rows: Sequence[Row]) -> list[Prepared]:
        """What the rows claim. Pure work for the processor: do it beside the event loop."""
        return [self._prepared(row) for row in rows]

    def _prepared(self, row: Row) -> Prepared:
        raw = self._outward(row.raw)
        if row.fault is not None:
            return Prepared(row.number, row.line, raw, fault=row.fault)
        try:
            claim = self._claim(row)
        except RowFault as fault:
            return Prepared(row.number, row.line, raw, None, fault, self._identity(row))
        return Prepared(row.number, row.line, raw, claim, None, claim.identity)

    def _claim(self, row: Row) -> Claim:
        job = self._job
        item = listed_item(row.cells, self.reader.columns_of(row), self._meaning)
        context = {"import": job.import_id, "row": str(row.number), "line": str(row.line)}
        if job.name:
            context["file"] = job.name
        return claim_of(
            item,
            row_id(job.bot_id, job.import_id, job.created, row.number),
            imported=job.created,
            reopt_in=job.reopt_in,
            actor=job.actor,
            context=context,
        )

    def _identity(self, row: Row) -> str:
        try:
            return identity_in(row.cells, self.reader.columns_of(row), self._meaning.country)
        except RowFault:
            return ""

    def _outward(self, raw: bytes) -> bytes:
        shape = self.reader.shape
        return raw if shape is None else shape.encoding.outward(raw)
