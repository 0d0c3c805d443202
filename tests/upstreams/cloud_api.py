"""A strict simulated Cloud API: a real server that takes nothing Meta would not take.

What it accepts is written from Meta's public pages, not from our translation, so that the two
check each other. `behaviour` replaces the answer to a request that was found right.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "EAAG-token"
NUMBER = "PNID1"
VERSION = "v25.0"

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Either:
    """Any one of these shapes, or values."""

    choices: tuple[Any, ...]


def either(*choices: Any) -> Either:
    return Either(choices)


@dataclass(frozen=True)
class ListOf:
    shape: Any
    most: int = 1000


PHONE = re.compile(r"\+[1-9]\d{6,14}")
BSUID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")
LINK = re.compile(r"https?://\S+")
TEXT = re.compile(r"(?s).+")


def _sized(longest: int) -> re.Pattern[str]:
    return re.compile(rf"(?s).{{1,{longest}}}")


# A name that begins with "?" may be missing; a member that is not listed is an error.
def _media(**more: Any) -> Either:
    return either({"link": LINK, **more}, {"id": TEXT, **more})


IMAGE = VIDEO = _media(**{"?caption": _sized(1024)})
DOCUMENT = _media(**{"?caption": _sized(1024), "?filename": TEXT})
FILE = _media()
TYPED = [
    {"type": "image", "image": IMAGE},
    {"type": "video", "video": VIDEO},
    {"type": "document", "document": DOCUMENT},
]
TEXTS = {"type": "text", "text": TEXT}
COMPONENT = either(
    {"type": "header", "parameters": ListOf(either(TEXTS, *TYPED), 1)},
    {"type": either("body", "BODY"), "parameters": ListOf(TEXTS)},
    {
        "type": "button",
        "sub_type": "quick_reply",
        "index": re.compile(r"\d"),
        "parameters": ListOf({"type": "payload", "payload": TEXT}, 1),
    },
    {
        "type": "button",
        "sub_type": "url",
        "index": re.compile(r"\d"),
        "parameters": ListOf(TEXTS, 1),
    },
)
REPLY = {"type": "reply", "reply": {"id": _sized(256), "title": _sized(20)}}
ROW = {"id": _sized(200), "title": _sized(24), "?description": _sized(72)}
_COMMON = {"body": {"text": _sized(1024)}, "?footer": {"text": _sized(60)}}
_TEXT_HEADER = {"type": "text", "text": _sized(60)}
INTERACTIVE = either(
    {
        "type": "button",
        **_COMMON,
        "?header": either(_TEXT_HEADER, *TYPED),
        "action": {"buttons": ListOf(REPLY, 3)},
    },
    {
        "type": "list",
        **_COMMON,
        "?header": _TEXT_HEADER,
        "action": {
            "button": _sized(20),
            "sections": ListOf({"?title": _sized(24), "rows": ListOf(ROW, 10)}, 10),
        },
    },
)
_NAME_PARTS = ("first_name", "last_name", "middle_name", "prefix", "suffix")
_ADDRESS = ("street", "city", "state", "zip", "country", "country_code", "type")
CONTACT = {
    "name": {"formatted_name": TEXT, **{f"?{part}": TEXT for part in _NAME_PARTS}},
    "?addresses": ListOf({f"?{part}": TEXT for part in _ADDRESS}),
    "?birthday": re.compile(r"\d{4}-\d\d-\d\d"),
    "?emails": ListOf({"email": TEXT, "?type": TEXT}),
    "?org": {f"?{part}": TEXT for part in ("company", "department", "title")},
    "?phones": ListOf({"phone": TEXT, "?type": TEXT, "?wa_id": TEXT}),
    "?urls": ListOf({"url": TEXT, "?type": TEXT}),
}
CONTENT: dict[str, Any] = {
    "text": {"body": _sized(4096), "?preview_url": bool},
    "template": {
        "name": _sized(512),
        "language": {"code": re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?")},
        "?components": ListOf(COMPONENT),
    },
    "image": IMAGE,
    "video": VIDEO,
    "document": DOCUMENT,
    "audio": FILE,
    "sticker": FILE,
    "location": {"latitude": float, "longitude": float, "?name": TEXT, "?address": TEXT},
    "contacts": ListOf(CONTACT),
    "interactive": INTERACTIVE,
}


def fits(value: Any, shape: Any) -> bool:
    """Whether a decoded JSON value has exactly this shape."""
    match shape:
        case Either():
            return any(fits(value, choice) for choice in shape.choices)
        case ListOf():
            sized = isinstance(value, list) and 1 <= len(value) <= shape.most
            return sized and all(fits(element, shape.shape) for element in value)
        case dict():
            return isinstance(value, dict) and _members_fit(value, shape)
        case re.Pattern():
            return isinstance(value, str) and shape.fullmatch(value) is not None
        case type():
            return type(value) is shape or (shape is float and type(value) is int)
        case _:
            return bool(value == shape)


def _members_fit(value: Mapping[str, Any], shape: Mapping[str, Any]) -> bool:
    known = {name.lstrip("?") for name in shape}
    return set(value) <= known and all(
        fits(value[name.lstrip("?")], part) if name.lstrip("?") in value else name.startswith("?")
        for name, part in shape.items()
    )


def complaint(body: Any) -> str | None:
    """What Meta would object to in a request; None if nothing."""
    kind = body.get("type") if isinstance(body, dict) else None
    if kind not in CONTENT:
        return "type"
    common = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "type": kind,
        "?biz_opaque_callback_data": _sized(512),
    }
    for named in ({"to": PHONE}, {"recipient": BSUID}):
        if set(named) <= set(body):
            shape = {**common, **named, kind: CONTENT[kind]}
            wrong = [name for name in body if not _member_fits(name, body[name], shape)]
            return ", ".join(wrong) or (None if fits(body, shape) else "a member is missing")
    return "to"


def _member_fits(name: str, value: Any, shape: Mapping[str, Any]) -> bool:
    part = shape.get(name, shape.get(f"?{name}"))
    return part is not None and fits(value, part)


def graph_error(code: int, details: str = "", **more: Any) -> dict[str, Any]:
    """Graph's error object."""
    error = {"message": f"(#{code}) No", "type": "OAuthException", "code": code, "fbtrace_id": "A"}
    data = {"messaging_product": "whatsapp", "details": details}
    return {"error": {**error, **({"error_data": data} if details else {}), **more}}


