"""Calls of those who run the deployment: what each goes through before its handler (H4, H6).

As on the native API: method (405), token (401), room (429), then the handler. An answer without a
secret is kept under its `Idempotency-Key`; of one with new tokens only a random seed is kept, from
which they follow together with the caller's own token, which is stored nowhere.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from optin.domain.bots import DEPLOYMENT, Token
from optin.domain.errors import Conflict, InvalidInput, TooLarge, WrongMethod
from optin.ports.records import StoredAnswer
from optin.web.answers import Answer
from optin.web.auth import bearer, deployment_token
from optin.web.body import MIB, decode_object, read_body
from optin.web.once import Hashed, Keyed, answer_again, key_in
from optin.web.problems import problem, unexpected
from optin.web.services import Services

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdminCall:
    """One admitted call. `params`: the parts of its path that name something."""

    services: Services
    token: Token
    scope: Scope
    receive: Receive
    params: Mapping[str, str]
    keyed: Keyed | None = None

    async def json_object(self) -> dict[str, Any]:
        """The body as a JSON object."""
        return decode_object(await read_body(self.scope["headers"], self.receive, MIB))

    def query(self, name: str) -> str:
        """The last value of a query parameter, "" without one."""
        given = self.scope.get("query_string", b"").decode("latin-1")
        values: dict[str, str] = dict(parse_qsl(given, keep_blank_values=True))
        return values.get(name, "")

    def limit(self, default: int) -> int:
        """The query's `limit`; 0, which is none, for what is no number."""
        text = self.query("limit")
        return default if not text else int(text) if text.isdecimal() and len(text) < 9 else 0

    async def seed(self) -> bytes:
        """What new tokens are derived from: the same whenever the call comes under its key, at
        any node; without a key it is new. To be asked for once the body was read and is in order.

        Raises `Conflict` if the key is another request's.
        """
        fresh = self.services.manage_bots.new_secret()
        if self.keyed is None:
            return fresh
        self.keyed.kept = True
        key = self.keyed.key._replace(route="seed")
        digest = self.keyed.body.digest()
        kept = await self.services.store.keep_deployment_answer(StoredAnswer(key, digest, 0, fresh))
        if kept.digest != digest:
            raise Conflict("This Idempotency-Key was used for another request.")
        return hmac.digest(kept.body, bearer(self.scope["headers"]), "sha256")


Handler = Callable[[AdminCall], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class AdminResource:
    """One path below `/v1/admin` and what its methods do."""

    services: Services
    methods: Mapping[str, Handler]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one call, whatever happens; a caller that went away gets nothing."""
        try:
            answer = await self._answer(scope, receive)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - every error has a JSON body (H5)
            answer = problem(unexpected(error))
        await answer.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        handler = self.methods.get(scope["method"])
        if handler is None:
            raise WrongMethod("The path takes other methods.", allowed=tuple(sorted(self.methods)))
        services = self.services
        token = await deployment_token(services.store, scope["headers"])
        with services.waiting.turn(DEPLOYMENT):
            key = key_in(scope, token.token_id)
            keyed = None if key is None else Keyed(key, Hashed(scope, receive, MIB))
            heard = receive if keyed is None else keyed.body.receive
            call = AdminCall(services, token, scope, heard, scope["path_params"], keyed)
            answer = await (handler(call) if keyed is None else _once(call, keyed, handler))
        if scope["method"] != "GET":
            who = (token.token_id, scope["method"], scope["path"], answer.status)
            _log.info("deployment token %s: %s %s: %d", *who)
        return answer


async def _once(call: AdminCall, keyed: Keyed, handler: Handler) -> Answer:
    """The answer that the key has, or the handler's, kept unless it has secrets in it."""
    services = call.services
    with services.keys.turn(DEPLOYMENT, keyed.key):
        known = await services.store.deployment_answer(keyed.key)
        if known is not None:
            return answer_again(known, await keyed.body.whole())
        answer = await handler(call)
        if not keyed.kept:
            await _keep(call, keyed, answer)
        return answer


async def _keep(call: AdminCall, keyed: Keyed, answer: Answer) -> None:
    try:
        digest = await keyed.body.whole()
    except TooLarge:  # it was no part of what was asked for, and that is done
        return
    kept = StoredAnswer(keyed.key, digest, answer.status, answer.body)
    await call.services.store.keep_deployment_answer(kept)


def text_in(body: Mapping[str, Any], field: str) -> str:
    """A member that is a string, "" if it is not there. Raises `InvalidInput`."""
    value = body.get(field)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"Field [{field}] must be a string.", field=field)
    return value or ""
