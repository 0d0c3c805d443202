"""Sinch's consent lists of a Conversation API app: who is on them, and since when.

Reading changes nothing there. Consent management must be enabled for the app, else Sinch has none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

from optin.domain.bots import Bot
from optin.domain.events import SECOND
from optin.ports.consent_lists import ListEntry, Listing, ListsNotRead
from optin.upstreams.connecting import Answer, ReleasingClient
from optin.upstreams.provider_json import at, read_object, text_at
from optin.upstreams.retry_after import retry_after
from optin.upstreams.sinch import NEEDED, base_url, told
from optin.upstreams.sinch_items import identity_in, number, time_of
from optin.upstreams.sinch_tokens import TokenDenied, Tokens, TokenUnavailable

#: The lists, strictest first. One who wants no notifications is written to about nothing: ours
#: has no stop that spares marketing.
LISTS = ("OPT_OUT_ALL", "OPT_OUT_NOTIFICATION", "OPT_OUT_MARKETING")
_MARKETING = "OPT_OUT_MARKETING"
_ADDS = frozenset({"INSERT", "UPDATE"})

_PAGE = 50  # the largest that Sinch gives
#: A list of ten million; beyond this the pages do not end.
_MOST_PAGES = 200_000
_LONGEST_PAGE = 1024 * 1024
_TRIES = 5
_LONGEST_WAIT = 60.0
_TIMEOUT = ClientTimeout(total=30.0, sock_connect=10.0)


class SinchConsents:
    """`clock`: UTC seconds. `sleep`: waits that many seconds between tries."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = ReleasingClient()
        self._tokens = Tokens(self._client)
        self._clock = clock
        self._sleep = sleep
        self._session: ClientSession | None = None

    async def entries(self, bot: Bot) -> list[ListEntry]:
        """See `ConsentLists`."""
        for key in NEEDED:
            if not bot.value(key):
                raise ListsNotRead(f"setting {key} is missing")
        return [entry for name in LISTS for entry in await self._list(bot, name)]

    async def listing(self, bot: Bot, entry: ListEntry) -> Listing:
        """See `ConsentLists`: the newest record that put the identity on this list."""
        who = quote(entry.known_as or entry.identity, safe="")
        page = await self._read(bot, f"identities/{who}", {})
        found = [
            _listing(record) for record in _objects(page, "audit_records") if _puts(record, entry)
        ]
        dated = [each for each in found if each.at is not None]
        return max(dated, key=lambda each: each.at or 0, default=Listing(None))

    async def close(self) -> None:
        """Closes idle connections."""
        await self._client.close()
        if self._session is not None:
            await self._session.close()

    async def _list(self, bot: Bot, name: str) -> list[ListEntry]:
        found: dict[str, ListEntry] = {}
        unreadable: list[ListEntry] = []
        token, seen = "", set[str]()
        for _ in range(_MOST_PAGES):
            asked = {"page_size": str(_PAGE), **({"page_token": token} if token else {})}
            page = await self._read(bot, name, asked)
            for given in _objects(page, "identities"):
                entry = _entry(given, name)
                if entry.identity:
                    found.setdefault(entry.identity, entry)
                else:
                    unreadable.append(entry)
            following = text_at(page, "next_page_token")
            if not following:
                return [*found.values(), *unreadable]
            if following in seen:
                break
            seen.add(following)
            token = following
        raise ListsNotRead(f"the pages of {name} do not end")

    async def _read(self, bot: Bot, path: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """One answer, waited for as long as Sinch asks, a few times."""
        app = f"projects/{bot.value('sinch.project_id')}/apps/{bot.value('sinch.app_id')}"
        url = f"{base_url(bot)}/v1/{app}/consents/{path}"
        for attempt in range(1, _TRIES + 1):
            answer = await self._got(bot, url, asked)
            if answer.status == 200:
                return _whole(answer)
            if attempt == _TRIES or not _may_pass(answer.status):
                break
            asked_wait = retry_after(answer, self._clock())
            wait = 2.0 ** (attempt - 1) if asked_wait is None else asked_wait / SECOND
            await self._sleep(min(wait, _LONGEST_WAIT))
        raise ListsNotRead(told(answer))

    async def _got(self, bot: Bot, url: str, asked: Mapping[str, str]) -> Answer:
        """With a new token if the one at hand is not taken, once."""
        for _ in range(2):
            try:
                token = await self._tokens.token(bot)
            except (TokenDenied, TokenUnavailable) as why:
                raise ListsNotRead(str(why)) from None
            answer = await self._get(url, asked, token.text)
            if answer.status != 401:
                break
            self._tokens.reject(bot, token)
        return answer

    async def _get(self, url: str, asked: Mapping[str, str], token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        try:
            async with self._opened().get(
                url, params=asked, headers=headers, allow_redirects=False
            ) as response:
                body = await response.content.read(_LONGEST_PAGE)
                while part := await response.content.read(_LONGEST_PAGE - len(body)):
                    body += part
                named = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, named, body)
        except (ClientError, TimeoutError, OSError, ValueError) as fault:
            raise ListsNotRead(f"no answer: {type(fault).__name__}: {fault}") from fault

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                timeout=_TIMEOUT, cookie_jar=DummyCookieJar(), trust_env=False
            )
        return self._session


def _may_pass(status: int) -> bool:
    return status == 429 or status >= 500


def _whole(answer: Answer) -> dict[str, Any]:
    page = read_object(answer.body)
    if not page and answer.body.strip() != b"{}":
        raise ListsNotRead("an answer that can not be read")
    return page


def _objects(page: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of that name; an empty one may be left out, as in any JSON made from protobuf."""
    given = page.get(name, [])
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise ListsNotRead(f"an answer whose {name} can not be read")
    return given


def _entry(given: Mapping[str, Any], name: str) -> ListEntry:
    """The entry of the number that messages go to, however Sinch writes it (H3)."""
    said = identity_in(given)
    identity = number(said)
    return ListEntry(identity, name, name == _MARKETING, said if said != identity else "")


def _puts(record: Mapping[str, Any], entry: ListEntry) -> bool:
    return text_at(record, "list_type") == entry.name and text_at(record, "operation") in _ADDS


def _listing(record: Mapping[str, Any]) -> Listing:
    moment, unit = time_of(at(record, "datetime"))
    return Listing(moment, unit, text_at(record, "origin")[:100])
