"""The Graph face: `/graph/{version}/...`, Meta's own shapes for existing libraries (SPEC 7).

A library changes its base URL and uses the bot's token; nothing in the path names the bot.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from optin.domain.errors import StoreUnavailable, Unauthorized
from optin.domain.graph_posts import TEMPLATE, Receipt, parse_post
from optin.domain.outbox import OutboxMessage
from optin.ports.graph import GraphAnswer, NotReached
from optin.ports.upstream import Unknown
from optin.web import graph_files, graph_reads
from optin.web.answers import Answer
from optin.web.auth import Admitted, Headers, bearer, holder, require
from optin.web.body import MIB, read_body
from optin.web.graph_errors import (
    MESSAGE_ID,
    Unserved,
    failed,
    handed_back,
    held,
    no_such_object,
    refused,
    unknown,
    unreached,
)
from optin.web.graph_files import CutOff
from optin.web.graph_reads import Passing, Templates
from optin.web.problems import unexpected
from optin.web.services import Services

_log = logging.getLogger(__name__)

PREFIX = "/graph/"
_PATH = re.compile(r"/graph/(v\d{1,3}\.\d{1,2})/([A-Za-z0-9_\-.]{1,128})(?:/([a-z_]+))?/?")
_OBJECT = re.compile(r"[0-9]{1,32}")
_MARKETING = "marketing_messages"


class _Call(NamedTuple):
    """One admitted call: `edge` of the object `node`."""

    services: Services
    admitted: Admitted
    passing: Passing
    edge: str
    templates: Templates
    send: Send


def graph_face(services: Services) -> ASGIApp:
    """The application for every path under `/graph/`."""
    templates = Templates()

    async def face(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            admitted = await _admitted(services, scope)
            passing, edge = _read_path(services, admitted, scope, receive)
            call = _Call(services, admitted, passing, edge, templates, send)
            with services.waiting.turn(admitted.bot.bot_id):
                answer = await _answer(call)
        except ClientDisconnect:
            return
        except CutOff:
            raise  # the answer has begun: the server cuts the connection
        except NotReached as fault:
            answer = unreached(f"The provider gave no answer: {fault}")
        except Exception as error:  # noqa: BLE001 - every error has Graph's body
            answer = failed(unexpected(error))
        if answer is not None:
            await answer.send(send)

    return face


async def _admitted(services: Services, scope: Scope) -> Admitted:
    """Whose token it is, from the header or, as Graph allows, the query; two must be the same."""
    query, headers = scope.get("query_string"), scope["headers"]
    text = _given(query, headers) if query else bearer(headers)
    admitted = await holder(services.store, services.region, text)
    require(admitted.token, "read" if scope["method"] == "GET" else "send")
    return admitted


def _given(query: bytes, headers: Headers) -> bytes:
    named = parse_qsl(query.decode("latin-1"))
    given = {value.encode("latin-1", "replace") for name, value in named if name == "access_token"}
    if any(name == b"authorization" for name, _ in headers):
        given.add(bearer(headers))
    if len(given) != 1:
        raise Unauthorized("Invalid OAuth access token.")
    return given.pop()


def _read_path(
    services: Services, admitted: Admitted, scope: Scope, receive: Receive
) -> tuple[Passing, str]:
    path = _PATH.fullmatch(scope["path"])
    graph = services.relay.graphs.get(admitted.bot.value("upstream"))
    if path is None or graph is None:
        raise Unserved("This path, or this bot's upstream, is not served here.")
    number = graph.number(admitted.bot)
    if not number:
        raise StoreUnavailable("A setting that sending needs is missing.")
    version, node, edge = path.groups("")
    return Passing(graph, admitted.bot, scope, receive, version, node, number), edge


async def _answer(call: _Call) -> Answer | None:
    passing, method = call.passing, call.passing.scope["method"]
    if passing.node == passing.number:
        handle = _OF_NUMBER.get((method, call.edge))
    elif (method, call.edge) in _OF_NUMBER and call.edge:
        return no_such_object(method)
    else:
        handle = _OF_OBJECTS.get((method, call.edge)) if _OBJECT.fullmatch(passing.node) else None
    if handle is None:
        raise Unserved("This call is neither judged nor passed on here.")
    return await handle(call)


async def _messages(call: _Call) -> Answer:
    """Judged, unless it is a receipt."""
    body = await read_body(call.passing.scope["headers"], call.passing.receive, MIB)
    given = parse_post(body)
    if isinstance(given, Receipt):
        if call.edge == _MARKETING:
            raise Unserved("A receipt goes to messages.")
        return await graph_reads.receipt(call.passing, given.body)
    marketing = call.edge == _MARKETING
    if marketing and given.type != TEMPLATE:
        raise Unserved("Only templates go to marketing_messages.")
    path = f"{call.passing.version}/{call.passing.node}/{call.edge}"
    done = await call.services.relay.send(call.admitted.bot, path, given, marketing)
    if done.held is not None:
        return held(done.held)
    if done.answer is not None:
        return _answered(done.record, done.answer)
    if done.outcome is None:
        return refused(done.record)
    return unknown(done.record) if isinstance(done.outcome, Unknown) else unreached("not connected")


def _answered(record: OutboxMessage, given: GraphAnswer) -> Answer:
    """The provider's answer. What breaks here is no fault that may be answered as one: clients
    would send again what was sent (H8)."""
    named = ((MESSAGE_ID, record.message_id.encode()),)
    try:
        return handed_back(given.status, given.media_type, given.body, given.retry_after, named)
    except Exception:  # noqa: BLE001 - whatever it is, it was sent
        _log.exception("message %s: its answer cannot be handed back", record.message_id)
        return unknown(record)


async def _upload(call: _Call) -> Answer:
    return await graph_files.upload(call.passing)


async def _number(call: _Call) -> Answer:
    return await graph_reads.number(call.passing)


async def _media(call: _Call) -> Answer:
    return await graph_reads.media(call.passing)


async def _delete(call: _Call) -> Answer:
    return await graph_reads.media(call.passing, delete=True)


async def _content(call: _Call) -> Answer | None:
    return await graph_files.content(call.passing, call.send)


async def _templates(call: _Call) -> Answer:
    return await call.templates.page(call.passing)


_Handler = Callable[[_Call], Awaitable[Answer | None]]
#: (method, edge) of the bot's own number; everything else is refused.
_OF_NUMBER: dict[tuple[str, str], _Handler] = {
    ("POST", "messages"): _messages,
    ("POST", _MARKETING): _messages,
    ("POST", "media"): _upload,
    ("GET", ""): _number,
}
#: The same of other objects: files, and the account that holds the number.
_OF_OBJECTS: dict[tuple[str, str], _Handler] = {
    ("GET", ""): _media,
    ("DELETE", ""): _delete,
    ("GET", "content"): _content,
    ("GET", "message_templates"): _templates,
}
