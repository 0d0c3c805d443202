"""`optin bot token`: make, list and revoke a bot's tokens, and rotate those of many (H4)."""

from __future__ import annotations

from typing import Any

import click

from optin.cli.bot_rotate import rotate
from optin.cli.options import DATABASE, JSON, checked_id, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.cli.token_rows import scopes_in, token_json
from optin.domain.bots import SCOPES, Token
from optin.wiring.making import manage_bots


class _Token(click.Command):
    """One bot's, named first; but `rotate` is for many (a bot of that name is named last)."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **more: Any,
    ) -> click.Context:
        """That of `rotate`, if it is called."""
        if args[:1] == ["rotate"]:
            return rotate.make_context(f"{info_name} rotate", args[1:], parent, **more)
        return super().make_context(info_name, args, parent, **more)


@click.command(cls=_Token)
@click.argument("bot_id", metavar="ID", callback=checked_id)
@click.option("--scopes", metavar="LIST", help=f"What a new one may do (all: {','.join(SCOPES)}).")
@click.option("--list", "listing", is_flag=True, help="List the tokens, without their text.")
@click.option("--revoke", metavar="TOKEN-ID", help="Kill one token.")
@DATABASE
@JSON
def token(
    bot_id: str,
    scopes: str | None,
    listing: bool,
    revoke: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Make a new token and print it, once; or list or revoke tokens.

    `optin bot token rotate` gives many bots new tokens: see its --help.
    """
    if (scopes is not None) + listing + (revoke is not None) > 1:
        raise click.UsageError("--scopes, --list and --revoke can not be combined.")
    if revoke is not None:
        _revoke(database, bot_id, revoke, as_json)
    elif listing:
        _list(database, bot_id, as_json)
    else:
        _make(database, bot_id, scopes, as_json)


def _make(database: str | None, bot_id: str, scopes: str | None, as_json: bool) -> None:
    named = SCOPES if scopes is None else [scope.strip() for scope in scopes.split(",")]
    fresh = with_store(database, lambda store: manage_bots(store).add_token(bot_id, named))
    if as_json:
        print_json({"token": fresh.text, **token_json(fresh.token)})
    else:
        print(f"A new token of bot {bot_id}, which is not shown again:\n{fresh.text}")


def _list(database: str | None, bot_id: str, as_json: bool) -> None:
    found = with_store(database, lambda store: manage_bots(store).tokens(bot_id))
    if as_json:
        print_json({"tokens": list(map(token_json, found))})
    else:
        print_table(("TOKEN-ID", "SCOPES", "CREATED", "REVOKED"), list(map(_columns, found)))


def _revoke(database: str | None, bot_id: str, token_id: str, as_json: bool) -> None:
    with_store(database, lambda store: manage_bots(store).revoke(bot_id, token_id))
    if as_json:
        print_json({"token_id": token_id, "revoked": True})
    else:
        print(f"Token {token_id} of bot {bot_id} is dead, everywhere within a second.")


def _columns(of: Token) -> tuple[str, ...]:
    times = (shown_time(of.created), shown_time(of.revoked))
    return (of.token_id, ",".join(scopes_in(of)), *(time or "-" for time in times))
