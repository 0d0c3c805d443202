"""The webhooks of the simulated WhatsApp, in Meta's shapes (SPEC 5, 8). Times are UTC µs, of which
Meta's time stamps keep the seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.domain.identities import is_bsuid
from optin.domain.outbox import OutboxMessage


def phone_number_id(bot: Bot) -> str:
    """The business number that the bot's sandbox webhooks name: `meta.phone_number_id`, or the bot
    id while that is not set."""
    return bot.value("meta.phone_number_id") or bot.bot_id


def status_report(
    bot: Bot,
    message: OutboxMessage,
    upstream_id: str,
    status: str,
    at: int,
    error: Mapping[str, Any] | None = None,
) -> bytes:
    """A webhook body with one status of `message`; `error` belongs to `failed`."""
    recipient = "recipient_user_id" if is_bsuid(message.identity) else "recipient_id"
    report: dict[str, Any] = {
        "id": upstream_id,
        "status": status,
        "timestamp": str(at // SECOND),
        recipient: message.identity,
        "biz_opaque_callback_data": message.message_id,
    }
    if error is not None:
        report["errors"] = [error]
    return _webhook(bot, "messages", {"statuses": [report]})


def customer_message(bot: Bot, sender: str, text: str, at: int, wamid: str) -> bytes:
    """A webhook body in which `sender`, an identity, writes `text` to the bot."""
    written = {
        "from_user_id" if is_bsuid(sender) else "from": sender,
        "id": wamid,
        "timestamp": str(at // SECOND),
        "type": "text",
        "text": {"body": text},
    }
    return _webhook(bot, "messages", {"contacts": [_contact(sender)], "messages": [written]})


def customer_call(bot: Bot, caller: str, at: int, call_id: str) -> bytes:
    """A webhook body in which `caller` rings the bot, which opens a session (R9)."""
    ringing = {
        "from_user_id" if is_bsuid(caller) else "from": caller,
        "id": call_id,
        "event": "connect",
        "direction": "USER_INITIATED",
        "timestamp": str(at // SECOND),
    }
    return _webhook(bot, "calls", {"contacts": [_contact(caller)], "calls": [ringing]})


def marketing_preference(bot: Bot, sender: str, value: str, at: int) -> bytes:
    """A webhook body in which `sender` uses WhatsApp's own control: `stop` or `resume` (R8)."""
    chosen = {
        "user_id" if is_bsuid(sender) else "wa_id": sender,
        "detail": f"User requested to {value} marketing messages",
        "category": "marketing_messages",
        "value": value,
        "timestamp": at // SECOND,
    }
    content = {"contacts": [_contact(sender)], "user_preferences": [chosen]}
    return _webhook(bot, "user_preferences", content)


def _contact(sender: str) -> dict[str, Any]:
    named = "user_id" if is_bsuid(sender) else "wa_id"
    return {"profile": {"name": "Customer"}, named: sender}


def _webhook(bot: Bot, field: str, content: Mapping[str, Any]) -> bytes:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": phone_number_id(bot)},
        **content,
    }
    entry = {"id": "SANDBOX", "changes": [{"field": field, "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
