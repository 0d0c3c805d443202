"""Options that many commands share, and the settings that they end in."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from optin.domain.bots import checked_bot_id
from optin.ports.backlog import Backlog
from optin.ports.store import Store
from optin.settings import Settings, load_settings
from optin.wiring.opening import open_backlog, opened_store

Result = TypeVar("Result")


def checked_id(_: click.Context, __: click.Parameter, value: str) -> str:
    """Callback of every option and argument that names a bot, before anything is opened."""
    return checked_bot_id(value)


DATABASE = click.option(
    "--database", metavar="URL", help="sqlite:PATH (default sqlite:optin.db) or postgresql://…"
)
BOT = click.option(
    "--bot", "bot_id", metavar="ID", required=True, callback=checked_id, help="The bot's id."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def settings_for(**given: Any) -> Settings:
    """The settings that hold for this command: its own options, OPTIN_*, optin.toml."""
    return load_settings(given, os.environ)


def with_store(
    database: str | None, act: Callable[[Store], Awaitable[Result]], *, create: bool = False
) -> Result:
    """What `act` makes of the store, which is open for just as long."""

    async def run() -> Result:
        async with opened_store(settings_for(database=database), create=create) as store:
            return await act(store)

    return asyncio.run(run())


def with_backlog(database: str | None, look: Callable[[Backlog], Awaitable[Result]]) -> Result:
    """What `look` finds in the queues of a database that is there."""

    async def run() -> Result:
        backlog = open_backlog(settings_for(database=database))
        try:
            return await look(backlog)
        finally:
            await backlog.close()

    return asyncio.run(run())


def system_user() -> str:
    """Who runs the command, as the system knows them: kept as whoever did it (R14)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