def answering(body: Any, status: int = 200, **headers: str) -> Behaviour:
    """Answers with this JSON; `Retry_After="5"` sets that header."""

    async def behave(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=named)

    return behave


def saying(text: str, status: int) -> Behaviour:
    """Answers with this text, which is not JSON."""

    async def behave(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status, content_type="text/html")

    return behave


async def hanging(request: web.Request) -> web.StreamResponse:
    """Reads the request and never answers."""
    await asyncio.Event().wait()
    raise AssertionError


async def breaking_off(request: web.Request) -> web.StreamResponse:
    """Sends the head and half of the body, then hangs up."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"messages":[{"id":"wami')
    assert request.transport is not None
    request.transport.close()
    return response


@dataclass
class CloudApi:
    """`base_url` for the bot's settings; what was taken, and what was objected to."""

    behaviour: Behaviour | None = None
    base_url: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    objections: list[str] = field(default_factory=list)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        if request.headers.getall("Authorization", []) != [f"Bearer {TOKEN}"]:
            return self._object("token", graph_error(190, "Invalid OAuth access token."), 401)
        if request.headers.getall("Content-Type", []) != ["application/json"]:
            return self._object("content type", graph_error(100), 400)
        body = json.loads(await request.read())
        if wrong := complaint(body):
            return self._object(wrong, graph_error(100, f"Invalid parameter: {wrong}"), 400)
        self.taken.append(body)
        if self.behaviour is not None:
            return await self.behaviour(request)
        return web.json_response(self._accepted(body))

    def _object(self, wrong: str, error: Any, status: int) -> web.Response:
        self.objections.append(wrong)
        return web.json_response(error, status=status)

    def _accepted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if "to" in body:
            contact = {"input": body["to"], "wa_id": body["to"][1:]}
        else:
            contact = {"input": body["recipient"], "user_id": body["recipient"]}
        return {
            "messaging_product": "whatsapp",
            "contacts": [contact],
            "messages": [{"id": f"wamid.{len(self.taken)}"}],
        }


@asynccontextmanager
async def cloud_api() -> AsyncIterator[CloudApi]:
    """The server, on a port of the kernel's choice. Anything but its one path is 404."""
    api = CloudApi()
    app = web.Application()
    app.router.add_post(f"/{VERSION}/{NUMBER}/messages", api.messages)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api.base_url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()
