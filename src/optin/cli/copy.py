"""`optin copy`: move to another database, PostgreSQL mostly."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from optin.cli.list_files import Bar
from optin.cli.options import JSON, settings_for
from optin.cli.output import print_json
from optin.wiring.copying import Copied, copy_database, release


@click.command()
@click.option("--from", "source", metavar="URL", required=True, help="The database that there is.")
@click.option("--to", "target", metavar="URL", help="The one that is to be made; it must be empty.")
@click.option("--key-file", metavar="PATH", help="File of the master key (default SOURCE.key).")
@click.option("--release", "released", is_flag=True, help="Only let the source be used again.")
@JSON
def copy(
    source: str, target: str | None, key_file: str | None, released: bool, as_json: bool
) -> None:
    """Copy a whole database into an empty one, and check both.

    Stop the service before. From the beginning of the copy on no service starts on the source any
    more, and none on the target until the copy is complete. A copy that was interrupted goes on
    where it was when the same command is run again.
    """
    if released == bool(target):
        raise click.UsageError("Give either --to or --release.")
    old = settings_for(database=source, key_file=key_file)
    if not target:
        asyncio.run(release(old))
        _tell_released(old.shown_database, as_json)
        return
    bars = _Bars()
    try:
        done = asyncio.run(copy_database(old, settings_for(database=target), bars.show))
    finally:
        bars.end()
    if as_json:
        print_json(_as_json(done))
    else:
        _tell(done)


class _Bars:
    """A bar for each step, one after another."""

    def __init__(self) -> None:
        self._what = ""
        self._bar: Bar | None = None

    def show(self, what: str, done: int, total: int) -> None:
        """So much of this step is done."""
        if what != self._what:
            self.end()
            self._what = what
            self._bar = Bar(what, total).__enter__()
        if self._bar is not None:
            self._bar.reach(done)

    def end(self) -> None:
        """Leaves the line."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def _tell_released(name: str, as_json: bool) -> None:
    if as_json:
        print_json({"released": name})
    else:
        print(f"{name} can be used again. Never serve its copy beside it.")


def _tell(done: Copied) -> None:
    if done.reports is None:
        print(f"The copy of {done.source} to {done.target} was complete before: nothing is done.")
        return
    rows, told = sum(done.work.rows.values()), _counted(done)
    print(
        f"Copied {done.source} to {done.target}: {rows:,} rows, {sum(done.seconds.values()):.1f} s."
    )
    for table, count in done.work.rows.items():
        if count:
            print(f"{count:>12,}  {table}")
    print(
        f"Both sides are sound and the same: {told['bots']:,} bots, {told['entries']:,} entries, "
        f"{told['identities']:,} identities, {told['heads']:,} chains, every row of every table."
    )
    print(f"Serve {done.target} from now on, with the master key of {done.source}.")


def _counted(done: Copied) -> dict[str, int]:
    reports = done.reports or ()
    return {
        "bots": len(reports),
        "entries": sum(report.entries for report in reports),
        "identities": sum(report.identities for report in reports),
        "heads": sum(len(report.heads) for report in reports),
    }


def _as_json(done: Copied) -> dict[str, Any]:
    ends = {"from": done.source, "to": done.target, "complete": True}
    if done.reports is None:
        return {**ends, "already": True}
    work = done.work
    return {
        **ends,
        "already": False,
        "rows": sum(work.rows.values()),
        "resumed_at": work.resumed,
        "tables": dict(work.rows),
        "sha256": work.digests,
        "verified": _counted(done),
        "seconds": done.seconds,
    }
