"""`optin callbacks`: what the business's receivers were told, or could not be (SPEC 4)."""

from __future__ import annotations

from typing import Any

import click

from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.domain.errors import InvalidInput
from optin.ports.store import Callback, CallbackStage
from optin.usecases.replay_callbacks import PAGE, Page, ReplayCallbacks


@click.group()
def callbacks() -> None:
    """Look at a bot's callbacks and replay them.

    Those that are done, or were given up, are kept for a week.
    """


@callbacks.command("list")
@BOT
@click.option("--stage", type=click.Choice([each.value for each in CallbackStage]))
@click.option("--after", default="", metavar="CURSOR", help="Begin behind this callback.")
@click.option("--limit", default=PAGE, show_default=True, help="How many at most.")
@DATABASE
@JSON
def list_(
    bot_id: str, stage: str | None, after: str, limit: int, database: str | None, as_json: bool
) -> None:
    """List callbacks, oldest first."""
    only = None if stage is None else CallbackStage(stage)
    page = with_store(
        database, lambda store: ReplayCallbacks(store).page(bot_id, after, limit, only)
    )
    if as_json:
        rows = [_as_json(each) for each in page.callbacks]
        print_json({"callbacks": rows, "next": page.following or None})
    else:
        _print(page, bot_id)


@callbacks.command()
@BOT
@click.option(
    "--from", "cursor", metavar="CURSOR", help='All behind this callback; "" for all there are.'
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@DATABASE
@JSON
def replay(
    bot_id: str, cursor: str | None, ids: tuple[str, ...], database: str | None, as_json: bool
) -> None:
    """Post callbacks again, with all their tries: those named, or all behind a cursor."""
    if (cursor is None) == (not ids):
        raise InvalidInput("Name callbacks by their ids, or give --from CURSOR.")
    count = with_store(
        database,
        lambda store: (
            ReplayCallbacks(store).replay(bot_id, ids)
            if cursor is None
            else ReplayCallbacks(store).replay_from(bot_id, cursor)
        ),
    )
    if as_json:
        print_json({"replayed": count})
    else:
        print(f"{count} callbacks are owed again; a running service posts them.")


def _print(page: Page, bot_id: str) -> None:
    if not page.callbacks:
        print(f"Bot {bot_id} has no such callbacks.")
        return
    head = ("ID", "CREATED", "KIND", "STAGE", "TRIES", "RECEIVER", "OUTCOME")
    print_table(head, [_columns(each) for each in page.callbacks])
    if page.following:
        print(f"There are more: --after {page.following}")


def _columns(each: Callback) -> tuple[str, ...]:
    when, tries = shown_time(each.created) or "", str(each.attempts)
    return (
        each.callback_id,
        when,
        each.kind,
        each.stage,
        tries,
        each.receiver,
        each.outcome,
    )


def _as_json(each: Callback) -> dict[str, Any]:
    """All but headers and body, which may speak of a person."""
    return {
        "id": each.callback_id,
        "kind": each.kind,
        "stage": each.stage,
        "url": each.url,
        "created": shown_time(each.created),
        "due": shown_time(each.due) if each.stage is CallbackStage.WAITING else None,
        "attempts": each.attempts,
        "outcome": each.outcome,
        "size": each.size,
    }
