"""Meta's Graph API behind the Graph face: a client's own requests, with our token (SPEC 7)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientResponse

from optin.domain.bots import Bot
from optin.domain.graph_posts import GraphMessage
from optin.domain.outbox import OutboxMessage
from optin.ports.graph import Download, GraphAnswer, GraphCall, NotReached, Relayed
from optin.ports.upstream import Fault, Outcome, Release, Retry, Unknown
from optin.upstreams.connecting import (
    LONGEST_ANSWER,
    Answer,
    NotConnected,
    OutcomeUnknown,
    ReleasingClient,
)
from optin.upstreams.meta import outcome
from optin.upstreams.sharing import SharedSession

_JSON = "application/json"
#: Bytes of an answer to a call; a page of templates may have some hundred thousand.
_LONGEST_CALL = 8 * 1024 * 1024
_CHUNK = 65_536
#: Connections for calls that take a moment, in all and of one bot.
_CALLS, _CALLS_OF_ONE = 100, 40
#: The same for files, which take as long as the client at the other end does.
_FILES, _FILES_OF_ONE = 128, 16


@dataclass(slots=True)
class CloudGraph:
    """The Graph API at the bot's `meta.base_url`. `clock`: UTC seconds. `timeout`: seconds in which
    nothing comes of the answer to a call; for messages it is `client`'s own."""

    client: ReleasingClient
    timeout: float = 30.0
    clock: Callable[[], float] = time.time
    _calls: SharedSession = field(init=False, repr=False)
    _files: SharedSession = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._calls = SharedSession(_CALLS, _CALLS_OF_ONE, self.timeout)
        self._files = SharedSession(_FILES, _FILES_OF_ONE, self.timeout)

    def number(self, bot: Bot) -> str:
        """The bot's `meta.phone_number_id`, if it has a token to go with it (R12)."""
        return bot.value("meta.phone_number_id") if bot.value("meta.access_token") else ""

    async def send(
        self, bot: Bot, path: str, given: GraphMessage, record: OutboxMessage, release: Release
    ) -> Relayed:
        headers = {**_headers(bot), "Content-Type": _JSON}
        try:
            answer = await self.client.post(_url(bot, path), headers, given.body, release)
        except NotConnected as fault:
            return _unanswered(Retry(f"not connected: {fault}", fault=Fault.PROVIDER))
        except OutcomeUnknown as fault:
            return _unanswered(Unknown(f"no answer: {fault}"))
        if len(answer.body) >= LONGEST_ANSWER:
            return _unanswered(Unknown("the answer is longer than any to a message"))
        return Relayed(_whole(answer), partial(outcome, answer, self.clock()))

    async def call(self, bot: Bot, call: GraphCall) -> GraphAnswer:
        headers = _headers(bot)
        chunks = None if call.content is None else call.content.chunks
        sessions = self._calls if chunks is None or isinstance(chunks, bytes) else self._files
        if call.content is not None:
            headers["Content-Type"] = call.content.media_type
            if call.content.length is not None:
                headers["Content-Length"] = str(call.content.length)
        try:
            async with (
                sessions.place(bot.bot_id) as session,
                session.request(
                    call.method,
                    _url(bot, call.path),
                    params=call.query,
                    data=chunks,
                    headers=headers,
                    allow_redirects=False,
                ) as response,
            ):
                named = {name.lower(): value for name, value in response.headers.items()}
                return _whole(Answer(response.status, named, await _bounded(response)))
        except (ClientError, TimeoutError, OSError) as fault:
            raise NotReached(f"{type(fault).__name__}: {fault}") from fault

    @asynccontextmanager
    async def download(self, bot: Bot, url: str) -> AsyncIterator[Download]:
        """Our token goes to https addresses that Meta named, and to the configured one."""
        if not _is_trusted(url, bot.value("meta.base_url")):
            raise NotReached("the address of the media is not https")
        try:
            headers = {**_headers(bot), "Accept-Encoding": "identity"}
            async with (
                self._files.place(bot.bot_id) as session,
                session.get(url, headers=headers, allow_redirects=False) as response,
            ):
                named = {name.lower(): value for name, value in response.headers.items()}
                yield Download(response.status, named, response.content.iter_chunked(_CHUNK))
        except (ClientError, TimeoutError, OSError) as fault:
            raise NotReached(f"{type(fault).__name__}: {fault}") from fault

    async def close(self) -> None:
        await self.client.close()
        await self._calls.close()
        await self._files.close()


def _unanswered(known: Outcome) -> Relayed:
    return Relayed(None, lambda: known)


def _url(bot: Bot, path: str) -> str:
    return f"{bot.value('meta.base_url').rstrip('/')}/{path}"


def _is_trusted(url: str, base_url: str) -> bool:
    try:
        asked, own = urlsplit(url), urlsplit(base_url)
    except ValueError:
        return False
    if asked.username is not None:  # which would stand in for our token
        return False
    return asked.scheme == "https" or (asked.scheme, asked.netloc) == (own.scheme, own.netloc)


def _headers(bot: Bot) -> dict[str, str]:
    return {"Authorization": f"Bearer {bot.value('meta.access_token')}", "Accept": "*/*"}


def _whole(answer: Answer) -> GraphAnswer:
    headers: Mapping[str, str] = answer.headers
    media_type = headers.get("content-type", _JSON)
    return GraphAnswer(answer.status, media_type, answer.body, headers.get("retry-after", ""))


async def _bounded(response: ClientResponse) -> bytes:
    """The body. Raises `NotReached` for one that is longer than any that is of use."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(_CHUNK):
        size += len(part)
        if size > _LONGEST_CALL:
            response.close()
            raise NotReached(f"the answer has more than {_LONGEST_CALL} bytes")
        parts.append(part)
    return b"".join(parts)
