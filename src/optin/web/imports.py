"""Lists in, in the native API: `imports` (SPEC 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect

from optin.domain.errors import InvalidInput, NotFound
from optin.domain.lists.reader import CSV, JSONL, ListOptions
from optin.ports.imports import ImportJob
from optin.usecases.import_list import (
    ImportRequest,
    examples_of,
    examples_told,
    job_told,
    rejected_csv,
)
from optin.web.answers import Answer, json_answer
from optin.web.auth import require
from optin.web.resource import Call, Method
from optin.web.streaming import Streamed, streamed

_SOURCE = "native_api"
_PAGE = 100
_OPTIONS = ("format", "encoding", "delimiter", "preset", "action", "time_zone", "date_order")
#: Given as often as wanted, each NAME=VALUE.
_PAIRS = ("map", "evidence")
_OTHERS = ("dry_run", "reopt_in", "name")
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")
_FORMS = {
    "text/csv": CSV,
    "application/csv": CSV,
    "text/tab-separated-values": CSV,
    "application/x-ndjson": JSONL,
    "application/ndjson": JSONL,
    "application/jsonl": JSONL,
    "application/x-jsonlines": JSONL,
}


async def _receive(call: Call) -> Answer:
    """`202` once the body is on disk. Lifting opt-outs by a list takes the scope `admin`."""
    asked = _asked(call)
    if asked.reopt_in:
        require(call.token, "admin")
    job = await call.services.imports.receive(call.bot_id, asked, _body(call))
    return json_answer(job_told(job), 202)


def _asked(call: Call) -> ImportRequest:
    """An option that is not known is refused: a misspelt `dry_run` must not import."""
    pairs = parse_qsl(call.scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    single: dict[str, str] = {}
    many: dict[str, dict[str, str]] = {name: {} for name in _PAIRS}
    for name, value in pairs:
        if name in _PAIRS:
            key, found, meaning = value.rpartition("=")
            if not found or not key:
                raise InvalidInput(f"Option [{name}] takes NAME=VALUE.", field=name)
            many[name][key] = meaning
        elif name in (*_OPTIONS, *_OTHERS) and name not in single:
            single[name] = value
        else:
            raise InvalidInput(
                f"There is no option [{name[:40]}], or it is there twice.", field=name[:40]
            )
    form, charset = _content_type(call)
    caller = call.caller(_SOURCE)
    return ImportRequest(
        ListOptions(
            form=single.get("format") or form,
            encoding=single.get("encoding") or charset,
            delimiter={"tab": "\t"}.get(single.get("delimiter", ""), single.get("delimiter", "")),
            mapping=many["map"],
            preset=single.get("preset", ""),
            action=single.get("action", ""),
            time_zone=single.get("time_zone", ""),
            date_order=single.get("date_order", ""),
            evidence=many["evidence"],
        ),
        dry_run=_flag(single.get("dry_run", "false")),
        reopt_in=single.get("reopt_in", ""),
        name=single.get("name", ""),
        source=caller.source,
        actor=caller.actor,
        context=dict(caller.context),
    )


def _flag(value: str) -> bool:
    if value.lower() not in _YES + _NO:
        raise InvalidInput("Option [dry_run] is true or false.", field="dry_run")
    return value.lower() in _YES


def _content_type(call: Call) -> tuple[str, str]:
    """(form, charset) that the headers tell; "" for what they leave open."""
    headers = {name: value.decode("latin-1").lower() for name, value in call.scope["headers"]}
    if headers.get(b"content-encoding", "identity") != "identity":
        raise InvalidInput("The body is compressed: send it as it is.", field="content-encoding")
    kind, *parameters = [part.strip() for part in headers.get(b"content-type", "").split(";")]
    if kind.startswith("multipart/"):
        raise InvalidInput("Send the file itself as the body, not a form.", field="content-type")
    told = dict(part.partition("=")[::2] for part in parameters)
    return _FORMS.get(kind, ""), told.get("charset", "").strip('"')


async def _body(call: Call) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if data := message.get("body", b""):
            yield data
        more = message.get("more_body", False)


async def _list(call: Call) -> Answer:
    """A page, oldest first; `next` is the `after` of the page behind it, or null."""
    found = await call.services.store.imports(call.bot_id, call.query("after") or "", _PAGE + 1)
    page = found[:_PAGE]
    following = page[-1].import_id if len(found) > _PAGE else None
    return json_answer({"imports": list(map(job_told, page)), "next": following})


async def _job(call: Call) -> ImportJob:
    job = await call.services.store.imported(call.bot_id, call.params["import_id"])
    if job is None:
        raise NotFound("There is no such import.")
    return job


async def _get(call: Call) -> Answer:
    job = await _job(call)
    told: dict[str, Any] = job_told(job)
    if job.dry_run:
        told["examples"] = examples_told(await examples_of(call.services.store, job))
    return json_answer(told)


async def _rejected(call: Call) -> Streamed:
    job = await _job(call)
    pieces = rejected_csv(call.services.store, job)
    name = f"rejected-{job.import_id}.csv"
    return await streamed(pieces, call.receive, "text/csv; charset=utf-8", name)


async def _undo(call: Call) -> Answer:
    caller = call.caller(_SOURCE)
    asked = ImportRequest(source=caller.source, actor=caller.actor, context=dict(caller.context))
    job = await call.services.imports.undo(call.bot_id, call.params["import_id"], asked)
    return json_answer(job_told(job), 202)


#: Path below the bot -> what its methods do.
METHODS: Mapping[str, Mapping[str, Method]] = {
    "/imports": {"GET": Method("read", _list), "POST": Method("provision", _receive, 0)},
    "/imports/{import_id}": {"GET": Method("read", _get)},
    "/imports/{import_id}/rejected": {"GET": Method("read", _rejected)},
    "/imports/{import_id}/undo": {"POST": Method("provision", _undo)},
}
