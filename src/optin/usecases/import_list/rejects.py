"""The rejected rows of a job, as a CSV file to look at."""

from __future__ import annotations

from collections.abc import AsyncIterator

from optin.domain.lists.writing import csv_line
from optin.ports.imports import ImportJob, ImportRow
from optin.ports.store import Store

#: What a row that is not taken is called: in an import, and in a dry run.
OUTCOMES = ("rejected", "invalid")
_PAGE = 500
HEAD = csv_line(("row", "line", "reason", "details", "original"))


def rejected_line(row: ImportRow) -> bytes:
    """One row of the file. The original stands in one cell, without its line end."""
    original = row.row.decode("utf-8", "replace").rstrip("\r\n")
    return csv_line((row.number, row.line, row.reason, row.details, original))


async def rejected_csv(store: Store, job: ImportJob) -> AsyncIterator[bytes]:
    """The file in pieces, as many rows as are kept."""
    yield HEAD
    after = 0
    while page := await store.import_rows(job.bot_id, job.import_id, after, _PAGE, OUTCOMES):
        yield b"".join(map(rejected_line, page))
        after = page[-1].number
