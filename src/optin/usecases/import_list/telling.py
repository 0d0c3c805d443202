"""Jobs and their rows as APIs and the command line show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optin.domain.identities import shown
from optin.domain.lists.effects import Effect
from optin.domain.rfc3339 import shown_time
from optin.ports.imports import ImportJob, ImportKind, ImportRow
from optin.ports.store import Store
from optin.usecases.import_list.planning import EXAMPLES, INVALID, LIFTS

_OUTCOMES = (*(effect.value for effect in Effect), LIFTS)


def job_told(job: ImportJob) -> dict[str, Any]:
    """The job as an API shows it; times in RFC 3339."""
    told: dict[str, Any] = {
        "id": job.import_id,
        "kind": job.kind.value,
        "state": job.state.value,
        "created_at": shown_time(job.created),
        "finished_at": shown_time(job.finished) if job.finished else None,
        "by": job.actor,
        "rows": job.rows,
        "counts": dict(job.counts),
    }
    if job.kind is ImportKind.UNDO:
        told["undoes"] = job.of
    else:
        told |= {
            "dry_run": job.dry_run,
            "file": job.name,
            "size": job.size,
            "shape": dict(job.shape),
            "undone_by": job.undone_by or None,
        }
    if job.reopt_in:
        told["reopt_in"] = job.reopt_in
    if job.error:
        told["error"] = job.error
    return told


async def examples_of(store: Store, job: ImportJob) -> list[ImportRow]:
    """The rows that a dry run shows, a few of each outcome."""
    if not job.dry_run:
        return []
    where = (job.bot_id, job.import_id, 0)
    found = await store.import_rows(*where, EXAMPLES * len(_OUTCOMES), _OUTCOMES)
    return found + await store.import_rows(*where, EXAMPLES, (INVALID,))


def examples_told(rows: Sequence[ImportRow]) -> Mapping[str, list[dict[str, Any]]]:
    """Examples by outcome."""
    told: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        told.setdefault(row.outcome, []).append(_row_told(row))
    return told


def _row_told(row: ImportRow) -> dict[str, Any]:
    told: dict[str, Any] = {"row": row.number, "line": row.line}
    if row.identity:
        told["identity"] = shown(row.identity)
    if row.reason:
        told |= {"reason": row.reason, "details": row.details}
    return told
