"""`optin import`: take in a list of opt-ins and opt-outs, see what it would do, take it back."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from optin.cli.list_files import (
    DATE_ORDER,
    FILE,
    PRESET,
    Bar,
    async_pieces,
    list_options,
    name_of,
    opened,
    pairs,
    reading_options,
    rejecting,
    size_of,
)
from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json
from optin.domain.errors import Conflict, OptinError
from optin.ports.imports import ImportJob, ImportRow, ImportState
from optin.ports.store import Store
from optin.usecases.import_list import (
    HEAD,
    Foresee,
    ImportRequest,
    ReceiveImport,
    RunImports,
    examples_told,
    job_told,
    rejected_csv,
    rejected_line,
)
from optin.wiring.making import new_id

_SOURCE = "command_line"
#: How long another process that works on the same list is waited for at a time, in seconds.
_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class _Asked:
    bot_id: str
    file: str
    request: ImportRequest
    rejected: str | None
    as_json: bool


@click.command(name="import")
@FILE
@BOT
@click.option("--dry-run", is_flag=True, help="Say what it would do; write nothing.")
@click.option("--undo", is_flag=True, help="FILE is the id of an import: take it back.")
@click.option("--action", metavar="ACTION", help="What all rows are: opt_in, opt_out, ...")
@reading_options
@PRESET
@click.option("--time-zone", metavar="ZONE", help="Of times without offset: Europe/Berlin.")
@DATE_ORDER
@click.option("--evidence", multiple=True, metavar="NAME=VALUE", help="Evidence of every row.")
@click.option(
    "--reopt-in",
    metavar="REASON",
    help="Opt-ins without a date count as of now, and lift opt-outs.",
)
@click.option("--rejected", metavar="FILE", help="Write the rows that are not taken there.")
@DATABASE
@JSON
def import_list(bot_id: str, file: str, database: str | None, **given: Any) -> None:
    """Take in a list of opt-ins and opt-outs from a CSV or JSON Lines file.

    Each row is recorded with its own date. An opt-in without a date lifts no opt-out. The same
    command again goes on where it was interrupted.
    """
    as_json, rejected = given.pop("as_json"), given.pop("rejected")
    if given.pop("undo"):
        _tell(with_store(database, lambda store: _undone(store, bot_id, file)), as_json)
        return
    options = replace(
        list_options(
            given["form"],
            given["encoding"],
            given["delimiter"],
            given["mapping"],
            preset=given["preset"],
            action=given["action"],
            time_zone=given["time_zone"],
            date_order=given["date_order"],
        ),
        evidence=pairs(given["evidence"], "--evidence NAME=VALUE"),
    )
    request = ImportRequest(
        options,
        dry_run=given["dry_run"],
        reopt_in=given["reopt_in"] or "",
        name=name_of(file),
        source=_SOURCE,
        actor=_SOURCE,
    )
    asked = _Asked(bot_id, file, request, rejected, as_json)
    if request.dry_run:
        told = with_store(database, lambda store: _foreseen(store, asked))
        print_json(told) if as_json else _print_plan(told)
        return
    job = with_store(database, lambda store: _imported(store, asked))
    _tell(job, as_json)
    if job.state is ImportState.FAILED:
        raise OptinError(job.error)


async def _foreseen(store: Store, asked: _Asked) -> Mapping[str, Any]:
    """What the list would do; nothing is written but the rows that it asks for."""
    job = await ReceiveImport(store, new_id).job(asked.bot_id, asked.request)
    bar = Bar("Looking", size_of(asked.file))
    with rejecting(asked.rejected, HEAD) as write, opened(asked.file) as source, bar:

        def rejected(rows: Sequence[ImportRow]) -> None:
            write(b"".join(map(rejected_line, rows)))

        plan, shape = await Foresee(store, rejected)(job, async_pieces(source, bar.add))
    return {
        "dry_run": True,
        "rows": plan.rows,
        "counts": dict(plan.counts),
        "shape": shape,
        "examples": examples_told(plan.examples),
    }


async def _imported(store: Store, asked: _Asked) -> ImportJob:
    claimant = f"command line {secrets.token_hex(8)}"
    receiving, running = ReceiveImport(store, new_id), RunImports(store, claimant)
    counted = _Counting()
    with rejecting(asked.rejected) as write:
        with opened(asked.file) as source:
            body = counted.lines(async_pieces(source))
            job = await receiving.receive(asked.bot_id, asked.request, body, claimant)
        job = await _gone_on(receiving, running, job, counted.count)
        if asked.rejected:
            async for piece in rejected_csv(store, job):
                write(piece)
    return job


async def _gone_on(
    receiving: ReceiveImport, running: RunImports, job: ImportJob, lines: int
) -> ImportJob:
    """The job at its end, or the earlier one of the same list that was interrupted."""
    earlier = await receiving.unfinished(job)
    if earlier is not None:
        await receiving.discard(job)
        print(
            f"Going on with import {earlier.import_id} behind row {earlier.rows}.", file=sys.stderr
        )
        job = earlier
    with Bar("Importing", lines) as bar:
        return await _to_the_end(receiving.store, running, job, bar, mine=earlier is None)


async def _to_the_end(
    store: Store, running: RunImports, job: ImportJob, bar: Bar, *, mine: bool
) -> ImportJob:
    """Works on the job, or looks on while a running service does."""
    bar.reach(job.rows)
    while not job.is_over:
        leased = job if mine else await running.lease(job)
        mine = False
        if leased is not None:
            try:
                return await running.run(leased, lambda now: bar.reach(now.rows))
            except Conflict:
                pass
        await asyncio.sleep(_LOOK)
        found = await store.imported(job.bot_id, job.import_id)
        if found is None:
            raise Conflict("The import is not there any more.")
        job = found
        bar.reach(job.rows)
    return job


async def _undone(store: Store, bot_id: str, import_id: str) -> ImportJob:
    claimant = f"command line {secrets.token_hex(8)}"
    asked = ImportRequest(source=_SOURCE, actor=_SOURCE)
    undo = await ReceiveImport(store, new_id).undo(bot_id, import_id, asked)
    taken = await store.imported(bot_id, import_id)
    with Bar("Undoing", taken.rows if taken else 0) as bar:
        return await _to_the_end(store, RunImports(store, claimant), undo, bar, mine=False)


class _Counting:
    """Counts lines on their way, so that the bar knows how long it is."""

    def __init__(self) -> None:
        self.count = 0

    async def lines(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same body."""
        async for data in body:
            self.count += data.count(b"\n")
            yield data


