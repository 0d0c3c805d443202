"""`optin template`: the records that say which category a template is of (H9)."""

from __future__ import annotations

from typing import Any

import click

from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.ports.store import Store, Template
from optin.usecases.manage_templates import ManageTemplates
from optin.usecases.sync_templates import Synced
from optin.wiring.asking import sync_templates


@click.group()
def template() -> None:
    """List, set and sync a bot's template records.

    A template without a record is treated as marketing.
    """


@template.command("list")
@BOT
@DATABASE
@JSON
def list_(bot_id: str, database: str | None, as_json: bool) -> None:
    """List the template records of a bot."""
    found = with_store(database, lambda store: ManageTemplates(store).templates(bot_id))
    if as_json:
        print_json({"templates": list(map(_as_json, found))})
    elif found:
        rows = [(t.name, t.language, t.category or "unknown", t.status) for t in found]
        print_table(("NAME", "LANGUAGE", "CATEGORY", "STATUS"), rows)
    else:
        print(f"Bot {bot_id} has no template records: all its templates are taken as marketing.")


@template.command("set")
@BOT
@click.argument("name")
@click.argument("language")
@click.argument("category", metavar="marketing|utility|authentication")
@click.option("--status", default="", help="What the provider says of it, such as APPROVED.")
@DATABASE
@JSON
def set_(
    bot_id: str,
    name: str,
    language: str,
    category: str,
    status: str,
    database: str | None,
    as_json: bool,
) -> None:
    """Add or replace the record of one template."""
    stored = with_store(
        database,
        lambda store: ManageTemplates(store).put(bot_id, name, language, category, status),
    )
    if as_json:
        print_json(_as_json(stored))
    else:
        print(f"{stored.name} ({stored.language}) is {stored.category}.")


@template.command()
@BOT
@DATABASE
@JSON
def sync(bot_id: str, database: str | None, as_json: bool) -> None:
    """Take over what the provider's list of templates says.

    `optin serve` does so by itself every ten minutes.
    """
    found = with_store(database, lambda store: _synced(store, bot_id))
    if as_json:
        changed = list(map(_as_json, found.changed))
        unheard = [
            {"name": t.name, "language": t.language, "not_understood": list(words)}
            for t, words in found.unheard
        ]
        told = {"bot": bot_id, "listed": found.listed, "changed": changed, "unheard": unheard}
        print_json(told)
        return
    if found.changed:
        rows = [(t.name, t.language, t.category or "unknown", t.status) for t in found.changed]
        print_table(("NAME", "LANGUAGE", "CATEGORY", "STATUS"), rows)
    print(f"{found.listed} templates are listed; {len(found.changed)} records changed.")
    for t, words in found.unheard:
        print(f"{t.name} ({t.language}) promises a stop for: {', '.join(words)}. The bot does not")
        print("understand that: see optin review list and the settings languages and stop_words.")


async def _synced(store: Store, bot_id: str) -> Synced:
    syncing = sync_templates(store)
    try:
        return await syncing.sync(bot_id)
    finally:
        await syncing.close()


def _as_json(record: Template) -> dict[str, Any]:
    return {
        "name": record.name,
        "language": record.language,
        "category": record.category,
        "status": record.status,
        "updated": shown_time(record.updated),
        "components": [{"type": part, "text": text} for part, text in record.components],
    }
