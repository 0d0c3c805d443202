"""The native API, `/v1/bots/{bot-id}/...`: consents, checks, contacts (SPEC 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import Route

from optin.domain.consent import NEVER, Clocks
from optin.domain.decision import Decision
from optin.domain.errors import InvalidInput
from optin.domain.identities import parse_identity, shown
from optin.domain.message_shapes import canonical_language
from optin.domain.messages import Category
from optin.domain.rfc3339 import parse_time, shown_time
from optin.usecases.check import CheckRow, TemplateName
from optin.usecases.read_contact import Contact
from optin.usecases.record_consent import ItemResult
from optin.web import (
    callbacks,
    changes,
    exports,
    history,
    imports,
    proof,
    reviews,
    sending,
    stats,
    templates,
)
from optin.web.answers import Answer, json_answer
from optin.web.body import MIB, elements
from optin.web.problems import problem
from optin.web.resource import Call, Method, Resource
from optin.web.services import Services

#: Items of a list, identities of a check.
MOST = 1_000
#: A thousand items may bring their evidence along.
_CONSENTS_SIZE = 8 * MIB
_SOURCE = "native_api"
#: Of a template, if not given: as in messages (H9).
_LANGUAGE = "en"
_ROOT = "/v1/bots/{bot_id}"


def routes(services: Services) -> list[Route]:
    """The routes of this API but the checks', which go past the router: see `check_resource`."""
    table = {
        "/consents": {"POST": Method("provision", _record, _CONSENTS_SIZE)},
        "/contacts/{identity}": {
            "GET": Method("read", _contact),
            "DELETE": Method("admin", _erase),
        },
        **history.METHODS,
        **proof.METHODS,
        **imports.METHODS,
        **exports.METHODS,
        **templates.METHODS,
        **sending.METHODS,
        **callbacks.METHODS,
        **reviews.METHODS,
        **changes.METHODS,
        **stats.METHODS,
    }
    return [
        Route(_ROOT + path, Resource(services, methods, problem, with_keys=True))
        for path, methods in table.items()
    ]


def check_resource(services: Services) -> Resource:
    """`POST check`."""
    return Resource(services, {"POST": Method("read", _check)}, problem)


async def _record(call: Call) -> Answer:
    body = await call.json(_CONSENTS_SIZE)
    given = body.get("items") if isinstance(body, dict) else body
    items = elements(given, "items", MOST)
    results = await call.services.record_consent.record(
        call.bot_id,
        items,
        call.caller(_SOURCE),
        call.once(_recorded),
        call.first_seen,
    )
    return _recorded(results)


def _recorded(results: list[ItemResult]) -> Answer:
    return json_answer({"results": [_result(each) for each in results]})


def _result(result: ItemResult) -> dict[str, Any]:
    row = {
        "identity": result.identity,
        "status": result.status.value,
        "in_force": result.in_force,
        "reason": result.reason,
        "details": result.details,
    }
    return {k: v for k, v in row.items() if v is not None or k in ("identity", "in_force")}


async def _check(call: Call) -> Answer:
    body = await call.json_object()
    identities = elements(body.get("identities"), "identities", MOST)
    category, template = _asked(body)
    times = {name: _time(body, name) for name in ("at", "known_at")}
    check, bot_id = call.services.check, call.bot_id
    if any(time is not None for time in times.values()):
        rows = await check.at(bot_id, identities, category, template, **times)
    else:
        rows = await check.now(bot_id, identities, category, template)
    return json_answer({"results": [_row(each) for each in rows]})


def _asked(body: Mapping[str, Any]) -> tuple[Category | None, TemplateName | None]:
    category, template = body.get("category"), body.get("template")
    if category is not None and template is not None:
        raise InvalidInput(
            "Field [category] can not be combined with [template].", field="category"
        )
    return _category(category), None if template is None else _template(template)


def _category(value: Any) -> Category | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in tuple(Category):
        raise InvalidInput(
            f"Field [category] must be one of: {', '.join(Category)}.", field="category"
        )
    return Category(value)


def _template(value: Any) -> TemplateName:
    """A template as `{"name", "language"}` or "name/language"; without language it is `en`."""
    if isinstance(value, str):
        name, _, language = value.partition("/")
        return _named(name, language or _LANGUAGE)
    given = value if isinstance(value, dict) else {}
    return _named(given.get("name"), given.get("language", _LANGUAGE))


def _named(name: Any, language: Any) -> TemplateName:
    code = canonical_language(language) if isinstance(language, str) else None
    if not isinstance(name, str) or not name or code is None:
        raise InvalidInput(
            "Field [template] must be a name and a language, such as order_ready/en.",
            field="template",
        )
    return name, code


def _time(body: Mapping[str, Any], field: str) -> int | None:
    value = body.get(field)
    return None if value is None else parse_time(value, field)


def _row(row: CheckRow) -> dict[str, Any]:
    return {
        "identity": row.identity,
        "allowed": row.allowed,
        "reason": row.reason,
        "basis": row.basis,
        "until": _shown(row.until),
        "enforced": row.enforced,
    }


async def _contact(call: Call) -> Answer:
    identity = parse_identity(call.params["identity"])
    contact = await call.services.read_contact.read(call.bot_id, identity)
    return json_answer(_contact_json(contact))


async def _erase(call: Call) -> Answer:
    identity = parse_identity(call.params["identity"])
    caller = call.caller(_SOURCE)
    done = await call.services.erase.forget(
        call.bot_id, identity, source=_SOURCE, actor=caller.actor, context=caller.context
    )
    return json_answer(
        {
            "erased_at": shown_time(done.at),
            "identities": done.identities,
            "entries": done.entries,
            "records": done.records,
        }
    )


def _contact_json(contact: Contact) -> dict[str, Any]:
    return {
        "identity": shown(contact.identity),
        "state": contact.standing,
        "session_until": _shown(contact.session_until),
        "marketing_stopped": contact.marketing_stopped,
        "as_of": shown_time(contact.now),
        "clocks": _clocks(contact.clocks),
        "identities": [
            {"identity": shown(one), "allows": allows} for one, allows in contact.linked.items()
        ],
        "decisions": {name: _decision(made) for name, made in contact.decisions.items()},
    }


def _clocks(clocks: Clocks) -> dict[str, Any]:
    *plain, wordings = clocks
    named = dict(zip(Clocks._fields, plain, strict=False))
    return {
        **{name: None if at == NEVER else shown_time(at) for name, at in named.items()},
        "wordings": {wording: shown_time(at) for wording, at in wordings.items()},
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "allowed": decision.allowed,
        "reason": decision.reason,
        "basis": decision.basis,
        "until": _shown(decision.until),
    }


def _shown(at: int | None) -> str | None:
    return None if at is None else shown_time(at)