def _tell(job: ImportJob, as_json: bool) -> None:
    if as_json:
        print_json(job_told(job))
        return
    print(f"Import {job.import_id}: {job.state}, {job.rows} rows.")
    _print_counts(job.counts)
    if not job.of:
        print(f"To take it back: optin import --bot {job.bot_id} --undo {job.import_id}")


_WORDS = {
    "recorded": "changed what is known",
    "ignored": "recorded, and changed nothing",
    "outweighed": "opt-ins of people who stay opted out",
    "lifted": "opt-ins that lifted an opt-out",
    "rejected": "rejected",
    "new": "of people who are not known yet",
    "changed": "would change what is known",
    "unchanged": "would change nothing",
    "would_revive": "opt-ins of people who would stay opted out",
    "lifts_opt_out": "opt-ins that would lift an opt-out",
    "invalid": "would be rejected",
    "opt_in": "opt-outs of the import lifted again",
    "opt_out": "opt-ins of the import taken back",
    "left": "left as they are: look at them yourself",
}


def _print_counts(counts: Mapping[str, int]) -> None:
    for outcome, count in counts.items():
        print(f"{count:>10}  {_WORDS.get(outcome, outcome)}")


def _print_plan(told: Mapping[str, Any]) -> None:
    shape = told["shape"]
    columns = ", ".join(f"{name} as {field}" for field, name in shape.get("columns", {}).items())
    print(f"{shape['format']}, {shape['encoding']}{'; ' + columns if columns else ''}")
    print(f"{told['rows']} rows. Nothing was written.")
    _print_counts(told["counts"])
    for outcome, rows in told["examples"].items():
        print(f"{_WORDS.get(outcome, outcome)}, for example:")
        for row in rows[:3]:
            who, why = row.get("identity", ""), row.get("details", "")
            print(f"    line {row['line']}: {who} {why}".rstrip())
