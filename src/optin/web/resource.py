"""One path of an API: its methods, and what every call goes through before its handler (H4, H6).

In this order: method (405), token (401), scope (403), room (429); then the handler, which alone
looks at the body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from optin.domain.bots import Bot, Token
from optin.domain.errors import OptinError, WrongMethod
from optin.ports.once import Once
from optin.usecases.record_consent import Caller
from optin.web.answers import Answer
from optin.web.auth import admit, require
from optin.web.body import MIB, decode, decode_object, read_body
from optin.web.client_address import client_address
from optin.web.once import Hashed, Keyed, answered_once, key_in
from optin.web.problems import unexpected
from optin.web.services import Services
from optin.web.streaming import Streamed

_LONGEST_USER_AGENT = 512

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted call. `params`: the parts of its path that name something."""

    services: Services
    bot: Bot
    token: Token
    scope: Scope
    receive: Receive
    params: Mapping[str, str]
    keyed: Keyed | None = None

    @property
    def bot_id(self) -> str:
        """The bot that the call is about."""
        return self.bot.bot_id

    async def json(self, most: int = MIB) -> Any:
        """The body as JSON; see `body` for what it raises."""
        return decode(await read_body(self.scope["headers"], self.receive, most))

    async def json_object(self, most: int = MIB) -> dict[str, Any]:
        """The body as a JSON object."""
        return decode_object(await read_body(self.scope["headers"], self.receive, most))

    def query(self, name: str) -> str | None:
        """The last value of a query parameter."""
        given = self.scope.get("query_string", b"").decode("latin-1")
        return dict(parse_qsl(given, keep_blank_values=True)).get(name)

    def once(self, render: Callable[[T], Answer]) -> Once[T] | None:
        """For a work that keeps its own answer; None if the call has no `Idempotency-Key`."""
        return None if self.keyed is None else self.keyed.once(render)

    @property
    def first_seen(self) -> int | None:
        """When the call came before under its key without getting an answer, UTC µs (R3)."""
        return None if self.keyed is None else self.keyed.first_seen

    def caller(self, source: str) -> Caller:
        """Who calls, as it is kept with what the call records (R14)."""
        seen = {"ip": client_address(self.scope, self.services.trusted_proxies)}
        for name, value in self.scope["headers"]:
            if name == b"user-agent":
                seen["user_agent"] = value[:_LONGEST_USER_AGENT].decode("latin-1")
        context = {name: value.replace("\x00", "") for name, value in seen.items() if value}
        return Caller(actor=self.token.token_id, source=source, context=context)


Handler = Callable[[Call], Awaitable[Answer | Streamed]]


class Method(NamedTuple):
    """What one method of a path does, and the scope that a token needs for it.

    `most`: bytes of its body that are read under an `Idempotency-Key`; 0: as of a list.
    """

    scope: str
    handler: Handler
    most: int = MIB


@dataclass(frozen=True, slots=True)
class Resource:
    """One path. `refuse` turns errors into this API's form of them. `with_keys`: whether writes
    may bring an `Idempotency-Key`."""

    services: Services
    methods: Mapping[str, Method]
    refuse: Callable[[OptinError], Answer]
    with_keys: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As an ASGI application behind a route whose parameters name at least `bot_id`."""
        await self.serve(scope["path_params"], scope, receive, send)

    async def serve(
        self, params: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answers one call, whatever happens; a caller that went away gets nothing."""
        answer: Answer | Streamed
        try:
            answer = await self._answer(params, scope, receive)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - every error has a JSON body (H5)
            answer = self.refuse(unexpected(error))
        await answer.send(send)

    async def _answer(
        self, params: Mapping[str, str], scope: Scope, receive: Receive
    ) -> Answer | Streamed:
        method = self.methods.get(scope["method"])
        if method is None:
            raise WrongMethod("The path takes other methods.", allowed=tuple(sorted(self.methods)))
        services, bot_id = self.services, params["bot_id"]
        bot, token = await admit(services.store, services.region, bot_id, scope["headers"])
        require(token, method.scope)
        with services.waiting.turn(bot_id):
            key = key_in(scope, token.token_id) if self.with_keys else None
            if key is None:
                return await method.handler(Call(services, bot, token, scope, receive, params))
            most = method.most or services.imports.most
            keyed = Keyed(key, Hashed(scope, receive, most))
            call = Call(services, bot, token, scope, keyed.body.receive, params, keyed)
            return await answered_once(
                services.store, services.keys, bot_id, keyed, lambda: method.handler(call)
            )
