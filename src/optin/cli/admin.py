"""`optin admin token`: deployment tokens, for those who run many bots over HTTP (SPEC 6)."""

from __future__ import annotations

import click

from optin.cli.options import DATABASE, JSON, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.domain.bots import Token
from optin.domain.tokens import name_of
from optin.wiring.making import manage_deployment_tokens


@click.group()
def admin() -> None:
    """Manage who may run all bots through `/v1/admin`."""


@admin.group()
def token() -> None:
    """Make, list and revoke deployment tokens."""


@token.command()
@click.option("--name", default="", help="What it is for: its id begins with it.")
@DATABASE
@JSON
def add(name: str, database: str | None, as_json: bool) -> None:
    """Make a deployment token and print it, once."""
    fresh = with_store(
        database, lambda store: manage_deployment_tokens(store).add(name), create=True
    )
    if as_json:
        print_json({"token": fresh.text, **_as_json(fresh.token)})
    else:
        print(f"A deployment token, which is not shown again:\n{fresh.text}")


@token.command("list")
@DATABASE
@JSON
def list_(database: str | None, as_json: bool) -> None:
    """List the deployment tokens, without their text."""
    found = with_store(database, lambda store: manage_deployment_tokens(store).tokens())
    if as_json:
        print_json({"tokens": list(map(_as_json, found))})
    elif found:
        print_table(("TOKEN-ID", "NAME", "CREATED", "REVOKED"), list(map(_columns, found)))
    else:
        print("There are no deployment tokens: `optin admin token add` makes one.")


@token.command()
@click.argument("token_id", metavar="TOKEN-ID")
@DATABASE
@JSON
def revoke(token_id: str, database: str | None, as_json: bool) -> None:
    """Kill one deployment token."""
    with_store(database, lambda store: manage_deployment_tokens(store).revoke(token_id))
    if as_json:
        print_json({"token_id": token_id, "revoked": True})
    else:
        print(f"Deployment token {token_id} is dead, everywhere within a second.")


def _as_json(of: Token) -> dict[str, object]:
    return {
        "token_id": of.token_id,
        "name": name_of(of),
        "created": shown_time(of.created),
        "revoked": shown_time(of.revoked),
    }


def _columns(of: Token) -> tuple[str, ...]:
    shown = _as_json(of).values()
    return tuple(str(value) if value else "-" for value in shown)
