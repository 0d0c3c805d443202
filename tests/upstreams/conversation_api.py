"""A strict simulated Conversation API with its token authority: a real server that takes nothing
Sinch would not take.

What it accepts is written from Sinch's public pages and models, not from our translation, so that
the two check each other. `behaviour` replaces the answer to a message that was found right,
`authority` the authority's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.upstreams.cloud_api import (
    BSUID,
    LINK,
    TEXT,
    Behaviour,
    ListOf,
    answering,
    either,
    fits,
)

PROJECT, APP = "p-1", "01APP"
KEY_ID, KEY_SECRET = "key-1", "key: secret"
LARGEST_PAGE, USUAL_PAGE = 50, 10

DIGITS = re.compile(r"[1-9]\d{6,14}")
TOKEN_BODY = [("grant_type", "client_credentials")]


def _sized(longest: int) -> re.Pattern[str]:
    return re.compile(rf"(?s).{{1,{longest}}}")


# A name that begins with "?" may be missing; a member that is not listed is an error.
MEDIA = {"url": LINK, "?thumbnail_url": LINK, "?filename_override": TEXT}
CHOICE = {"text_message": {"text": _sized(20)}, "?postback_data": _sized(256)}
ROW = {
    "choice": {
        "title": _sized(24),
        "?description": _sized(72),
        "?postback_data": _sized(200),
    }
}
CARD = {
    "title": _sized(1024),
    "?description": _sized(1024),
    "?media_message": MEDIA,
    "?choices": ListOf(CHOICE, 3),
    "?message_properties": {"whatsapp_header": _sized(60)},
}
BUTTONS = {
    "text_message": {"text": _sized(1024)},
    "choices": ListOf(CHOICE, 3),
    "?message_properties": {"whatsapp_footer": _sized(60)},
}
LIST = {
    "title": _sized(1024),
    "?description": _sized(1024),
    "sections": ListOf({"?title": _sized(24), "items": ListOf(ROW, 10)}, 10),
    "?message_properties": {"?menu": _sized(20), "?whatsapp_header": _sized(60)},
}
PLACE = {
    "title": TEXT,
    "?label": TEXT,
    "coordinates": {"latitude": float, "longitude": float},
}
_NAME_PARTS = ("first_name", "last_name", "middle_name", "prefix", "suffix")
_ADDRESS = ("city", "country", "state", "zip", "type", "country_code")
CONTACT = {
    "name": {"full_name": TEXT, **{f"?{part}": TEXT for part in _NAME_PARTS}},
    "phone_numbers": ListOf({"phone_number": TEXT, "?type": TEXT}),
    "?addresses": ListOf({f"?{part}": TEXT for part in _ADDRESS}),
    "?email_addresses": ListOf({"email_address": TEXT, "?type": TEXT}),
    "?organization": {f"?{part}": TEXT for part in ("company", "department", "title")},
    "?urls": ListOf({"url": TEXT, "?type": TEXT}),
    "?birthday": re.compile(r"\d{4}-\d\d-\d\d"),
}
TEMPLATE = {
    "channel_template": {
        "WHATSAPP": {
            "template_id": _sized(512),
            "language_code": re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?"),
            "?parameters": dict,
        }
    }
}
CONTENT: dict[str, Any] = {
    "text_message": {"text": _sized(4096)},
    "media_message": MEDIA,
    "card_message": CARD,
    "choice_message": BUTTONS,
    "list_message": LIST,
    "location_message": PLACE,
    "contact_info_message": CONTACT,
    "template_message": TEMPLATE,
}
PARAMETER = re.compile(
    r"header\[1\](text|image\.link|video\.link|document\.(link|filename))"
    r"|body\[[1-9]\d*\]text"
    r"|button\[[0-9]\](url\[1\]text|quick_reply\[1\]payload)"
)
REQUEST = {
    "app_id": APP,
    "recipient": {
        "identified_by": {
            "channel_identities": ListOf(
                {"channel": "WHATSAPP", "identity": either(DIGITS, BSUID)}, 1
            )
        }
    },
    "message": either(*({name: shape} for name, shape in CONTENT.items())),
    "channel_priority_order": ["WHATSAPP"],
    "?correlation_id": _sized(128),
    "?message_content_type": either("CONTENT_UNKNOWN", "CONTENT_MARKETING", "CONTENT_NOTIFICATION"),
}


def complaint(body: Any) -> str | None:
    """What Sinch would object to in a request; None if nothing."""
    if not isinstance(body, dict):
        return "the body"
    known = {name.lstrip("?"): shape for name, shape in REQUEST.items()}
    wrong = [n for n, part in body.items() if n not in known or not fits(part, known[n])]
    if wrong or not fits(body, REQUEST):
        return ", ".join(wrong) or "a member is missing"
    template = body["message"].get("template_message")
    if template is not None:
        given = template["channel_template"]["WHATSAPP"].get("parameters", {})
        odd = [k for k, v in given.items() if not PARAMETER.fullmatch(k) or type(v) is not str]
        return ", ".join(odd) or None
    return None


def sinch_error(code: int, status: str, message: str = "Because.") -> dict[str, Any]:
    """Sinch's error object."""
    return {"error": {"code": code, "message": message, "status": status, "details": []}}


