"""`optin sandbox`: play the customer of a bot on the sandbox."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
import urllib.error
import urllib.request

import click

from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json
from optin.domain.bots import Bot
from optin.domain.errors import InvalidInput, StartupError
from optin.domain.identities import parse_identity, shown
from optin.upstreams.sandbox import customer_message, sign
from optin.usecases.manage_bots import ManageBots
from optin.wiring.making import manage_bots

_SECONDS = 10
_IN_FORCE = 1.0  # seconds until every process knows a changed setting (SPEC 8)


@click.group()
def sandbox() -> None:
    """Play the customer of a bot on the simulated WhatsApp."""


@sandbox.command()
@BOT
@click.option("--from", "sender", metavar="NUMBER", required=True, help="Who writes.")
@click.argument("text")
@click.option(
    "--url",
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="Where the service listens.",
)
@DATABASE
@JSON
def say(bot_id: str, sender: str, text: str, url: str, database: str | None, as_json: bool) -> None:
    """Write TEXT to the bot as a customer: a signed webhook, as WhatsApp would send it."""
    identity = parse_identity(sender)
    bot = with_store(database, lambda store: _bot_with_secret(manage_bots(store), bot_id))
    message_id = "wamid.SANDBOX" + secrets.token_hex(12).upper()
    body = customer_message(bot, identity, text, time.time_ns() // 1000, message_id)
    _post(f"{url.rstrip('/')}/webhooks/meta/{bot_id}", body, bot.value("meta.app_secret"))
    if as_json:
        print_json({"bot": bot_id, "from": shown(identity), "message_id": message_id})
    else:
        print(f"{shown(identity)} wrote to {bot_id}: {text}")


async def _bot_with_secret(bots: ManageBots, bot_id: str) -> Bot:
    """The bot, with an app secret, without which the service believes no webhook (SPEC 5)."""
    bot = await bots.bot(bot_id)
    if bot.value("upstream") != "sandbox":
        # The service could not tell it from a real customer's message, and it would be proof.
        raise InvalidInput(f"Bot {bot_id} is not on the sandbox, so nobody may play its customers.")
    if bot.value("meta.app_secret"):
        return bot
    bot = await bots.change(bot_id, {"meta.app_secret": secrets.token_hex(32)})
    print(f"Bot {bot_id} had no meta.app_secret yet; it has one now.", file=sys.stderr)
    await asyncio.sleep(_IN_FORCE)
    return bot


def _post(url: str, body: bytes, secret: str) -> None:
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(secret, body)}
    if not url.startswith(("http://", "https://")):
        raise InvalidInput("--url takes an http or https URL.")
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - checked above
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_SECONDS):
            return
    except urllib.error.HTTPError as answer:
        with answer:
            raise StartupError(f"The service at {url} answered {answer.code}.") from answer
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise StartupError(f"The service at {url} can not be reached: {why}.") from error
