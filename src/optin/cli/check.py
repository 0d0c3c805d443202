"""`optin check`: may this bot message these numbers (R7)."""

from __future__ import annotations

from collections.abc import Sequence

import click

from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.domain.errors import InvalidInput
from optin.domain.message_shapes import canonical_language
from optin.domain.messages import Category
from optin.domain.rfc3339 import parse_time
from optin.ports.store import Store
from optin.usecases.check import Check, CheckRow

_CATEGORIES = click.Choice([category.value for category in Category])


@click.command()
@click.argument("numbers", metavar="NUMBER...", nargs=-1, required=True)
@BOT
@click.option("--category", type=_CATEGORIES, help="Of the message (default utility).")
@click.option("--template", metavar="NAME/LANGUAGE", help="The category of this template's record.")
@click.option("--at", metavar="TIME", help="Ask about a past moment: 2026-04-11T09:30:00Z.")
@DATABASE
@JSON
def check(
    numbers: tuple[str, ...],
    bot_id: str,
    category: str | None,
    template: str | None,
    at: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Say for each number whether the bot may message it now, and why. Writes nothing."""
    if category is not None and template is not None:
        raise click.UsageError("--category and --template can not be combined.")
    asked = Category(category) if category else None
    named = _template(template)
    moment = None if at is None else _moment(at)

    async def rows(store: Store) -> list[CheckRow]:
        ask = Check(store)
        if moment is None:
            return await ask.now(bot_id, numbers, asked, named)
        return await ask.at(bot_id, numbers, asked, named, at=moment)

    _print(with_store(database, rows), as_json)


def _template(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    name, _, language = text.rpartition("/")
    canonical = canonical_language(language)
    if not name or canonical is None:
        raise InvalidInput("--template takes NAME/LANGUAGE, such as order_ready/en.")
    return name, canonical


def _moment(text: str) -> int:
    try:
        return parse_time(text, "at")
    except InvalidInput:
        raise InvalidInput(
            "--at takes a time with its offset, such as 2026-04-11T09:30:00Z.", field="at"
        ) from None


def _print(rows: Sequence[CheckRow], as_json: bool) -> None:
    if as_json:
        print_json({"results": list(map(_as_json, rows))})
    else:
        print_table(("NUMBER", "ALLOWED", "WHY", "UNTIL"), list(map(_columns, rows)))


def _as_json(row: CheckRow) -> dict[str, object]:
    return {
        "identity": row.identity,
        "allowed": row.allowed,
        "reason": row.reason,
        "basis": row.basis,
        "until": shown_time(row.until),
        "enforced": row.enforced,
    }


def _columns(row: CheckRow) -> tuple[str, ...]:
    answer = "yes" if row.allowed else "no" if row.enforced else "no, but passes (enforce)"
    return (str(row.identity), answer, row.basis or row.reason or "", shown_time(row.until) or "-")
