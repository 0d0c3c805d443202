"""`optin bot`: bots and their settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

from optin.cli.bot_token import token
from optin.cli.options import DATABASE, JSON, checked_id, with_backlog, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.cli.setting_values import read_values
from optin.domain.bots import SECRETS, SETTINGS, Bot, checked_settings
from optin.domain.completeness import missing
from optin.domain.errors import InvalidInput
from optin.ports.backlog import HeldUp
from optin.ports.store import Store
from optin.wiring.making import manage_bots

NOTHING_MORE: Mapping[str, Any] = MappingProxyType({})
_ID = click.argument("bot_id", metavar="ID", callback=checked_id)
_SET = click.option(
    "--set",
    "given",
    metavar="KEY=VALUE",
    multiple=True,
    help="A setting; KEY=@FILE reads its value from a file, KEY=- from standard input.",
)


@click.group()
def bot() -> None:
    """Add bots, change their settings and tokens."""


bot.add_command(token)


@bot.command()
@_ID
@click.option("--region", help="Region the bot lives in; the same as --set region=...")
@click.option("--name", help="Name for people; the same as --set name=...")
@_SET
@DATABASE
@JSON
def add(
    bot_id: str,
    region: str | None,
    name: str | None,
    given: tuple[str, ...],
    database: str | None,
    as_json: bool,
) -> None:
    """Add a bot and print its token, once."""
    named = {k: v for k, v in (("region", region), ("name", name)) if v is not None}
    settings = checked_settings({**named, **read_values(given)})
    made, fresh = with_store(
        database, lambda store: manage_bots(store).add(bot_id, settings), create=True
    )
    if as_json:
        print_json({**_brief(made), "token": fresh.text, "token_id": fresh.token.token_id})
    else:
        print(f"Bot {made.bot_id} is there. Its token, which is not shown again:\n{fresh.text}")
    _warn_of_missing(made)


@bot.command("list")
@DATABASE
@JSON
def list_(database: str | None, as_json: bool) -> None:
    """List all bots."""
    found = [_brief(each) for each in with_store(database, lambda s: manage_bots(s).bots())]
    if as_json:
        print_json({"bots": found})
    elif found:
        print_table(("ID", "REGION", "UPSTREAM", "NAME"), [_columns(each) for each in found])
    else:
        print("There are no bots yet: `optin bot add ID` adds one.")


@bot.command()
@_ID
@DATABASE
@JSON
def show(bot_id: str, database: str | None, as_json: bool) -> None:
    """Show a bot's settings, and its messages that wait; of secrets, only whether they are set."""
    found = with_store(database, lambda store: manage_bots(store).bot(bot_id))
    waiting = with_backlog(database, lambda backlog: backlog.held_up(bot_id))
    lacking = missing(found)
    more = {"missing": list(lacking), "waiting": list(map(_waiting_json, waiting))}
    _print_settings(found, as_json, more)
    if lacking and not as_json:
        print()
        print_table(("MISSING", "UNTIL IT IS SET"), list(lacking.items()))
    if waiting and not as_json:
        print()
        print_table(("WAITING", "SINCE", "NEXT TRY", "LAST TRY"), list(map(_waiting, waiting)))


@bot.command("set")
@_ID
@click.argument("values", metavar="[KEY=VALUE]...", nargs=-1)
@_SET
@DATABASE
@JSON
def set_(
    bot_id: str,
    values: tuple[str, ...],
    given: tuple[str, ...],
    database: str | None,
    as_json: bool,
) -> None:
    """Change settings; KEY= takes one back to its default."""
    changes = read_values((*values, *given))
    if not changes:
        raise InvalidInput("Name at least one setting, as KEY=VALUE.")

    async def change(store: Store) -> tuple[Bot, bool]:
        changed = await manage_bots(store).change(bot_id, changes)
        return changed, bool(await store.webhooks(bot_id, b"", 1, noted=True))

    changed, kept = with_store(database, change)
    if as_json:
        _print_settings(changed, as_json)
    else:
        print(f"Bot {bot_id}: {', '.join(changes)} changed.")
    _warn_of_missing(changed)
    if kept and changes.get("meta.phone_number_id"):
        again = f"optin webhooks replay --bot {bot_id}"
        print(f"Webhooks were kept without effect: '{again}' takes them in.", file=sys.stderr)


@bot.command()
@_ID
@click.option("--yes", is_flag=True, help="Do not ask.")
@DATABASE
@JSON
def remove(bot_id: str, yes: bool, database: str | None, as_json: bool) -> None:
    """End a bot for good: its id can not be used again. Its ledger stays as proof."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"End bot {bot_id} for good?", abort=True, err=True)
    with_store(database, lambda store: manage_bots(store).remove(bot_id))
    if as_json:
        print_json({"id": bot_id, "removed": True})
    else:
        print(f"Bot {bot_id} is ended; its tokens are dead.")


def _warn_of_missing(of: Bot) -> None:
    for key, until in missing(of).items():
        print(f"Bot {of.bot_id} has no {key}: until it is set, {until}.", file=sys.stderr)


def _brief(each: Bot) -> dict[str, str]:
    names = ("region", "name", "upstream")
    return {"id": each.bot_id, **{name: each.value(name) for name in names}}


def _columns(brief: dict[str, str]) -> tuple[str, ...]:
    return (brief["id"], brief["region"] or "-", brief["upstream"], brief["name"])


def _waiting(held: HeldUp) -> tuple[str, ...]:
    times = (shown_time(held.oldest) or "", shown_time(held.next_try) or "")
    return (str(held.messages), *times, held.details or "-")


def _waiting_json(held: HeldUp) -> dict[str, Any]:
    return {
        "messages": held.messages,
        "oldest": shown_time(held.oldest),
        "next_try": shown_time(held.next_try),
        "last_try": held.details,
    }


def _print_settings(of: Bot, as_json: bool, more: Mapping[str, Any] = NOTHING_MORE) -> None:
    shown = {key: _shown(of, key) for key in SETTINGS}
    if as_json:
        print_json({**_brief(of), "settings": shown, **more})
    else:
        print_table(("SETTING", "VALUE"), list(shown.items()))


def _shown(of: Bot, key: str) -> str:
    """The setting's value as it may be seen."""
    if key in SECRETS:
        return "set" if of.value(key) else ""
    return of.value(key)
