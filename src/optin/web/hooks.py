"""The doors for providers' webhooks (SPEC 5). A 200 says that everything is on disk (R13).

Errors are raised: the application answers them, an unknown bot like a wrong signature.
"""

from __future__ import annotations

from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from optin.domain.errors import Forbidden
from optin.domain.inbound import SignedBy
from optin.usecases.receive_inbound import ReceiveInbound
from optin.web.body import MIB, read_body
from optin.web.replays import Replays

#: Meta puts many messages into one body.
LARGEST_BODY = 8 * MIB


class HookServices(Protocol):
    """What Meta's doors need."""

    @property
    def receive_inbound(self) -> ReceiveInbound:
        """Takes in Meta's webhooks."""


class SinchServices(Protocol):
    """What Sinch's door needs."""

    @property
    def receive_sinch(self) -> ReceiveInbound:
        """Takes in Sinch's webhooks."""


def routes(services: HookServices) -> list[Route]:
    """`GET|POST /webhooks/meta/{bot-id}` and `/webhooks/meta`, the address of all bots, with and
    without a trailing slash."""
    inbound = services.receive_inbound

    async def meta(request: Request) -> Response:
        if request.method == "POST":
            return await _receive(inbound, request)
        return await _handshake(inbound, request)

    root = "/webhooks/meta"
    paths = (root, root + "/", root + "/{bot_id}", root + "/{bot_id}/")
    return [Route(path, meta, methods=["GET", "POST"]) for path in paths]


def sinch_routes(services: SinchServices) -> list[Route]:
    """`POST /webhooks/sinch/{bot-id}`, with and without a trailing slash."""
    inbound, replays = services.receive_sinch, Replays()

    async def sinch(request: Request) -> Response:
        return await _receive_sinch(inbound, replays, request)

    paths = ("/webhooks/sinch/{bot_id}", "/webhooks/sinch/{bot_id}/")
    return [Route(path, sinch, methods=["POST"]) for path in paths]


async def _receive_sinch(inbound: ReceiveInbound, replays: Replays, request: Request) -> Response:
    """A request that was taken in before, nonce and all, is answered as then and does nothing."""
    try:
        body = await read_body(request.scope["headers"], request.receive, LARGEST_BODY)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    bot_id, signed = request.path_params["bot_id"], _signed_by(request)
    parts = (bot_id, signed.value, signed.nonce, signed.at, signed.algorithm)
    key = replays.key(body, *(part.encode() for part in parts))
    if key not in replays:
        await inbound.receive(bot_id, body, signed, request.headers)
        replays.add(key)
    return JSONResponse({"status": "received"})


def _signed_by(request: Request) -> SignedBy:
    """The signature's parts; a missing one is "", which signs nothing."""
    given = request.headers.get
    name = "x-sinch-webhook-signature"
    return SignedBy(
        value=given(name, ""),
        nonce=given(f"{name}-nonce", ""),
        at=given(f"{name}-timestamp", ""),
        algorithm=given(f"{name}-algorithm", ""),
    )


async def _handshake(inbound: ReceiveInbound, request: Request) -> Response:
    """Meta asks whether it may post here: its challenge comes back as it is, or 403."""
    asked = request.query_params
    mode, token = asked.get("hub.mode", ""), asked.get("hub.verify_token", "")
    if not await inbound.handshake(request.path_params.get("bot_id"), mode, token):
        raise Forbidden("The verify token is not this bot's.")
    headers = {"x-content-type-options": "nosniff"}
    return PlainTextResponse(asked.get("hub.challenge", ""), headers=headers)


async def _receive(inbound: ReceiveInbound, request: Request) -> Response:
    try:
        body = await read_body(request.scope["headers"], request.receive, LARGEST_BODY)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    signature = request.headers.get("x-hub-signature-256")
    await inbound.receive(request.path_params.get("bot_id"), body, signature, request.headers)
    return JSONResponse({"status": "received"})
