"""`optin forget`: erase a contact (R15)."""

from __future__ import annotations

import click

from optin.cli.options import BOT, DATABASE, JSON, system_user, with_store
from optin.cli.output import print_json, shown_time
from optin.domain.identities import parse_identity
from optin.ports.store import Erased, Store
from optin.usecases.erase import Erase
from optin.wiring.making import new_id


@click.command()
@click.argument("identity", metavar="NUMBER|BSUID")
@BOT
@click.option("--yes", is_flag=True, help="Do not ask first.")
@click.option(
    "--compact",
    is_flag=True,
    help="Rewrite the database afterwards: no remnant stays in its free space. Writers wait.",
)
@DATABASE
@JSON
def forget(
    identity: str, bot_id: str, yes: bool, compact: bool, database: str | None, as_json: bool
) -> None:
    """Erase a contact: their personal data goes, from everywhere and for good.

    What stays is an opt-out under keyed digests, so that an old list revives nobody.
    """
    who = parse_identity(identity)
    if not yes:
        click.confirm(
            f"Erase everything that bot {bot_id} knows of {identity}?", abort=True, err=True
        )

    async def act(store: Store) -> Erased:
        erase = Erase(store, new_id)
        done = await erase.forget(bot_id, who, source="cli", actor=f"cli:{system_user()}")
        if compact:
            await store.compact()
        return done

    done = with_store(database, act)
    if as_json:
        print_json(
            {
                "erased_at": shown_time(done.at),
                "identities": done.identities,
                "entries": done.entries,
                "records": done.records,
            }
        )
    else:
        print(
            f"Erased at {shown_time(done.at)}: {done.identities} identities, {done.entries} entries"
            f" of the ledger emptied, {done.records} other records deleted."
        )
