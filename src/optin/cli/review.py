"""`optin review`: what only a person can decide (R10, R11)."""

from __future__ import annotations

import click

from optin.cli.options import BOT, DATABASE, JSON, system_user, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.domain.identities import shown
from optin.ports.store import Review
from optin.usecases.review import PAGE, Decision, Reviews

_LONGEST_SHOWN = 60


@click.group()
def review() -> None:
    """Look at what may be a stop, and decide.

    Messages that hold a stop word but may mean something else, contacts who claim one number, and
    sudden rises in opt-outs wait here.
    """


@review.command("list")
@BOT
@click.option("--all", "with_decided", is_flag=True, help="Those that are decided, too.")
@click.option("--after", default="", metavar="CURSOR", help="Begin behind this item.")
@click.option("--limit", default=PAGE, show_default=True, help="How many at most.")
@DATABASE
@JSON
def list_(
    bot_id: str, with_decided: bool, after: str, limit: int, database: str | None, as_json: bool
) -> None:
    """List what waits, oldest first."""
    page = with_store(
        database,
        lambda store: Reviews(store).page(bot_id, after, limit, is_open=not with_decided),
    )
    if as_json:
        rows = [_as_json(each) for each in page.items]
        print_json({"reviews": rows, "next": page.following or None})
        return
    if not page.items:
        print(f"Bot {bot_id} has nothing to review.")
        return
    print_table(("ID", "CREATED", "KIND", "WHO", "TEXT", "DECISION"), map(_columns, page.items))
    if page.following:
        print(f"There are more: --after {page.following}")


@review.command()
@BOT
@click.argument("review_id", metavar="ID")
@click.argument("decision", type=click.Choice([each.value for each in Decision]))
@click.option("--note", default="", help="Why; kept as evidence.")
@click.option("--as", "actor", default="", metavar="NAME", help="Who decides (default: you).")
@DATABASE
@JSON
def decide(
    bot_id: str,
    review_id: str,
    decision: str,
    note: str,
    actor: str,
    database: str | None,
    as_json: bool,
) -> None:
    """Decide one item: an opt-out, one of marketing only, or nothing. It can be done once."""
    who = f"cli:{actor or system_user()}"
    decided = with_store(
        database,
        lambda store: Reviews(store).decide(
            bot_id, review_id, decision, actor=who, note=note, source="cli"
        ),
    )
    if as_json:
        print_json(_as_json(decided))
    else:
        print(f"{decided.review_id}: {decided.decision}.")


def _columns(item: Review) -> tuple[str, ...]:
    text = " ".join(item.text.split())
    short = text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
    who = ", ".join(map(shown, item.identities)) or "-"
    when = shown_time(item.created) or ""
    return (item.review_id, when, item.kind, who, short, item.decision or "-")


def _as_json(item: Review) -> dict[str, object]:
    return {
        "id": item.review_id,
        "kind": item.kind,
        "identities": [shown(each) for each in item.identities],
        "text": item.text,
        "created": shown_time(item.created),
        "context": dict(item.context),
        "decision": item.decision or None,
        "decided": shown_time(item.decided) if item.decision else None,
        "decided_by": item.decided_by or None,
        "note": item.note,
    }
