"""The doors for providers' webhooks (SPEC 5). A 200 says that everything is on disk (R13).

Errors are raised: the application answers them, an unknown bot like a wrong signature.
"""

from __future__ import annotations

from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from optin.domain.errors import Forbidden
from optin.usecases.receive_inbound import ReceiveInbound
from optin.web.body import MIB, read_body

#: Meta puts many messages into one body.
LARGEST_BODY = 8 * MIB


class HookServices(Protocol):
    """What these doors need."""

    @property
    def receive_inbound(self) -> ReceiveInbound:
        """Takes in Meta's webhooks."""


def routes(services: HookServices) -> list[Route]:
    """`GET|POST /webhooks/meta/{bot-id}`, with and without a trailing slash."""
    inbound = services.receive_inbound

    async def meta(request: Request) -> Response:
        if request.method == "POST":
            return await _receive(inbound, request)
        return await _handshake(inbound, request)

    paths = ("/webhooks/meta/{bot_id}", "/webhooks/meta/{bot_id}/")
    return [Route(path, meta, methods=["GET", "POST"]) for path in paths]


async def _handshake(inbound: ReceiveInbound, request: Request) -> Response:
    """Meta asks whether it may post here: its challenge comes back as it is, or 403."""
    asked = request.query_params
    mode, token = asked.get("hub.mode", ""), asked.get("hub.verify_token", "")
    if not await inbound.handshake(request.path_params["bot_id"], mode, token):
        raise Forbidden("The verify token is not this bot's.")
    headers = {"x-content-type-options": "nosniff"}
    return PlainTextResponse(asked.get("hub.challenge", ""), headers=headers)


async def _receive(inbound: ReceiveInbound, request: Request) -> Response:
    try:
        body = await read_body(request.scope["headers"], request.receive, LARGEST_BODY)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    signature = request.headers.get("x-hub-signature-256")
    await inbound.receive(request.path_params["bot_id"], body, signature)
    return JSONResponse({"status": "received"})
