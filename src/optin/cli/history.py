"""`optin history`: what was recorded about one contact (SPEC 8)."""

from __future__ import annotations

from typing import Any

import click

from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json, print_table
from optin.usecases.read_history import ReadHistory
from optin.web.history import (
    LONGEST_PAGE,
    PAGE,
    cursor_in,
    history_json,
    whose,
)

_LONGEST_SHOWN = 60


@click.command()
@click.argument("identity")
@BOT
@click.option("--after", metavar="CURSOR", help="Begin behind the page that ended so.")
@click.option(
    "--limit",
    default=PAGE,
    show_default=True,
    type=click.IntRange(1, LONGEST_PAGE),
    help="How many at most.",
)
@DATABASE
@JSON
def history(
    identity: str, bot_id: str, after: str | None, limit: int, database: str | None, as_json: bool
) -> None:
    """Show what was recorded about a contact, with its evidence: the newest first.

    An erased contact's history has digests, kinds and times only.
    """
    who, before = whose(identity), cursor_in(after)
    found = with_store(
        database, lambda store: ReadHistory(store).page(bot_id, who, before, limit + 1)
    )
    page = history_json(found, limit)
    if as_json:
        print_json(page)
        return
    if not page["events"]:
        print(f"Bot {bot_id} has no entry about {identity}.")
        return
    head = ("RECORDED", "EFFECTIVE", "WHO", "KIND", "SOURCE", "EVIDENCE")
    print_table(head, map(_columns, page["events"]))
    if page["next"]:
        print(f"There are more: --after {page['next']}")


def _columns(event: dict[str, Any]) -> tuple[str, ...]:
    told = ", ".join(f"{name}: {value}" for name, value in event["evidence"].items())
    line = " ".join(told.split())
    short = line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 3] + "..."
    return (
        event["recorded_at"] or "-",
        event["effective_at"] or "-",
        event["identity"],
        event["kind"],
        event["source"],
        short or "-",
    )
