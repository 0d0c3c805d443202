"""The real application on a real store, called in this process."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
from starlette.types import ASGIApp

from optin.domain.events import Event
from optin.domain.ids import time_ordered_id
from optin.ports.store import Store
from optin.upstreams import sinch_webhook
from optin.upstreams.meta_parts import cut
from optin.upstreams.meta_webhook import is_signature, parse, valid_signature
from optin.usecases.blacklist import Blacklist
from optin.usecases.check import Check
from optin.usecases.erase import Erase
from optin.usecases.import_list import ReceiveImport
from optin.usecases.manage_bots import ManageBots
from optin.usecases.manage_templates import ManageTemplates
from optin.usecases.read_contact import ReadContact
from optin.usecases.receive_inbound import ReceiveInbound
from optin.usecases.record_consent import RecordConsent
from optin.usecases.relay import Relay
from optin.usecases.replay_callbacks import ReplayCallbacks
from optin.usecases.review import Reviews
from optin.usecases.rotate_tokens import RotateTokens
from optin.usecases.send_message import SendMessage
from optin.web.app import Services, create_app

BOT = "shop.1"
ANNA = "46732001122"
BERTIL = "46732001133"
CECILIA = "46732001144"


def new_id() -> bytes:
    """As the program makes them."""
    return time_ordered_id(time.time_ns() // 1000, secrets.token_bytes(10))


def new_secret() -> bytes:
    """As the program makes them."""
    return secrets.token_bytes(32)


def services_on(store: Store, **more: Any) -> Services:
    """The use cases on a store."""
    services = Services(
        store=store,
        record_consent=RecordConsent(store, new_id),
        check=Check(store),
        read_contact=ReadContact(store),
        erase=Erase(store, new_id),
        imports=ReceiveImport(store, new_id),
        blacklist=Blacklist(store),
        manage_templates=ManageTemplates(store),
        send_message=SendMessage(store, new_id),
        receive_inbound=ReceiveInbound(
            store, parse, valid_signature, is_signature=is_signature, cut=cut
        ),
        receive_sinch=ReceiveInbound(
            store,
            sinch_webhook.parse,
            sinch_webhook.SignatureCheck(),
            source="webhook:sinch",
            secret="sinch.webhook_secret",
            number="sinch.app_id",
        ),
        relay=Relay(store, {}, "doors", new_id),
        reviews=Reviews(store),
        manage_bots=ManageBots(store, new_id, new_secret),
        rotate_tokens=RotateTokens(store, new_id, new_secret),
        replay_callbacks=ReplayCallbacks(store),
    )
    return replace(services, **more)


@dataclass
class Doors:
    """A client of the application. `token` is that of `BOT`, with every scope."""

    store: Store
    services: Services
    app: ASGIApp
    client: httpx.AsyncClient
    token: str = ""

    @property
    def bots(self) -> ManageBots:
        return ManageBots(self.store, new_id, new_secret)

    async def add_bot(self, bot_id: str = BOT, **settings: str) -> str:
        """Adds a bot; returns the text of its token."""
        _, fresh = await self.bots.add(bot_id, settings)
        return fresh.text

    async def add_token(self, *scopes: str) -> str:
        """One more token of `BOT`."""
        return (await self.bots.add_token(BOT, scopes)).text

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        content: bytes | None = None,
    ) -> httpx.Response:
        """One request, with the token unless `token` is ""; nothing is followed or mended."""
        authorization = self.token if token is None else token
        sent = list(headers)
        if authorization:
            sent.append(("Authorization", f"Bearer {authorization}"))
        if content is None and body is not None:
            return await self.client.request(method, path, json=body, headers=sent)
        return await self.client.request(method, path, content=content, headers=sent)

    async def legacy(self, method: str, tail: str, *numbers: Any, **more: Any) -> httpx.Response:
        """A call of the Sinch-compatible face with a list of numbers."""
        return await self.call(
            method, f"/whatsapp/v1/{BOT}/{tail}", {"numbers": list(numbers)}, **more
        )

    async def check(self, *identities: Any, **more: Any) -> list[dict[str, Any]]:
        """The rows of a check."""
        answer = await self.call(
            "POST", f"/v1/bots/{BOT}/check", {"identities": list(identities), **more}
        )
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["results"]
        return rows

    async def allowed(self, identity: str, **more: Any) -> bool:
        """Whether one contact may be messaged now."""
        return bool((await self.check(identity, **more))[0]["allowed"])

    async def events(self, identity: str, bot_id: str = BOT) -> Sequence[Event]:
        """The ledger's entries about one identity and its other spellings."""
        return (await self.store.histories(bot_id, [identity])).events[identity]


async def open_doors(store: Store, *, bot_id: str = BOT, **more: Any) -> Doors:
    """The application with a bot in its store; `more` are members of `Services`."""
    doors = doors_on(store, **more)
    doors.token = await doors.add_bot(bot_id)
    return doors


def doors_on(store: Store, token: str = "", **more: Any) -> Doors:
    """The application on a store whose bots are there, as one more process has it."""
    services = services_on(store, **more)
    app = create_app(services)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://optin.test", follow_redirects=False
    )
    return Doors(store, services, app, client, token)