#: A token that was good and is no more.
EXPIRED = answering(
    sinch_error(401, "UNAUTHENTICATED"),
    401,
    WWW_Authenticate='Bearer error="invalid_token", error_description="Token has expired"',
)


@dataclass
class ConversationApi:
    """`settings` for the bot; what was taken, and what was objected to."""

    behaviour: Behaviour | None = None
    authority: Behaviour | None = None
    base_url: str = ""
    life: Any = 3600
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    taken: list[dict[str, Any]] = field(default_factory=list)
    objections: list[str] = field(default_factory=list)
    asked_for_tokens: int = 0
    good_tokens: set[str] = field(default_factory=set)
    consents: dict[str, list[str]] = field(default_factory=dict)
    audits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "upstream": "sinch",
            "sinch.project_id": PROJECT,
            "sinch.app_id": APP,
            "sinch.key_id": KEY_ID,
            "sinch.key_secret": KEY_SECRET,
            "sinch.webhook_secret": "cb-secret",
            "sinch.base_url": self.base_url,
            "sinch.auth_url": f"{self.base_url}/oauth2/token",
        }

    async def token(self, request: web.Request) -> web.StreamResponse:
        self.asked_for_tokens += 1
        if self.authority is not None:
            return await self.authority(request)
        expected = base64.b64encode(f"{KEY_ID}:{KEY_SECRET}".encode()).decode()
        if request.headers.getall("Authorization", []) != [f"Basic {expected}"]:
            return web.json_response({"error": "invalid_client"}, status=401)
        if parse_qsl(await request.text()) != TOKEN_BODY:
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        token = f"token-{self.asked_for_tokens}"
        self.good_tokens.add(token)
        answer = {"access_token": token, "expires_in": self.life, "token_type": "bearer"}
        return web.json_response({**answer, "scope": ""})

    async def send(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request):
            return refused
        if request.headers.getall("Content-Type", []) != ["application/json"]:
            return self._object("content type", sinch_error(400, "INVALID_ARGUMENT"), 400)
        body = json.loads(await request.read())
        if wrong := complaint(body):
            return self._object(wrong, sinch_error(400, "INVALID_ARGUMENT", wrong), 400)
        self.taken.append(body)
        self.arrived.set()
        if self.behaviour is not None:
            return await self.behaviour(request)
        accepted = {"message_id": f"01MSG{len(self.taken)}", "accepted_time": "2026-11-23T10:00Z"}
        return web.json_response(accepted)

    async def consent_list(self, request: web.Request) -> web.StreamResponse:
        """Pages of a list: ten identities unless asked for up to fifty."""
        if refused := self._refused(request):
            return refused
        if self.behaviour is not None:
            return await self.behaviour(request)
        size = int(request.query.get("page_size", USUAL_PAGE))
        if not 1 <= size <= LARGEST_PAGE or set(request.query) - {"page_size", "page_token"}:
            return self._object("page_size", sinch_error(400, "INVALID_ARGUMENT"), 400)
        self.read.append(request.path_qs)
        given = self.consents.get(request.match_info["list"], [])
        first = int(request.query.get("page_token", 0))
        after = first + size
        page = {
            "identities": [{"identity": identity} for identity in given[first:after]],
            "next_page_token": str(after) if after < len(given) else "",
        }
        return web.json_response(page)

    async def audit(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request):
            return refused
        identity = request.match_info["identity"]
        self.read.append(request.path_qs)
        records = self.audits.get(identity, [])
        return web.json_response({"identity": {"identity": identity}, "audit_records": records})

    def _refused(self, request: web.Request) -> web.Response | None:
        """Another project or app is not there; another token is none."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.good_tokens:
            return self._object("token", sinch_error(401, "UNAUTHENTICATED"), 401)
        if request.match_info["project"] != PROJECT or request.match_info.get("app", APP) != APP:
            return self._object("project", sinch_error(404, "NOT_FOUND"), 404)
        return None

    def _object(self, wrong: str, error: Mapping[str, Any], status: int) -> web.Response:
        self.objections.append(wrong)
        return web.json_response(error, status=status)


@asynccontextmanager
async def conversation_api() -> AsyncIterator[ConversationApi]:
    """The server, on a port of the kernel's choice. Anything but its paths is 404."""
    api = ConversationApi()
    app = web.Application()
    lists = r"{list:OPT_OUT_(ALL|MARKETING|NOTIFICATION)}"
    consents = "/v1/projects/{project}/apps/{app}/consents"
    app.router.add_post("/oauth2/token", api.token)
    app.router.add_post("/v1/projects/{project}/messages:send", api.send)
    app.router.add_get(f"{consents}/{lists}", api.consent_list)
    app.router.add_get(f"{consents}/identities/{{identity}}", api.audit)
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
