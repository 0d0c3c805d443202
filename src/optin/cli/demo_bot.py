"""What the demonstration finds in its database: a bot, two templates, some contacts."""

from __future__ import annotations

import secrets
from typing import Any

from optin.domain.errors import StartupError
from optin.ports.store import Store
from optin.usecases.manage_bots import ManageBots
from optin.usecases.manage_templates import ManageTemplates
from optin.usecases.read_contact import ReadContact, Standing
from optin.usecases.record_consent import Caller, RecordConsent
from optin.wiring.making import manage_bots, new_id

BOT = "demo"
UTILITY = ("order_ready", "en")
MARKETING = ("spring_sale", "en")

# From the block that Sweden's regulator keeps for books and films, so nobody's number.
CUSTOMER = "46701740605"
STRANGER = "46701740606"
_CONTACTS = ("46701740607", "46701740608", "46701740609")

# Tokens of earlier runs are told by it; other tokens of the bot are left alone.
_LABEL = "demo-"


async def prepare(store: Store) -> str:
    """Makes what is missing; returns a token for this run. The last run's is dead from now on.

    Raises `StartupError` if the database has a bot of this name that is no demonstration.
    """
    bots = manage_bots(store)
    bot = await store.bot(BOT)
    if bot is None:
        _, fresh = await bots.add(BOT, _settings(), _LABEL)
    elif bot.value("upstream") != "sandbox":
        raise StartupError(f"The database has a bot {BOT!r} that is not on the sandbox.")
    else:
        await _revoke_earlier(bots)
        fresh = await bots.add_token(BOT, label=_LABEL)
    await _put_templates(store)
    await _put_contacts(store)
    return fresh.text


def _settings() -> dict[str, str]:
    return {
        "name": "Demonstration",
        "upstream": "sandbox",
        "meta.phone_number_id": "100000000000001",
        "meta.app_secret": secrets.token_hex(32),
        "meta.verify_token": secrets.token_hex(16),
    }


async def _revoke_earlier(bots: ManageBots) -> None:
    for token in await bots.tokens(BOT):
        if token.token_id.startswith(_LABEL) and token.revoked is None:
            await bots.revoke(BOT, token.token_id)


async def _put_templates(store: Store) -> None:
    templates = ManageTemplates(store)
    await templates.put(BOT, *UTILITY, "utility", "APPROVED")
    await templates.put(BOT, *MARKETING, "marketing", "APPROVED")


async def _put_contacts(store: Store) -> None:
    """A contact who takes everything, one who wants no marketing, one who opted out."""
    known = await ReadContact(store).read(BOT, _CONTACTS[0])
    if known.standing is not Standing.UNKNOWN:
        return
    caller = Caller(actor="demo", source="cli", context={})
    await RecordConsent(store, new_id).record(BOT, _items(), caller)


def _items() -> list[dict[str, Any]]:
    wording = "Yes, send me news and offers on WhatsApp."
    form = {"channel": "web_form", "page": "https://shop.example/checkout", "wording": wording}
    till = {"channel": "in_person", "place": "the shop's till"}
    everything, no_marketing, nothing = _CONTACTS
    return [
        {"identity": everything, "action": "opt_in", "evidence": form},
        {"identity": no_marketing, "action": "opt_in", "categories": ["utility"], "evidence": till},
        {"identity": nothing, "action": "opt_in", "evidence": till},
        {"identity": nothing, "action": "opt_out", "evidence": {"channel": "e-mail"}},
    ]
