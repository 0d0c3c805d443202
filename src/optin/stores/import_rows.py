"""Jobs that take in lists, and the rows kept of them, as rows of tables: all stores alike.

The order of columns is that of the migrations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optin.ports.imports import ImportJob, ImportKind, ImportRow, ImportState
from optin.stores.texts import from_json, reader, to_json

Row = Sequence[Any]

#: Members of a job that are kept together, as JSON.
_DETAILS = (
    "dry_run",
    "options",
    "reopt_in",
    "source",
    "actor",
    "context",
    "name",
    "digest",
    "size",
    "rows",
    "cursor",
    "counts",
    "shape",
    "error",
    "of",
    "undone_by",
    "finished",
)


def job_row(job: ImportJob) -> Row:
    """A row of `imports`."""
    details = {"kind": job.kind.value, **{name: getattr(job, name) for name in _DETAILS}}
    return (
        job.bot_id,
        job.import_id,
        job.state.value,
        job.created,
        job.claimant,
        job.leased_until,
        to_json(details),
    )


@reader
def job(row: Row) -> ImportJob:
    """The job of a whole row."""
    bot_id, import_id, state, created, claimant, leased_until, details = row
    told = from_json(details)
    return ImportJob(
        bot_id,
        import_id,
        created,
        ImportKind(told.pop("kind")),
        ImportState(state),
        **told,
        claimant=claimant,
        leased_until=leased_until,
    )


def kept_row(bot_id: str, kept: ImportRow) -> Row:
    """A row of `import_rows`."""
    return (
        bot_id,
        kept.import_id,
        kept.number,
        kept.line,
        kept.outcome,
        kept.reason,
        kept.details,
        kept.identity,
        kept.row,
    )


@reader
def kept(row: Row) -> ImportRow:
    """The kept row of a whole row."""
    return ImportRow(*row[1:])
