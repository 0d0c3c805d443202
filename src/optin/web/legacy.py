"""The Sinch-compatible face: `/whatsapp/v1/{bot-id}/...` (SPEC 3), as a plain ASGI function.

Its paths are the busiest of all, so they go through no framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from optin.domain.errors import InvalidInput, InvalidNumber
from optin.domain.events import Kind
from optin.domain.identities import parse_msisdn, shown
from optin.domain.json_shapes import is_absent, url
from optin.domain.messages import MessageState, parse_message
from optin.domain.outbox import OutboxMessage
from optin.web.answers import EMPTY, Answer, json_answer
from optin.web.body import elements
from optin.web.problems import legacy_error, legacy_unknown_path
from optin.web.resource import Call, Handler, Method, Resource
from optin.web.services import Services

PREFIX = "/whatsapp/"
_ROOT = "/whatsapp/v1/"
_SOURCE = "legacy_api"

#: Numbers in one call, counted as they came (H3).
MOST = 20
_LAST_PAGE = 10**9

_FAILURES = frozenset({MessageState.FAILED, MessageState.NO_OPT_IN, MessageState.NO_CAPABILITY})


def legacy_face(services: Services) -> ASGIApp:
    """The application for every path under `/whatsapp/`."""
    resources = _resources(services)

    async def face(scope: Scope, receive: Receive, send: Send) -> None:
        bot_id, _, tail = _below_root(scope["path"]).partition("/")
        resource = resources.get(tail) if bot_id else None
        if resource is None:
            await legacy_unknown_path().send(send)
        else:
            await resource.serve({"bot_id": bot_id}, scope, receive, send)

    return face


def _below_root(path: str) -> str:
    """The path, percent-decoded already, without what all have; one trailing slash is nothing."""
    return path[len(_ROOT) :].removesuffix("/") if path.startswith(_ROOT) else ""


def _resources(services: Services) -> Mapping[str, Resource]:
    opt_out = partial(_provision, Kind.OPT_OUT)
    handlers: Mapping[str, Mapping[str, Handler]] = {
        "provision/optin": {"POST": _opt_in, "DELETE": opt_out},
        "provision/optout": {"POST": opt_out},
        "provision/blacklist": {
            "GET": _blacklisted,
            "POST": partial(_blacklist, True),
            "DELETE": partial(_blacklist, False),
        },
    }
    table = {
        path: {name: Method("provision", handler) for name, handler in methods.items()}
        for path, methods in handlers.items()
    }
    table["messages"] = {"POST": Method("send", _send)}
    return {path: Resource(services, methods, legacy_error) for path, methods in table.items()}


async def _opt_in(call: Call) -> Answer:
    """H1, H2; a bot may want its bad numbers as rows instead (H7)."""
    if call.bot.value("optin_response") == "rows":
        return await _opt_in_by_rows(call)
    return await _provision(Kind.OPT_IN, call)


async def _provision(kind: Kind, call: Call) -> Answer:
    numbers = _numbers(await call.json_object())
    await call.services.record_consent.provision(call.bot_id, numbers, kind, call.caller(_SOURCE))
    return EMPTY


async def _opt_in_by_rows(call: Call) -> Answer:
    good, bad = _sorted_out(elements((await call.json_object()).get("numbers"), "numbers", MOST))
    if good:
        caller = call.caller(_SOURCE)
        await call.services.record_consent.provision(call.bot_id, good, Kind.OPT_IN, caller)
    return json_answer(
        {
            "optInNumbers": [{"msisdn": number, "waId": number} for number in good],
            "failedToOptInNumbers": [
                {"msisdn": given, "rejectionReason": reason} for given, reason in bad.items()
            ],
        }
    )


async def _blacklist(listed: bool, call: Call) -> Answer:
    await call.services.blacklist.put(call.bot_id, _numbers(await call.json_object()), listed)
    return EMPTY


async def _blacklisted(call: Call) -> Answer:
    page = call.query("page") or "0"
    if not (page.isascii() and page.isdigit() and len(page) < 12 and int(page) <= _LAST_PAGE):
        raise InvalidInput("Field [page] must be a page number, counted from 0.", field="page")
    numbers = await call.services.blacklist.page(call.bot_id, int(page))
    return json_answer({"numbers": [shown(number) for number in numbers]})


async def _send(call: Call) -> Answer:
    """H8, H9: a row a recipient. This face knows numbers only, as the original did."""
    body = await call.json_object()
    recipients = _numbers(body, "to")
    message = parse_message(body.get("message"))
    callback = body.get("callback")
    accepted = await call.services.send_message.accept(
        call.bot_id,
        recipients,
        message,
        call.token.token_id,
        callback_url="" if is_absent(callback) else url(callback, "callback"),
    )
    return json_answer({"type": "whatsapp", "statuses": [_row(each) for each in accepted]}, 201)


def _row(message: OutboxMessage) -> dict[str, str]:
    failed = message.state in _FAILURES
    row = {
        "message_id": message.message_id,
        "recipient": shown(message.identity),
        "status": "failure" if failed else "success",
        "state": message.state.value,
    }
    return {**row, "details": message.details} if message.details else row


def _numbers(body: Mapping[str, Any], field: str = "numbers") -> list[str]:
    """The MSISDNs of a list that is good as a whole (H2, H3)."""
    given = elements(body.get(field), field, MOST)
    return [_number(each, field, place) for place, each in enumerate(given)]


def _number(given: Any, field: str, place: int) -> str:
    try:
        return parse_msisdn(given)
    except InvalidNumber as wrong:
        raise InvalidNumber(
            f"Field [{field}[{place}]] is not a phone number.", field=field, position=place
        ) from wrong


def _sorted_out(given: list[Any]) -> tuple[list[str], dict[str, str]]:
    """Good numbers, and bad texts with why; a bad element that is no text spoils the list (H7)."""
    good: dict[str, None] = {}
    bad: dict[str, str] = {}
    for place, each in enumerate(given):
        if not isinstance(each, str):
            good[_number(each, "numbers", place)] = None
            continue
        try:
            good[parse_msisdn(each)] = None
        except InvalidNumber as wrong:
            bad[each] = str(wrong)
    return list(good), bad
