"""`optin reconcile`: compare the provider's own opt-out lists with ours."""

from __future__ import annotations

import click

from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json, print_table, shown_time
from optin.domain.identities import shown
from optin.ports.store import Store
from optin.usecases.reconcile import Compared, Difference
from optin.wiring.asking import reconcile as made


@click.command()
@BOT
@click.option("--apply", is_flag=True, help="Record what is stricter; nothing is ever lifted.")
@DATABASE
@JSON
def reconcile(bot_id: str, apply: bool, database: str | None, as_json: bool) -> None:
    """Show who is on the provider's opt-out lists and not stopped as strictly here.

    Nothing is changed at the provider. Only for bots on sinch, with consent management enabled.
    """
    found = with_store(database, lambda store: _compared(store, bot_id, apply=apply))
    if as_json:
        rows = list(map(_as_json, found.differences))
        counts = {"listed": found.listed, "unreadable": found.unreadable}
        print_json({"bot": bot_id, **counts, "differences": rows})
        return
    if found.differences:
        head = ("NUMBER", "LIST", "SINCE", "HERE", "RECORDED")
        print_table(head, list(map(_columns, found.differences)))
    print(_sum(found))


async def _compared(store: Store, bot_id: str, *, apply: bool) -> Compared:
    reconciling = made(store)
    try:
        return await reconciling.run(bot_id, apply=apply)
    finally:
        await reconciling.close()


def _as_json(each: Difference) -> dict[str, object]:
    return {
        "identity": shown(each.identity),
        "list": each.list_name,
        "since": shown_time(each.since),
        "ours": each.ours.value,
        "kind": each.kind.value,
        "recorded": each.recorded,
        "in_force": each.in_force,
    }


def _columns(each: Difference) -> tuple[str, ...]:
    outweighed = "yes, but what came later here outweighs it"
    recorded = "no" if not each.recorded else "yes" if each.in_force else outweighed
    since = shown_time(each.since) or "-"
    return shown(each.identity), each.list_name, since, each.ours.value, recorded


def _sum(found: Compared) -> str:
    differ, new = found.differences, [each for each in found.differences if not each.recorded]
    text = f"{len(differ)} of {found.listed} entries on the provider's lists differ."
    if found.unreadable:
        text += f" {found.unreadable} name nobody and were left out."
    return f"{text} --apply records {len(new)}." if new else text
