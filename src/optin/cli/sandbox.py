"""`optin sandbox`: play the customer of a bot on the sandbox."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import click

from optin.cli.options import BOT, DATABASE, JSON, with_store
from optin.cli.output import print_json
from optin.domain.bots import Bot
from optin.domain.errors import InvalidInput, StartupError
from optin.domain.identities import parse_identity, shown
from optin.upstreams.meta_webhook import sign
from optin.upstreams.sandbox_webhooks import customer_call, customer_message, marketing_preference
from optin.usecases.manage_bots import ManageBots
from optin.wiring.making import manage_bots

_SECONDS = 10
_IN_FORCE = 1.0  # seconds until every process knows a changed setting (SPEC 8)
_BLOCKED_BY = "sandbox.blocked_by"

#: (bot, identity, UTC µs now, a fresh id) -> the body that WhatsApp would post.
_Body = Callable[[Bot, str, int, str], bytes]

_FROM = click.option("--from", "sender", metavar="NUMBER", required=True, help="Who does it.")
_URL = click.option(
    "--url",
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="Where the service listens.",
)


def _customer(command: Callable[..., None]) -> Callable[..., None]:
    """The options of everything that a customer does and WhatsApp posts."""
    return BOT(_FROM(_URL(DATABASE(JSON(command)))))


@click.group()
def sandbox() -> None:
    """Play the customer of a bot on the simulated WhatsApp."""


@sandbox.command()
@_customer
@click.argument("text")
def say(text: str, **given: Any) -> None:
    """Write TEXT to the bot as a customer: a signed webhook, as WhatsApp would send it."""

    def body(bot: Bot, sender: str, now: int, fresh: str) -> bytes:
        return customer_message(bot, sender, text, now, fresh)

    _post_as(given, f"wrote to {{bot}}: {text}", body)


@sandbox.command()
@_customer
def call(**given: Any) -> None:
    """Ring the bot as a customer, which opens a session as a message does."""
    _post_as(given, "called {bot}", customer_call)


@sandbox.command("stop-marketing")
@_customer
def stop_marketing(**given: Any) -> None:
    """Stop marketing messages in WhatsApp's own settings, as a customer."""
    _post_as(given, "stopped marketing of {bot}", _choosing("stop"))


@sandbox.command("resume-marketing")
@_customer
def resume_marketing(**given: Any) -> None:
    """Resume marketing messages in WhatsApp's own settings, as a customer."""
    _post_as(given, "resumed marketing of {bot}", _choosing("resume"))


@sandbox.command()
@BOT
@_FROM
@DATABASE
@JSON
def block(bot_id: str, sender: str, database: str | None, as_json: bool) -> None:
    """Block the bot as a customer: its messages are accepted and never delivered."""
    _set_blocked(bot_id, sender, database, as_json, blocked=True)


@sandbox.command()
@BOT
@_FROM
@DATABASE
@JSON
def unblock(bot_id: str, sender: str, database: str | None, as_json: bool) -> None:
    """Unblock the bot as a customer."""
    _set_blocked(bot_id, sender, database, as_json, blocked=False)


def _choosing(value: str) -> _Body:
    return lambda bot, who, now, _: marketing_preference(bot, who, value, now)


def _post_as(given: dict[str, Any], told: str, body_of: _Body) -> None:
    """Posts what the customer does to the service, and says that it did."""
    bot_id, identity = given["bot_id"], parse_identity(given["sender"])
    bot = with_store(given["database"], lambda store: _with_secret(manage_bots(store), bot_id))
    # WhatsApp's times are whole seconds, and of two things in one the stricter counts as the later.
    time.sleep(1 - time.time() % 1)
    fresh = "wamid.SANDBOX" + secrets.token_hex(12).upper()
    body = body_of(bot, identity, time.time_ns() // 1000, fresh)
    url = f"{given['url'].rstrip('/')}/webhooks/meta/{bot_id}"
    _post(url, body, bot.value("meta.app_secret"))
    if given["as_json"]:
        print_json({"bot": bot_id, "from": shown(identity), "message_id": fresh})
    else:
        print(f"{shown(identity)} {told.replace('{bot}', bot_id, 1)}")


def _set_blocked(
    bot_id: str, sender: str, database: str | None, as_json: bool, *, blocked: bool
) -> None:
    identity = parse_identity(sender)

    async def change(bots: ManageBots) -> None:
        bot = await _on_sandbox(bots, bot_id)
        others = [each for each in bot.value(_BLOCKED_BY).split(",") if each not in ("", identity)]
        await bots.change(bot_id, {_BLOCKED_BY: ",".join([*others, *[identity] * blocked])})

    with_store(database, lambda store: change(manage_bots(store)))
    time.sleep(_IN_FORCE)
    if as_json:
        print_json({"bot": bot_id, "from": shown(identity), "blocked": blocked})
    else:
        print(f"{shown(identity)} {'blocked' if blocked else 'unblocked'} {bot_id}")


async def _on_sandbox(bots: ManageBots, bot_id: str) -> Bot:
    bot = await bots.bot(bot_id)
    if bot.value("upstream") != "sandbox":
        # The service could not tell it from a real customer's message, and it would be proof.
        raise InvalidInput(f"Bot {bot_id} is not on the sandbox, so nobody may play its customers.")
    return bot


async def _with_secret(bots: ManageBots, bot_id: str) -> Bot:
    """The bot, with an app secret, without which the service believes no webhook (SPEC 5)."""
    before = await _on_sandbox(bots, bot_id)
    bot = await bots.with_app_secret(bot_id)
    if not before.value("meta.app_secret"):
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
            hint = " Is it on the same database?" if answer.code in (401, 404) else ""
            raise StartupError(f"The service at {url} answered {answer.code}.{hint}") from answer
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise StartupError(f"The service at {url} can not be reached: {why}.") from error
