"""`optin migrate`."""

from __future__ import annotations

import asyncio

import click

from optin.cli.options import DATABASE, JSON, settings_for
from optin.cli.output import print_json
from optin.wiring.opening import migrate_store


@click.command()
@DATABASE
@JSON
def migrate(database: str | None, as_json: bool) -> None:
    """Make the database, or bring it to the schema of this version."""
    settings = settings_for(database=database)
    before, now = asyncio.run(migrate_store(settings))
    if as_json:
        print_json({"database": settings.shown_database, "before": before, "now": now})
    elif before == now:
        print(f"{settings.shown_database} is up to date (schema {now}).")
    else:
        print(f"{settings.shown_database} is now at schema {now} (it was at {before}).")
