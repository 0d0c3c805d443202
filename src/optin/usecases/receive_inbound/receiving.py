"""A webhook's way in: whose it is, whether it is believed, and then commit by commit (SPEC 5)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from optin.domain.bots import Bot
from optin.domain.callbacks import relayed_headers
from optin.domain.errors import InvalidSignature, NotFound
from optin.domain.inbound import Item, NotUnderstood, Parsed, SignedBy, StatusUpdate
from optin.ports.store import Store
from optin.usecases.receive_inbound.directory import (
    BotList,
    is_about,
    number_named,
    number_of,
    secrets_to_try,
    shares,
)
from optin.usecases.receive_inbound.reports import Recipients
from optin.usecases.receive_inbound.signed_body import Arrival, SignedBody
from optin.usecases.receive_inbound.taking_in import TakeIn

_log = logging.getLogger(__name__)

#: Items in one commit: a huge body must not hold up everybody else's writes.
_AT_ONCE = 500
#: Bodies above this are parsed beside the event loop, bytes.
_LARGE = 128 * 1024

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def _nobody() -> None:
    """Nobody needs to know."""


def _unheard(_: str) -> None:
    """Nobody hears the alarm."""


@dataclass(frozen=True, slots=True)
class ReceiveInbound:
    """One provider's webhook: `parse` and `valid_signature(secret, body, signature)` are its own.

    `source` names it in the ledger. `secret` and `number` are the bot settings that hold its
    secret and the business number, or app, that it must be about. `received` is called after the
    commit, so that the callbacks it owes need not wait for a poll. `alarm` is called with the bot
    id whenever a signed body is about a number that no bot has.
    """

    store: Store
    parse: Callable[[bytes], Parsed]
    valid_signature: Callable[[str, bytes, Any], bool]
    source: str = "webhook:meta"
    secret: str = "meta.app_secret"
    number: str = "meta.phone_number_id"
    received: Callable[[], None] = _nobody
    alarm: Callable[[str], None] = _unheard
    bots: BotList = field(default_factory=BotList)

    async def handshake(self, bot_id: str | None, mode: str, token: str) -> bool:
        """Whether the provider may register this address: it knows the bot's verify token, or,
        without a bot, that of any."""
        if bot_id is None:
            bots: Sequence[Bot | None] = await self.bots.all(self.store)
        else:
            bots = [await self.store.bot(bot_id)]
        given = token.encode("utf-8", "replace")
        known = ["" if bot is None else bot.value("meta.verify_token") for bot in bots]
        same = [hmac.compare_digest(given, each.encode()) and bool(each) for each in known]
        return any(same) and mode == "subscribe"

    async def receive(
        self,
        bot_id: str | None,
        body: bytes,
        signature: str | SignedBy | None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        """Takes in a body from outside; when this returns it is on disk (R13).

        `bot_id`: whose address it came to, None for the address of all. Each change goes to the
        bot whose number it names, if the signature holds under that bot's secret. `headers`: the
        request's, some of which are relayed with it (`forward_url`). Raises `InvalidSignature`,
        also for an unknown bot or one without a secret: nothing was changed. Raises
        `StoreUnavailable`: the provider must send it again.
        """
        bot = await self._signer(bot_id, body, signature)
        if bot is None:
            raise InvalidSignature("The signature is missing or wrong.")
        arrival = Arrival(relayed_headers(headers), await self.store.now())
        try:
            await self._share_out(bot, body, arrival)
        except NotFound:
            raise InvalidSignature("The signature is missing or wrong.") from None

    async def take_in(self, bot_id: str, body: bytes) -> None:
        """Takes in a body that needs no signature, since it never left this program (sandbox)."""
        items = dict(enumerate(await self._parsed(body)))
        await self._take_in(self._body(bot_id, body), items, None)
        self.received()

    async def take_in_again(self, bot_id: str, body: bytes) -> int:
        """Takes in a kept body as if it came now, but that it is not relayed; how many parts of it
        are still not understood. What was taken in before changes nothing."""
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound(f"There is no bot {bot_id}.")
        items = await self._share_out(bot, body, None)
        return sum(isinstance(item, NotUnderstood) for item in items)

    async def _signer(self, bot_id: str | None, body: bytes, signature: Any) -> Bot | None:
        """The bot whose secret signed the body; if several have that secret, one of them."""
        if bot_id is not None:
            bot = await self.store.bot(bot_id)
            secret = "" if bot is None else bot.value(self.secret)
            return bot if secret and self.valid_signature(secret, body, signature) else None
        bots = await self.bots.all(self.store)

        def search() -> str | None:
            likely = secrets_to_try(bots, self.secret, body)
            return next((s for s in likely if self.valid_signature(s, body, signature)), None)

        found = await asyncio.to_thread(search) if len(body) > _LARGE else search()
        return next((bot for bot in bots if found and bot.value(self.secret) == found), None)

    async def _share_out(self, bot: Bot, body: bytes, arrival: Arrival | None) -> Parsed:
        """Gives each bot its items. The body as a whole is kept, and relayed, once."""
        parsed = await self._parsed(body)
        found = await self._shares(bot, dict(enumerate(parsed)))
        owner, *others = found
        if arrival is not None and others and not await self._share_a_receiver(found):
            _log.warning("bot %s: a webhook for several bots is relayed to none", owner)
            arrival = Arrival(None, arrival.received)
        for other in others:
            await self._take_in(self._body(other, body), found[other], None)
        await self._take_in(self._body(owner, body), found[owner], arrival)
        self.received()
        return parsed

    async def _share_a_receiver(self, bot_ids: Collection[str]) -> bool:
        """One bot's receiver must not see another's contacts."""
        bots = await self.bots.all(self.store)
        return len({bot.value("forward_url") for bot in bots if bot.bot_id in bot_ids}) == 1

    async def _shares(
        self, bot: Bot, items: Mapping[int, Item]
    ) -> Mapping[str, Mapping[int, Item]]:
        """Bot id -> its items by place; the first has the whole body. Never empty."""
        number = number_of(bot, self.number)
        if self.number != "meta.phone_number_id" or is_about(number, items.values()):
            return {bot.bot_id: items}
        secret = bot.value(self.secret)
        others = [b for b in await self.bots.all(self.store) if b.value(self.secret) == secret]
        found = shares(items, bot, others)
        strange = {number_named(item) for item in found.get(bot.bot_id, {}).values()}
        for about in strange - {None, number}:
            _log.warning("bot %s: a webhook about number %s, which no bot has", bot.bot_id, about)
            self.alarm(bot.bot_id)
        return found

    async def _take_in(
        self, body: SignedBody, items: Mapping[int, Item], arrival: Arrival | None
    ) -> None:
        recipients: Mapping[int, str] = {}
        stopped = {n: i for n, i in items.items() if _tells_of_a_stop(i)}
        if stopped:
            recipients = await self.store.commit(Recipients(body.bot_id, stopped))
        places = list(items)
        for first in range(0, len(places) or 1, _AT_ONCE):
            some = {place: items[place] for place in places[first : first + _AT_ONCE]}
            last = arrival if first + _AT_ONCE >= len(places) else None
            await self.store.commit(TakeIn(body, some, self.number, recipients, last))

    async def _parsed(self, body: bytes) -> Parsed:
        if len(body) > _LARGE:
            return await asyncio.to_thread(self.parse, body)
        return self.parse(body)

    def _body(self, bot_id: str, body: bytes) -> SignedBody:
        return SignedBody(bot_id, body, hashlib.sha256(body).hexdigest(), self.source)


def _tells_of_a_stop(item: Item) -> bool:
    return isinstance(item, StatusUpdate) and item.marketing_stopped
