"""A webhook's way in: whose it is, whether it is believed, and then commit by commit (SPEC 5)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from optin.domain.bots import Bot
from optin.domain.callbacks import relayed_headers
from optin.domain.errors import InconsistentRecord, InvalidSignature, NotFound
from optin.domain.inbound import Item, Parsed, SignedBy, StatusUpdate
from optin.ports.store import Store
from optin.usecases.receive_inbound.directory import (
    App,
    BotList,
    Secrets,
    number_named,
    number_of,
    shares,
)
from optin.usecases.receive_inbound.late_stops import hold
from optin.usecases.receive_inbound.relaying import Cut, cut_nothing, onward
from optin.usecases.receive_inbound.reports import Recipients, some_await_their_answer
from optin.usecases.receive_inbound.signed_body import (
    Arrival,
    Keep,
    Onward,
    PassOn,
    SignedBody,
)
from optin.usecases.receive_inbound.signing import Search
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


def _is_given(signature: object) -> bool:
    return signature is not None


def _wrong_signature() -> InvalidSignature:
    return InvalidSignature("The signature is missing or wrong.")


@dataclass(frozen=True, slots=True)
class ReceiveInbound:
    """One provider's webhook: `parse` and `valid_signature(secret, body, signature)` are its own.

    `source` names it in the ledger. `secret` and `number` are the bot settings that hold its
    secret and the business number, or app, that it must be about. `received` is called after the
    commit, so that the callbacks it owes need not wait for a poll. `alarm` is called with the bot
    id whenever a signed body is about a number that no bot has. `is_signature` says whether a
    signature has the form of one. `cut` makes of a body what each of several receivers may see.
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
    is_signature: Callable[[Any], bool] = _is_given
    cut: Cut = cut_nothing
    search: Search = field(default_factory=Search)

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

    async def expect(self, bot_id: str | None, signature: str | SignedBy | None) -> None:
        """Returns if a body posted to this address with this signature may be believed, so that it
        is worth reading. Raises as `receive` does."""
        if not self.is_signature(signature):
            raise _wrong_signature()
        if bot_id is None:
            bots: Sequence[Bot | None] = await self.bots.all(self.store)
        else:
            bots = [await self.store.bot(bot_id)]
        if not any(bot is not None and bot.value(self.secret) for bot in bots):
            raise _wrong_signature()

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
            raise _wrong_signature()
        try:
            await self._share_out(bot, body, relayed_headers(headers))
        except NotFound:
            raise _wrong_signature() from None

    async def take_in(self, bot_id: str, body: bytes) -> None:
        """Takes in a body that needs no signature, since it never left this program.

        As with any other, what was taken in before changes nothing. But as a whole it is neither
        kept nor relayed, and all of it is this bot's.
        """
        items = dict(enumerate(await self._parsed(body)))
        await self._take_in(self._body(bot_id, body), items, None)
        self.received()

    async def take_in_again(self, bot_id: str, body: bytes) -> int:
        """Takes in a kept body as if it came now, but that it is not relayed; how many parts of it
        are still not understood. What was taken in before changes nothing."""
        bot = await self.store.bot(bot_id)
        if bot is None:
            raise NotFound(f"There is no bot {bot_id}.")
        return await self._share_out(bot, body, None)

    async def _signer(self, bot_id: str | None, body: bytes, signature: Any) -> Bot | None:
        """The bot whose secret signed the body; if several have that secret, one of them."""
        if bot_id is None:
            known = await self.bots.by_secret(self.store, self.secret)
        else:
            bot = await self.store.bot(bot_id)
            known = Secrets.of([] if bot is None else [bot], self.secret)
        found = await self.search(known, body, signature, self.valid_signature)
        return None if found is None else known.bots[found][0]

    async def _share_out(
        self, bot: Bot, body: bytes, headers: Mapping[str, str] | None = None
    ) -> int:
        """Gives each bot its items; how many parts were not understood. With `headers` the body
        is new: as a whole it is kept once, and goes on to its receivers.
        """
        received = await self.store.now()
        app = await self._app(bot)
        found = self._shares(bot, app, dict(enumerate(await self._parsed(body))))
        owner, *others = found
        arrival, going = None, dict[str, Onward]()
        if headers is not None:
            going = await self._onward(body, headers, bot, app, owner)
            arrival = Arrival(received, going.pop(owner, None))
        strange = 0
        broken: InconsistentRecord | None = None
        for each in (*others, owner):
            last = arrival if each == owner and broken is None else None
            try:
                strange += await self._take_in(self._body(each, body), found[each], last)
            except InconsistentRecord as failed:
                broken = failed
        if broken is not None:
            self.received()
            raise broken
        for further, its in going.items():
            passed = PassOn(self._body(further, body), Arrival(received, its))
            await self.store.commit(passed)
        self.received()
        return strange

    async def _app(self, bot: Bot) -> App:
        """The bots for which the bot's secret speaks, this one as it is by now."""
        if self.number != "meta.phone_number_id":
            return App.of([bot])
        known = await self.bots.by_secret(self.store, self.secret)
        return known.app(bot.value(self.secret)).with_now(bot)

    async def _onward(
        self, body: bytes, headers: Mapping[str, str], bot: Bot, app: App, owner: str
    ) -> dict[str, Onward]:
        asked = (body, headers, bot.value(self.secret), app, owner, self.cut)
        if len(body) > _LARGE:
            return await asyncio.to_thread(onward, *asked)
        return onward(*asked)

    def _shares(
        self, bot: Bot, app: App, items: Mapping[int, Item]
    ) -> Mapping[str, Mapping[int, Item]]:
        """Bot id -> its items by place; the first has the whole body. Never empty."""
        if self.number != "meta.phone_number_id":
            return {bot.bot_id: items}
        found = shares(items, bot, app)
        number = number_of(bot, self.number)
        strange = {number_named(item) for item in found.get(bot.bot_id, {}).values()}
        for about in strange - {None, number}:
            _log.warning(
                "bot %s: a webhook about number %s, which no bot has as its %s, was kept without "
                "effect; once one has it, 'optin webhooks replay --bot %s' takes it in",
                *(bot.bot_id, about, self.number, bot.bot_id),
            )
            self.alarm(bot.bot_id)
        return found

    async def _take_in(
        self, body: SignedBody, items: Mapping[int, Item], arrival: Arrival | None
    ) -> int:
        recipients: Mapping[int, str] = {}
        about = {n: i for n, i in items.items() if self._needs_its_recipient(i)}
        if about:
            recipients = await self._recipients(body, about)
        awaited = await some_await_their_answer(self.store, body.bot_id, items)
        places, strange = list(items), 0
        broken: InconsistentRecord | None = None
        for first in range(0, len(places) or 1, _AT_ONCE):
            some = {place: items[place] for place in places[first : first + _AT_ONCE]}
            last = arrival if first + _AT_ONCE >= len(places) and broken is None else None
            work = TakeIn(body, some, self.number, recipients, last, awaited)
            try:
                strange += await self.store.commit(work)
            except InconsistentRecord as failed:
                broken = failed
                strange += await self._one_by_one(work)
        received = arrival.received if arrival else None
        if broken is not None:
            for item in items.values():
                with contextlib.suppress(InconsistentRecord):
                    await hold(self.store, body, [item], received)
            await self.store.commit(Keep(body, "a record of a contact that can not be read"))
            raise broken
        await hold(self.store, body, items.values(), received)
        return strange

    async def _recipients(self, body: SignedBody, about: Mapping[int, Item]) -> Mapping[int, str]:
        try:
            return await self.store.commit(Recipients(body.bot_id, about))
        except InconsistentRecord:
            found: dict[int, str] = {}
            for place, item in about.items():
                with contextlib.suppress(InconsistentRecord):
                    found |= await self.store.commit(Recipients(body.bot_id, {place: item}))
            return found

    async def _one_by_one(self, work: TakeIn) -> int:
        """The items of those whose records can be read: a contact that is damaged in the store
        must not cost the others their stops. The caller says that not all is recorded (R12)."""
        strange = 0
        for place, item in work.items.items():
            with contextlib.suppress(InconsistentRecord):
                one = replace(work, items={place: item}, arrival=None)
                strange += await self.store.commit(one)
        return strange

    def _needs_its_recipient(self, item: Item) -> bool:
        """Meta's reports name all identities of a person. Sinch's name one: with that to which the
        message went it makes a pair (R11)."""
        if not isinstance(item, StatusUpdate):
            return False
        return item.marketing_stopped or (self.number == "sinch.app_id" and bool(item.identities))

    async def _parsed(self, body: bytes) -> Parsed:
        if len(body) > _LARGE:
            return await asyncio.to_thread(self.parse, body)
        return self.parse(body)

    def _body(self, bot_id: str, body: bytes) -> SignedBody:
        return SignedBody(bot_id, body, hashlib.sha256(body).hexdigest(), self.source)
