"""`optin filter`: a list in, the rows of those who may be messaged now out."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from optin.cli.list_files import (
    FILE,
    Bar,
    list_options,
    opened,
    pieces,
    reading_options,
    rejecting,
    size_of,
)
from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.domain.messages import Category
from optin.ports.store import Store
from optin.usecases.filter_list import ALLOWED, FilterList

_CATEGORIES = click.Choice([category.value for category in Category])


@click.command(name="filter")
@FILE
@BOT
@click.option("--category", type=_CATEGORIES, help="Of the message (default utility).")
@reading_options
@click.option("--rejected", metavar="FILE", help="Write the other rows there, with the reason.")
@DATABASE
@JSON
def filter_list(
    bot_id: str,
    file: str,
    category: str | None,
    rejected: str | None,
    database: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Write the rows of those whom the bot may message now to standard output, unchanged.

    FILE is a CSV or JSON Lines file with a column of phone numbers, - is standard input. Counts go
    to standard error. Writes nothing to the database.
    """
    options = list_options(given["form"], given["encoding"], given["delimiter"], given["mapping"])
    asked = Category(category or Category.UTILITY)
    bar = Bar("Filtering", size_of(file))

    async def run(store: Store) -> FilterList:
        with rejecting(rejected) as refused, opened(file) as source, bar:
            work = FilterList(store, bot_id, asked, options, sys.stdout.buffer.write, refused)
            await work.run(pieces(source, bar.add))
        sys.stdout.buffer.flush()
        return work

    _tell(with_store(database, run), asked, as_json)


def _tell(done: FilterList, category: Category, as_json: bool) -> None:
    """Standard output has the list: everything else goes beside it."""
    counts = done.counts
    allowed, total = counts[ALLOWED], sum(counts.values())
    if as_json:
        told = {"rows": total, "allowed": allowed, "category": category.value}
        refused = {reason: n for reason, n in counts.items() if reason != ALLOWED}
        print(json.dumps({**told, "refused": refused}), file=sys.stderr)
        return
    print(f"{allowed} of {total} rows may be messaged now ({category.value}).", file=sys.stderr)
    for reason, count in counts.most_common():
        if reason != ALLOWED:
            print(f"{count:>10}  {reason}", file=sys.stderr)
