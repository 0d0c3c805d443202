"""`optin export`: everybody, or everything that was recorded, to standard output."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from optin.cli.options import BOT, DATABASE, with_store
from optin.domain.lists.shape import CSV, JSONL
from optin.ports.store import Store
from optin.usecases.export import CONTACTS, EVENTS, Export


@click.command()
@BOT
@click.option(
    "--what",
    type=click.Choice([CONTACTS, EVENTS]),
    default=CONTACTS,
    show_default=True,
    help="Contacts as they stand, or the whole ledger.",
)
@click.option("--format", "form", type=click.Choice([CSV, JSONL]), default=CSV, show_default=True)
@click.option("--output", "-o", metavar="FILE", help="Instead of standard output.")
@DATABASE
def export(bot_id: str, what: str, form: str, output: str | None, database: str | None) -> None:
    """Write all contacts, or all events, as CSV or JSON Lines.

    Cells that a spreadsheet would run as formulas begin with an apostrophe.
    """

    async def run(store: Store) -> None:
        pieces = Export(store, bot_id, what, form).pieces()
        first = await anext(pieces, b"")  # nothing is made for a bot that is not there
        if output is None:
            sys.stdout.buffer.write(first)
            async for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        try:
            out = Path(output).open("wb")  # noqa: SIM115, ASYNC230 - closed below; nobody waits
        except OSError as why:
            raise click.UsageError(f"{output} can not be written: {why.strerror}.") from None
        with out:
            out.write(first)
            async for piece in pieces:
                out.write(piece)

    with_store(database, run)
