"""`optin webhooks`: the provider's kept webhooks (SPEC 5)."""

from __future__ import annotations

import click

from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json
from optin.ports.store import Store
from optin.upstreams import meta_webhook, sinch_webhook
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.replay_webhooks import Replayed, ReplayWebhooks


@click.group()
def webhooks() -> None:
    """Take in kept webhooks again.

    What was not understood is always kept; everything else as long as the bot's setting
    keep_webhooks_days says.
    """


@webhooks.command()
@BOT
@click.option("--all", "whole", is_flag=True, help="Those that were understood, too.")
@DATABASE
@JSON
def replay(bot_id: str, whole: bool, database: str | None, as_json: bool) -> None:
    """Parse kept webhooks again, as after an update that understands more.

    What was taken in before changes nothing. Nothing is relayed to the bot's forward_url.
    """

    async def again(store: Store) -> Replayed:
        meta = ReceiveInbound(store, meta_webhook.parse, meta_webhook.valid_signature)
        sinch = ReceiveInbound(
            store,
            sinch_webhook.parse,
            sinch_webhook.SignatureCheck(),
            source="webhook:sinch",
            secret="sinch.webhook_secret",
            number="sinch.app_id",
        )
        sources = {each.source: each.take_in_again for each in (meta, sinch)}
        return await ReplayWebhooks(store, sources)(bot_id, noted=not whole)

    done = with_store(database, again)
    if as_json:
        print_json(
            {
                "replayed": done.replayed,
                "not_understood": done.not_understood,
                "skipped": done.skipped,
            }
        )
    else:
        print(f"{done.replayed} taken in again; {done.not_understood} still not understood.")
        if done.skipped:
            print(f"{done.skipped} of another source were left out.")
