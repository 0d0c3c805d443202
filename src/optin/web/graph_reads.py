"""What the Graph face passes on unjudged: receipts, and reads of the sender's own (SPEC 7).

The upstream's token never leaves: Graph writes it into the addresses of further pages, and its
media addresses want it. Both are led through here instead, for the bot's own token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.types import Receive, Scope

from optin.domain.bots import Bot
from optin.domain.errors import InvalidInput
from optin.ports.graph import Content, Graph, GraphAnswer, GraphCall
from optin.web.answers import Answer
from optin.web.graph_errors import Unserved, handed_back, no_such_object

#: Query members of reads that are passed on; `fields` can name no edges' own fields.
_PAGE = ("fields", "limit", "after", "before")
_OF_TEMPLATES = (*_PAGE, "name", "name_or_content", "content", "status", "language", "category")
_FIELDS = re.compile(r"[a-z0-9_,]{0,1000}")
_MEDIA = frozenset(("url", "mime_type", "sha256"))
_JSON = "application/json"


class Passing(NamedTuple):
    """One admitted call that is passed on. `number`: the bot's phone number id."""

    graph: Graph
    bot: Bot
    scope: Scope
    receive: Receive
    version: str
    node: str
    number: str

    async def ask(self, method: str, tail: str = "", **query: str) -> GraphAnswer:
        """One call about the node."""
        path = f"{self.version}/{self.node}{tail}"
        return await self.graph.call(self.bot, GraphCall(method, path, query))

    async def post(self, edge: str, content: Content) -> Answer:
        """The content to an edge of the node."""
        call = GraphCall("POST", f"{self.version}/{self.node}/{edge}", {}, content)
        return handed_on(self, await self.graph.call(self.bot, call))

    def given(self, *names: str) -> dict[str, str]:
        """The caller's query, as far as it is passed on."""
        return kept_query(self.scope.get("query_string", b"").decode("latin-1"), names)


def kept_query(text: str, names: tuple[str, ...]) -> dict[str, str]:
    """Those members of a query string. Raises `InvalidInput` for fields of further objects."""
    kept = {name: value for name, value in parse_qsl(text) if name in names}
    if not _FIELDS.fullmatch(kept.get("fields", "")):
        raise InvalidInput("Field [fields] can only be a list of names.", field="fields")
    return kept


async def receipt(passing: Passing, body: bytes) -> Answer:
    """`{"status": "read"}`, byte for byte."""
    return await passing.post("messages", Content(_JSON, body, len(body)))


async def number(passing: Passing) -> Answer:
    """The sender's own number."""
    return handed_on(passing, await passing.ask("GET", **passing.given("fields")))


async def media(passing: Passing, delete: bool = False) -> Answer:
    """A file of the sender's: what Meta says of it, its address led through here; or its end."""
    answer, told = await described(passing)
    if not told:
        return handed_on(passing, answer)
    if delete:
        answer = await passing.ask("DELETE", phone_number_id=passing.number)
        return handed_on(passing, answer)
    own = f"{_own_address(passing.scope)}/graph/{passing.version}/{passing.node}/content"
    return handed_on(passing, _retold(answer, {**told, "url": own}))


async def described(passing: Passing) -> tuple[GraphAnswer, Mapping[str, Any]]:
    """What Meta says of a file of this number; nothing if it says no. Ids name all sorts of
    objects, so an answer about another sort is not handed on."""
    answer = await passing.ask("GET", phone_number_id=passing.number)
    if answer.status != 200:
        return answer, {}
    told = _object(answer)
    if not told.keys() >= _MEDIA:
        raise Unserved("This id is not that of a media file.")
    return answer, told


@dataclass(slots=True)
class Templates:
    """Reads of templates. Remembers which accounts were found to hold which number."""

    _own: set[tuple[str, str, str]] = field(default_factory=set)

    async def page(self, passing: Passing) -> Answer:
        """One page of an account's templates, if the account holds the bot's number: the
        upstream's token may be good for other businesses' accounts, too."""
        known = (passing.bot.bot_id, passing.number, passing.node)
        if known not in self._own and passing.node != passing.bot.value("meta.waba_id"):
            answer = await passing.ask("GET", "/phone_numbers", fields="id", limit="500")
            if answer.status != 200:
                return handed_on(passing, answer)
            ids = [n.get("id") for n in _object(answer).get("data", ()) if isinstance(n, dict)]
            if passing.number not in ids:
                return no_such_object("GET")
            self._own.add(known)
        query = passing.given(*_OF_TEMPLATES)
        answer = await passing.ask("GET", "/message_templates", **query)
        return handed_on(passing, _paged(passing, answer))


def _paged(passing: Passing, answer: GraphAnswer) -> GraphAnswer:
    """With the addresses of further pages led through here."""
    told = _object(answer)
    paging = told.get("paging")
    if not isinstance(paging, dict) or not {"next", "previous"} & paging.keys():
        return answer
    root = f"{_own_address(passing.scope)}/graph/{passing.version}/{passing.node}"
    led = dict(paging)
    for name in {"next", "previous"} & paging.keys():
        query = kept_query(urlsplit(str(paging[name])).query, _OF_TEMPLATES)
        led[name] = f"{root}/message_templates?{urlencode(query)}"
    return _retold(answer, {**told, "paging": led})


def handed_on(passing: Passing, answer: GraphAnswer) -> Answer:
    """The answer without the upstream's token, wherever it may stand."""
    body, token = answer.body, passing.bot.value("meta.access_token")
    for spelt in {token, quote(token, safe="")} - {""}:
        body = body.replace(spelt.encode(), b"")
    return handed_back(answer.status, answer.media_type, body, answer.retry_after)


def _retold(answer: GraphAnswer, told: Mapping[str, Any]) -> GraphAnswer:
    return GraphAnswer(answer.status, answer.media_type, json.dumps(told).encode())


def _object(answer: GraphAnswer) -> dict[str, Any]:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _own_address(scope: Scope) -> str:
    """Scheme and host as the caller wrote them; only that caller is told of them."""
    headers = dict(scope["headers"])
    scheme = headers.get(b"x-forwarded-proto", b"").decode("latin-1")
    if scheme not in ("http", "https"):
        scheme = str(scope.get("scheme", "http"))
    return f"{scheme}://{headers.get(b'host', b'localhost').decode('latin-1')}"
