"""The doors for providers' webhooks (SPEC 5). A 200 says that everything is on disk (R13).

Errors are raised: the application answers them, an unknown bot like a wrong signature. What no
secret can have signed is refused before its body is read.
"""

from __future__ import annotations

from typing import Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from optin.domain.errors import Forbidden
from optin.domain.inbound import SignedBy
from optin.usecases.receive_inbound import ReceiveInbound
from optin.web.body import MIB
from optin.web.incoming import IncomingBodies
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


def routes(services: HookServices, bodies: IncomingBodies) -> list[Route]:
    """`GET|POST /webhooks/meta/{bot-id}` and `/webhooks/meta`, the address of all bots, with and
    without a trailing slash. `bodies` reads for all doors of the process."""
    inbound = services.receive_inbound

    async def meta(request: Request) -> Response:
        if request.method == "POST":
            return await _receive(inbound, bodies, request)
        return await _handshake(inbound, request)

    root = "/webhooks/meta"
    paths = (root, root + "/", root + "/{bot_id}", root + "/{bot_id}/")
    return [Route(path, meta, methods=["GET", "POST"]) for path in paths]


def sinch_routes(services: SinchServices, bodies: IncomingBodies) -> list[Route]:
    """`POST /webhooks/sinch/{bot-id}`, with and without a trailing slash."""
    inbound, replays = services.receive_sinch, Replays()

    async def sinch(request: Request) -> Response:
        signed = _signed_by(request)
        await inbound.expect(request.path_params["bot_id"], signed)
        try:
            async with bodies.body(request.headers.raw, request.receive, LARGEST_BODY) as body:
                await _receive_sinch(inbound, replays, request, signed, body)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        return JSONResponse({"status": "received"})

    paths = ("/webhooks/sinch/{bot_id}", "/webhooks/sinch/{bot_id}/")
    return [Route(path, sinch, methods=["POST"]) for path in paths]


async def _receive_sinch(
    inbound: ReceiveInbound, replays: Replays, request: Request, signed: SignedBy, body: bytes
) -> None:
    """A request that was taken in before, nonce and all, is answered as then and does nothing."""
    bot_id = request.path_params["bot_id"]
    parts = (bot_id, signed.value, signed.nonce, signed.at, signed.algorithm)
    key = replays.key(body, *(part.encode() for part in parts))
    if key not in replays:
        await inbound.receive(bot_id, body, signed, request.headers)
        replays.add(key)


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


async def _receive(inbound: ReceiveInbound, bodies: IncomingBodies, request: Request) -> Response:
    bot_id = request.path_params.get("bot_id")
    signature = request.headers.get("x-hub-signature-256")
    await inbound.expect(bot_id, signature)
    try:
        async with bodies.body(request.headers.raw, request.receive, LARGEST_BODY) as body:
            await inbound.receive(bot_id, body, signature, request.headers)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    return JSONResponse({"status": "received"})
